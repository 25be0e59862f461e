"""Products of matrices and log-sums that passes compute in other ways than numpy's operators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax

from sklearn_genmodel.families._covariances._triangular import packed_form
from sklearn_genmodel.families._numerics import _blas
from sklearn_genmodel.variational import log_normalize

RNG = np.random.default_rng(0)


@pytest.fixture(params=[True, False], autouse=True, ids=["small kernels", "no small kernels"])
def kernels(request, monkeypatch):
    """Either way that a processor may choose."""
    monkeypatch.setattr(_blas, "has_small_kernels", lambda: request.param)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 7, 999, 4008, 20_001])
@pytest.mark.parametrize("n_components", [1, 5, 10, 21])
@pytest.mark.parametrize("width", [1, 6, 66, 231])
def test_cut_products_are_products(width, n_components, n_rows, order):
    features = np.asarray(RNG.normal(size=(width, n_rows)), order=order)
    resp, natural = RNG.random((n_components, n_rows)), RNG.normal(size=(n_components, width))
    scale = np.sqrt(n_rows)
    assert_allclose(_blas.thin_product(resp, features.T), resp @ features.T, atol=1e-12 * scale)
    assert_allclose(_blas.thin_product(features, resp.T), features @ resp.T, atol=1e-12 * scale)
    assert_allclose(_blas.wide_product(natural, features), natural @ features, atol=1e-12)


def test_products_of_vectors_and_of_nothing():
    resp = RNG.random((3, 50_000))
    assert_allclose(_blas.thin_product(resp, resp[0]), resp @ resp[0])
    assert _blas.thin_product(resp, np.empty((50_000, 0))).shape == (3, 0)


def test_coefficients_of_a_quadratic_form():
    A, x = RNG.normal(size=(4, 5, 5)), RNG.normal(size=5)
    A = A + A.swapaxes(1, 2)
    pairs = np.outer(x, x)[np.triu_indices(5)]
    assert_allclose(packed_form(A) @ pairs, np.einsum("i,kij,j->k", x, A, x))


@pytest.mark.parametrize("size", [1.0, 344.0, 346.0, 1e4, 1e300])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_log_sums_of_any_size_are_scipys(size, sign):
    log_joint = sign * size * (1.0 - 0.01 * RNG.random((3, 40)))
    evidence, posterior = log_normalize(log_joint.copy())
    assert_allclose(evidence, logsumexp(log_joint, axis=0), rtol=1e-14)
    assert_allclose(posterior, softmax(log_joint, axis=0), rtol=1e-11)


@pytest.mark.parametrize("size", [-1000.0, 0.0, 320.0])
@pytest.mark.parametrize("spread", [100.0, 700.0, 1e4])
def test_what_is_hardly_a_number_is_none(spread, size):
    """Subnormal numbers make products dear; what is left is exact."""
    log_joint = size - spread * RNG.random(size=(20, 5000))
    log_joint[RNG.random(log_joint.shape) < 0.1] = -np.inf if spread > 700.0 else size
    evidence, posterior = log_normalize(log_joint.copy())
    assert_allclose(evidence, logsumexp(log_joint, axis=0), rtol=1e-14, atol=1e-14)
    assert_allclose(posterior, softmax(log_joint, axis=0), rtol=1e-11, atol=1e-299)
    assert not np.any((posterior > 0.0) & (posterior < 1e-304))


def test_of_one_component_everything_is_its_own():
    log_joint = RNG.normal(size=(1, 1000))
    evidence, posterior = log_normalize(log_joint.copy())
    assert_array_equal(posterior, np.ones((1, 1000)))
    assert_array_equal(evidence, log_joint[0])
