"""Diagonal and spherical covariances, and the table of all structures."""

from __future__ import annotations

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariance import Full, Structure, Tied, normalizer

__all__ = ["STRUCTURES", "Diagonal", "Spherical"]


class Diagonal(Structure):
    """Variances per component and column, (K, d)."""

    def factor(self, covariances: Array) -> Array:
        return np.sqrt(covariances)

    def natural(self, means: Array, factor: Array) -> Array:
        precisions = factor**-2
        linear = precisions * means
        constant = normalizer(means, linear, np.log(factor).sum(axis=1))
        return np.concatenate([constant, linear, -0.5 * precisions], axis=1)

    def width(self, n_features: int) -> int:
        return 1 + 2 * n_features

    def complete(self, features: Array, n_features: int, factor: Array) -> None:
        np.square(features[1 : 1 + n_features], out=features[1 + n_features :])

    def pair(self, a: Array, b: Array) -> Array:
        return a * b

    def covariances(self, scatter: Array, counts: Array, n_features: int) -> Array:
        return scatter / np.maximum(counts, TINY)[:, None]

    def within(self, scatter: Array, n_features: int) -> Array:
        return scatter.sum(axis=0)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        return np.maximum(covariances, minimum)

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances[:, :, None] * np.eye(n_features)

    def whiten(self, y: Array, factor: Array, k: int) -> Array:
        whitened: Array = y / factor[k][..., None]
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

    def natural(self, means: Array, factor: Array) -> Array:
        precisions = factor[:, None] ** -2
        linear = precisions * means
        constant = normalizer(means, linear, means.shape[1] * np.log(factor))
        return np.concatenate([constant, linear, -0.5 * precisions], axis=1)

    def width(self, n_features: int) -> int:
        return 2 + n_features

    def complete(self, features: Array, n_features: int, factor: Array) -> None:
        x = features[1:-1]
        np.einsum("ij,ij->j", x, x, out=features[-1])

    def pair(self, a: Array, b: Array) -> Array:
        product: Array = np.einsum("ki,ki->k", a, b)[:, None]
        return product

    def covariances(self, scatter: Array, counts: Array, n_features: int) -> Array:
        return scatter[:, 0] / np.maximum(counts, TINY) / n_features

    def within(self, scatter: Array, n_features: int) -> Array:
        return np.full(n_features, scatter.sum() / n_features)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        return np.maximum(covariances, minimum.mean())

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances[:, None, None] * np.eye(n_features)

    def scales(self, factor: Array) -> Array:
        return factor[:, None]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components


STRUCTURES: dict[str, Structure] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diagonal(),
    "spherical": Spherical(),
}
