"""What passes prepare of the rows: once where it is kept, the same where it is not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta, _prepared, blocked_step, kept, lower_bound
from sklearn_genmodel.em._distinct import SCATTERED, by_gaps
from sklearn_genmodel.families import (
    Bernoulli,
    Categorical,
    Columns,
    Gamma,
    Gaussian,
    Laplace,
    NegativeBinomial,
    Poisson,
    StudentT,
    VonMises,
)
from sklearn_genmodel.families._per_component import PerComponent

RNG = np.random.default_rng(0)
N_ROWS = 20_000
COUNTS = RNG.poisson(3.0, size=(N_ROWS, 3)).astype(float)
LABELS = (RNG.random((N_ROWS, 3)) < 0.4).astype(float)
GROUPS = [("counts", Poisson(), [2, 0]), ("reals", Gaussian(), [1, 3]), ("times", Laplace(), [4])]
CASES = {
    "bernoulli": (Bernoulli(), LABELS),
    "categorical": (Categorical(levels=[[0, 1]] * 3), LABELS),
    "columns": (Columns(GROUPS), np.concatenate([COUNTS, RNG.normal(size=(N_ROWS, 2))], axis=1)),
    "gamma": (Gamma(), COUNTS + 0.5),
    "gaussian": (Gaussian(), COUNTS),
    "laplace": (Laplace(), COUNTS),
    "list": (PerComponent([Gaussian(), Laplace()]), COUNTS),
    "negative binomial": (NegativeBinomial(), COUNTS),
    "poisson": (Poisson(), COUNTS),
    "student": (StudentT(), COUNTS),
    "von mises": (VonMises(), COUNTS % 3.0),
}


def start(family, X):
    """Parameters of two components that are not alike."""
    halves = (X[:, :1] > np.nanmedian(X[:, 0])) + np.array([[0.2, -0.2]])
    resp = np.abs(halves - [[0.0, 1.0]])
    resp = np.nan_to_num(resp, nan=0.5)
    return Theta(resp.mean(axis=0) / resp.mean(axis=0).sum(), family.weighted_mle(X, resp))


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("name", CASES)
def test_kept_rows_give_what_others_give(name, holes):
    family, X = CASES[name]
    if holes:
        X = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, len(X))
    theta, other = start(family, X), Rows(X, weights)
    rows = kept(other)
    one, two = blocked_step(family, rows), blocked_step(family, other)
    expected, found = theta, theta
    for _ in range(3):
        (found, bound), (expected, known) = one(found), two(expected)
        assert bound == pytest.approx(known, rel=1e-12)
    assert_allclose(
        family.log_prob(X[:50], found.params), family.log_prob(X[:50], expected.params), rtol=1e-8
    )
    assert lower_bound(family, found, rows) == pytest.approx(lower_bound(family, found, other))


def test_rows_of_many_columns_are_kept_as_they_lie():
    X = np.random.default_rng(0).poisson(2.0, size=(7000, 70)).astype(float)
    theta, rows = start(Poisson(), X), kept(Rows(X))
    step, expected = blocked_step(Poisson(), rows), blocked_step(Poisson(), Rows(X))
    step(theta)
    assert step(theta)[1] == pytest.approx(expected(theta)[1], rel=1e-13)
    (known,) = rows.memory.known.values()
    blocks = (block for chunk in known.chunks for block in chunk)
    assert all(np.shares_memory(block.X.statistics[0], X) for block in blocks)


class Counting(Bernoulli):
    """Counts how often rows are prepared."""

    n_rows = 0

    def prepare(self, X):
        type(self).n_rows += len(X)
        return super().prepare(X)


@pytest.fixture
def counting():
    Counting.n_rows = 0
    return Counting()


def passes(family, rows, n_passes=5):
    """Bounds of a few passes."""
    theta, step, bounds = start(Bernoulli(), LABELS), blocked_step(family, rows), []
    for _ in range(n_passes):
        theta, bound = step(theta)
        bounds.append(bound)
    return bounds


def test_rows_are_prepared_once_where_they_are_kept(counting):
    found = passes(counting, kept(Rows(LABELS)))
    size = Rows(LABELS).chunks(counting.width(3, 2) + 2)[0][0].stop
    # Once, and a first block to see how much memory that takes.
    assert Counting.n_rows == N_ROWS + size
    Counting.n_rows = 0
    assert_allclose(passes(counting, Rows(LABELS)), found, rtol=1e-13)
    assert Counting.n_rows == 5 * N_ROWS


class Doubling(Counting):
    """Prepares twice as much as the rows are."""

    def prepare(self, X):
        return [np.repeat(X, 2, axis=1), super().prepare(X)]

    def kernel(self, params):
        kernel = super().kernel(params)
        return lambda rows: kernel(rows[1])


@pytest.mark.parametrize(("share", "laid_out"), [(2.0, True), (0.5, False)])
def test_rows_are_laid_out_where_what_is_prepared_of_them_is_too_much(share, laid_out, monkeypatch):
    expected = passes(Doubling(), kept(Rows(LABELS)))
    monkeypatch.setattr(_prepared, "MOST_KEPT", int(share * LABELS.nbytes))
    Doubling.n_rows, rows = 0, kept(Rows(LABELS))
    assert_allclose(passes(Doubling(), rows), expected, rtol=1e-13)
    assert Doubling.n_rows > 5 * N_ROWS
    (known,) = rows.memory.known.values()
    assert (known is not None) == laid_out
    if laid_out:
        assert not known.prepared
        assert known.chunks[0][0].X.flags.f_contiguous


def test_what_cannot_be_measured_is_not_kept():
    class Dictionary(Bernoulli):
        def prepare(self, X):
            return {"rows": super().prepare(X)}

        def kernel(self, params):
            kernel = super().kernel(params)
            return lambda rows: kernel(rows["rows"])

    rows = kept(Rows(LABELS))
    assert_allclose(passes(Dictionary(), rows), passes(Bernoulli(), Rows(LABELS)), rtol=1e-13)
    (known,) = rows.memory.known.values()
    assert not known.prepared


def test_an_array_that_several_families_share_counts_once():
    array = np.zeros(1000)
    assert _prepared._n_bytes(((array, 0.0), [array, None], 3)) == array.nbytes


def test_blocks_of_another_size_make_room_for_themselves(monkeypatch):
    family, rows = Bernoulli(), kept(Rows(LABELS))
    monkeypatch.setattr(_prepared, "MOST_KEPT", int(1.5 * LABELS.nbytes))
    for size in (4000, 8000, 4000):
        slices = [[slice(i, min(i + size, N_ROWS))] for i in range(0, N_ROWS, size)]
        assert rows.memory.blocks(family, rows, slices).prepared
        assert list(rows.memory.known) == [size]
        assert rows.memory.n_bytes <= _prepared.MOST_KEPT


def test_what_is_kept_is_kept_for_its_family(counting):
    rows = kept(Rows(LABELS))
    passes(counting, rows)
    other = CASES["categorical"][0]
    theta = start(other, LABELS)
    (_, bound), (_, expected) = (
        blocked_step(other, some)(theta) for some in (rows, kept(Rows(LABELS)))
    )
    assert bound == expected


def test_rows_with_the_same_gaps_come_together():
    X = np.where(RNG.random((N_ROWS, 4)) < 0.2, np.nan, RNG.normal(size=(N_ROWS, 4)))
    weights, prior = RNG.random(N_ROWS), RNG.dirichlet([1.0, 1.0], size=N_ROWS)
    found = by_gaps(Rows(X, weights, resp_prior=prior))
    gaps = np.isnan(found.X)
    changes = (gaps[1:] != gaps[:-1]).any(axis=1).sum()
    assert changes == len(np.unique(gaps, axis=0)) - 1
    order = np.argsort(weights), np.argsort(found.sample_weight)
    for before, after in ((X, found.X), (weights, found.sample_weight), (prior, found.resp_prior)):
        assert_array_equal(after[order[1]], before[order[0]])


def test_rows_without_gaps_and_few_rows_stay():
    complete, few = Rows(LABELS), Rows(np.full((SCATTERED, 2), np.nan))
    assert by_gaps(complete) is complete
    assert by_gaps(few) is few


@pytest.mark.parametrize(("family", "sorts"), [(Gaussian(), True), (Poisson(), False)])
def test_fits_of_families_with_patterns_bring_gaps_together(family, sorts, monkeypatch):
    X = np.where(np.random.default_rng(3).random(COUNTS.shape) < 0.2, np.nan, COUNTS + 1.0)
    X += np.random.default_rng(4).integers(500, size=X.shape)
    seen = []
    original = Rows.blocks

    def blocks(self, chunk):
        seen.append(self.X)
        return original(self, chunk)

    monkeypatch.setattr(Rows, "blocks", blocks)
    EMMixture(1, family=family).fit(X)
    largest = [rows for rows in seen if len(rows) > N_ROWS // 2]
    changes = {int((np.diff(np.isnan(rows), axis=0) != 0).any(axis=1).sum()) for rows in largest}
    assert (min(changes) < 8) == sorts
