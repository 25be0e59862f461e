"""Variances per component and column of which components share the volume or the shape."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._compared import Compared, fitted
from sklearn_genmodel.families._covariances._decompositions import (
    equal_volumes,
    lifted_at_equal_volume,
    lifted_in_proportion,
    proportional_values,
    regularized,
)
from sklearn_genmodel.families._covariances._diagonal import Diagonal

__all__ = ["EVI", "VEI", "n_decomposition_parameters"]


def n_decomposition_parameters(code: str, n_components: int, n_features: int) -> int:
    """Number of free parameters of volumes, shapes and orientations (Celeux and Govaert 1995)."""
    sizes = (1, n_features - 1, n_features * (n_features - 1) // 2)
    times = {"E": 1, "V": n_components, "I": 0}
    return sum(times[letter] * size for letter, size in zip(code, sizes, strict=True))


class DecomposedDiagonal(Compared, Diagonal):
    """Variances that components share something of, (K, d)."""

    @abstractmethod
    def fit(self, values: Array, counts: Array, current: Array | None) -> Array:
        """Variances (M, K, d) from sums of squares and counts, all positive."""

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        def fit(values: Array, counts: Array, current: Array | None) -> Array:
            matrices, positive = regularized(values[..., None] * np.eye(n_features), counts)
            return self.fit(np.einsum("mkjj->mkj", matrices), positive, current)

        start = None if current is None else self.by_mixture(current)
        found = fitted(fit, self.by_mixture(scatter), self.by_mixture(counts), start)
        return found.reshape(scatter.shape)

    def expected_log_prob(self, covariances: Array, scatter: Array, counts: Array) -> Array:
        gains = counts[:, None] * np.log(covariances) + scatter / covariances
        return -0.5 * self.by_mixture(gains).sum(axis=(1, 2))


class VEI(DecomposedDiagonal):
    """Diagonal covariances of one shape, (K, d)."""

    def fit(self, values: Array, counts: Array, current: Array | None) -> Array:
        return proportional_values(values, counts, current)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        if self.exceeds(covariances, minimum):
            return covariances
        return lifted_in_proportion(covariances, np.broadcast_to(minimum, covariances.shape))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_decomposition_parameters("VEI", n_components, n_features)

    def to_vector(self, factor: Array) -> Array:
        logs = np.log(factor)
        return np.concatenate([logs[0], logs[1:, 0] - logs[0, 0]])

    def from_vector(self, vector: Array, factor: Array) -> Array:
        d = factor.shape[1]
        steps = np.concatenate([[0.0], vector[d:]])
        return np.exp(2.0 * (vector[:d] + steps[:, None]))


class EVI(DecomposedDiagonal):
    """Diagonal covariances of one volume, (K, d)."""

    def fit(self, values: Array, counts: Array, current: Array | None) -> Array:
        log_volumes = np.log(values).sum(axis=2)
        return values * equal_volumes(log_volumes, counts, values.shape[2])[..., None]

    def floor(self, covariances: Array, minimum: Array) -> Array:
        if self.exceeds(covariances, minimum):
            return covariances
        return lifted_at_equal_volume(covariances, minimum)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_decomposition_parameters("EVI", n_components, n_features)

    def to_vector(self, factor: Array) -> Array:
        logs = np.log(factor)
        return np.concatenate([logs[0], logs[1:, :-1].ravel()])

    def from_vector(self, vector: Array, factor: Array) -> Array:
        n_components, d = factor.shape
        logs = np.empty((n_components, d))
        logs[0], logs[1:, :-1] = vector[:d], vector[d:].reshape(n_components - 1, d - 1)
        logs[1:, -1] = logs[0].sum() - logs[1:, :-1].sum(axis=1)
        return np.exp(2.0 * logs)
