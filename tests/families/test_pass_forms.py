"""The forms of a Gaussian pass, and passes without what is constant, against scipy row by row."""

import numpy as np
import pytest
from scipy.linalg.lapack import dtrtri
from scipy.special import softmax
from scipy.stats import multivariate_normal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Gaussian, GaussianParams, Poisson, StudentT
from sklearn_genmodel.families._covariances import _triangular as triangular
from sklearn_genmodel.families._normal._features import weighing
from sklearn_genmodel.families._numerics._blas import thin_product, triangular_product, wide_product

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"]


def problem(covariance_type, n_features, n_components, offset=0.0, n_samples=3000):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((n_samples, n_features)) * rng.uniform(0.5, 2.0, n_features) + offset
    X[: n_samples // 3] += 1.0
    weights = rng.uniform(0.2, 2.0, n_samples)
    family = Gaussian(covariance_type, reg_covar=0.0)
    resp = rng.dirichlet(np.full(n_components, 0.2), n_samples)
    params = family.weighted_mle(X, resp)
    return family, X, weights, Theta(rng.dirichlet(np.full(n_components, 5.0)), params)


def pass_by_scipy(family, X, weights, theta):
    """Bound, and weighted means and second moments about them, with nothing left out."""
    matrices = family.covariance_matrices(theta.params)
    log_joint = np.stack(
        [
            np.log(weight) + multivariate_normal(mean, matrix).logpdf(X)
            for weight, mean, matrix in zip(
                theta.weights, theta.params.means, matrices, strict=True
            )
        ],
        axis=1,
    )
    log_evidence = np.logaddexp.reduce(log_joint, axis=1)
    resp = softmax(log_joint, axis=1) * weights[:, None]
    counts = resp.sum(axis=0)
    means = resp.T @ X / counts[:, None]
    scatter = np.stack([(r * (X - m).T) @ (X - m) for r, m in zip(resp.T, means, strict=True)])
    return weights @ log_evidence / weights.sum(), counts, means, scatter


def shaped(covariance_type, scatter, counts):
    """The maximum-likelihood covariances of a covariance type, from scatter matrices."""
    d = scatter.shape[1]
    if covariance_type.startswith("tied"):
        scatter, counts = scatter.sum(axis=0, keepdims=True), counts.sum(keepdims=True)
    matrices = scatter / counts[:, None, None]
    variances = np.einsum("kjj->kj", matrices)
    if covariance_type.endswith("diag"):
        matrices = variances[:, :, None] * np.eye(d)
    if covariance_type.endswith("spherical"):
        matrices = variances.mean(axis=1)[:, None, None] * np.eye(d)
    return matrices


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize(("n_features", "n_components"), [(3, 1), (3, 4), (40, 1), (40, 3)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_pass_is_that_of_scipy(covariance_type, n_features, n_components, offset):
    family, X, weights, theta = problem(covariance_type, n_features, n_components, offset)
    expected, counts, means, scatter = pass_by_scipy(family, X, weights, theta)
    updated, bound = blocked_step(family, Rows(X, weights))(theta)
    np.testing.assert_allclose(bound, expected, rtol=1e-10)
    np.testing.assert_allclose(updated.weights, counts / counts.sum(), rtol=1e-9)
    np.testing.assert_allclose(updated.params.means, means, rtol=1e-10, atol=1e-10)
    matrices = shaped(covariance_type, scatter, counts)
    np.testing.assert_allclose(
        family.covariance_matrices(updated.params),
        np.broadcast_to(matrices, (n_components, n_features, n_features)),
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.parametrize(("n_features", "n_components"), [(3, 4), (40, 1), (40, 3)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_pass_that_takes_nothing_for_constant_is_the_same(
    covariance_type, n_features, n_components
):
    family, X, weights, theta = problem(covariance_type, n_features, n_components, 0.0)
    expected, bound = blocked_step(family, Rows(X, weights))(theta)
    # What is known of rows, even if it is nothing, makes constants of no use.
    known = np.ones((len(X), n_components))
    updated, other = blocked_step(family, Rows(X, weights, resp_prior=known))(theta)
    np.testing.assert_allclose(other, bound, rtol=1e-10)
    for one, two in zip(updated.params, expected.params, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("family", [Gaussian, StudentT])
@pytest.mark.parametrize("code", ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VVV"])
def test_structures_of_many_columns_are_fitted(code, family):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 40))
    X[::2] += 1.0
    mixture = EMMixture(2, family=family(code), n_init=1, max_iter=200, random_state=0).fit(X)
    assert mixture.score(X) == pytest.approx(mixture.lower_bound_, rel=1e-9)
    assert (np.diff(mixture.lower_bounds_) >= -1e-9).all()
    np.testing.assert_allclose(np.sort(mixture.weights_), 0.5, atol=0.05)


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_all_passes_of_a_run_agree_with_those_of_scipy(covariance_type, n_components):
    family, X, weights, theta = problem(covariance_type, 3, n_components)
    step = blocked_step(family, Rows(X, weights))
    for _ in range(4):
        expected = pass_by_scipy(family, X, weights, theta)[0]
        theta, bound = step(theta)
        np.testing.assert_allclose(bound, expected, rtol=1e-11)


def test_what_is_constant_is_collected_once():
    _, X, weights, theta = problem("tied", 3, 2)
    seen = []

    class Watched(Gaussian):
        def constants(self, X, sample_weight):
            seen.append(len(X))
            return super().constants(X, sample_weight)

    step = blocked_step(Watched("tied", reg_covar=0.0), Rows(X, weights))
    for _ in range(3):
        theta, _ = step(theta)
    assert sum(seen) == len(X)


def test_one_component_needs_no_pass_but_the_first(monkeypatch):
    family, X, weights, theta = problem("full", 3, 1)

    def refuse(*arguments):
        raise AssertionError("a pass over the rows")

    monkeypatch.setattr("sklearn_genmodel.families._gaussian.gaussian_kernel", refuse)
    updated, _ = blocked_step(family, Rows(X, weights))(theta)
    mean = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(updated.params.means[0], mean, rtol=1e-12)
    np.testing.assert_allclose(
        updated.params.covariances[0], np.cov(X.T, aweights=weights, ddof=0), rtol=1e-11
    )


class OwnKernel(Gaussian):
    """A Gaussian whose pass is another."""

    def kernel(self, params):
        return super().kernel(params)


@pytest.mark.parametrize(
    ("family", "n_components"),
    [
        (Gaussian("full"), 2),
        (Gaussian("EEV"), 1),
        (StudentT("tied"), 2),
        (Poisson(), 1),
        (OwnKernel("tied"), 1),
    ],
    ids=str,
)
def test_nothing_is_constant_where_responsibilities_matter(family, n_components):
    assert not family.has_constants(n_components)


def test_nothing_is_constant_where_values_are_missing():
    X = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert Gaussian("tied").has_constants(2)
    assert Gaussian("tied").constants(X, np.ones(2)) is None


def test_a_far_row_of_hardly_any_weight_moves_no_centre():
    X = np.random.default_rng(0).standard_normal((2000, 2))
    X[7] = 1e11
    weights = np.ones(2000)
    weights[7] = 1e-30
    for family in (Gaussian("full"), Gaussian("tied")):
        params = family.weighted_mle(X[8:], np.ones((1992, 1)))
        updated, _ = blocked_step(family, Rows(X, weights))(Theta(np.ones(1), params))
        expected = np.cov(np.delete(X, 7, axis=0).T, ddof=0)
        found = family.covariance_matrices(updated.params)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("family", [Gaussian, StudentT])
@pytest.mark.parametrize(("n_features", "apart"), [(15, 0.0), (3, 1e6)])
def test_blocks_in_which_every_row_lacks_a_value(family, n_features, apart):
    """Of rows that are all incomplete the complete ones are none, in each form of the pass."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, n_features))
    X[:100] += apart
    X[np.arange(300), rng.integers(n_features, size=300)] = np.nan
    arguments = {"init": "kmeans", "n_init": 1, "random_state": 0}
    mixture = EMMixture(2, family=family("full", reg_covar=1e-14), **arguments).fit(X)
    assert np.isfinite(mixture.score(X))
    assert (np.diff(mixture.lower_bounds_) > -1e-10).all()


def test_a_thin_direction_keeps_its_digits_far_from_the_origin():
    """Two columns that are nearly equal, means apart along both, more columns than are formed."""
    rng = np.random.default_rng(0)
    d, thin, apart = 15, 1e-3, 1e3
    noise = rng.standard_normal((600, d))
    X = noise.copy()
    X[:, 1] = X[:, 0] + thin * noise[:, 1]
    X[:300, :2] += apart
    labels = np.repeat([0, 1], 300)
    family = Gaussian("full", reg_covar=0.0)
    params = family.weighted_mle(X, np.eye(2)[labels])
    updated, _ = blocked_step(family, Rows(X))(Theta(np.full(2, 0.5), params))
    difference = X[:300, 1] - X[:300, 0]
    matrix = updated.params.covariances[0]
    variance = matrix[0, 0] + matrix[1, 1] - 2.0 * matrix[0, 1]
    np.testing.assert_allclose(variance, difference.var(), rtol=1e-4)
    root = np.linalg.inv(np.linalg.cholesky(np.cov(X[:300].T, ddof=0)))
    np.testing.assert_allclose(root @ matrix @ root.T, np.eye(d), atol=1e-6)


def test_a_near_singular_covariance_gets_whole_passes():
    covariance = np.full((2, 2), 1.0 - 1e-9) + 1e-9 * np.eye(2)
    family = Gaussian("tied")
    params = GaussianParams(np.array([[0.0, 0.0], [1.0, 1.0]]), covariance)
    X = np.random.default_rng(0).standard_normal((50, 2))
    assert family.shortened(params, family.constants(X, np.ones(50))) is None


def test_rows_of_hardly_any_weight_are_left_out_without_a_trace():
    rng = np.random.default_rng(0)
    columns, weights = rng.standard_normal((3, 400)), rng.random(400)
    weights[100:] *= 1e-60
    kept_weights, kept = weighing(weights, columns, weights)
    assert kept.shape == (3, 100)
    whole = (weights * columns) @ columns.T
    np.testing.assert_allclose((kept_weights * kept) @ kept.T, whole, atol=1e-12)
    some = np.where(np.arange(400) < 350, 1.0, 0.0)
    assert weighing(some, columns, some)[1] is columns
    assert weighing(np.empty(0), columns[:, :0], np.empty(0))[1].shape == (3, 0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (50, 400), (4, 0)])
def test_triangular_products_are_products(shape):
    rng = np.random.default_rng(0)
    d, n = shape
    lower = np.tril(rng.standard_normal((d, d)))
    for y in (
        rng.standard_normal(shape),
        rng.standard_normal((n, d)).T,
        np.ones((d, n + 3))[:, 3:],
    ):
        found = triangular_product(lower, y)
        np.testing.assert_allclose(found, lower @ y, rtol=1e-13, atol=1e-13)
        assert found.flags.f_contiguous or not y.flags.f_contiguous
        assert not np.shares_memory(found, y)


@pytest.mark.parametrize(
    ("k", "width", "n"), [(5, 91, 4008), (5, 231, 2008), (64, 300, 900), (2, 3, 0)]
)
def test_products_that_are_cut_are_products(k, width, n):
    rng = np.random.default_rng(0)
    small, long, weights = (rng.standard_normal(s) for s in ((k, width), (width, n), (k, n)))
    np.testing.assert_allclose(wide_product(small, long), small @ long, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(
        thin_product(weights, long.T), weights @ long.T, rtol=1e-12, atol=1e-11
    )
    of_one = thin_product(long, weights[0])
    np.testing.assert_allclose(of_one, long @ weights[0], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("n_features", [1, 3, 20])
def test_inverses_of_many_are_those_of_each(n_features):
    """Columns whose units are far apart keep their digits."""
    rng = np.random.default_rng(0)
    n_matrices = triangular.CROWD * n_features + 1
    lower = np.tril(rng.uniform(0.5, 2.0, size=(n_matrices, n_features, n_features)))
    lower *= 10.0 ** np.linspace(-8.0, 8.0, n_features)[:, None]
    many = triangular.inverses(lower)
    assert not np.triu(many, 1).any()
    for one, inverse in zip(lower, many, strict=True):
        own, info = dtrtri(one, lower=1)
        assert info == 0
        error = np.abs(inverse - np.tril(own)).max(axis=0)
        assert (error <= 1e-9 * np.abs(inverse).max(axis=0)).all()


@pytest.mark.parametrize("n_features", [3, 120])
def test_factors_and_their_inverses_are_those_of_linear_algebra(n_features):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4, n_features, 2 * n_features))
    matrices = rows @ rows.swapaxes(1, 2)
    factors = triangular.cholesky(matrices)
    np.testing.assert_allclose(factors @ factors.swapaxes(1, 2), matrices, rtol=1e-12, atol=1e-11)
    assert not np.triu(factors, 1).any()
    inverted = triangular.inverses(factors)
    np.testing.assert_allclose(inverted, np.linalg.inv(factors), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(triangular.cholesky(matrices[2]), factors[2])
    matrices[1, 1, 1] *= -1.0
    with pytest.raises(np.linalg.LinAlgError):
        triangular.cholesky(matrices)
    assert not triangular.exceeds(matrices[:2], np.ones(n_features))
    assert triangular.exceeds(matrices[2:], np.full(n_features, 1e-6))
