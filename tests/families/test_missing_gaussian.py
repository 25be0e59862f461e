"""Normal components with missing values: exact conditional expectations, pattern by pattern."""

import numpy as np
import pytest
from scipy import optimize, stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_airquality
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Gaussian, GaussianParams

MEANS = np.array([[0.0, 1.0, -2.0, 1.0], [2.0, -1.0, 0.5, 0.0]])
ROOTS = np.random.default_rng(5).standard_normal((2, 4, 4))
FULL = ROOTS @ ROOTS.swapaxes(1, 2) + 0.3 * np.eye(4)
COVARIANCES = {
    "full": FULL,
    "tied": FULL[0],
    "diag": np.einsum("kii->ki", FULL),
    "spherical": FULL[:, 0, 0],
    "tied_diag": np.diagonal(FULL[0]),
    "tied_spherical": FULL[0, 0, 0],
}
STRUCTURES = [*COVARIANCES, "VEE", "EVI", "VVE", "factor"]


def with_holes(n_samples=300, share=0.3, seed=0):
    """Rows of two correlated clusters, cells missing at random, one row missing altogether."""
    rng = np.random.default_rng(seed)
    X = Gaussian().sample(GaussianParams(MEANS, FULL), rng.integers(2, size=n_samples), rng)
    X[rng.random(X.shape) < share] = np.nan
    X[0] = np.nan
    return X


def observed_log_prob(X, means, matrices):
    """Log-density of the observed columns of every row, row by row with scipy."""
    log_prob = np.zeros((len(X), len(means)))
    for i, row in enumerate(X):
        o = ~np.isnan(row)
        if o.any():
            for k, (mean, matrix) in enumerate(zip(means, matrices, strict=True)):
                log_prob[i, k] = stats.multivariate_normal(mean[o], matrix[np.ix_(o, o)]).logpdf(
                    row[o]
                )
    return log_prob


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_log_prob_is_scipys_on_the_columns_observed(covariance_type):
    family = Gaussian(covariance_type)
    params = GaussianParams(MEANS, np.asarray(COVARIANCES[covariance_type]))
    X = with_holes()
    expected = observed_log_prob(X, MEANS, family.covariance_matrices(params))
    np.testing.assert_allclose(family.log_prob(X, params), expected, rtol=1e-10, atol=1e-12)
    assert not family.log_prob(X, params)[0].any()


