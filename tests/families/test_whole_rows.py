"""Families of rows as wholes, and a count with its exposure."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats
from sklearn.base import clone

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Poisson, PoissonParams
from sklearn_genmodel.families._dirichlet import Dirichlet, DirichletParams
from sklearn_genmodel.families._multinomial import Multinomial, MultinomialParams
from sklearn_genmodel.families._von_mises_fisher import VonMisesFisher, VonMisesFisherParams
from sklearn_genmodel.testing import check_family

DIRECTIONS = np.array([[0.0, 0.6, 0.8], [2 / 3, -1 / 3, -2 / 3]])
PROBS = np.array([[0.3, 0.5, 0.2], [0.1, 0.8, 0.1]])

TABLE = {
    "dirichlet": (Dirichlet(), DirichletParams(np.array([[0.3, 5.0, 2.0], [5.0, 8.0, 20.0]]))),
    "multinomial": (Multinomial(n_trials=12), MultinomialParams(PROBS)),
    "multinomial of one": (Multinomial(), MultinomialParams(PROBS)),
    "von mises-fisher": (
        VonMisesFisher(),
        VonMisesFisherParams(DIRECTIONS, np.array([3.0, 20.0])),
    ),
    "von mises-fisher in the plane": (
        VonMisesFisher(),
        VonMisesFisherParams(DIRECTIONS[:, 1:] / [[1.0], [5**0.5 / 3]], np.array([3.0, 20.0])),
    ),
}
SCIPY = {
    "dirichlet": lambda p, k: stats.dirichlet(p.concentrations[k]),
    "multinomial": lambda p, k: stats.multinomial(12, p.probs[k]),
    "von mises-fisher": lambda p, k: stats.vonmises_fisher(p.means[k], p.concentrations[k]),
}


def sampled(name, n_samples=400):
    """Family, parameters, rows and responsibilities that are nobody's in particular."""
    family, params = TABLE[name]
    rng = np.random.default_rng(0)
    X = family.sample(params, rng.integers(2, size=n_samples), rng)
    return family, params, X, rng.dirichlet(np.ones(2), n_samples)


def logs_of(scipys, X):
    """SciPy's log-densities of rows; its Dirichlet takes columns."""
    if hasattr(scipys, "alpha"):
        return scipys.logpdf(X.T)
    return scipys.logpmf(X) if hasattr(scipys, "n") else scipys.logpdf(X)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_family(*TABLE[name], random_state=seed)


@pytest.mark.parametrize("name", SCIPY)
def test_log_prob_is_scipys(name):
    family, params, X, _ = sampled(name)
    X = X / X.sum(axis=1, keepdims=True) if name == "dirichlet" else X
    expected = [logs_of(SCIPY[name](params, k), X) for k in range(2)]
    np.testing.assert_allclose(family.log_prob(X, params), np.transpose(expected), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1e-1, 10.0, 1e4])
def test_dirichlet_log_prob_is_scipys_over_wide_ranges(scale):
    rng = np.random.default_rng(0)
    a, X = scale * np.array([[1.0, 2.0, 0.5]]), rng.dirichlet([4.0, 7.0, 2.0], 50)
    ours = Dirichlet().log_prob(X, DirichletParams(a))[:, 0]
    np.testing.assert_allclose(ours, stats.dirichlet(a[0]).logpdf(X.T), rtol=1e-10)


# Values from mpmath 1.4.1 with 50 digits, by the cosine of the angle to the mean direction.
@pytest.mark.parametrize(
    ("cosine", "dimension", "concentration", "expected"),
    [
        (0.6, 2, 1e-8, -1.8378770604093455),
        (0.6, 3, 1e-4, -2.5309642486359576),
        (0.6, 300, 1e-8, 427.60684050335743),
        (-0.8, 300, 3.0, 425.1918412422926),
        (0.6, 300, 200.0, 490.7269267405648),
        (0.999, 300, 1e6, 790.6673073679906),
        (0.6, 40, 1e3, -300.9569150152535),
        (0.999999, 3, 1e6, 10.977633491526174),
    ],
)
def test_von_mises_fisher_log_prob(cosine, dimension, concentration, expected):
    mean, row = np.eye(dimension)[[0]], np.zeros((1, dimension))
    row[0, :2] = cosine, np.sqrt(1.0 - cosine**2)
    params = VonMisesFisherParams(mean, np.array([concentration]))
    np.testing.assert_allclose(VonMisesFisher().log_prob(row, params), [[expected]], rtol=1e-10)


@pytest.mark.parametrize("dimension", [2, 3, 10, 40])
@pytest.mark.parametrize("concentration", [0.1, 30.0, 1e4])
def test_von_mises_fisher_fit_is_scipys(dimension, concentration):
    mean = np.ones((1, dimension)) / np.sqrt(dimension)
    params = VonMisesFisherParams(mean, np.array([concentration]))
    X = VonMisesFisher().sample(params, np.zeros(500, dtype=int), np.random.default_rng(0))
    ours = VonMisesFisher().weighted_mle(X, np.ones((500, 1)))
    scipys_mean, scipys_concentration = stats.vonmises_fisher.fit(X)
    np.testing.assert_allclose(ours.means[0], scipys_mean, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.concentrations, scipys_concentration, rtol=1e-7)


