"""Factor-analytic covariances: loadings times loadings, and noise of every column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariances import _triangular as triangular
from sklearn_genmodel.families._covariances._common_loadings import common_loadings
from sklearn_genmodel.families._covariances._covariance import Structure, normalizer
from sklearn_genmodel.families._covariances._factor_analysis import (
    free_loadings,
    principal_loadings,
)
from sklearn_genmodel.families._covariances._full import Full

__all__ = ["LOADINGS", "NOISES", "Factor", "FactorCovariances"]

LOADINGS = ("free", "common")
NOISES = ("diag", "tied_diag", "spherical", "tied_spherical")

# Above this number of columns solves in q dimensions are cheaper than d (d + 1) / 2 features.
MOST_FEATURES = 28
# Share of a column's variance below which noise does not fall even without a floor: eigenvalues
# in units of the noise would lose their digits.
SMALLEST_SHARE, SMALLEST = 1e-7, 1e-200
# Keeps the start of the noise away from the edge where columns depend on each other.
RIDGE = 1e-3


class FactorCovariances(NamedTuple):
    """Covariances Lambda_k Lambda_k' + diag(psi_k).

    ``loadings`` has shape (n_components, n_features, n_factors), ``noise``, the variances psi,
    (n_components, n_features). What components or columns share is repeated.
    """

    loadings: Array
    noise: Array


class FactorRoots(NamedTuple):
    """Covariances taken apart: D (I + U diag(gains) U') D with D = diag(deviations).

    ``deviations`` (K, d), ``axes`` U (K, d, q) with orthonormal columns, ``gains`` (K, q), and the
    ``loadings`` (K, d, q) as they are.
    """

    deviations: Array
    axes: Array
    gains: Array
    loadings: Array


class Factor(Full):
    """Mixtures of factor analysers; products are packed upper triangles.

    Parameters
    ----------
    n_factors : int
    loadings : {"free", "common"}
        Per component, or one matrix for all.
    noise : {"diag", "tied_diag", "spherical", "tied_spherical"}
        Variances per component and column, per column, per component, or one.
    """

    divides: bool = False

    def __init__(self, n_factors: int, loadings: str, noise: str) -> None:
        self.n_factors, self.loadings = n_factors, loadings
        self.tied, self.spherical = noise.startswith("tied"), noise.endswith("spherical")
        self.coupled = loadings == "common" or self.tied

    @property
    def pools_columns(self) -> bool:
        return self.spherical

    def side_by_side(self, n_mixtures: int) -> Structure | None:
        free = self.loadings == "free" and self.tied
        return self._of_mixtures(n_mixtures) if free else super().side_by_side(n_mixtures)

    @property
    def bounded(self) -> bool:
        return True

    def factor(self, covariances: Any) -> Any:
        loadings, noise = covariances
        deviations = np.sqrt(noise)
        axes, lengths, _ = np.linalg.svd(loadings / deviations[..., None], full_matrices=False)
        return FactorRoots(deviations, axes, lengths**2, loadings)

    def natural(self, means: Array, factor: Any, whitener: Any) -> Array:
        deviations, axes, gains, _ = factor
        scaled = axes / deviations[..., None]
        shrunk = scaled * (gains / (1.0 + gains))[:, None, :]
        # Woodbury: Sigma^-1 = D^-1 (I - U diag(g / (1 + g)) U') D^-1
        linear = means / deviations**2
        linear -= np.einsum("kiq,kjq,kj->ki", shrunk, scaled, means, optimize=True)
        precisions = -shrunk @ scaled.swapaxes(1, 2)
        i = np.arange(means.shape[1])
        precisions[:, i, i] += deviations**-2.0
        half_log_det = self.half_log_det(factor, *means.shape)
        constant = normalizer(means, linear, half_log_det[:, 0])
        quadratic = triangular.packed_form(-0.5 * precisions)
        return np.concatenate([constant, linear, quadratic], axis=1)

    def half_log_det(self, factor: Any, n_components: int, n_features: int) -> Array:
        halves = np.log(factor.deviations).sum(axis=1) + 0.5 * np.log1p(factor.gains).sum(axis=1)
        return np.asarray(halves[:, None])

    def whiten(self, y: Array, factor: Any, k: int) -> Array:
        deviations, axes, gains, _ = (part[k] for part in factor)
        scaled: Array = y / deviations[:, None]
        # (I + U diag(g) U')^-1/2 = I + U diag((1 + g)^-1/2 - 1) U'
        scaled += axes @ ((1.0 / np.sqrt(1.0 + gains) - 1.0)[:, None] * (axes.T @ scaled))
        return scaled

    def magnitudes(self, far: Array, factor: Any) -> Array:
        # (I + U diag(g) U')^-1/2 shortens what it is applied to.
        return np.asarray(far / factor.deviations)

    def scales(self, factor: Any) -> Array:
        deviations, axes, gains, _ = factor
        scales: Array = deviations * np.sqrt(1.0 + np.einsum("kjq,kq->kj", axes**2, gains))
        return scales

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        return n_features > MOST_FEATURES

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Any = None
    ) -> Any:
        return self.constrained(scatter, counts, n_features, np.zeros(n_features), current)

    def constrained(
        self, scatter: Array, counts: Array, n_features: int, minimum: Array, current: Any = None
    ) -> Any:
        if self.n_factors >= n_features:
            raise ValueError(
                f"n_factors={self.n_factors} factors cannot be told from the noise of "
                f"{n_features} columns (n_features={n_features}): choose fewer factors than "
                "columns."
            )
        matrices = super().covariances(scatter, counts, n_features)
        shares = np.maximum(counts, TINY) / np.maximum(counts, TINY).sum()
        variances = np.einsum("k,kjj->j", shares, matrices)
        minimum = np.maximum(minimum, np.maximum(SMALLEST_SHARE * variances, SMALLEST))
        if self.loadings == "common":
            return self._common(matrices, shares, minimum, current)
        return self._free(matrices, shares, minimum, current)

    def floor(self, covariances: Any, minimum: Array) -> Any:
        least = minimum.mean() if self.spherical else minimum
        return covariances._replace(noise=np.maximum(covariances.noise, least))

    def exceeds(self, covariances: Any, minimum: Array) -> bool:
        least = minimum.mean() if self.spherical else minimum
        return bool((covariances.noise >= least).all())

    def dense(self, covariances: Any, n_components: int, n_features: int) -> Array:
        loadings, noise = covariances
        return loadings @ loadings.swapaxes(1, 2) + noise[:, :, None] * np.eye(n_features)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        q = self.n_factors
        loadings = n_features * q - q * (q - 1) // 2
        loadings *= n_components if self.loadings == "free" else 1
        noise = 1 if self.spherical else n_features
        return loadings + noise * (1 if self.tied else n_components)

    def to_vector(self, factor: Any) -> Array:
        return np.concatenate([factor.loadings.ravel(), 2.0 * np.log(factor.deviations).ravel()])

    def from_vector(self, vector: Array, factor: Any) -> Any:
        size, shape = factor.loadings.size, factor.loadings.shape
        noise = np.exp(vector[size:]).reshape(shape[:2])
        return FactorCovariances(vector[:size].reshape(shape), noise)

    def _free(
        self, matrices: Array, shares: Array, minimum: Array, current: FactorCovariances | None
    ) -> FactorCovariances:
        """Loadings per component; components whose noise is free are problems of their own."""
        n_components, d = matrices.shape[:2]
        n_blocks = self.n_mixtures if self.tied else n_components
        blocks = n_blocks, n_components // n_blocks
        weights = shares.reshape(blocks)
        weights = weights / weights.sum(axis=1, keepdims=True)
        start = None if current is None else current.noise.reshape(*blocks, d)[:, 0]
        loadings, noise = self._solved(matrices.reshape(*blocks, d, d), weights, minimum, start)
        noise = np.broadcast_to(noise[:, None], (*blocks, d)).reshape(n_components, d)
        return FactorCovariances(loadings.reshape(n_components, d, -1), noise.copy())

    def _solved(
        self, matrices: Array, weights: Array, minimum: Array, start: Array | None
    ) -> tuple[Array, Array]:
        """Loadings of every matrix, and noise common to those of a problem, (P, d)."""
        if self.spherical:
            least = float(minimum.mean())
            loadings, noise = principal_loadings(matrices, weights, self.n_factors, least)
            return loadings, np.repeat(noise[:, None], matrices.shape[-1], axis=1)
        exact = start is None
        if start is None:
            pooled = np.einsum("pg,pgij->pij", weights, matrices)
            start = _unique_variances(pooled, self.n_factors)
        return free_loadings(matrices, weights, self.n_factors, minimum, start, exact=exact)

    def _common(
        self, matrices: Array, shares: Array, minimum: Array, current: FactorCovariances | None
    ) -> FactorCovariances:
        """Loadings for all; those of the mean covariance are the answer if noise is tied too."""
        pooled = np.einsum("k,kij->ij", shares, matrices)[None, None]
        start = None if current is None else (shares @ current.noise)[None]
        if self.tied or current is None:
            ((loadings,),), noise = self._solved(pooled, np.ones((1, 1)), minimum, start)
            noise = np.broadcast_to(noise, matrices.shape[:2])
        else:
            loadings, noise = current.loadings[0], current.noise
        if not self.tied:
            loadings, noise = common_loadings(
                matrices,
                shares,
                minimum,
                (loadings, noise),
                spherical=self.spherical,
                exact=current is None,
            )
        return FactorCovariances(np.repeat(loadings[None], len(shares), axis=0), noise.copy())


def _unique_variances(matrices: Array, n_factors: int) -> Array:
    """Start for the noise: (1 - q / 2 d) / (S^-1)_jj, of correlation matrices made regular."""
    d = matrices.shape[-1]
    variances = np.maximum(np.einsum("pjj->pj", matrices), SMALLEST)
    scale = np.sqrt(variances)
    regular = matrices / scale[:, :, None] / scale[:, None, :] + RIDGE * np.eye(d)
    unexplained = 1.0 / np.einsum("pjj->pj", np.linalg.inv(regular))
    start: Array = (1.0 - 0.5 * n_factors / d) * unexplained * variances
    return start
