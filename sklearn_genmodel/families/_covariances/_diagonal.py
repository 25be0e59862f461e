"""Diagonal and spherical covariances, of every component or of all together."""

from __future__ import annotations

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariances._covariance import Pooled, Structure, normalizer
from sklearn_genmodel.families._numerics._blas import thin_product

__all__ = ["Diagonal", "Spherical", "TiedDiagonal", "TiedSpherical"]

# From so many features on, products with rows as they lie are cheaper than with columns.
WIDE = 32


class Diagonal(Structure):
    """Variances per component and column, (K, d)."""

    divides: bool = True

    def factor(self, covariances: Array) -> Array:
        return np.sqrt(covariances)

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        precisions = factor**-2
        linear = precisions * means
        constant = normalizer(means, linear, np.log(factor).sum(axis=1))
        return np.concatenate([constant, linear, -0.5 * precisions], axis=1)

    def width(self, n_features: int) -> int:
        return 1 + 2 * n_features

    def complete(self, features: Array, n_features: int, whitener: Array) -> None:
        np.square(features[1 : 1 + n_features], out=features[1 + n_features :])

    def second_order(self, rows: Array, out: Array) -> Array:
        return np.square(rows, out=out)

    def prefers_rows(self, n_features: int) -> bool:
        return n_features >= WIDE

    def pair(self, a: Array, b: Array) -> Array:
        return a * b

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return scatter / np.maximum(counts, TINY)[:, None]

    def within(self, scatter: Array, n_features: int) -> Array:
        return scatter.sum(axis=0)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        return np.maximum(covariances, minimum)

    def exceeds(self, covariances: Array, minimum: Array) -> bool:
        return bool((covariances >= minimum).all())

    def products(self, resp: Array, y: Array) -> Array:
        return thin_product(np.square(y), resp)[None]

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances[:, :, None] * np.eye(n_features)

    def whiten(self, y: Array, whitener: Array, k: int) -> Array:
        whitened: Array = y / whitener[k][..., None]
        return whitened

    def scales(self, factor: Array) -> Array:
        return factor

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def to_vector(self, factor: Array) -> Array:
        return np.log(factor).ravel()

    def from_vector(self, vector: Array, factor: Array) -> Array:
        return np.exp(2.0 * vector).reshape(factor.shape)


class Spherical(Diagonal):
    """One variance per component, (K,)."""

    @property
    def pools_columns(self) -> bool:
        return True

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        precisions = factor[:, None] ** -2
        linear = precisions * means
        constant = normalizer(means, linear, means.shape[1] * np.log(factor))
        return np.concatenate([constant, linear, -0.5 * precisions], axis=1)

    def width(self, n_features: int) -> int:
        return 2 + n_features

    def complete(self, features: Array, n_features: int, whitener: Array) -> None:
        x = features[1:-1]
        np.einsum("ij,ij->j", x, x, out=features[-1])

    def second_order(self, rows: Array, out: Array) -> Array:
        np.einsum("ij,ij->i", rows, rows, out=out[:, 0])
        return out

    def pair(self, a: Array, b: Array) -> Array:
        product: Array = np.einsum("ki,ki->k", a, b)[:, None]
        return product

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return scatter[:, 0] / np.maximum(counts, TINY) / n_features

    def within(self, scatter: Array, n_features: int) -> Array:
        return np.full(n_features, scatter.sum() / n_features)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        return np.maximum(covariances, minimum.mean())

    def exceeds(self, covariances: Array, minimum: Array) -> bool:
        return bool((covariances >= minimum.mean()).all())

    def products(self, resp: Array, y: Array) -> Array:
        return super().products(resp, y).sum(axis=1, keepdims=True)

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances[:, None, None] * np.eye(n_features)

    def scales(self, factor: Array) -> Array:
        return factor[:, None]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components


class TiedVariances(Diagonal):
    """Variances that all components share: their squares are summed over the components."""

    coupled: bool = True
    shared: bool = True

    def accumulate(self, resp: Array, features: Array, n_features: int) -> tuple[Array, ...]:
        moments = thin_product(resp, features[: 1 + n_features].T)
        products = thin_product(features[1 + n_features :], resp.sum(axis=0))
        return moments[:, 0], moments[:, 1:], products

    def products(self, resp: Array, y: Array) -> Array:
        return super().products(resp, y)[0]


class TiedDiagonal(TiedVariances):
    """One variance per column for all components, (d,)."""

    def side_by_side(self, n_mixtures: int) -> Structure:
        return PooledDiagonal(self, n_mixtures)

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        return super().natural(means, np.broadcast_to(factor, means.shape), whitener)

    def pair(self, a: Array, b: Array) -> Array:
        product: Array = np.einsum("ki,ki->i", a, b)
        return product

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return scatter / max(counts.sum(), TINY)

    def within(self, scatter: Array, n_features: int) -> Array:
        return scatter

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return np.broadcast_to(np.diag(covariances), (n_components, n_features, n_features))

    def whiten(self, y: Array, whitener: Array, k: int) -> Array:
        return y / whitener[:, None]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features


class TiedSpherical(TiedVariances, Spherical):
    """One variance for all components and columns, ()."""

    def side_by_side(self, n_mixtures: int) -> Structure:
        return PooledSpherical(self, n_mixtures)

    def natural(self, means: Array, factor: Array, whitener: Array) -> Array:
        return super().natural(means, np.broadcast_to(factor, len(means)), whitener)

    def pair(self, a: Array, b: Array) -> Array:
        return super().pair(a, b).sum(axis=0)

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return np.asarray(scatter.sum() / (max(counts.sum(), TINY) * n_features))

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        matrix = covariances * np.eye(n_features)
        return np.broadcast_to(matrix, (n_components, n_features, n_features))

    def whiten(self, y: Array, whitener: Array, k: int) -> Array:
        whitened: Array = y / whitener
        return whitened

    def scales(self, factor: Array) -> Array:
        return factor

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return 1


class PooledDiagonal(Pooled, Diagonal):
    """One variance per column for all components of a mixture, for several mixtures: (K, d)."""


class PooledSpherical(Pooled, Spherical):
    """One variance for all components and columns of a mixture, for several mixtures: (K,)."""
