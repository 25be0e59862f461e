"""Lower-triangular factors and packed symmetric matrices, as fast as LAPACK and BLAS make them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._triangles import lower_triangle, upper_triangle

__all__ = [
    "cholesky",
    "exceeds",
    "factors",
    "from_log_cholesky",
    "inverse_factors",
    "inverses",
    "log_cholesky",
    "packed_form",
    "packed_pair",
    "packed_square",
    "packed_upper",
    "thin",
    "unpacked",
]

# Of more columns, "packed" matrices are whole ones: triangles cost more to pick than they save.
WIDEST_PACKED = 128
# Of so many columns on, numpy's copies of matrices cost as much as their factors.
LARGE = 100
# Up to so many columns, inverses of more than so many times as many matrices are found together.
SMALL, CROWD = 20, 4
# Of up to so many columns, matrices are factored by elimination in all of them at once, so many
# floats at a time.
SMALLEST, CACHE_FLOATS = 8, 2**15


def cholesky(matrices: Array) -> Array:
    """Lower Cholesky factors of matrices, (..., d, d); LinAlgError where there is none."""
    if matrices.shape[-1] < LARGE:
        return np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
    factors, failed = _each(dpotrf, matrices)
    if failed.any():
        raise np.linalg.LinAlgError("Matrix is not positive definite")
    return factors


def factors(matrices: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Cholesky factors of matrices (n, d, d), the identity where there is none, and where."""
    try:
        return cholesky(matrices), np.zeros(len(matrices), dtype=bool)
    except np.linalg.LinAlgError:
        lower, failed = _each(dpotrf, matrices)
        lower[failed] = np.eye(matrices.shape[-1])
        return lower, failed


def exceeds(covariances: Array, minimum: Array) -> bool:
    """Whether covariances minus diag(minimum) are positive definite."""
    return not thin(covariances, np.sqrt(minimum)).any()


def thin(matrices: Array, deviations: Array, share: float = 1.0) -> NDArray[np.bool_]:
    """Which matrices (K, d, d) have an eigenvalue of at most a share, in such units, (K,)."""
    reduced = _stacked(matrices / deviations[:, None] / deviations)
    np.einsum("kjj->kj", reduced)[...] -= share
    return factors(reduced)[1]


def inverses(lower: Array) -> Array:
    """Inverses of lower-triangular matrices, (..., d, d)."""
    d = lower.shape[-1]
    if d > SMALL or lower.size < CROWD * d**3:
        return _each(dtrtri, lower)[0]
    # Forward substitution, row by row of all inverses.
    found = np.zeros(lower.shape)
    scales = 1.0 / np.einsum("...ii->...i", lower)
    for i in range(d):
        found[..., i, i] = scales[..., i]
        products = lower[..., i, None, :i] @ found[..., :i, :i]
        found[..., i, :i] = -scales[..., i, None] * products[..., 0, :]
    return found


def inverse_factors(matrices: Array) -> Array:
    """Inverses of Cholesky factors of matrices, (..., d, d); LinAlgError where there is none."""
    d = matrices.shape[-1]
    if d > SMALLEST:
        return inverses(cholesky(matrices))
    found = np.empty(matrices.shape)
    step = CACHE_FLOATS // max(d * d, 1)
    stacked, out = _stacked(matrices), _stacked(found)
    for part in (slice(start, start + step) for start in range(0, len(stacked), step)):
        # The matrices are the last axis, along which numpy is fast.
        left = np.array(stacked[part].transpose(1, 2, 0), order="C")
        right = np.zeros_like(left)
        right[np.arange(d), np.arange(d)] = 1.0
        for j in range(d - 1):
            factors = left[j + 1 :, j, None] / left[j, j]
            left[j + 1 :, j + 1 :] -= factors * left[j, j + 1 :]
            right[j + 1 :, : j + 1] -= factors * right[j, : j + 1]
        pivots = np.einsum("iin->in", left)
        if not (pivots > 0.0).all():
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        out[part] = (right / np.sqrt(pivots)[:, None]).transpose(2, 0, 1)
    return found


