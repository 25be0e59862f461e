"""Mixtures of factor analysers and of probabilistic principal components."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn import datasets
from sklearn.decomposition import FactorAnalysis

from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families._covariances._factor import LOADINGS, NOISES, FactorCovariances
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._gaussian import Gaussian, GaussianParams
from sklearn_genmodel.testing import check_family

RECORDS = Path(__file__).parents[1] / "references" / "reference_fits.json"
KINDS = list(product(LOADINGS, NOISES))


def standardised(X):
    """Columns of mean 0 and variance 1, constant ones left alone."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


DATA = {
    "iris": datasets.load_iris().data,
    "wine_std": standardised(datasets.load_wine().data),
    "breast_cancer_std": standardised(datasets.load_breast_cancer().data),
    "digits": datasets.load_digits().data / 16.0,
}


def factor(n_factors, loadings="free", noise="diag", reg_covar=0.0):
    """A factor-analytic Gaussian."""
    return Gaussian("factor", reg_covar, n_factors=n_factors, loadings=loadings, noise=noise)


def records(family):
    """Reference fits of a family to data that scikit-learn ships."""
    every = json.loads(RECORDS.read_text())
    chosen = [record for record in every if record.get("family") == family]
    return [record for record in chosen if record["id"].split("-")[1] in DATA]


def single_fit(record, noise):
    """Log-likelihood of the one-component fit, evaluated by scipy, and its parameters."""
    _, name, n_factors = record["id"].split("-")
    X, family = DATA[name], factor(int(n_factors), noise=noise)
    params = family.m_step(family.suffstats(X, np.ones((len(X), 1))))
    matrix = family.covariance_matrices(params)[0]
    log_prob = stats.multivariate_normal(params.means[0], matrix, allow_singular=True).logpdf(X)
    return log_prob.sum(), params, X


# scikit-learn's EM stopped at lower maxima here: by how much ours is higher.
HIGHER = {"fa-wine_std-5": 9.0, "fa-breast_cancer_std-3": 515.0}


@pytest.mark.parametrize("record", records("factor_analysis"), ids=lambda record: record["id"])
def test_factor_analysis_reaches_the_reference(record):
    log_likelihood, params, X = single_fit(record, "diag")
    gain = log_likelihood - record["loglik"]
    assert gain >= -1e-6
    if record["id"] in HIGHER:
        assert gain > HIGHER[record["id"]]
    elif not record["heywood"]:
        assert gain <= 1e-6
        # Maximum likelihood reproduces the variances (Lawley and Maxwell 1971).
        loadings, noise = params.covariances
        np.testing.assert_allclose((loadings[0] ** 2).sum(axis=1) + noise[0], X.var(axis=0))
    else:
        # EM creeps towards a noise of 0.
        assert gain <= 1e-2


@pytest.mark.parametrize("record", records("ppca"), ids=lambda record: record["id"])
def test_principal_components_reach_the_reference(record):
    log_likelihood, params, X = single_fit(record, "spherical")
    n_factors = int(record["id"].split("-")[2])
    assert log_likelihood == pytest.approx(record["loglik"], abs=1e-6)
    assert params.covariances.noise[0, 0] == pytest.approx(record["noise_variance"], rel=1e-9)
    assert factor(n_factors, noise="spherical").n_parameters(1, X.shape[1]) == record["n_params"]


def test_principal_components_are_the_closed_form():
    """Tipping and Bishop (1999), equations 7 and 8."""
    X = DATA["wine_std"]
    family = factor(3, noise="spherical")
    params = family.m_step(family.suffstats(X, np.ones((len(X), 1))))
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[3:].mean()
    loadings = params.covariances.loadings[0]
    np.testing.assert_allclose(params.covariances.noise, noise)
    expected = (vectors[:, :3] * (values[:3] - noise)) @ vectors[:, :3].T
    np.testing.assert_allclose(loadings @ loadings.T, expected, atol=1e-10)


