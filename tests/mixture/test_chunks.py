"""Chunks as users have them: read once, empty, of other columns, of arrow; and batches."""

import sqlite3

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns


class Reader:
    """Chunks that can be read once, by whoever comes first."""

    def __init__(self, chunks):
        self.iterator = iter(chunks)

    def __iter__(self):
        return self.iterator


class Disguised(Reader):
    """The same, behind a new generator every time."""

    def __iter__(self):
        yield from self.iterator


def two_clusters():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(10, 1, (500, 1)), rng.normal(0, 1, (500, 1))])


def test_chunks_that_can_be_read_once_are_refused_or_all_read():
    X = two_clusters()
    chunks = [X[:200], X[200:700], X[700:]]
    mixture = EMMixture(2, n_init=2, random_state=0).fit(X)
    for use in (EMMixture(2).fit, mixture.predict, mixture.bic):
        with pytest.raises(TypeError, match="Reader, which can be read once only"):
            use(Reader(chunks))
    streamed = EMMixture(2, n_init=2, random_state=0).fit(Disguised(chunks))
    assert_array_equal(streamed.weights_, mixture.weights_)
    assert_array_equal(mixture.score_samples(Disguised(chunks)), mixture.score_samples(X))


def test_passes_that_find_other_rows_are_told():
    class Shrinking:
        n_passes = 0

        def __iter__(self):
            self.n_passes += 1
            own = self.n_passes
            yield pd.DataFrame({"a": ["x", "y"] * 20})
            if own != 2:
                yield pd.DataFrame({"a": ["x", "y"] * 30})

    with pytest.raises(ValueError, match="rows: its __iter__ must start anew"):
        EMMixture(1, family="categorical").fit(Shrinking())


def test_chunks_without_rows_are_left_out():
    X = two_clusters()
    whole = EMMixture(2, n_init=2, random_state=0).fit(X)
    mixture = EMMixture(2, n_init=2, random_state=0).fit([X[:0], X[:100], X[:0], X[100:]])
    assert_array_equal(mixture.weights_, whole.weights_)
    assert_array_equal(mixture.predict([X[:5], X[:0]]), whole.predict(X[:5]))
    with pytest.raises(ValueError, match="without rows in any"):
        EMMixture(2).fit([X[:0], X[:0]])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_chunks_of_labels_that_lack_a_column(library):
    frame = pd.DataFrame({"n": list("ab") * 50, "x": list("cd") * 50})
    make = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
    chunks = [make[library](frame[:50]), make[library](frame[50:][["x"]])]
    with pytest.raises(ValueError, match=r"\['x'\], where the first has \['n', 'x'\]"):
        EMMixture(2, family="categorical").fit(chunks)


def test_lists_of_tables_of_arrow():
    table = pa.table({"a": two_clusters()[::5, 0], "g": ["x", "y"] * 100})
    family = Columns.from_frame(table, verbose=0)
    whole = EMMixture(2, family=family, n_init=2, random_state=0).fit(table)
    for chunks in ([table[:100], table[100:]], table.to_batches(max_chunksize=70)):
        streamed = EMMixture(2, family=family, n_init=2, random_state=0).fit(chunks)
        assert streamed.score(table) == whole.score(table)
    drawn, _ = whole.sample(5, random_state=0)
    assert list(drawn.columns) == ["a", "g"]
    assert np.isfinite(whole.score(drawn))


def test_streams_may_lack_columns_that_were_left_out():
    frame = pd.DataFrame({"id": list("ab") * 100, "x": two_clusters()[::5, 0]})
    columns = Columns([("x", "gaussian", ["x"])], remainder="drop")
    mixture = EMMixture(2, family=columns, n_init=2, random_state=0).fit(frame)
    part = frame[["x"]]
    assert_array_equal(mixture.predict([part[:10], part[10:]]), mixture.predict(frame))


def test_keys_of_64_bits_stay_apart_beside_a_gap():
    keys = [2**62 + 1, 2**62 + 2, 2**62 + 3, 2**62 + 1]
    whole = pd.DataFrame({"id": keys})
    gap = pd.DataFrame({"id": pd.array([*keys[:3], None], dtype="Int64")})
    mixture = EMMixture(1, family="categorical").fit(whole)
    expected = np.log([0.5, 0.25, 0.25, 1.0])
    assert_allclose(mixture.score_samples(gap), expected, rtol=1e-12)
    polars = pl.DataFrame({"id": [*keys[:3], None]})
    for data in (gap, polars, [whole, gap]):
        fitted = EMMixture(1, family="categorical").fit(data)
        assert fitted.family_.levels == (tuple(sorted(set(keys))),)


class Counting:
    """Chunks of a frame, and how many passes have come to their end."""

    def __init__(self, frame):
        self.frame, self.n_passes = frame, 0

    def __iter__(self):
        yield from (self.frame[:300], self.frame[300:])
        self.n_passes += 1


