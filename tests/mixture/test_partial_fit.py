"""Online EM: batches that are seen once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Categorical, Columns, Gaussian, Poisson, StudentT

RNG = np.random.default_rng(0)
N, BATCH = 40_000, 500
Z = RNG.random(N) < 0.3
COUNTS = RNG.poisson(np.where(Z, 2.0, 9.0))[:, None]
REALS = RNG.normal(np.where(Z, 0.0, 4.0), 1.0, (2, N)).T
MIXED = np.column_stack([REALS, COUNTS, RNG.random(N) < np.where(Z, 0.9, 0.2)])
COLUMNS = Columns(
    [("real", Gaussian(), [0, 1]), ("n", Poisson(), [2]), ("label", Categorical(), [3])]
)
CASES = {
    "poisson": ("poisson", COUNTS),
    "gaussian": (Gaussian(), REALS),
    "tied": (Gaussian("tied"), REALS),
    "diag": (Gaussian("diag"), REALS),
    "mixed": (COLUMNS, MIXED),
    "unlike": ([Gaussian("spherical"), Gaussian()], REALS),
}
MCLUST = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"]
MCLUST += ["VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
STRUCTURES = {name: Gaussian(name) for name in MCLUST} | {
    f"{noise}, {loadings}": Gaussian("factor", loadings=loadings, noise=noise)
    for noise in ("diag", "tied_diag", "spherical", "tied_spherical")
    for loadings in ("free", "common")
}


@pytest.mark.parametrize("case", CASES)
def test_one_pass_over_a_stream_comes_near_the_fit(case):
    family, data = CASES[case]
    n_components = len(family) if isinstance(family, list) else 2
    online = EMMixture(n_components, family=family, n_init=4, random_state=0)
    for start in range(0, N, BATCH):
        online.partial_fit(data[start : start + BATCH])
    whole = EMMixture(n_components, family=family, n_init=4, random_state=0).fit(data)
    assert online.n_batches_ == N // BATCH
    first = EMMixture(n_components, family=family, n_init=4, random_state=0).fit(data[:BATCH])
    gap = whole.score(data) - online.score(data)
    # An estimate misses n_parameters / (2 n) nats per row; online ones a little more.
    assert -1e-9 < gap < 4 * whole.n_parameters() / (2 * N)
    assert gap < 0.2 * (whole.score(data) - first.score(data))


def test_a_decay_of_one_is_the_mean_of_all_batches():
    """With one component the expected statistics need no parameters."""
    online = EMMixture(1, family="poisson", learning_decay=1.0)
    for start in range(0, 3000, BATCH):
        online.partial_fit(COUNTS[start : start + BATCH])
    assert_allclose(online.params_.rates[0], COUNTS[:3000].mean(axis=0), rtol=1e-12)


def test_weights_are_repetition():
    weights = RNG.integers(1, 4, 600)
    one, two = (EMMixture(2, family="poisson", random_state=0) for _ in range(2))
    for start in (0, 300):
        rows = slice(start, start + 300)
        one.partial_fit(COUNTS[rows], sample_weight=weights[rows])
        two.partial_fit(np.repeat(COUNTS[rows], weights[rows], axis=0))
    assert_allclose(one.params_.rates, two.params_.rates, rtol=1e-9)


def test_missing_values_and_the_columns_of_the_first_batch():
    data = MIXED.copy()
    data[RNG.random(data.shape) < 0.1] = np.nan
    online = EMMixture(2, family=COLUMNS, n_init=4, random_state=0)
    for start in range(0, 4000, BATCH):
        online.partial_fit(data[start : start + BATCH])
    assert np.isfinite(online.score(data))
    before = online.params_
    with pytest.raises(ValueError, match="features"):
        online.partial_fit(data[:, :3])
    assert online.params_ is before


@pytest.mark.parametrize("decay", [0.2, -1.0, "slow", np.nan])
def test_a_decay_that_is_none(decay):
    with pytest.raises(ValueError, match="learning_decay"):
        EMMixture(2, family="poisson", learning_decay=decay).partial_fit(COUNTS[:BATCH])


def test_batches_count_by_their_weight():
    """With a decay of 1 nothing is forgotten, however the rows are cut into batches."""
    online = EMMixture(1, family="poisson", learning_decay=1.0)
    weights = RNG.integers(1, 4, 1000)
    for rows in (slice(0, 700), slice(700, 750), slice(750, 1000)):
        online.partial_fit(COUNTS[rows], sample_weight=weights[rows])
    expected = np.average(COUNTS[:1000], axis=0, weights=weights)
    assert_allclose(online.params_.rates[0], expected, rtol=1e-12)


def test_what_is_fixed_stays_fixed():
    fixed = {"rates": [[2.0], [np.nan]], "weights": [0.3, 0.7]}
    online = EMMixture(2, family="poisson", fixed=fixed, random_state=0)
    for start in range(0, 2000, BATCH):
        online.partial_fit(COUNTS[start : start + BATCH])
    assert online.params_.rates[0, 0] == 2.0
    assert_allclose(online.weights_, [0.3, 0.7])


def test_after_a_fit_the_first_batch_starts_from_its_parameters():
    mixture = EMMixture(2, family="poisson", random_state=0).fit(COUNTS)
    resp = mixture.predict_proba(COUNTS[:BATCH])
    expected = resp.T @ COUNTS[:BATCH, 0] / resp.sum(axis=0)
    mixture.partial_fit(COUNTS[:BATCH])
    assert_allclose(mixture.params_.rates[:, 0], expected, rtol=1e-9)


def test_fit_starts_anew():
    mixture = EMMixture(2, family="poisson", random_state=0).partial_fit(COUNTS[:BATCH])
    mixture.fit(COUNTS)
    same = EMMixture(2, family="poisson", random_state=0).fit(COUNTS)
    assert_allclose(mixture.params_.rates, same.params_.rates)
    assert not hasattr(mixture, "n_batches_")


def correlated(rng, n_rows):
    """Rows of two components, in turns, whose columns are correlated as the generator says."""
    axes, noise = rng.normal(size=(2, 1, 4)), rng.uniform(0.5, 1.5, size=(2, 4))
    labels = np.arange(n_rows) % 2
    latent = rng.normal(size=(n_rows, 1, 1)) @ axes[labels]
    return 1.5 * latent[:, 0] + rng.normal(size=(n_rows, 4)) * noise[labels] + 8.0 * labels[:, None]


ITERATED = ["EVE", "diag, free", "tied_diag, common"]


@pytest.mark.parametrize(
    ("structure", "missing"), [*((s, 0.0) for s in STRUCTURES), *((s, 0.1) for s in ITERATED)]
)
def test_covariances_follow_the_stream_from_those_of_the_first_batch(structure, missing):
    family, n_rows = STRUCTURES[structure], 2000
    first, data = (
        correlated(np.random.default_rng(102), 200),
        correlated(np.random.default_rng(2), n_rows),
    )
    data[np.random.default_rng(0).random(data.shape) < missing] = np.nan
    online = EMMixture(2, family=family, init=np.arange(200) % 2).partial_fit(first)
    for start in [*range(0, n_rows, 200)] * 4:
        online.partial_fit(data[start : start + 200])
    whole = EMMixture(2, family=family, init=np.arange(n_rows) % 2).fit(data)
    # A tenth of what an estimate misses.
    assert whole.score(data) - online.score(data) < 0.1 * whole.n_parameters() / (2 * n_rows)


@pytest.mark.parametrize("family", [StudentT(), StudentT("tied"), [StudentT("diag")] * 2])
def test_tails_follow_the_stream_from_thin_ones(family):
    """Of the first batch, which is normal, EM would hardly come back to few degrees of freedom."""
    rng = np.random.default_rng(4)
    n_rows, labels = 6000, np.arange(6000) % 2
    far, dof = 6.0 * labels[:, None], np.where(labels, 30, 3)
    first = rng.normal(size=(300, 5)) + far[:300]
    scales = np.sqrt(rng.chisquare(dof) / dof)
    data = rng.normal(size=(n_rows, 5)) / scales[:, None] + far
    online = EMMixture(2, family=family, init=labels[:300]).partial_fit(first)
    for start in [*range(0, n_rows, 200)] * 8:
        online.partial_fit(data[start : start + 200])
    whole = EMMixture(2, family=family, init=labels).fit(data)
    # Twice what an estimate misses.
    assert whole.score(data) - online.score(data) < whole.n_parameters() / n_rows


def test_a_stream_that_moves_far_keeps_its_digits():
    """Statistics move with the data, and where those were is forgotten in the end."""
    rng = np.random.default_rng(0)
    still, moving = (EMMixture(1, learning_decay=0.51) for _ in range(2))
    for batch in range(800):
        rows = rng.normal(size=(20, 2))
        still.partial_fit(rows)
        moving.partial_fit(rows + 1e7 * min(batch / 20, 1.0))
    assert_allclose(moving.params_.covariances, still.params_.covariances, atol=1e-4)


def test_a_batch_that_leaves_no_density_is_refused():
    mixture = EMMixture(1, family=Gaussian(reg_covar=0.0)).fit(REALS[:100])
    before = mixture.params_
    with pytest.raises(ValueError, match=r"no density any more .*reg_covar above 0"):
        mixture.partial_fit(REALS[:1])
    assert mixture.params_ is before


def test_a_batch_that_outweighs_all_before_counts_alone_at_most():
    """More than the whole of a batch cannot be taken in: of one component the mean is left."""
    first, second = np.full((2, 1), 9.0), np.random.default_rng(0).poisson(2.0, (500, 1))
    mixture = EMMixture(1, family="poisson", learning_decay=0.6)
    mixture.partial_fit(first).partial_fit(second)
    assert_allclose(mixture.params_.rates, [[second.mean()]], rtol=1e-12)


def test_the_prior_of_weights_weighs_against_all_rows_of_a_stream():
    counts = np.repeat([[0.0], [50.0]], [60, 40], axis=0)
    mixture = EMMixture(2, family="poisson", weight_concentration=11.0, learning_decay=1.0)
    for _ in range(3):
        mixture.partial_fit(counts)
    assert_allclose(np.sort(mixture.weights_), np.array([130.0, 190.0]) / 320.0, rtol=1e-6)


def test_the_prior_of_rates_weighs_against_all_rows_of_a_stream():
    counts = np.random.default_rng(0).poisson(3.0, (50, 1))
    mixture = EMMixture(1, family=Poisson(prior=(10.0, 8.0)), learning_decay=1.0)
    for _ in range(3):
        mixture.partial_fit(counts)
    assert_allclose(mixture.params_.rates, [[(3 * counts.sum() + 80.0) / 160.0]], rtol=1e-12)


def test_rows_of_no_weight_have_no_part_in_a_batch():
    X = np.linspace(0.0, 1.0, 20)[:, None]
    mixture = EMMixture(1, family="uniform").fit(X)
    weights = np.where(np.arange(20) < 10, 1.0, 0.0)
    mixture.partial_fit(X, sample_weight=weights)
    one = EMMixture(1, family="uniform").partial_fit(X[:10]).partial_fit(X[:10])
    other = EMMixture(1, family="uniform").partial_fit(X[:10])
    other.partial_fit(X, sample_weight=weights)
    assert_allclose(other.params_.highs, one.params_.highs)
