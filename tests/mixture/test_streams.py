"""Data that do not fit in memory: files, stored arrays, chunks that can be read again."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns, Gaussian, Poisson

RNG = np.random.default_rng(0)
N, CHUNK = 120_000, 7_000
X = np.concatenate([RNG.normal(size=(N // 2, 5)), RNG.normal(2.0, 1.0, size=(N // 2, 5))])
RNG.shuffle(X)
STARTS = range(0, N, CHUNK)


class Stored:
    """What arrays of h5py and zarr look like: a shape, a type, slices, no arithmetic."""

    chunks = (1000, 5)

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.values[rows]


class Chunks:
    """An iterable that starts anew each time."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return (self.make(X[i : i + CHUNK], i) for i in STARTS)


def frame(rows, start):
    columns = pd.DataFrame(rows[:, :3], columns=list("abc"))
    late = start + np.arange(len(rows)) >= 50_000
    return columns.assign(kind=np.where(late, "late", "early"), count=np.floor(np.exp(rows[:, 3])))


@pytest.fixture(scope="module")
def in_memory():
    return EMMixture(2, random_state=0).fit(X)


@pytest.fixture(params=["memmap", "sliced memmap", "stored", "list", "iterable"])
def stream(request, tmp_path):
    if "memmap" in request.param:
        np.save(tmp_path / "X.npy", X if request.param == "memmap" else np.repeat(X, 2, axis=1))
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
        return mapped if request.param == "memmap" else mapped[:, ::2]
    if request.param == "stored":
        return Stored(X)
    return [X[i : i + CHUNK] for i in STARTS] if request.param == "list" else Chunks(lambda x, _: x)


def test_a_stream_is_fitted_as_the_array(stream, in_memory):
    mixture = EMMixture(2, random_state=0).fit(stream)
    assert_allclose(mixture.lower_bound_, in_memory.lower_bound_, rtol=1e-12)
    assert_allclose(mixture.params_.means, in_memory.params_.means, rtol=1e-9)
    assert mixture.n_features_in_ == 5
    assert_allclose(mixture.score_samples(stream), in_memory.score_samples(X), rtol=1e-9)
    assert_array_equal(mixture.predict(stream), in_memory.predict(X))


class Weighed(Stored):
    """Which rows are read together, and never many."""

    def __getitem__(self, rows):
        assert rows.stop - rows.start <= 2**16
        return super().__getitem__(rows)


@pytest.mark.parametrize("left_out", ["one", "most", "a stretch"])
def test_rows_of_weight_0_are_left_out_of_a_stream_that_stays_where_it_is(left_out):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, N)
    rows = {"one": [5], "most": np.arange(N) % 20 > 0, "a stretch": slice(100, 90_000)}
    weights[rows[left_out]] = 0.0
    labels = (X[:, 0] > 1.0).astype(int)
    for init in ("auto", labels):
        mixture = EMMixture(2, init=init, n_init=4, random_state=0)
        ours = clone(mixture).fit(Weighed(X), sample_weight=weights)
        theirs = clone(mixture).fit(X, sample_weight=weights)
        assert_allclose(ours.lower_bound_, theirs.lower_bound_, rtol=1e-12)
        assert_allclose(ours.params_.means, theirs.params_.means, rtol=1e-9)
    ours.partial_fit(Weighed(X), sample_weight=weights)
    theirs.partial_fit(X, sample_weight=weights)
    assert_allclose(ours.params_.means, theirs.params_.means, rtol=1e-9)


def test_frames_of_mixed_columns_in_chunks():
    family = Columns(
        [("real", Gaussian("diag"), list("abc")), ("n", Poisson(), ["count"])],
        remainder="categorical",
    )
    chunks = Chunks(frame)
    mixture = EMMixture(2, family=family, random_state=0).fit(chunks)
    whole = frame(X, 0)
    same = EMMixture(2, family=family, random_state=0).fit(whole)
    assert_allclose(mixture.lower_bound_, same.lower_bound_, rtol=1e-9)
    assert mixture.family_.groups[2][1].levels == (("early", "late"),)
    assert list(mixture.feature_names_in_) == list(whole.columns)
    assert_allclose(mixture.score(chunks), same.score(whole), rtol=1e-9)


def test_a_parquet_dataset(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    frame(X[:5000], 0).to_parquet(tmp_path / "part.parquet")
    mixture = EMMixture(2, family=Columns([("n", Poisson(), ["count"])], remainder="drop"))
    mixture.set_params(random_state=0).fit(dataset.dataset(tmp_path))
    same = EMMixture(2, family="poisson", random_state=0).fit(frame(X[:5000], 0)[["count"]])
    assert_allclose(mixture.params_.n.rates, same.params_.rates, rtol=1e-6)


def test_what_is_wrong_in_a_chunk_is_named():
    def holed(rows, start):
        rows = rows.copy()
        rows[3, 2] = np.inf if start == 7 * CHUNK else rows[3, 2]
        return rows

    with pytest.raises(ValueError, match=r"Chunk 7 .*infinity.* column 2, row 3"):
        EMMixture(2).fit(Chunks(holed))
    with pytest.raises(ValueError, match=r"Chunk 1 .*4 features"):
        EMMixture(2).fit([X[:100], X[:100, :4]])
    with pytest.raises(ValueError, match="Column 1 is constant"):
        EMMixture(2).fit([np.c_[X[:50, 0], np.ones(50)], np.c_[X[50:99, 0], np.ones(49)]])
    with pytest.raises(ValueError, match="without chunks"):
        EMMixture(2).fit(Chunks.__new__(type("Empty", (), {"__iter__": lambda self: iter(())})))
    with pytest.raises(TypeError, match="read once only"):
        EMMixture(2).fit(iter([X]))


def test_a_source_that_raises_leaves_the_mixture_as_it_was():
    class Failing(Stored):
        reads = 0

        def __getitem__(self, rows):
            self.reads += 1
            if self.reads == 12:
                raise OSError("the disk is gone")
            return self.values[rows]

    mixture = EMMixture(2, random_state=0).fit(X[:500])
    before = mixture.params_
    with pytest.raises(OSError, match="the disk is gone"):
        mixture.fit(Failing(X))
    assert mixture.params_ is before


def test_a_file_that_shrinks_is_noticed(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    mixture = EMMixture(1).fit(X[:100])
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(OSError, match="has changed since"):
        mixture.score_samples(mapped)


def test_a_copy_on_write_map_is_read_as_it_is(tmp_path):
    np.save(tmp_path / "X.npy", X[:1000])
    mapped = np.load(tmp_path / "X.npy", mmap_mode="c")
    mapped[:] = mapped * 10.0 + 5.0
    assert_allclose(EMMixture(1).fit(mapped).params_.means[0], mapped.mean(axis=0))