def test_von_mises_fisher_in_the_plane_is_von_mises():
    _, params, X, _ = sampled("von mises-fisher in the plane")
    angles, means = np.arctan2(X[:, 1], X[:, 0]), np.arctan2(params.means[:, 1], params.means[:, 0])
    expected = stats.vonmises(params.concentrations, loc=means).logpdf(angles[:, None])
    np.testing.assert_allclose(VonMisesFisher().log_prob(X, params), expected, rtol=1e-10)


@pytest.mark.parametrize("concentrations", [[0.2, 1.0, 3.0], [30.0, 2.0, 500.0], [0.05, 0.1, 0.02]])
def test_dirichlet_estimates_are_a_numerical_maximum(concentrations):
    family, params = Dirichlet(), DirichletParams(np.array([concentrations]))
    rng = np.random.default_rng(0)
    X, weights = family.sample(params, np.zeros(200, dtype=int), rng), rng.random(200)
    ours = family.weighted_mle(X, weights[:, None]).concentrations[0]

    def loss(logs):
        a = np.exp(logs)
        constant = stats.dirichlet(a).logpdf(np.full(3, 1 / 3)) + (a - 1.0).sum() * np.log(3.0)
        return -weights @ (np.log(X) @ (a - 1.0) + constant)

    start = np.log(concentrations)
    found = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-8}, tol=1e-12)
    np.testing.assert_allclose(ours, np.exp(found.x), rtol=1e-5)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("prior", [None, 5.0])
def test_m_step_is_stationary(name, prior):
    family, _, X, resp = sampled(name)
    family = clone(family).set_params(prior=prior).for_rows(X, None, 2)
    best = family.weighted_mle(X, resp)

    def expected(vector):
        params = family.from_vector(vector, best)
        return (resp * family.log_prob(X, params)).sum() + np.sum(family.log_prior(params))

    vector = family.to_vector(best, best)
    sides = 1e-5 * np.eye(len(vector))
    gradient = [(expected(vector + s) - expected(vector - s)) / 2e-5 for s in sides]
    np.testing.assert_allclose(gradient, 0.0, atol=2e-4)


@pytest.mark.parametrize("name", TABLE)
def test_covariances_are_those_of_samples(name):
    family, params = TABLE[name]
    rng = np.random.default_rng(0)
    for k, covariance in enumerate(family.covariance(params)):
        X = family.sample(params, np.full(40_000, k), rng)
        products = np.einsum("ni,nj->nij", X - X.mean(axis=0), X - X.mean(axis=0))
        error = products.std(axis=0) / 200.0
        assert (np.abs(products.mean(axis=0) - covariance) < 5.0 * error + 1e-12).all()