def test_many_columns_reach_the_maximum_by_short_steps():
    """Above 64 columns a pass of EM makes two steps of a first-order kind, and still arrives."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((400, 3)) @ rng.standard_normal((3, 80)) + rng.standard_normal(
        (400, 80)
    )
    family, resp = factor(3), np.ones((400, 1))
    best = family.m_step(family.suffstats(X, resp))
    theirs = FactorAnalysis(3, tol=1e-12, max_iter=20_000, svd_method="lapack").fit(X)
    assert family.log_prob(X, best).mean() >= theirs.score(X) - 1e-9
    loadings, noise = best.covariances
    np.testing.assert_allclose((loadings[0] ** 2).sum(axis=1) + noise[0], X.var(axis=0), rtol=1e-8)
    worse = best._replace(covariances=FactorCovariances(loadings, 1.5 * noise))
    step, theta = blocked_step(family, Rows(X)), Theta(np.ones(1), worse)
    bounds = []
    for _ in range(20):
        theta, bound = step(theta)
        bounds.append(bound)
    assert (np.diff(bounds) >= -1e-12).all()
    assert bounds[-1] == pytest.approx(family.log_prob(X, best).mean(), abs=1e-9)


def groups(n_features=4, n_factors=2, n_samples=120, seed=0):
    """Rows of two factor analysers, and weights that do not tell them apart well."""
    rng = np.random.default_rng(seed)
    loadings = rng.standard_normal((2, n_features, n_factors))
    noise = rng.uniform(0.3, 2.0, size=(2, n_features))
    params = GaussianParams(
        rng.standard_normal((2, n_features)), FactorCovariances(loadings, noise)
    )
    labels = rng.integers(2, size=n_samples)
    X = factor(n_factors).sample(params, labels, rng)
    return X, np.eye(2)[labels] * 0.8 + 0.1, params


@pytest.mark.parametrize("n_features", [5, 60])
def test_log_prob_is_scipys(n_features):
    X, _, params = groups(n_features)
    family = factor(2)
    loadings, noise = params.covariances
    expected = [
        stats.multivariate_normal(mean, part @ part.T + np.diag(variances)).logpdf(X)
        for mean, part, variances in zip(params.means, loadings, noise, strict=True)
    ]
    np.testing.assert_allclose(family.log_prob(X, params), np.transpose(expected), rtol=1e-9)


def test_whitened_rows_have_their_mahalanobis_length():
    X, _, params = groups()
    structure = structure_of("factor", n_factors=2)
    whitened = structure.whiten(X.T, structure.factor(params.covariances), 1)
    matrix = structure.dense(params.covariances, 2, 4)[1]
    expected = np.einsum("ni,ij,nj->n", X, np.linalg.inv(matrix), X)
    np.testing.assert_allclose((whitened**2).sum(axis=0), expected)


@pytest.mark.parametrize(("loadings", "noise"), KINDS)
@pytest.mark.parametrize("n_factors", [1, 2])
def test_m_step_beats_its_neighbours(loadings, noise, n_factors):
    """Within the structure nothing nearby is more likely."""
    X, resp, _ = groups(n_features=7, n_samples=500)
    rng, family = np.random.default_rng(1), factor(n_factors, loadings, noise)
    best = family.m_step(family.suffstats(X, resp))
    highest = (resp * family.log_prob(X, best)).sum()

    def common(drawn):
        drawn = drawn[:1].repeat(2, axis=0) if noise.startswith("tied") else drawn
        return drawn[:, :1].repeat(7, axis=1) if noise.endswith("spherical") else drawn

    for size in np.repeat([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], 40):
        steps = size * rng.standard_normal((2, 7, n_factors))
        steps = steps[:1].repeat(2, axis=0) if loadings == "common" else steps
        variances = best.covariances.noise * np.exp(common(size * rng.standard_normal((2, 7))))
        other = FactorCovariances(best.covariances.loadings + steps, variances)
        assert (resp * family.log_prob(X, best._replace(covariances=other))).sum() <= highest + 1e-9


def test_tied_spherical_noise_is_the_best_one():
    """Given the noise, loadings are principal components; the noise by a search on the line."""
    X, resp, _ = groups(n_features=5)
    counts = resp.sum(axis=0)
    params = factor(2, noise="tied_spherical").weighted_mle(X, resp)
    values = [
        np.linalg.eigvalsh(np.cov(X.T, aweights=weights, bias=True))[::-1] for weights in resp.T
    ]

    def criterion(log_noise):
        noise, total = np.exp(log_noise), 0.0
        for n, each in zip(counts, values, strict=True):
            kept = np.maximum(each[:2], noise)
            total += n * (np.log(kept).sum() + (each[:2] / kept).sum())
            total += n * (3 * np.log(noise) + each[2:].sum() / noise)
        return total

    best = minimize_scalar(criterion, bounds=(-5.0, 3.0), method="bounded", options={"xatol": 1e-9})
    np.testing.assert_allclose(params.covariances.noise, np.exp(best.x), rtol=1e-6)


@pytest.mark.parametrize(("loadings", "noise"), KINDS)
def test_em_never_lowers_the_bound(loadings, noise):
    X, family = DATA["wine_std"], factor(2, loadings, noise, reg_covar=1e-6)
    resp = np.random.default_rng(0).dirichlet(np.ones(2), size=len(X))
    theta = Theta(np.full(2, 0.5), family.m_step(family.suffstats(X, resp)))
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(20):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() >= -1e-10 * abs(bounds[-1])
    assert bounds[-1] > bounds[0] + 0.1


# p q - q (q - 1) / 2 loadings and the noise, with p = 5, q = 2 and three components
# (McNicholas and Murphy 2008, table 1).
N_PARAMETERS = {
    ("common", "tied_spherical"): 9 + 1,
    ("common", "tied_diag"): 9 + 5,
    ("common", "spherical"): 9 + 3,
    ("common", "diag"): 9 + 15,
    ("free", "tied_spherical"): 27 + 1,
    ("free", "tied_diag"): 27 + 5,
    ("free", "spherical"): 27 + 3,
    ("free", "diag"): 27 + 15,
}


@pytest.mark.parametrize(("loadings", "noise"), KINDS)
def test_n_parameters(loadings, noise):
    structure = structure_of("factor", n_factors=2, loadings=loadings, noise=noise)
    assert structure.n_parameters(3, 5) == N_PARAMETERS[loadings, noise]
    assert structure.coupled == ((loadings, noise) not in {("free", "diag"), ("free", "spherical")})


@pytest.mark.parametrize(("loadings", "noise"), KINDS)
def test_contract(loadings, noise):
    X, resp, _ = groups(n_samples=1000)
    family = factor(1, loadings, noise, reg_covar=1e-6)
    check_family(family, family.m_step(family.suffstats(X, resp)))


@pytest.mark.parametrize("noise", NOISES)
def test_one_component_has_nothing_to_share(noise):
    X = DATA["wine_std"]
    families = factor(2, "free", noise), factor(2, "common", noise)
    free, common = (family.m_step(family.suffstats(X, np.ones((len(X), 1)))) for family in families)
    for ours, theirs in zip(free.covariances, common.covariances, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


@pytest.mark.parametrize("noise", ["diag", "spherical"])
def test_floor_is_the_constrained_maximum(noise):
    """A Heywood case ends on the floor, and no loadings or noise above it do better."""
    X, floor = DATA["iris"], 0.05
    family = factor(2, noise=noise, reg_covar=floor)
    resp = np.ones((len(X), 1))
    best = family.m_step(family.suffstats(X, resp))
    minimum = floor * (X.var(axis=0) if noise == "diag" else X.var(axis=0).mean())
    ratios = best.covariances.noise[0] / minimum
    assert ratios.min() == pytest.approx(1.0)
    highest, rng = family.log_prob(X, best).sum(), np.random.default_rng(0)
    for size in np.repeat([1e-4, 1e-3, 1e-2, 1e-1], 100):
        steps = size * rng.standard_normal((1, 4))
        steps = steps if noise == "diag" else steps[:, :1]
        variances = np.maximum(best.covariances.noise * np.exp(steps), minimum)
        loadings = best.covariances.loadings + size * rng.standard_normal((1, 4, 2))
        other = best._replace(covariances=FactorCovariances(loadings, variances))
        assert family.log_prob(X, other).sum() <= highest + 1e-9


def test_hundreds_of_columns():
    """EM on 200 columns passes the log-likelihood of the truth within a few passes."""
    X, resp, truth = groups(n_features=200, n_factors=3, n_samples=500)
    family = factor(3, reg_covar=1e-6)
    theta = Theta(np.full(2, 0.5), family.m_step(family.suffstats(X, resp)))
    step = blocked_step(family, Rows(X))
    for _ in range(4):
        theta, bound = step(theta)
    _, at_truth = step(Theta(np.full(2, 0.5), truth))
    assert bound > at_truth


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 50)) + rng.standard_normal((30, 50))
    family = factor(2, reg_covar=1e-3)
    params = family.weighted_mle(X, np.ones((30, 1)))
    assert np.linalg.eigvalsh(family.covariance_matrices(params)[0]).min() > 0.0
    assert np.isfinite(family.log_prob(X, params)).all()


def test_coordinates_come_back():
    _, _, params = groups()
    structure = structure_of("factor", n_factors=2)
    vector = structure.to_vector(structure.factor(params.covariances))
    back = structure.from_vector(vector, params.covariances)
    for ours, theirs in zip(back, params.covariances, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_as_many_factors_as_columns_are_refused():
    with pytest.raises(ValueError, match="n_factors=3 factors cannot be told from the noise of 3"):
        factor(3).weighted_mle(np.random.default_rng(0).standard_normal((20, 3)), np.ones((20, 1)))
