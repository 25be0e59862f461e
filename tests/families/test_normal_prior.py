"""The conjugate prior of normal components: its mode, its defaults, its errors."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Gaussian
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._gaussian import GaussianParams
from sklearn_genmodel.families._normal._moments import gaussian_kernel
from sklearn_genmodel.families._normal._normal_prior import NormalInverseWishart

TYPES = ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"]
CODES = [*TYPES, "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV"]


def rows(n_samples=80, seed=0):
    """Rows of three columns in different units, and responsibilities."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 3)) @ rng.standard_normal((3, 3)) * [1.0, 5.0, 0.2] + 3.0
    return X, rng.dirichlet(np.ones(2), size=n_samples)


def posterior_mode(code, prior, X, resp):
    """Means and covariances of an M-step with the prior's pseudo-observations."""
    structure, d = structure_of(code), X.shape[1]
    pseudo = prior.pseudo(structure, resp.shape[1])
    counts = resp.sum(axis=0) + pseudo.weight
    means = (resp.T @ X + pseudo.weight * pseudo.mean) / counts[:, None]
    weights = np.concatenate([resp, np.full((1, resp.shape[1]), pseudo.weight)])
    offsets = np.concatenate([X, pseudo.mean[None]])[None] - means[:, None]
    parts = [structure.collect(w, y.T)[2] for w, y in zip(weights.T, offsets, strict=True)]
    scatter = np.sum(parts, axis=0) if structure.shared else np.concatenate(parts)
    covariances = structure.covariances(
        scatter + pseudo.scatter, resp.sum(axis=0) + pseudo.counts, d
    )
    return GaussianParams(means, covariances)


def log_posterior(code, prior, X, resp, params):
    """Expected log-likelihood plus log prior."""
    structure = structure_of(code)
    log_prob, _ = gaussian_kernel(structure, *params)(X)
    return (resp.T * log_prob).sum() + prior.log_density(params, structure).sum()


@pytest.mark.parametrize("code", CODES)
def test_m_step_is_the_mode(code):
    """No other means or covariances of the structure have a higher posterior density.

    The others are those of responsibilities and priors nearby, so that they share what the
    structure says.
    """
    X, resp = rows()
    prior = NormalInverseWishart(shrinkage=0.5).resolved(X, None, 2, structure_of(code))
    best = posterior_mode(code, prior, X, resp)
    highest, rng = log_posterior(code, prior, X, resp, best), np.random.default_rng(1)
    for size in np.repeat([1e-4, 1e-2, 1e-1], 8):
        other = posterior_mode(
            code, prior, X, resp * np.exp(size * rng.standard_normal(resp.shape))
        )
        assert log_posterior(code, prior, X, resp, other) <= highest + 1e-9
        moved = best._replace(means=best.means + size * rng.standard_normal((2, 3)))
        assert log_posterior(code, prior, X, resp, moved) <= highest + 1e-9


@pytest.mark.parametrize(
    "code", ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"]
)
@pytest.mark.parametrize("shrinkage", [0.0, 0.01, 2.0])
def test_gradient_vanishes_at_the_mode(code, shrinkage):
    """Finite differences of the log posterior in the coordinates of the structure."""
    X, resp = rows()
    structure = structure_of(code)
    prior = NormalInverseWishart(shrinkage=shrinkage).resolved(X, None, 2, structure)
    best = posterior_mode(code, prior, X, resp)
    start = structure.to_vector(structure.factor(best.covariances))
    for direction in np.eye(len(start)):
        ahead, behind = (
            best._replace(
                covariances=structure.from_vector(start + step * direction, best.covariances)
            )
            for step in (1e-5, -1e-5)
        )
        slope = log_posterior(code, prior, X, resp, ahead) - log_posterior(
            code, prior, X, resp, behind
        )
        assert abs(slope) / 2e-5 < 1e-4


def test_mode_is_the_formula_of_the_paper():
    """Fraley and Raftery (2007), table 1: VVV, VVI and VII with the scale of the paper."""
    X, resp = rows()
    n, kappa, d, K = resp.sum(axis=0), 0.01, 3, 2
    means = resp.T @ X / n[:, None]
    away = means - X.mean(axis=0)
    factors = kappa * n / (kappa + n)
    W = np.einsum("nk,nki,nkj->kij", resp, X[:, None] - means, X[:, None] - means)
    W += factors[:, None, None] * away[:, :, None] * away[:, None, :]
    total = np.cov(X.T, bias=True) / K ** (2.0 / d)
    variance, nu = np.trace(total) / d, d + 2.0
    expected = {
        "full": (total + W) / (nu + d + n + 2.0)[:, None, None],
        "diag": (variance + np.einsum("kjj->kj", W)) / (nu + n + 3.0)[:, None],
        "spherical": (variance + np.einsum("kjj->k", W)) / (nu + (n + 1.0) * d + 2.0),
        "tied": (total + W.sum(axis=0)) / (nu + d + n.sum() + K + 1.0),
        "tied_diag": (variance + np.einsum("kjj->j", W)) / (nu + n.sum() + K + 2.0),
        "tied_spherical": (variance + np.einsum("kjj->", W)) / (nu + (n.sum() + K) * d + 2.0),
    }
    for code, covariances in expected.items():
        scale = variance if "diag" in code else None
        prior = NormalInverseWishart(scale=scale).resolved(X, None, K, structure_of(code))
        np.testing.assert_allclose(posterior_mode(code, prior, X, resp).covariances, covariances)