@pytest.mark.parametrize("name", TABLE)
def test_rows_missing_altogether_contribute_nothing(name):
    family, params, X, resp = sampled(name)
    holes = np.insert(X, [3, 100], np.nan, axis=0)
    weights = np.insert(resp, [3, 100], 0.5, axis=0)
    assert not family.log_prob(holes, params)[3].any()
    for a, b in zip(family.weighted_mle(holes, weights), family.weighted_mle(X, resp), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    family.check_rows(holes)
    holes[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"Row 7 has values missing \(NaN\) in column 1"):
        family.check_rows(holes)


def test_rows_outside_the_set_are_refused():
    X = np.full((5, 4), 0.25)
    Dirichlet().check_rows(X.astype(np.float32))
    X[2, 0] = 0.26
    with pytest.raises(ValueError, match="Row 2 does not sum to 1"):
        Dirichlet().check_rows(X)
    X = np.full((5, 4), 0.5)
    VonMisesFisher().check_rows(X)
    X[3] *= 1.01
    with pytest.raises(ValueError, match="Row 3 does not have length 1"):
        VonMisesFisher().check_rows(X)


def test_one_column_is_no_row():
    with pytest.raises(ValueError, match="Dirichlet takes two columns or more"):
        EMMixture(1, family=Dirichlet()).fit(np.full((3, 1), 0.5))


@pytest.mark.parametrize("name", ["dirichlet", "von mises-fisher"])
def test_one_repeated_row_is_a_spike(name):
    family, _, X, _ = sampled(name)
    data = np.concatenate([X, X[:1].repeat(20, axis=0)])
    spike = family.weighted_mle(data, np.repeat(np.eye(2), [len(X), 20], axis=0))
    assert np.isfinite(family.log_prob(data, spike)).all()
    pooled = family.weighted_mle(data, np.ones((len(data), 1)))
    assert family.degenerate(spike, np.array([len(X), 20.0]), pooled).tolist() == [False, True]


def test_multinomial_prior_is_dirichlet():
    X = np.array([[3.0, 0.0, 1.0], [2.0, 0.0, 2.0]])
    family = Multinomial(prior=(2.0, [1.0, 0.5, 0.5])).for_rows(X, None, 1)
    # Dirichlet(s m + 1): the mode is the counts plus s m, over their sum.
    expected = np.array([[5.0 + 2.0, 0.0 + 1.0, 3.0 + 1.0]]) / 12.0
    np.testing.assert_allclose(family.weighted_mle(X, np.ones((2, 1))).probs, expected)
    assert family.n_trials == 4


def test_multinomial_totals_of_any_type():
    for n_trials in (6.0, np.float64(6.0), np.int64(6)):
        drawn = Multinomial(n_trials=n_trials)
        rows = drawn.sample(MultinomialParams(PROBS), np.array([0, 1]), np.random.default_rng(0))
        np.testing.assert_array_equal(rows.sum(axis=1), 6.0)


def exposed(n_samples=100):
    """Counts of two components, the exposure between them, and the family."""
    rng, params = np.random.default_rng(0), PoissonParams(np.array([[0.5, 3.0], [4.0, 20.0]]))
    exposure, labels = rng.uniform(0.5, 20.0, n_samples), rng.integers(2, size=n_samples)
    counts = rng.poisson(params.rates[labels] * exposure[:, None]).astype(float)
    return Poisson(exposure=1), params, np.insert(counts, 1, exposure, axis=1), labels


def test_exposure_is_an_offset():
    family, params, X, labels = exposed()
    scipys = stats.poisson(params.rates * X[:, 1, None, None])
    expected = scipys.logpmf(X[:, None, [0, 2]]).sum(axis=2)
    np.testing.assert_allclose(family.log_prob(X, params), expected, rtol=1e-10)
    fitted = family.weighted_mle(X, np.eye(2)[labels])
    for k in range(2):
        rows = X[labels == k]
        np.testing.assert_allclose(fitted.rates[k], rows[:, [0, 2]].sum(axis=0) / rows[:, 1].sum())


def test_exposure_by_name_and_its_prior():
    _, _, X, _ = exposed()
    frame = pd.DataFrame(X, columns=["a", "days", "b"])
    by_name = EMMixture(2, family=Poisson(exposure="days"), random_state=0).fit(frame)
    by_place = EMMixture(2, family=Poisson(exposure=1), random_state=0).fit(X)
    np.testing.assert_array_equal(by_name.params_.rates, by_place.params_.rates)
    prior = Poisson(prior=(4.0, [[2.0], [0.5]]), exposure="days")
    rates = EMMixture(1, family=prior).fit(frame).params_.rates
    # Gamma(4 * 2 + 1, 4 * 0.5): the mode is (8 + counts) / (2 + exposure).
    expected = (8.0 + X[:, [0, 2]].sum(axis=0)) / (2.0 + X[:, 1].sum())
    np.testing.assert_allclose(rates, expected[None])


def test_exposure_with_missing_counts():
    family, params, X, _ = exposed()
    X[::4, 0] = np.nan
    log_prob = family.log_prob(X, params)[::4]
    scipys = stats.poisson(params.rates[:, 1] * X[::4, 1, None])
    np.testing.assert_allclose(log_prob, scipys.logpmf(X[::4, 2, None]), rtol=1e-10)
    kind, missing = family.conditional(params, np.array([np.nan, 2.0, 3.0]))
    assert kind.exposure is None
    np.testing.assert_allclose(missing.rates, 2.0 * params.rates[:, :1])
    kept, rest = family.marginal(params, np.array([2, 1]))
    assert kept.exposure == 1
    np.testing.assert_array_equal(rest.rates, params.rates[:, 1:])
    X[8, 1] = np.nan
    with pytest.raises(ValueError, match="Row 8 has counts, but its exposure"):
        family.check_rows(X)


@pytest.mark.parametrize(
    ("exposure", "message"),
    [
        ("hours", "'hours' is not the name of a column"),
        (3, "exposure=3 is to be one of 3"),
        (-1, "count columns from 0"),
    ],
)
def test_wrong_exposures_are_explained(exposure, message):
    _, _, X, _ = exposed()
    frame = pd.DataFrame(X, columns=["a", "days", "b"])
    with pytest.raises(ValueError, match=message):
        EMMixture(1, family=Poisson(exposure=exposure)).fit(frame)


def test_exposures_must_be_positive():
    _, _, X, _ = exposed()
    X[5, 1] = 0.0
    with pytest.raises(ValueError, match="Column 1 holds 0 in row 5, which is not an exposure"):
        EMMixture(1, family=Poisson(exposure=1)).fit(X)


def test_the_mean_total_of_rows_of_counts_is_weighted():
    X = np.array([[1.0, 3.0], [5.0, 15.0]])
    mixture = EMMixture(1, family="multinomial").fit(X, sample_weight=[3.0, 1.0])
    assert_allclose(mixture.mean().sum(), (3 * 4 + 20) / 4)


def test_rows_of_counts_lie_by_hellingers_distance():
    """Half the squared distance is 1 - sum_j sqrt(p_j q_j), of rows of any total."""
    X = np.array([[1.0, 3.0], [25.0, 75.0], [4.0, 0.0], [0.0, 0.0]])
    Z = Multinomial().embed(X)
    distances = 0.5 * ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances[0, :3], [0.0, 0.0, 0.5], atol=1e-15)
    np.testing.assert_array_equal(Z[3], 0.0)
