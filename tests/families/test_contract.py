"""Every family, one row of a table each, through the whole contract."""

import numpy as np
import pytest
from scipy import stats

from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Gaussian,
    GaussianParams,
    Poisson,
    PoissonParams,
)
from sklearn_genmodel.testing import check_family

MEANS = np.array([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.3, 0.2, 0.6]])
APART = MEANS + np.array([[0.0], [1e5]])
FULL = np.array([ROOT @ ROOT.T, 2.0 * ROOT.T @ ROOT])


def gaussian(covariance_type, covariances, means=MEANS, reg_covar=1e-6):
    """A row of the table: a Gaussian and its parameters."""
    return Gaussian(covariance_type, reg_covar), GaussianParams(means, np.asarray(covariances))


TABLE = {
    "gaussian full": gaussian("full", FULL),
    "gaussian tied": gaussian("tied", FULL[0]),
    "gaussian diag": gaussian("diag", [[1.0, 2.0, 0.5], [0.1, 1.0, 3.0]]),
    "gaussian spherical": gaussian("spherical", [0.5, 2.0]),
    "gaussian univariate": gaussian("full", [[[1.0]], [[0.25]]], MEANS[:, :1]),
    "gaussian far": gaussian("full", FULL, MEANS + 1e8),
    "gaussian far apart": gaussian("full", FULL, APART, 0.0),
    "gaussian far apart tied": gaussian("tied", FULL[0], APART, 0.0),
    "gaussian far apart diag": gaussian("diag", FULL[:, 0] ** 2 + 0.1, APART, 0.0),
    "poisson": (Poisson(), PoissonParams(np.array([[0.5, 3.0], [4.0, 20.0]]))),
    "poisson univariate": (Poisson(), PoissonParams(np.array([[0.5], [4.0]]))),
    "bernoulli": (Bernoulli(), BernoulliParams(np.array([[0.1, 0.7, 0.5], [0.9, 0.4, 0.5]]))),
    "bernoulli univariate": (Bernoulli(), BernoulliParams(np.array([[0.1], [0.9]]))),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_family(*TABLE[name], random_state=seed)


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("gaussian")])
def test_gaussian_log_prob_is_scipys(name):
    family, params = TABLE[name]
    rng = np.random.default_rng(0)
    X = family.sample(params, rng.integers(2, size=200), rng)
    expected = [
        stats.multivariate_normal(mean, covariance).logpdf(X)
        for mean, covariance in zip(params.means, family.covariance_matrices(params), strict=True)
    ]
    np.testing.assert_allclose(family.log_prob(X, params), np.transpose(expected), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1.0, 1e8, 1e150])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_gaussian_log_prob_at_any_scale(covariance_type, scale):
    family, params = TABLE[f"gaussian {covariance_type}"]
    X = np.random.default_rng(0).standard_normal((50, 3))
    scaled = GaussianParams(params.means * scale, params.covariances * scale**2)
    shift = -3.0 * np.log(scale)
    np.testing.assert_allclose(
        family.log_prob(X * scale, scaled), family.log_prob(X, params) + shift, rtol=1e-10
    )


# scipy loses digits of larger counts: those of `test_column_densities.py` are by mpmath.
@pytest.mark.parametrize("rate", [1e-8, 1e-3, 1.0, 50.0, 1e4, 1e6])
def test_poisson_log_prob_is_scipys(rate):
    X = np.unique(np.floor(rate * np.array([0.0, 0.5, 1.0, 1.5]) + [0, 1, 2, 3]))[:, None]
    ours = Poisson().log_prob(X, PoissonParams(np.array([[rate]])))
    np.testing.assert_allclose(ours, stats.poisson(rate).logpmf(X), rtol=1e-9)


@pytest.mark.parametrize("prob", [1e-12, 0.1, 0.5, 0.999999])
def test_bernoulli_log_prob_is_scipys(prob):
    X = np.array([[0.0], [1.0]])
    ours = Bernoulli().log_prob(X, BernoulliParams(np.array([[prob]])))
    np.testing.assert_allclose(ours, stats.bernoulli(prob).logpmf(X), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_far_rows_of_hardly_any_weight_cost_no_digits(covariance_type):
    X = np.array([[-1e9, 0.0], [0.0, 1e9], [-1e9, 16.0], [-1e9 + 4.0, 0.0], [1e9, 1e9]])
    weights = np.array([1e12, 1e-18, 1e12, 1e12, 1e-18])
    params = Gaussian(covariance_type).pooled(X, weights)
    kept = weights == 1e12
    expected = np.cov(X[kept], rowvar=False, ddof=0)
    expected = {
        "full": expected,
        "diag": np.diagonal(expected),
        "spherical": np.trace(expected) / 2.0,
    }[covariance_type]
    np.testing.assert_allclose(params.covariances[0], expected, rtol=1e-6)


def test_gaussian_m_step_is_the_sample_covariance():
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((40, 3)) @ ROOT, rng.integers(1, 5, size=40)
    params = Gaussian(reg_covar=0.0).weighted_mle(X, weights[:, None].astype(float))
    np.testing.assert_allclose(params.means[0], np.average(X, axis=0, weights=weights))
    expected = np.cov(X.T, fweights=weights, bias=True)
    np.testing.assert_allclose(params.covariances[0], expected)


def test_gaussian_floor_is_the_constrained_maximum():
    """At the floor no covariance above it has a higher likelihood, found by brute force."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 2)) * [1.0, 3.0]
    thin = X[:, :1] * [1.0, 0.5] + [0.0, 4.0]
    data = np.concatenate([X, thin])
    resp = np.repeat(np.eye(2), 30, axis=0)
    family = Gaussian(reg_covar=1e-3)
    params = family.weighted_mle(data, resp)
    minimum = np.diag(1e-3 * data.var(axis=0))
    floor = np.linalg.eigvalsh(params.covariances - minimum)
    assert floor.min() > -1e-12
    best = family.log_prob(thin, params)[:, 1].sum()
    for _ in range(2000):
        root = np.linalg.cholesky(params.covariances[1] - minimum + 1e-12 * np.eye(2))
        root += rng.standard_normal((2, 2)) * 10.0 ** rng.uniform(-6, -1)
        other = GaussianParams(
            params.means, np.array([params.covariances[0], root @ root.T + minimum])
        )
        assert family.log_prob(thin, other)[:, 1].sum() <= best + 1e-9


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8])
def test_moments_keep_their_digits_far_from_the_origin(offset):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((500, 2)) * 2**10) / 2**10
    near = Gaussian(reg_covar=0.0).weighted_mle(X, np.ones((500, 1)))
    far = Gaussian(reg_covar=0.0).weighted_mle(X + offset, np.ones((500, 1)))
    np.testing.assert_allclose(far.covariances, near.covariances, rtol=1e-7)
