"""Covariances of which components share the volume, the shape or the orientation.

Sigma_k = lambda_k D_k A_k D_k', named by three letters for volume, shape and orientation: E(qual),
V(arying), or I for axes along the columns.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._compared import Compared, fitted
from sklearn_genmodel.families._covariances._decompositions import (
    SMALLEST,
    equal_volumes,
    lifted_at_equal_volume,
    lifted_in_proportion,
    proportional_matrices,
    proportional_values,
    regularized,
)
from sklearn_genmodel.families._covariances._eigen_diagonal import n_decomposition_parameters
from sklearn_genmodel.families._covariances._full import Full
from sklearn_genmodel.families._covariances._orientation import (
    axes_of_all,
    common_axes,
    mean_log_volume,
    total_log_volume,
)

__all__ = ["EEV", "EVE", "EVV", "VEE", "VEV", "VVE"]

# Matrices whose variances are this far apart cannot be inverted.
SINGULAR = 1e-15


class Decomposed(Compared, Full):
    """One matrix per component, (K, d, d), from axes and the variances along them, (K, d).

    The floor raises those variances only, each to that of diag(minimum) along its axis, in the
    way that keeps the structure: what results exceeds diag(minimum) / d at least. Where the
    structure survives a change of units, the axes are those in units of the floor, and what
    results exceeds diag(minimum).
    """

    has_coordinates: bool = False
    unit_free: ClassVar[bool] = False

    @abstractmethod
    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        """Covariances (M, K, d, d) from scatters, positive definite, and positive counts."""

    @abstractmethod
    def axes(self, covariances: Array) -> Array:
        """Axes (K, d, d), or (d, d) for all, of covariances of this structure."""

    @abstractmethod
    def lift(self, values: Array, bounds: Array) -> Array:
        """Variances of this structure that are no smaller than bounds (K, d)."""

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        def fit(matrices: Array, counts: Array, current: Array | None) -> Array:
            return self.fit(*regularized(matrices, counts), current)

        matrices = self._unpack(scatter, n_features)
        start = None if current is None else self.by_mixture(current)
        found = fitted(fit, self.by_mixture(matrices), self.by_mixture(counts), start)
        found = found.reshape(matrices.shape)
        if current is None:
            return found
        # A search among near-singular matrices may end anywhere.
        before, after = (self.expected_log_prob(c, scatter, counts) for c in (current, found))
        better = np.repeat(after > before, len(counts) // self.n_mixtures)
        return np.where(better[:, None, None], found, current)

    def floor(self, covariances: Array, minimum: Array) -> Array:
        if self.exceeds(covariances, minimum):
            return covariances
        scale = np.sqrt(minimum) if self.unit_free else np.ones_like(minimum)
        scaled = covariances / scale[:, None] / scale
        axes = self.axes(scaled)
        values = np.maximum(_along(axes, scaled), SMALLEST)
        bounds = np.broadcast_to((minimum / scale**2) @ axes**2, values.shape)
        return _rebuilt(axes, self.lift(values, bounds)) * scale[:, None] * scale

    def expected_log_prob(self, covariances: Array, scatter: Array, counts: Array) -> Array:
        values = np.linalg.eigvalsh(covariances)
        singular = values[:, 0] <= SINGULAR * values[:, -1]
        values[singular] = 1.0
        log_volumes = np.log(values).sum(axis=1)
        matrices, d = self._unpack(scatter, covariances.shape[1]), covariances.shape[1]
        inverses = np.linalg.inv(np.where(singular[:, None, None], np.eye(d), covariances))
        traces = np.einsum("kij,kji->k", inverses, matrices)
        gains = np.where(singular, -np.inf, -0.5 * (counts * log_volumes + traces))
        return self.by_mixture(gains).sum(axis=1)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_decomposition_parameters(type(self).__name__, n_components, n_features)


class VEE(Decomposed):
    """Proportional matrices."""

    has_coordinates: bool = True
    unit_free: ClassVar[bool] = True

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        return proportional_matrices(scatter, counts, current)

    def axes(self, covariances: Array) -> Array:
        return axes_of_all(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return lifted_in_proportion(values, bounds)

    def to_vector(self, factor: Array) -> Array:
        ratios = np.log(factor[1:, 0, 0] / factor[0, 0, 0])
        return np.concatenate([super().to_vector(factor[0]), ratios])

    def from_vector(self, vector: Array, factor: Array) -> Array:
        n_ratios = len(factor) - 1
        first = super().from_vector(vector[: len(vector) - n_ratios], factor[0])
        ratios = np.concatenate([[0.0], vector[len(vector) - n_ratios :]])
        return np.exp(2.0 * ratios)[:, None, None] * first


class EVV(Decomposed):
    """Matrices of one determinant."""

    has_coordinates: bool = True
    unit_free: ClassVar[bool] = True

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        d = scatter.shape[-1]
        log_volumes = np.maximum(np.linalg.slogdet(scatter)[1], d * np.log(SMALLEST))
        factors = equal_volumes(log_volumes, counts, d)
        return scatter * factors[..., None, None]

    def axes(self, covariances: Array) -> Array:
        return _own_axes(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return lifted_at_equal_volume(values, bounds[0])

    def to_vector(self, factor: Array) -> Array:
        packed = super().to_vector(factor).reshape(len(factor), -1)
        return np.concatenate([packed[0], packed[1:, :-1].ravel()])

    def from_vector(self, vector: Array, factor: Array) -> Array:
        n_components, d = factor.shape[:2]
        size = d * (d + 1) // 2
        diagonal = np.cumsum(np.arange(1, d + 1)) - 1
        packed = np.empty((n_components, size))
        packed[0] = vector[:size]
        packed[1:, :-1] = vector[size:].reshape(n_components - 1, size - 1)
        others = packed[1:, diagonal[:-1]].sum(axis=1)
        packed[1:, -1] = packed[0, diagonal].sum() - others
        return super().from_vector(packed.ravel(), factor)


class EEV(Decomposed):
    """Matrices of one volume and shape, turned."""

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        values, axes = np.linalg.eigh(scatter)
        common = values.sum(axis=1) / counts.sum(axis=1, keepdims=True)
        return _rebuilt(axes, np.broadcast_to(common[:, None], values.shape))

    def axes(self, covariances: Array) -> Array:
        return _own_axes(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return np.maximum(values, bounds.max(axis=0))


class VEV(Decomposed):
    """Matrices of one shape, turned."""

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        values, axes = np.linalg.eigh(scatter)
        values = np.maximum(values, SMALLEST)
        start = None if current is None else np.asarray(np.linalg.eigvalsh(current))
        return _rebuilt(axes, proportional_values(values, counts, start))

    def axes(self, covariances: Array) -> Array:
        return _own_axes(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return lifted_in_proportion(values, bounds)


class EVE(Decomposed):
    """Matrices of one volume and orientation."""

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        d = scatter.shape[-1]
        start = None if current is None else axes_of_all(current)
        axes, values = common_axes(scatter, total_log_volume(d), start)
        factors = equal_volumes(np.log(values).sum(axis=2), counts, d)
        return _rebuilt(axes[:, None], values * factors[..., None])

    def axes(self, covariances: Array) -> Array:
        return axes_of_all(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return lifted_at_equal_volume(values, bounds[0])


class VVE(Decomposed):
    """Matrices of one orientation."""

    def fit(self, scatter: Array, counts: Array, current: Array | None) -> Array:
        start = None if current is None else axes_of_all(current)
        axes, values = common_axes(scatter, mean_log_volume(counts), start)
        return _rebuilt(axes[:, None], values / counts[..., None])

    def axes(self, covariances: Array) -> Array:
        return axes_of_all(covariances)

    def lift(self, values: Array, bounds: Array) -> Array:
        return np.maximum(values, bounds)


def _own_axes(covariances: Array) -> Array:
    """Eigenvectors of every matrix, by ascending eigenvalue."""
    return np.asarray(np.linalg.eigh(covariances)[1])


def _along(axes: Array, covariances: Array) -> Array:
    """Variances along the axes, (K, d)."""
    variances: Array = np.einsum("...ij,...ij->...j", axes, covariances @ axes)
    return variances


def _rebuilt(axes: Array, values: Array) -> Array:
    """D diag(values) D' of every component."""
    matrices: Array = (axes * values[..., None, :]) @ axes.swapaxes(-1, -2)
    return matrices