def _each(
    routine: Callable[..., tuple[Array, int]], matrices: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """What LAPACK makes of every matrix, and for which of them it fails."""
    found, failed = np.empty(matrices.shape), []
    for out, matrix in zip(_stacked(found), _stacked(matrices), strict=True):
        # LAPACK stores matrices by columns: transposed, they are passed and returned as they lie.
        result, info = routine(matrix.T, lower=0)
        out[:] = result.T
        failed.append(info > 0)
    return found, np.array(failed, dtype=bool)


def _stacked(matrices: Array) -> Array:
    # Matrices without rows or columns do not tell how many they are.
    return matrices.reshape(prod(matrices.shape[:-2]), *matrices.shape[-2:])


def log_cholesky(lower: Array) -> Array:
    """Unconstrained coordinates of factors (..., d, d): logs of their diagonals, the rest as is."""
    i, j = lower_triangle(lower.shape[-1])
    packed = lower[..., i, j]
    return np.where(i == j, np.log(np.where(i == j, packed, 1.0)), packed).ravel()


def from_log_cholesky(vector: Array, shape: tuple[int, ...]) -> Array:
    """Inverse of `log_cholesky`, for factors of the shape given."""
    i, j = lower_triangle(shape[-1])
    packed = vector.reshape(*shape[:-2], len(i))
    lower = np.zeros(shape)
    lower[..., i, j] = np.where(i == j, np.exp(np.where(i == j, packed, 0.0)), packed)
    return lower


def packed_pair(a: Array, b: Array) -> Array:
    """Upper triangles of (a_k b_k' + b_k a_k') / 2 of the rows of a and b, both (K, d)."""
    if a.shape[1] > WIDEST_PACKED:
        product = a[:, :, None] * (0.5 * b)[:, None]
        return (product + product.swapaxes(1, 2)).reshape(len(a), -1)
    i, j = upper_triangle(a.shape[1])
    pair = a.take(i, axis=1) * b.take(j, axis=1)
    pair += a.take(j, axis=1) * b.take(i, axis=1)
    pair *= 0.5
    return pair


def packed_square(y: Array, weights: Array) -> Array:
    """Upper triangle of y diag(weights) y', row by row."""
    # BLAS computes one half of a matrix times its own transpose.
    weighted = y * np.sqrt(weights)
    return packed_upper(np.dot(weighted, weighted.T))


def packed_upper(matrices: Array) -> Array:
    """Upper triangles of symmetric matrices (..., d, d), row by row, or all of them."""
    d = matrices.shape[-1]
    flat = matrices.reshape(*matrices.shape[:-2], d * d)
    return flat if d > WIDEST_PACKED else flat.take(_packed_positions(d), axis=-1)


def packed_form(matrices: Array) -> Array:
    """Coefficients of x_i x_j, j >= i, in x' A_k x for symmetric matrices (K, d, d)."""
    d = matrices.shape[-1]
    form = 2.0 * matrices.reshape(len(matrices), -1).take(_packed_positions(d), axis=1)
    i, j = upper_triangle(d)
    form[:, i == j] *= 0.5
    return form


def unpacked(packed: Array, n_features: int) -> Array:
    """Symmetric matrices, (K, d, d), from their upper triangles, (K, d (d + 1) / 2)."""
    if n_features > WIDEST_PACKED:
        return packed.reshape(-1, n_features, n_features)
    positions = _matrix_positions(n_features)
    return packed.take(positions, axis=1)


@cache
def _packed_positions(n_features: int) -> NDArray[np.intp]:
    """Place in a flat matrix of every element of its packed upper triangle."""
    i, j = upper_triangle(n_features)
    return i * n_features + j


@cache
def _matrix_positions(n_features: int) -> NDArray[np.intp]:
    """Place in a packed upper triangle of every element of a matrix, (d, d)."""
    i, j = upper_triangle(n_features)
    positions = np.empty((n_features, n_features), dtype=np.intp)
    positions[i, j] = positions[j, i] = np.arange(len(i))
    return positions
