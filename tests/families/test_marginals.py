"""Marginals and conditionals of normal and Student-t components; their prior."""

import numpy as np
import pytest
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Gaussian, GaussianParams
from sklearn_genmodel.families._normal._normal_prior import NormalInverseWishart
from sklearn_genmodel.families._student_t import StudentT, StudentTParams
from sklearn_genmodel.testing import check_family

LOCATIONS = np.array([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.3, 0.2, 0.6]])
FULL = np.array([ROOT @ ROOT.T, 2.0 * ROOT.T @ ROOT])
DOF = np.array([4.0, 9.0])
MATRICES = {
    "full": FULL,
    "tied": FULL[0],
    "diag": np.array([[1.0, 2.0, 0.5], [0.1, 1.0, 3.0]]),
    "spherical": np.array([0.5, 2.0]),
    "tied_diag": np.array([1.0, 2.0, 0.5]),
    "tied_spherical": np.array(0.7),
}
CLOSED = {"full": "full", "tied": "full", "tied_diag": "diag", "tied_spherical": "diag"}
CASES = [(family, name) for family in (Gaussian, StudentT) for name in MATRICES]
GIVEN = np.array([0.7, np.nan, -1.0])


def components(make, covariance_type):
    """A family and its parameters."""
    matrices = MATRICES[covariance_type]
    if make is Gaussian:
        return Gaussian(covariance_type), GaussianParams(LOCATIONS, matrices)
    return StudentT(covariance_type), StudentTParams(LOCATIONS, matrices, DOF)


@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
@pytest.mark.parametrize("seed", [0, 1])
def test_contract_of_reduced_families(family_type, seed):
    family, params = components(family_type, "full")
    # Of components that overlap every weighting has heavy tails, which estimates settle fast on.
    params = params._replace(**{params._fields[0]: 0.2 * LOCATIONS})
    check_family(*family.marginal(params, np.array([2, 0])), random_state=seed)
    check_family(*family.conditional(params, [0.3, np.nan, np.nan]), random_state=seed)


@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
def test_marginals_are_scipys(family_type):
    family, params = components(family_type, "full")
    columns = np.array([2, 0])
    marginal, own = family.marginal(params, columns)
    X = np.random.default_rng(0).standard_normal((50, 2))
    for k in range(2):
        block = FULL[k][np.ix_(columns, columns)]
        if family_type is Gaussian:
            expected = stats.multivariate_normal(LOCATIONS[k, columns], block)
        else:
            expected = stats.multivariate_t(LOCATIONS[k, columns], block, DOF[k])
        np.testing.assert_allclose(marginal.log_prob(X, own)[:, k], expected.logpdf(X), rtol=1e-10)


@pytest.mark.parametrize(("family_type", "covariance_type"), CASES)
def test_the_joint_density_is_marginal_times_conditional(family_type, covariance_type):
    """log p(x_o) + log p(x_m | x_o) = log p(x), for any x_m."""
    family, params = components(family_type, covariance_type)
    marginal, of_given = family.marginal(params, np.array([0, 2]))
    conditional, of_missing = family.conditional(params, GIVEN)
    for names in (marginal, conditional):
        assert names.covariance_type == CLOSED.get(covariance_type, covariance_type)
    values = np.linspace(-3.0, 4.0, 21)[:, None]
    X = np.where(np.isnan(GIVEN), values, GIVEN)
    joint = family.log_prob(X, params)
    parts = marginal.log_prob(X[:, [0, 2]], of_given) + conditional.log_prob(values, of_missing)
    np.testing.assert_allclose(parts, joint, rtol=1e-10)


@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
def test_conditionals_of_nothing_and_marginals_of_everything_change_nothing(family_type):
    family, params = components(family_type, "full")
    for _, same in (
        family.conditional(params, np.full(3, np.nan)),
        family.marginal(params, np.arange(3)),
    ):
        for ours, theirs in zip(same, params, strict=True):
            np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
