"""Covariance matrices without a structure: one per component, or one for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariances import _triangular as triangular
from sklearn_genmodel.families._covariances._covariance import (
    LOG_2PI,
    Pooled,
    Structure,
    normalizer,
)
from sklearn_genmodel.families._numerics._blas import thin_product, triangular_product

__all__ = ["Full", "Tied"]

# Products per component are cheaper from so many columns on, times a power of their number; from
# MOST_COLUMNS on, the terms of a row would take too much memory.
TRIANGULAR, MOST_COLUMNS = 7.3, 128


class Full(Structure):
    """One covariance matrix per component, (K, d, d); products are packed upper triangles."""

    divides: bool = True

    def factor(self, covariances: Array) -> Array:
        return triangular.cholesky(covariances)

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        with np.errstate(over="ignore"):
            # Beyond all numbers is too large a term, which `natural_cancels` looks for.
            precisions = whitener.swapaxes(1, 2) @ whitener
        linear = np.einsum("kij,kj->ki", precisions, means)
        quadratic = triangular.packed_form(-0.5 * precisions)
        half_log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        constant = normalizer(means, linear, half_log_det)
        return np.concatenate([constant, linear, quadratic], axis=1)

    def width(self, n_features: int) -> int:
        return 1 + n_features + n_features * (n_features + 1) // 2

    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        x, row = features[1 : 1 + n_features], 1 + n_features
        for i in range(n_features):
            below = row + n_features - i
            np.multiply(x[i], x[i:], out=features[row:below])
            row = below

    def pair(self, a: Array, b: Array) -> Array:
        return triangular.packed_pair(a, b)

    def packed(self, matrices: Array) -> Array:
        return triangular.packed_upper(0.5 * (matrices + matrices.swapaxes(-1, -2)))

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return triangular.unpacked(scatter / np.maximum(counts, TINY)[:, None], n_features)

    def within(self, scatter: Array, n_features: int) -> Array:
        total = np.atleast_2d(scatter).sum(axis=0)
        return np.diagonal(self._unpack(total[None], n_features)[0])

    def floor(self, covariances: Array, minimum: Array) -> Array:
        scale = np.sqrt(minimum)
        low = triangular.thin(covariances, scale)
        if not low.any():
            return covariances
        # In units of the floor the best R >= I has S's eigenvectors and max(eigenvalue, 1).
        each = covariances.reshape(-1, *covariances.shape[-2:])
        values, vectors = np.linalg.eigh(each[low] / scale[:, None] / scale)
        lifted = (vectors * np.maximum(values, 1.0)[:, None]) @ vectors.swapaxes(1, 2)
        raised = each.copy()
        raised[low] = lifted * scale[:, None] * scale
        return raised.reshape(covariances.shape)

    def exceeds(self, covariances: Array, minimum: Array) -> bool:
        return triangular.exceeds(covariances, minimum)

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        # Where each costs the same, as measured for 2 to 64 components and 10 to 140 columns.
        return n_features > min(TRIANGULAR * n_components**0.7, MOST_COLUMNS)

    def products(self, resp: Array, y: Array) -> Array:
        return triangular.packed_square(y, resp)[None]

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances

    def whitener(self, factor: Any) -> Any:
        # Products with inverses run several times as fast as solves, and about a component's own
        # mean they are as accurate: the error of either is that of the covariance's condition.
        return triangular.inverses(factor) if isinstance(factor, np.ndarray) else factor

    def half_log_det(self, factor: Any, n_components: int, n_features: int) -> Array:
        zeros = np.zeros((n_components, n_features))
        half = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        # Rounded as the constants in `natural` are, so that the two cancel.
        return -normalizer(zeros, zeros, half) - 0.5 * n_features * LOG_2PI

    def whiten(self, y: Array, whitener: Any, k: int) -> Array:
        return triangular_product(whitener[k], y)

    def scales(self, factor: Array) -> Array:
        scales: Array = np.sqrt(np.einsum("...ij,...ij->...i", factor, factor))
        return scales

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def to_vector(self, factor: Array) -> Array:
        return triangular.log_cholesky(factor)

    def from_vector(self, vector: Array, factor: Array) -> Array:
        lower = triangular.from_log_cholesky(vector, factor.shape)
        return lower @ lower.swapaxes(-1, -2)

    def _unpack(self, packed: Array, n_features: int) -> Array:
        return triangular.unpacked(packed, n_features)


class Tied(Full):
    """One matrix for all components, (d, d): its quadratic term and moments need no component."""

    coupled: bool = True
    shared: bool = True

    def side_by_side(self, n_mixtures: int) -> Structure:
        return PooledFull(self, n_mixtures)

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        linear = means @ whitener.T @ whitener
        half_log_det = np.log(np.diagonal(factor)).sum()
        constant = normalizer(means, linear, half_log_det)
        return np.concatenate([constant, linear, np.ones((len(means), 1))], axis=1)

    def width(self, n_features: int) -> int:
        return 2 + n_features

    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        whitened = triangular_product(whitener, features[1:-1])
        np.einsum("ij,ij->j", whitened, whitened, out=features[-1])
        features[-1] *= -0.5

    def accumulate(self, resp: Array, features: Array, n_features: int) -> tuple[Array, ...]:
        first_order = features[: 1 + n_features]
        moments = thin_product(resp, first_order.T)
        products = triangular.packed_square(first_order[1:], resp.sum(axis=0))
        return moments[:, 0], moments[:, 1:], products

    def pair(self, a: Array, b: Array) -> Array:
        product = a.T @ b
        return super().packed(product)

    def packed(self, matrices: Array) -> Array:
        return super().packed(matrices.sum(axis=0))

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        matrix: Array = self._unpack(scatter[None], n_features)[0] / max(counts.sum(), TINY)
        return matrix

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        return False

    def products(self, resp: Array, y: Array) -> Array:
        return super().products(resp, y)[0]

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return np.broadcast_to(covariances, (n_components, n_features, n_features))

    def whiten(self, y: Array, whitener: Any, k: int) -> Array:
        return triangular_product(whitener, y)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2


class PooledFull(Pooled, Full):
    """One matrix for all components of a mixture, for several mixtures: (K, d, d)."""
