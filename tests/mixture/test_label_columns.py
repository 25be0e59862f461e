"""Columns of labels of all kinds, against a definition of their codes value by value."""

import datetime as dt
import decimal
import enum

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel._validation import Table, encode_table
from sklearn_genmodel.families import Categorical, Columns

NAN = float("nan")


class Size(enum.StrEnum):
    """Strings that are more than strings."""

    SMALL = "small"
    LARGE = "large"


class Gap:
    """Something missing: not equal to itself."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        return False


COLUMNS = {
    "strings and gaps": ["b", None, "a", NAN, np.nan, "a", pd.NA, "", "nan"],
    "truths and numbers": [True, 1, 1.0, 0, False, 2.5, NAN, None, -0.0],
    "numbers and strings": [1, "1", 1.0, "True", True, b"1", NAN],
    "large integers": [2**53, 2**53 + 1, -(2**63), 2**64 + 1, None, 2**53],
    "scalars of NumPy": [
        np.int64(3),
        3,
        np.float64(3.5),
        np.nan,
        np.str_("x"),
        "x",
        np.bool_(True),
    ],
    "tuples": [("a", 1), ("a", 1.0), None, ("a", NAN), "a"],
    "enumerations": [Size.SMALL, "small", Size.LARGE, None],
    "decimals": [decimal.Decimal("1.5"), 1.5, decimal.Decimal("NaN"), "1.5"],
    "gaps of one's own": ["a", Gap(), "b", Gap(), None, pd.NaT],
}
TYPED = {
    "categories": pd.Series(pd.Categorical(["b", None, "a", "b"], categories=["c", "b", "a"])),
    "numbers as categories": pd.Series(pd.Categorical([2**53 + 1, 7, None, 7])),
    "strings": pd.Series(["a", None, "b"], dtype="string"),
    "truths": pd.Series([True, None, False], dtype="boolean"),
    "integers": pd.Series([2**53 + 1, None, 2**53], dtype="Int64"),
    "floats": pd.Series([1.5, None, 2.0]),
    "polars strings": pl.Series(["a", None, "b", "a"]),
    "polars categories": pl.Series(["a", None, "b"], dtype=pl.Categorical),
    "polars truths": pl.Series([True, None, False]),
    "polars integers": pl.Series([2**53 + 1, None, 2**53]),
}


def _is_missing(value):
    return value is None or value is pd.NA or bool(value != value)


def _scalar(value):
    return value.item() if isinstance(value, np.generic) else value


def _check(table, values):
    """Levels are the distinct values that are there, codes the places of their equals."""
    seen = [value for value in values if not _is_missing(value)]
    try:
        levels = table.levels(0)
    except TypeError:
        # Decimals and numbers, or others of one type without an order, are sorted by nobody.
        levels = tuple(dict.fromkeys(seen))
    assert set(levels) == set(seen)
    assert len(levels) == len(set(seen))
    expected = [NAN if _is_missing(v) else list(levels).index(v) for v in values]
    for prior in (None, 1.0):
        supports = Categorical(prior, levels=[levels]).column_supports(1)
        assert_array_equal(encode_table(table, supports, ["0"])[:, 0], expected)
    fewer = Categorical(levels=[levels[1:]]).column_supports(1)
    row = expected.index(0)
    with pytest.raises(ValueError, match=rf"Column 0 holds .* in row {row}, which is none of"):
        encode_table(table, fewer, ["0"])
    unseen = Categorical(1.0, levels=[levels[1:]]).column_supports(1)
    shifted = [len(levels) - 1 if code == 0 else code - 1 for code in expected]
    assert_array_equal(encode_table(table, unseen, ["0"])[:, 0], shifted)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("kind", ["array", "pandas"])
def test_columns_of_objects(name, kind):
    column = np.empty((len(COLUMNS[name]), 1), dtype=object)
    column[:, 0] = COLUMNS[name]
    if kind == "array":
        return _check(Table(column, (0,)), list(map(_scalar, COLUMNS[name])))
    frame = pd.DataFrame({0: pd.Series(column[:, 0], dtype=object)})
    return _check(Table(frame, (0,)), COLUMNS[name])


@pytest.mark.parametrize("name", TYPED)
def test_columns_of_types(name):
    series = TYPED[name]
    values = series.to_list() if isinstance(series, pl.Series) else list(series)
    frame = pl.DataFrame({"0": series}) if isinstance(series, pl.Series) else series.to_frame(0)
    _check(Table(frame, (0,)), values)


def test_labels_that_cannot_be_keys_are_refused():
    column = np.empty((2, 1), dtype=object)
    column[:, 0] = ["a", ["a"]]
    supports = Categorical(levels=[["a", "b"]]).column_supports(1)
    with pytest.raises(TypeError, match="unhashable"):
        encode_table(Table(column, (0,)), supports, ["0"])


TIMES = {
    "dates": [dt.date(2020, 1, day) for day in (1, 2, 1, 2)],
    "gaps": pd.Series([None, 2.0, pd.Timestamp("2020-01-01"), pd.NaT], dtype=object),
    "categories": pd.Categorical(pd.to_datetime(["2020-01-01", "2020-01-02"] * 2)),
    "durations": pd.Series([pd.Timedelta(1)] * 4, dtype=object),
    "periods": pd.Series(pd.period_range("2020", periods=4, freq="D"), dtype=object),
    "typed": pd.to_datetime(["2020-01-01", "2020-01-02"] * 2),
}


@pytest.mark.parametrize("column", TIMES)
def test_dates_and_times_are_refused(column):
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0, 5.0], "when": TIMES[column]})
    for family in ("gaussian", "categorical"):
        columns = Columns([("x", "gaussian", ["x"]), ("when", family, ["when"])])
        with pytest.raises(TypeError, match=r"Column 'when' holds .*numbers whose unit and origin"):
            EMMixture(1, family=columns).fit(frame)
    with pytest.raises(TypeError, match=r"Column 'when' holds .*numbers whose unit and origin"):
        Columns.from_frame(frame, verbose=0)
    dropping = EMMixture(1, family=Columns([("x", "gaussian", ["x"])], remainder="drop"))
    assert dropping.fit(frame).component_means()[0, 0] == 3.0


@pytest.mark.parametrize(
    "value",
    ["1.5", 1j, [1.0], {}, np.ones(1), pd.Interval(0, 1), pd.Timestamp("2020"), pd.Timedelta(1)],
)
def test_values_that_are_no_numbers_are_named(value):
    column = np.empty(3, dtype=object)
    column[:] = [1.0, None, value]
    frame = pd.DataFrame({"x": pd.Series(column, dtype=object)})
    with pytest.raises(
        (TypeError, ValueError), match=r"Column 'x' holds .*(row 2|unit and origin)"
    ):
        EMMixture(1, family=Columns([("x", "gaussian", ["x"])])).fit(frame)


def test_sparse_columns_are_sampled_as_such():
    rng = np.random.default_rng(0)
    dense = pd.DataFrame({"n": rng.poisson(1, 100), "x": rng.normal(size=100)})
    dense = dense.assign(b=rng.random(100) < 0.3, u=rng.poisson(1, 100).astype(np.uint8))
    sparse = dense.apply(pd.arrays.SparseArray)
    groups = [("n", "poisson", ["n", "u"]), ("x", "gaussian", ["x"]), ("b", "bernoulli", ["b"])]
    mixture = EMMixture(1, family=Columns(groups)).fit(sparse)
    assert_allclose(mixture.component_means()[0], dense.astype(float).mean(), rtol=1e-12)
    drawn = mixture.sample(50, random_state=0)[0]
    assert list(drawn.dtypes) == list(sparse.dtypes)
    expected = EMMixture(1, family=Columns(groups)).fit(dense).sample(50, random_state=0)[0]
    pd.testing.assert_frame_equal(drawn.sparse.to_dense(), expected)


def test_unsigned_keys_beside_signed_ones_stay_apart():
    keys = np.array([2**63 - 1, 2**63 - 2], dtype=np.int64)
    rows = np.repeat(keys, [30, 10])[:, None]
    mixture = EMMixture(1, family="categorical").fit(rows)
    scores = mixture.score_samples(keys.astype(np.uint64)[:, None])
    assert_allclose(scores, np.log([0.75, 0.25]), rtol=1e-12)


def test_negative_keys_of_64_bits_beside_a_gap_stay_apart():
    keys = pd.array([-(2**60), -(2**60) - 1, None] * 10, dtype="Int64")
    mixture = EMMixture(1, family="categorical").fit(pd.DataFrame({"key": keys}))
    assert_allclose(np.sort(mixture.params_.probs.ravel()), [0.5, 0.5], rtol=1e-12)