def test_conditional_moments_are_those_of_samples_near_what_is_given(family_type):
    family, params = components(family_type, "full")
    params = params._replace(**({"dof": np.array([8.0, 9.0])} if family_type is StudentT else {}))
    given = np.array([0.5, np.nan, np.nan])
    conditional, own = family.conditional(params, given)
    X = family.sample(params, np.zeros(2_000_000, dtype=int), np.random.default_rng(0))
    near = X[np.abs(X[:, 0] - 0.5) < 0.02, 1:]
    errors = 5.0 * near.std(axis=0) / np.sqrt(len(near))
    assert (np.abs(near.mean(axis=0) - conditional.mean(own)[0]) < errors).all()
    np.testing.assert_allclose(np.cov(near.T), conditional.covariance(own)[0], atol=0.03)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV", "factor"])
@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
@pytest.mark.parametrize("holes", [False, True])
def test_em_never_lowers_likelihood_and_prior(family_type, covariance_type, holes):
    rng = np.random.default_rng(0)
    X = Gaussian().sample(GaussianParams(LOCATIONS, FULL), rng.integers(2, size=200), rng)
    if holes:
        X[rng.random(X.shape) < 0.2] = np.nan
    family = family_type(covariance_type, prior="default").for_rows(X, None, 2)
    start = family.m_step(family.suffstats(X, rng.dirichlet(np.ones(2), len(X))))
    theta = Theta(np.full(2, 0.5), start)
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(30):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() > -1e-9
    assert bounds[-1] > bounds[0]


def test_estimates_under_the_prior_are_those_of_fraley_and_raftery():
    """Table 1: (Lambda + kappa n / (kappa + n) (m - mu)(m - mu)' + W) / (nu + n + d + 2)."""
    X = np.random.default_rng(0).standard_normal((30, 2)) @ [[1.0, 0.4], [0.0, 0.7]] + 2.0
    prior = NormalInverseWishart(mean=[0.0, 1.0], shrinkage=3.0, dof=5.0, scale=[2.0, 4.0])
    family = Gaussian(prior=prior, reg_covar=0.0).for_rows(X, None, 1)
    params = family.weighted_mle(X, np.ones((30, 1)))
    mean, offset = X.mean(axis=0), X.mean(axis=0) - [0.0, 1.0]
    np.testing.assert_allclose(params.means, [(30 * mean + 3 * np.array([0.0, 1.0])) / 33])
    scatter = 30 * np.cov(X.T, bias=True) + 90 / 33 * np.outer(offset, offset)
    expected = (np.diag([2.0, 4.0]) + scatter) / (5.0 + 30 + 2 + 2)
    np.testing.assert_allclose(params.covariances[0], expected)


@pytest.mark.parametrize("family_type", [Gaussian, StudentT])
def test_the_prior_keeps_a_component_from_collapsing(family_type):
    X = np.concatenate([np.random.default_rng(0).standard_normal((60, 2)), np.full((5, 2), 3.0)])
    mixture = EMMixture(2, family=family_type(prior="default"), random_state=0).fit(X)
    assert np.linalg.eigvalsh(mixture.params_[1]).min() > 1e-3
    assert (np.diff(mixture.lower_bounds_) >= 0).all()


def test_a_prior_that_the_data_have_not_filled_in_says_so():
    with pytest.raises(ValueError, match="for_rows"):
        Gaussian(prior="default").weighted_mle(np.eye(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="prior must be"):
        Gaussian(prior=0.5).for_rows(np.eye(3), None, 1)


@pytest.mark.parametrize("covariance_type", ["tied_diag", "tied_spherical"])
def test_densities_far_from_the_origin_lose_no_digits(covariance_type):
    """Components far apart, next to their deviations: about their own means nothing cancels."""
    means = np.array([[1e9, -1e9], [-1e9, 1e9]])
    variances = np.array([1e-4, 4e-4]) if covariance_type == "tied_diag" else np.array(1e-4)
    X = means.repeat(20, axis=0) + np.random.default_rng(0).normal(size=(40, 2)) / 64.0
    found = Gaussian(covariance_type).log_prob(X, GaussianParams(means, variances))
    for k, mean in enumerate(means):
        expected = stats.norm(mean, np.sqrt(variances)).logpdf(X).sum(axis=1)
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-10)
