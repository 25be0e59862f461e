"""Regressions of missing columns on observed ones, and the factors and floors that they rest on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_genmodel.families import Columns, Gaussian, GaussianParams, Poisson
from sklearn_genmodel.families._covariances import _triangular as triangular
from sklearn_genmodel.families._covariances._full import Full, Tied
from sklearn_genmodel.families._covariances._regressions import ByMissing, ByObserved, Matrices

RNG = np.random.default_rng(0)
ROOTS = RNG.standard_normal((3, 7, 7))
COVARIANCES = ROOTS @ ROOTS.swapaxes(1, 2) + 0.1 * np.eye(7)
SEEN = np.array([[1, 0, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0]], dtype=bool)


@pytest.mark.parametrize("kind", [ByObserved, ByMissing])
def test_either_block_gives_the_conditional_distribution(kind):
    """Little and Rubin (2019), section 11.2, pattern by pattern with `solve`."""
    values = np.where(SEEN.T[:, :, None], RNG.standard_normal((3, 7, 3, 2)), 0.0)
    weights = RNG.uniform(size=(3, 3))
    completed, expected, total = values.copy(), values.copy(), np.zeros((3, 7, 7))
    regression = kind(Matrices(COVARIANCES), SEEN)
    distances = regression.complete(completed)
    for k, C in enumerate(COVARIANCES):
        for p, o in enumerate(SEEN):
            inner, across = C[np.ix_(o, o)], C[np.ix_(~o, o)]
            y = values[k, o, p]
            expected[k, ~o, p] = across @ np.linalg.solve(inner, y)
            residual = C[np.ix_(~o, ~o)] - across @ np.linalg.solve(inner, across.T)
            total[k][np.ix_(~o, ~o)] += weights[k, p] * residual
            assert_allclose(distances[k, p], np.einsum("ir,ir->r", y, np.linalg.solve(inner, y)))
            assert_allclose(regression.half_log_det[k, p], 0.5 * np.linalg.slogdet(inner)[1])
    assert_allclose(completed, expected, atol=1e-12)
    assert_allclose(regression.residual(weights), total, atol=1e-12)


def test_inverses_lose_digits_where_columns_determine_others():
    assert Matrices(COVARIANCES).invertible
    near = np.ones((1, 2, 2)) + 1e-10 * np.eye(2)
    assert not Matrices(near).invertible


@pytest.mark.parametrize("n_features", [1, 3, 8, 9, 25])
def test_inverse_factors_turn_their_matrices_into_the_identity(n_features):
    """Of more matrices than are factored at a time."""
    A = RNG.standard_normal((2, 300, n_features, n_features + 3))
    matrices = A @ A.swapaxes(2, 3)
    root = triangular.inverse_factors(matrices)
    identity = np.broadcast_to(np.eye(n_features), matrices.shape)
    assert_allclose(root @ matrices @ root.swapaxes(2, 3), identity, atol=1e-6)
    assert_array_equal(root, np.tril(root))
    matrices[1, 5] -= 1e3 * np.eye(n_features)
    with pytest.raises(np.linalg.LinAlgError):
        triangular.inverse_factors(matrices)


def test_a_conditional_given_nothing_is_the_marginal():
    params = GaussianParams(np.arange(14.0).reshape(2, 7), COVARIANCES[:2])
    _, found = Gaussian().conditional(params, np.full(7, np.nan))
    assert_allclose(found.means, params.means)
    assert_allclose(found.covariances, params.covariances)


@pytest.mark.parametrize("n_features", [5, 130])
def test_symmetric_products_come_back_from_what_they_are_packed_in(n_features):
    a, b = RNG.standard_normal((2, 3, n_features))
    pairs = triangular.unpacked(triangular.packed_pair(a, b), n_features)
    outer = np.einsum("ki,kj->kij", a, b)
    assert_allclose(pairs, 0.5 * (outer + outer.swapaxes(1, 2)))


@pytest.mark.parametrize("structure", [Full(), Tied()])
@pytest.mark.parametrize("n_features", [5, 130])
def test_matrices_are_packed_as_products_are(structure, n_features):
    a, b = RNG.standard_normal((2, 3, n_features))
    outer = np.einsum("ki,kj->kij", a, b)
    packed = structure.packed(0.5 * (outer + outer.swapaxes(1, 2)))
    assert_allclose(packed, structure.pair(a, b), atol=1e-12)


def test_the_m_step_of_wide_data_is_their_covariance():
    X, resp = RNG.standard_normal((400, 140)), RNG.dirichlet(np.ones(2), 400)
    params = Gaussian().weighted_mle(X, resp)
    for k in range(2):
        assert_allclose(params.means[k], np.average(X, axis=0, weights=resp[:, k]), atol=1e-12)
        expected = np.cov(X.T, bias=True, aweights=resp[:, k])
        assert_allclose(params.covariances[k], expected, atol=1e-12)


def test_the_floor_leaves_matrices_above_it_as_they_are():
    """And raises eigenvalues of others, in its units."""
    matrices = np.stack([np.diag([2.0, 3.0]), [[1.0, 0.99], [0.99, 1.0]], np.diag([5.0, 8.0])])
    raised = Full().floor(matrices, np.array([0.5, 0.5]))
    assert_array_equal(raised[[0, 2]], matrices[[0, 2]])
    assert_allclose(np.linalg.eigvalsh(raised[1]), [0.5, 1.99])


def test_every_pattern_of_missing_values_makes_a_pass_dearer():
    X = RNG.standard_normal((50, 4))
    few, many = X.copy(), X.copy()
    few[:10, 0] = np.nan
    many[np.arange(4), np.arange(4)] = np.nan
    costs = [Gaussian().pass_cost(rows) for rows in (X, few, many)]
    assert_allclose(costs[2] - costs[0], 4.0 * (costs[1] - costs[0]))
    assert Gaussian("diag").pass_cost(X) == 50 * Gaussian("diag").width(4)


def test_a_pass_over_groups_of_columns_costs_what_the_groups_do():
    X = np.column_stack([RNG.standard_normal((50, 2)), RNG.poisson(3.0, size=50)])
    X[0, 0] = np.nan
    family = Columns([("x", Gaussian(), [0, 1]), ("n", Poisson(), [2])])
    parts = Gaussian().pass_cost(X[:, :2]), Poisson().pass_cost(X[:, 2:])
    assert_allclose(family.pass_cost(X), sum(parts))