def test_monotone_missingness_has_the_factored_estimate():
    """x2 is missing for some rows: regression on the complete ones gives the MLE (Anderson 1957).

    mu_2 = intercept + slope mu_1, sigma_22 = residual + slope^2 sigma_11, with mu_1 and sigma_11
    from all rows.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) @ [[1.0, 0.8], [0.0, 0.5]] + [3.0, -2.0]
    gone = rng.random(200) < 1 / (1 + np.exp(3.0 - X[:, 0]))
    X[gone, 1] = np.nan
    params = Gaussian(reg_covar=0.0).weighted_mle(X, np.ones((200, 1)))
    complete = X[~gone]
    slope, intercept = np.polyfit(*complete.T, 1)
    residual = np.mean((complete[:, 1] - intercept - slope * complete[:, 0]) ** 2)
    mean, variance = X[:, 0].mean(), X[:, 0].var()
    np.testing.assert_allclose(params.means, [[mean, intercept + slope * mean]], rtol=1e-9)
    expected = [[variance, slope * variance], [slope * variance, residual + slope**2 * variance]]
    np.testing.assert_allclose(params.covariances[0], expected, rtol=1e-9)


def test_any_pattern_reaches_the_maximum_that_direct_ascent_finds():
    X = with_holes(n_samples=40)[:, :3]
    i, j = np.tril_indices(3)

    def unpacked(vector):
        root = np.zeros((3, 3))
        root[i, j] = vector[3:]
        return GaussianParams(vector[None, :3], (root @ root.T)[None])

    def loss(vector):
        params = unpacked(vector)
        return -observed_log_prob(X, params.means, params.covariances).sum()

    ours = Gaussian(reg_covar=0.0).weighted_mle(X, np.ones((len(X), 1)))
    at = np.concatenate([ours.means[0], np.linalg.cholesky(ours.covariances[0])[i, j]])
    rough = np.concatenate([np.nanmean(X, axis=0), np.diag(np.nanstd(X, axis=0))[i, j]])
    found = optimize.minimize(loss, rough, method="BFGS", options={"gtol": 1e-3})
    np.testing.assert_allclose(loss(at), found.fun, rtol=1e-8)
    np.testing.assert_allclose(ours.means, unpacked(found.x).means, atol=1e-3)
    np.testing.assert_allclose(ours.covariances, unpacked(found.x).covariances, atol=1e-2)


@pytest.mark.parametrize("reg_covar", [1e-6, 0.2])
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_em_never_lowers_the_observed_likelihood(covariance_type, reg_covar):
    """At a floor that binds, too, though its unit changes from pass to pass."""
    X, family = with_holes(), Gaussian(covariance_type, reg_covar)
    resp = np.random.default_rng(1).dirichlet(np.ones(2), len(X))
    theta = Theta(np.full(2, 0.5), family.m_step(family.suffstats(X, resp)))
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(30):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() > -1e-9
    assert bounds[-1] > bounds[0] + 1e-3


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_rows_with_and_without_holes_add(covariance_type):
    X, family = with_holes(), Gaussian(covariance_type)
    X[:100] = np.nan_to_num(X[:100])
    resp = np.random.default_rng(1).dirichlet(np.ones(2), len(X))
    params = family.m_step(family.suffstats(X, resp))
    order = np.random.default_rng(2).permutation(len(X))
    whole = family.m_step(family.suffstats(X[order], resp[order], params))
    parts = [
        family.suffstats(X[rows], resp[rows], params) for rows in (slice(100), slice(100, None))
    ]
    summed = family.m_step(parts[0] + parts[1])
    np.testing.assert_allclose(summed.means, whole.means, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        family.covariance_matrices(summed), family.covariance_matrices(whole), rtol=1e-8, atol=1e-10
    )


def test_rows_with_nothing_observed_say_nothing():
    X, family = with_holes(), Gaussian()
    resp = np.random.default_rng(1).dirichlet(np.ones(2), len(X))
    params = GaussianParams(MEANS, FULL)
    with_empty = family.m_step(family.suffstats(X, resp, params))
    without = family.m_step(family.suffstats(X[1:], resp[1:], params))
    np.testing.assert_array_equal(with_empty.means, without.means)
    np.testing.assert_array_equal(with_empty.covariances, without.covariances)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_estimates_keep_their_digits_far_from_the_origin(offset):
    X, ones = np.round(with_holes() * 2**10) / 2**10, np.ones((300, 1))
    near = Gaussian().weighted_mle(X, ones)
    far = Gaussian().weighted_mle(X + offset, ones)
    np.testing.assert_allclose(far.means - offset, near.means, atol=3e-16 * offset + 1e-9)
    np.testing.assert_allclose(far.covariances, near.covariances, rtol=1e-6, atol=1e-7)


def test_components_far_apart_keep_their_digits():
    apart = MEANS + np.array([[0.0], [1e6]])
    params = GaussianParams(apart, FULL)
    X = with_holes()
    shifted = observed_log_prob(X, MEANS, FULL)[:, 1]
    X = X + 1e6
    np.testing.assert_allclose(Gaussian().log_prob(X, params)[:, 1], shifted, rtol=1e-8)


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_airquality(n_components):
    """New York's air in 1973: Ozone and Solar.R are missing on 42 of 153 days."""
    X = np.asarray(load_airquality().data, dtype=np.float64)[:, :4]
    assert np.isnan(X).any(axis=1).sum() == 42
    mixture = EMMixture(n_components, random_state=0).fit(X)
    params = mixture.params_
    log_prob = observed_log_prob(X, params.means, params.covariances)
    expected = np.log(np.exp(log_prob) @ mixture.weights_)
    np.testing.assert_allclose(mixture.score_samples(X), expected, rtol=1e-9)
    assert mixture.converged_
    assert (np.diff(mixture.lower_bounds_) >= 0).all()


def test_repetition_and_order_do_not_matter_with_holes():
    X = with_holes(n_samples=60)[:, :2]
    weights = np.random.default_rng(2).integers(1, 4, len(X))
    one = EMMixture(2, random_state=0).fit(X, sample_weight=weights)
    two = EMMixture(2, random_state=0).fit(np.repeat(X, weights, axis=0)[::-1])
    np.testing.assert_array_equal(one.params_.means, two.params_.means)


def test_a_component_that_observed_nothing_of_a_column_borrows_from_the_others():
    X, resp = with_holes(), np.repeat(np.eye(2), 150, axis=0)
    X[:150, 0] = np.nan
    params = Gaussian().m_step(Gaussian().suffstats(X, resp))
    np.testing.assert_allclose(params.means[0, 0], np.nanmean(X[:, 0]))
    np.testing.assert_allclose(params.covariances[0, 0, 0], np.nanvar(X[:, 0]), rtol=0.2)
