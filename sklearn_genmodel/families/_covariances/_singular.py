"""Scatter matrices that are near-singular, and components that owe their likelihood to that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariances import _triangular as triangular

__all__ = ["by_chance", "flat_columns", "on_few_rows", "on_floor", "sunk", "thinnest"]

# A component on at most n_features + 1.5 rows is a likelihood spike. One with less than 1e-3 of the
# variance of its peers in some direction may be.
SPIKE_ROWS, SPIKE_DIMENSION = 1.5, 5
SPIKE_RATIO = 1e-3
# Data are singular where the correlation matrix has an eigenvalue of at most 4 floors; a column
# takes part if its loading is more than rounding.
FLOORS, ROUNDING, LOADING = 4.0, 1e-13, 1e-3

LARGEST = 1e300


def thinnest(matrices: Array, unit: Array) -> Array:
    """Smallest eigenvalue of every matrix in units of the standard deviations of another."""
    deviations = _deviations(matrices, unit)
    return np.asarray(np.linalg.eigvalsh(matrices / np.outer(deviations, deviations))[:, 0])


def sunk(minimum: Array, matrices: Array, lowest: float) -> Array:
    """A floor of variances, (d,), down to where matrices lie, but not below a share of itself."""
    reached = np.clip(thinnest(matrices, np.diag(minimum)).min(), lowest, 1.0)
    return np.asarray(np.maximum(minimum * reached, TINY))


def on_floor(matrices: Array, total: Array, reg_covar: float) -> NDArray[np.bool_]:
    """Matrices at the floor where that of all the data is not, (K,)."""
    at_floor = triangular.thin(matrices, _deviations(matrices, total), 2.0 * reg_covar)
    return at_floor & ~triangular.thin(total, np.sqrt(np.diagonal(total)), FLOORS * reg_covar)


def on_few_rows(n_rows: Array, n_features: int, *, free: bool) -> NDArray[np.bool_]:
    """Components on hardly more rows than the columns, if their matrices are free, have."""
    dimension = n_features if free else min(n_features, SPIKE_DIMENSION)
    few: NDArray[np.bool_] = n_rows <= dimension + SPIKE_ROWS
    return few & (len(n_rows) > 1)


def by_chance(matrices: Array, n_rows: Array) -> NDArray[np.bool_]:
    """Thin components that so few rows out of so many could form by chance.

    With a share v of its peers' volume, a component of m rows out of n gains about
    m log(m / (n v)) - m over rows that are spread like the rest; that must pay for its shape.
    """
    n, d = n_rows.sum(), matrices.shape[1]
    within = np.einsum("k,kij->ij", n_rows / n, matrices)
    least = SPIKE_RATIO * float(thinnest(within[None], within)[0])
    thin = triangular.thin(matrices, _deviations(matrices, within), least)
    # Where all are singular in one direction, no volumes compare, and none is by chance.
    with np.errstate(invalid="ignore"):
        log_volume = 0.5 * (np.linalg.slogdet(matrices)[1] - np.linalg.slogdet(within)[1])
    gain = n_rows * (np.log(np.maximum(n_rows, TINY) / n) - log_volume - 1.0)
    chance: NDArray[np.bool_] = thin & (gain < 0.5 * d * (d + 3) * np.log(n))
    return chance


def flat_columns(total: Array, reg_covar: float) -> NDArray[np.intp]:
    """Columns that load on a direction of a matrix whose variance is at the floor."""
    deviations = np.sqrt(np.diagonal(total))
    values, vectors = np.linalg.eigh(total / np.outer(deviations, deviations))
    flat = vectors[:, values <= max(FLOORS * reg_covar, ROUNDING)]
    return np.flatnonzero(np.abs(flat).max(axis=1, initial=0.0) > LOADING)


def _deviations(matrices: Array, unit: Array) -> Array:
    """Standard deviations of a matrix, (d,), as units of others."""
    # Where columns share their variance, the unit of a constant one may be next to nothing.
    largest = np.diagonal(matrices, axis1=1, axis2=2).max(axis=0)
    return np.sqrt(np.maximum(np.diagonal(unit), largest / LARGEST))
