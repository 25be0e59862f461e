"""What `conditional` is given, columns by name, and rows that no component can have."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import (
    Columns,
    CustomFamily,
    CustomParams,
    Gaussian,
    Poisson,
    PoissonParams,
    ProductParams,
)

X = load_old_faithful().data
NAMES = ["eruption", "waiting"]


@pytest.fixture(scope="module")
def named():
    return EMMixture(2, n_init=3, random_state=0).fit(pd.DataFrame(X, columns=NAMES))


@pytest.fixture(scope="module")
def unnamed():
    return EMMixture(2, n_init=3, random_state=0).fit(X)


def expected(mixture):
    """Mean of an eruption before a waiting time of 70 minutes, by the normal formulas."""
    means, covariances = mixture.params_.means, mixture.params_.covariances
    sd = np.sqrt(covariances[:, 1, 1])
    density = mixture.weights_ * np.exp(-0.5 * ((70 - means[:, 1]) / sd) ** 2) / sd
    slopes = covariances[:, 0, 1] / covariances[:, 1, 1]
    return density / density.sum() @ (means[:, 0] + slopes * (70 - means[:, 1]))


@pytest.mark.parametrize(
    "given",
    [
        {"waiting": 70.0},
        {1: 70.0},
        [np.nan, 70.0],
        pd.Series({"waiting": 70.0, "eruption": np.nan}),
        pd.Series({"waiting": 70.0}),
        pd.Series([None, 70.0]),
        pd.DataFrame({"waiting": [70.0], "eruption": [np.nan]}),
        pl.DataFrame({"waiting": [70.0], "eruption": [None]}),
    ],
    ids=["dict", "position", "list", "series", "part", "bare series", "pandas", "polars"],
)
def test_what_has_names_is_read_by_them(named, given):
    assert_allclose(named.conditional(given).mean(), expected(named), rtol=1e-12)


@pytest.mark.parametrize(
    "given",
    [
        {1: 70.0},
        {-1: 70.0},
        pd.Series({"a": None, "b": 70.0}),
        pd.DataFrame({"a": [None], "b": [70.0]}),
        pa.table({"a": [None], "b": [70.0]}),
        np.ma.masked_invalid([np.nan, 70.0]),
    ],
    ids=["dict", "from the end", "series", "frame", "arrow", "masked"],
)
def test_without_names_places_count(unnamed, given):
    assert_allclose(unnamed.conditional(given).mean(), expected(unnamed), rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"waiting": 70.0, 1: 40.0}, "Column 'waiting' is given twice, as 'waiting' and 1"),
        ({"depth": 1.0}, r"'depth' is no column of the fit: take one of \['eruption', 'waiting'\]"),
        ({2: 1.0}, "2 is no column of the fit"),
        ({True: 1.0}, "True is no column of the fit"),
        (pd.DataFrame({"waiting": [70.0], "depth": [1.0]}), "'depth' is no column"),
        (pd.Series([1.0, 2.0], index=["waiting", "waiting"]), "'waiting' is given twice"),
        (pd.DataFrame([[1.0, 2.0]], columns=["waiting", "waiting"]), "name 'waiting' is that of 2"),
        (pd.DataFrame(X[:2], columns=NAMES), "frame of 2 rows"),
        ({"eruption": np.inf}, "contains inf"),
        ({"eruption": 1e300}, "reaches 1e\\+300"),
        ([1.0], "1 values for 2 columns"),
    ],
)
def test_what_is_given_is_checked(named, given, message):
    with pytest.raises(ValueError, match=message):
        named.conditional(given)


def test_unknown_columns_are_told_what_there_is(named, unnamed):
    with pytest.raises(ValueError, match=r"'x0' is no column.* saw no names, below 2"):
        unnamed.conditional({"x0": 1.0})
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        unnamed.conditional(pd.Series([70.0]))
    with pytest.raises(ValueError, match="the fit saw no names, below 2"):
        unnamed.marginal(["x0"])
    with pytest.raises(ValueError, match=r"take one of \['eruption', 'waiting'\]"):
        named.marginal(["depth"])


def test_a_row_that_is_impossible_says_nothing_about_the_components():
    family = [Gaussian(), "uniform"]
    mixture = EMMixture(1, family="uniform").fit(X)
    far = [[100.0, 1000.0]]
    terms = mixture.elbo(far)
    assert mixture.score_samples(far) == terms.elbo == -np.inf
    assert terms.kl_posterior == 0.0
    assert_array_equal(mixture.predict_proba(far), [[1.0]])
    both = EMMixture.from_params(
        mixture.family_, [0.3, 0.7], type(mixture.params_)([[0.0], [2.0]], [[1.0], [3.0]])
    )
    assert_array_equal(both.predict_proba([[5.0], [0.5]]), [[0.3, 0.7], [1.0, 0.0]])
    assert_array_equal(both.predict([[5.0], [0.5]]), [1, 0])
    assert_array_equal(both.elbo([[5.0]], [[0.5, 0.5]]).elbo, -np.inf)
    # Beside a component whose density is positive everywhere nothing is impossible.
    mixed = EMMixture(2, family=family, random_state=0).fit(X)
    assert_array_equal(mixed.predict_proba([[20.0, 200.0]]), [[1.0, 0.0]])


def test_a_component_that_no_row_may_have_is_named():
    with pytest.raises(ValueError, match="forbids component 1 in every row"):
        EMMixture(2).fit(X, resp_prior=np.tile([1.0, 0.0], (len(X), 1)))


def test_names_that_are_numbers_are_read_as_places():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({1: rng.normal(50, 1, 200), 0: rng.gamma(1, 1, 200)})
    words = frame.rename(columns={1: "one", 0: "zero"})
    scores = [
        EMMixture(1, family=Columns.from_frame(data, verbose=0)).fit(data).score(data)
        for data in (frame, words)
    ]
    assert scores[0] == scores[1]


def test_tables_of_arrow_are_read_as_frames_are():
    table = pa.table({"a": X[:, 0], "b": X[:, 1]})
    mixture = EMMixture(1).fit(table)
    assert_allclose(mixture.params_.means[0], X.mean(axis=0), rtol=1e-12)
    assert_array_equal(mixture.predict(table), np.zeros(len(X)))
    assert Columns.from_frame(table, verbose=0).groups == [("gaussian", "gaussian", ["a", "b"])]


def test_masked_cells_are_missing():
    masked = np.ma.masked_greater(X, 90.0)
    gaps = np.where(X > 90.0, np.nan, X)
    one, other = EMMixture(1).fit(masked), EMMixture(1).fit(gaps)
    assert_array_equal(one.params_.means, other.params_.means)
    assert_array_equal(one.score_samples(masked), other.score_samples(gaps))


def test_columns_are_known_by_name_after_a_file_and_after_arrow(named, tmp_path):
    named.save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture")
    table = pa.table(dict(zip(NAMES, X.T, strict=True)))
    for mixture in (loaded, EMMixture(2, n_init=3, random_state=0).fit(table)):
        for columns in (["waiting"], [1], ["waiting", 0][:1]):
            assert_allclose(mixture.marginal(columns).mean(), named.mean()[1:], rtol=1e-12)
        assert_allclose(mixture.marginal(["waiting", 0]).mean(), named.mean()[::-1], rtol=1e-12)
    left = loaded.conditional({"eruption": 3.0}).marginal(["waiting"])
    assert_allclose(left.mean(), named.conditional({"eruption": 3.0}).mean(), rtol=1e-12)


def test_columns_left_out_have_no_distribution():
    frame = pd.DataFrame(X, columns=NAMES).assign(id=np.arange(len(X)))
    columns = Columns([("both", Gaussian(), NAMES)], remainder="drop")
    mixture = EMMixture(2, family=columns, n_init=3, random_state=0).fit(frame)
    with pytest.raises(ValueError, match=r"\['id'\]: the mixture leaves them out of account"):
        mixture.marginal(["id"])
    with pytest.raises(ValueError, match="All columns are given"):
        mixture.conditional(dict(zip(NAMES, X[0], strict=True)))
    kept = mixture.marginal(["waiting", "id"])
    alone = EMMixture(2, n_init=3, random_state=0).fit(X).marginal([1])
    assert_allclose(kept.score(frame[["waiting", "id"]]), alone.score(X[:, 1:]), rtol=1e-6)


def test_names_that_are_numbers_are_not_taken_for_positions():
    swapped = EMMixture(2, n_init=3, random_state=0).fit(pd.DataFrame(X, columns=[1, 0]))
    for use in (lambda: swapped.conditional({1: 2.0}), lambda: swapped.marginal([0])):
        with pytest.raises(ValueError, match=r"[01] is the name of the column in position [01]"):
            use()
    tens = EMMixture(2, n_init=3, random_state=0).fit(pd.DataFrame(X, columns=[10, 20]))
    for given in ({20: 70.0}, {1: 70.0}, pd.Series({20: 70.0}), [np.nan, 70.0]):
        assert_allclose(tens.conditional(given).mean(), [expected(tens)])


@pytest.mark.parametrize(
    "names",
    [[1, 2], [1, 0], [0.5, 1.5], pd.to_datetime(["2020", "2021"]), [("a", 1), ("a", 2)]],
    ids=["integers", "swapped", "floats", "dates", "tuples"],
)
def test_rows_with_names_of_any_type_are_read_by_them(names):
    frame = pd.DataFrame(X)
    frame.columns = pd.Index(names) if isinstance(names[0], tuple) else names
    mixture = EMMixture(2, n_init=3, random_state=0).fit(frame)
    row = pd.DataFrame([[np.nan, 70.0]], columns=frame.columns)
    for given in (row, row.iloc[0], row.iloc[0].iloc[::-1], row[row.columns[::-1]]):
        assert_allclose(mixture.conditional(given).mean(), [expected(mixture)])


def normal_log_density(rows, theta):
    return stats.norm.logpdf(rows[:, 0], theta[0], np.exp(theta[1]))


def identity(theta):
    return theta[:1]


def test_a_group_that_takes_no_gaps_may_be_left_out_as_a_whole():
    """Bayes' rule with the Poisson probabilities of the column that is given."""
    rates = np.array([[2.0], [10.0]])
    groups = [
        ("own", CustomFamily(normal_log_density, identity, 2), (0,)),
        ("counts", Poisson(), (1,)),
    ]
    params = ProductParams(
        ("own", "counts"), (CustomParams(np.array([[0.0, 0.0], [6.0, 0.0]])), PoissonParams(rates))
    )
    mixture = EMMixture.from_params(Columns(groups), [0.4, 0.6], params)
    joint = [0.4, 0.6] * stats.poisson.pmf(3, rates[:, 0])
    left = mixture.conditional({1: 3})
    assert_allclose(left.weights_, joint / joint.sum(), rtol=1e-10)
    assert_allclose(left.mean(), [left.weights_[1] * 6.0], rtol=1e-10)
    joint = [0.4, 0.6] * stats.norm.pdf(2.0, [0.0, 6.0])
    assert_allclose(mixture.conditional({0: 2.0}).weights_, joint / joint.sum(), rtol=1e-10)
    # Of nothing given, the mixing weights.
    nothing = mixture.conditional([np.nan, np.nan])
    assert_array_equal(nothing.weights_, [0.4, 0.6])