def test_log_density_is_scipys():
    """Normal times inverse-Wishart, or inverse-gamma, up to the same constant everywhere."""
    X, _ = rows()
    rng = np.random.default_rng(0)
    roots = rng.standard_normal((5, 3, 3))
    covariances, means = roots @ roots.swapaxes(1, 2) + np.eye(3), rng.standard_normal((5, 3))
    prior = NormalInverseWishart().resolved(X, None, 2, structure_of("full"))
    ours = prior.log_density(GaussianParams(means, covariances), structure_of("full"))
    theirs = [
        stats.multivariate_normal(prior.mean, covariance / prior.shrinkage).logpdf(mean)
        + stats.invwishart(prior.dof, prior.scale).logpdf(covariance)
        for mean, covariance in zip(means, covariances, strict=True)
    ]
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs))
    variances = rng.uniform(0.5, 2.0, size=(5, 3))
    prior = NormalInverseWishart().resolved(X, None, 2, structure_of("diag"))
    ours = prior.log_density(GaussianParams(means, variances), structure_of("diag"))
    scale = np.diagonal(prior.scale)
    theirs = stats.norm(prior.mean, np.sqrt(variances / prior.shrinkage)).logpdf(means)
    theirs += stats.invgamma(prior.dof / 2.0, scale=scale / 2.0).logpdf(variances)
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs.sum(axis=1)))


def test_defaults_are_those_of_the_data():
    X, _ = rows()
    prior = NormalInverseWishart().resolved(X, None, 4, structure_of("full"))
    np.testing.assert_allclose(prior.mean, X.mean(axis=0))
    np.testing.assert_allclose(prior.scale, np.cov(X.T, bias=True) / 4.0 ** (2.0 / 3.0))
    assert prior.dof == 5.0
    weights = np.arange(len(X)) % 3
    weighted = NormalInverseWishart().resolved(X, weights, 4, structure_of("VEE"))
    repeated = NormalInverseWishart().resolved(
        X.repeat(weights, axis=0), None, 4, structure_of("VEE")
    )
    np.testing.assert_allclose(weighted.scale, repeated.scale)
    np.testing.assert_allclose(weighted.mean, repeated.mean)


def test_missing_values_are_passed_over():
    X, _ = rows()
    holes = X.copy()
    holes[::3, 0], holes[1::4, 2], holes[5] = np.nan, np.nan, np.nan
    prior = NormalInverseWishart().resolved(holes, None, 1, structure_of("full"))
    np.testing.assert_allclose(prior.mean, np.nanmean(holes, axis=0))
    np.testing.assert_allclose(np.diagonal(prior.scale), np.nanvar(holes, axis=0))
    assert np.linalg.eigvalsh(prior.scale).min() > 0.0


def test_a_copy_is_itself():
    prior = NormalInverseWishart(mean=np.zeros(3))
    assert copy.deepcopy(prior) is prior


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0.0, 1.0]}, r"mean must be finite and have shape \(3,\), got shape \(2,\)"),
        ({"shrinkage": -1.0}, "shrinkage must be at least 0"),
        ({"dof": 2.0}, "dof=2 must be above 2 with 3 columns"),
        ({"scale": [1.0, 2.0, -1.0]}, "scale must be positive definite"),
        ({"scale": np.ones((2, 2))}, r"scale must be finite and have shape \(3, 3\)"),
    ],
)
def test_what_makes_no_prior_is_refused(arguments, message):
    X, _ = rows()
    with pytest.raises(ValueError, match=message):
        NormalInverseWishart(**arguments).resolved(X, None, 2, structure_of("full"))


def test_a_scale_of_a_prior_is_symmetric():
    X = np.random.default_rng(0).normal(size=(30, 2))
    family = Gaussian(prior=NormalInverseWishart(scale=[[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="positive definite"):
        EMMixture(1, family=family).fit(X)


def test_a_marginal_is_fitted_as_a_mixture_of_its_columns_is():
    X = np.random.default_rng(0).normal(size=(60, 2))
    mixture = EMMixture(1, family=Gaussian(prior="default")).fit(X)
    refitted = mixture.marginal([1]).fit(X[:, [1]])
    assert_allclose(refitted.mean(), X[:, 1].mean(), rtol=0.05, atol=1e-2)