@pytest.mark.parametrize("kind", ["one group", "groups", "nested groups"])
def test_levels_of_all_columns_take_one_pass(kind):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {f"c{j}": rng.choice([f"{j}{k}" for k in range(4)], 500) for j in range(6)}
    )
    # A level that only the second chunk has, and the order that a type declares.
    frame.loc[400, "c5"] = "late"
    frame["c1"] = frame["c1"].astype(pd.CategoricalDtype(["13", "12", "11", "10"]))
    groups = [(f"g{j}", "categorical", [f"c{j}"]) for j in range(5)]
    families = {
        "one group": "categorical",
        "groups": Columns(groups, remainder="categorical"),
        "nested groups": Columns([("all", Columns(groups, remainder="categorical"), list(frame))]),
    }
    stream = Counting(frame)
    fitted = EMMixture(1, family=families[kind]).fit(stream)
    # One for the levels, one for the codes.
    assert stream.n_passes == 2
    whole = EMMixture(1, family=families[kind]).fit(frame)
    expected = [own.levels for own in whole.family_.column_supports(6)]
    assert [own.levels for own in fitted.family_.column_supports(6)] == expected
    assert expected[1] == ("13", "12", "11", "10")
    assert expected[5][-1] == "late"
    assert fitted.score(frame) == whole.score(frame)


def test_batches_of_another_model_are_refused():
    X = two_clusters()
    mixture = EMMixture(2, n_init=2, random_state=0).partial_fit(X)
    with pytest.raises(ValueError, match="n_components=5, but the mixture to go on with has 2"):
        mixture.set_params(n_components=5).partial_fit(X)
    with pytest.raises(ValueError, match="components of Gaussian"):
        mixture.set_params(n_components=2, family="poisson").partial_fit(np.abs(X).round())


def test_what_underflows_is_no_error():
    X = np.random.default_rng(0).poisson(np.repeat([[1.0], [1000.0]], 150, axis=0)) + 1.0
    with np.errstate(all="raise"):
        for family in ("poisson", "negative_binomial", "inverse_gaussian", "gamma"):
            mixture = EMMixture(2, family=family, n_init=2, random_state=0).fit(X)
            assert np.isfinite(mixture.score(X))


class Rows:
    """Chunks of a table of a database, by one cursor for all passes."""

    def __init__(self, values):
        self.cursor = sqlite3.connect(":memory:").cursor()
        self.cursor.execute("create table rows (label text)")
        self.cursor.executemany("insert into rows values (?)", [(value,) for value in values])

    def __iter__(self):
        self.cursor.execute("select label from rows")
        while rows := self.cursor.fetchmany(10):
            yield pd.DataFrame(rows, columns=["label"])


def test_passes_may_share_a_cursor():
    mixture = EMMixture(1, family="categorical").fit(Rows("xyxx" * 25))
    assert_allclose(mixture.params_.probs, [[[0.75, 0.25]]])


def test_keys_of_64_bits_beside_small_ones_with_gaps():
    big = 2**53
    small = pd.DataFrame({"id": pd.array([1, 2, None] * 20, dtype="Int64")})
    large = pd.DataFrame({"id": np.array([big + 1, big + 2, big + 3, big + 4] * 20)})
    mixture = EMMixture(1, family="categorical", random_state=0).fit([small, large])
    assert mixture.family_.levels == ((1, 2, big + 1, big + 2, big + 3, big + 4),)
    assert_allclose(mixture.params_.probs, np.full((1, 1, 6), 1 / 6))
    drawn, _ = mixture.sample(100)
    assert set(drawn["id"]) == set(mixture.family_.levels[0])
    assert_allclose(mixture.score(drawn), -np.log(6.0))


def test_chunks_with_masks_and_of_lists():
    masked = np.ma.masked_array(
        [[0, 1], [1, 9], [0, 1], [1, 0]], mask=[[0, 0], [0, 1], [0, 0], [0, 0]]
    )
    mixture = EMMixture(1, family="categorical").fit([masked, masked])
    assert mixture.family_.levels == EMMixture(1, family="categorical").fit(masked).family_.levels


def test_messages_name_the_chunk_and_its_columns():
    frame = pd.DataFrame({"c": ["a", "b"] * 9, "x": np.arange(18.0)})
    columns = Columns([("c", "categorical", ["c"]), ("x", "gaussian", ["x"])])
    with pytest.raises(ValueError, match=r"Chunk 1 .* has \['c', 'x', 'z'\], .* has \['c', 'x'\]"):
        EMMixture(1, family=columns).fit([frame, frame.assign(z=1)])
    lazy = pl.DataFrame({"a": [1.0, 2.0]}).lazy()
    with pytest.raises(TypeError, match="lazy polars LazyFrame"):
        EMMixture(1).fit(Again([lazy, lazy]))
    with pytest.raises(ValueError, match="Chunk 0 of the stream: Expected 2D array"):
        EMMixture(1).fit(Again([1.0, 2.0]))


class Again:
    """Any chunks, again and again."""

    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        yield from self.chunks


def test_what_underflows_in_a_batch_is_no_error():
    X = np.random.default_rng(0).poisson(np.repeat([[1.0], [1000.0]], 150, axis=0))
    mixture = EMMixture(2, family="poisson", n_init=2, random_state=0).fit(X)
    with np.errstate(all="raise"):
        mixture.partial_fit(X)
    assert np.isfinite(mixture.score(X))


@pytest.mark.parametrize(
    ("fitted", "scored"),
    [
        (np.array([300, 301, 5]), np.array([5, 5], dtype=np.int8)),
        (np.array([-1, 5]), np.array([5], dtype=np.uint8)),
        (np.array([2**63 + 1, 2**63 + 3, 5], dtype=np.uint64), np.array([5])),
        (np.array([2**62 + 1, 2**62 + 3]), np.array([2**62 + 3], dtype=np.uint64)),
    ],
)
def test_integers_of_another_width(fitted, scored):
    mixture = EMMixture(1, family="categorical").fit(fitted[:, None])
    expected = np.full(len(scored), -np.log(len(fitted)))
    assert_allclose(mixture.score_samples(scored[:, None]), expected)
