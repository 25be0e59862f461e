"""Components that owe their likelihood to a few rows that almost coincide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array

__all__ = ["AT_LIMIT", "spikes"]

# The rules of Gaussian components, for variances that belong to single columns.
SPIKE_ROWS, SPIKE_DIMENSION = 1.5, 5
SPIKE_RATIO, FLOOR_RATIO, AT_LIMIT = 1e-3, 2e-6, 1.0 + 1e-6


def spikes(
    variances: Array, pooled: Array, n_rows: Array, narrowest: float = 0.0
) -> NDArray[np.bool_]:
    """Which components are likelihood spikes.

    One that is a thousand times narrower in some column than all the data; one on at most
    n_features + 1.5 rows (6.5 if that is less); one that is thin without rows enough to explain
    it; and one as narrow as the family's limit allows, which is no maximum of the likelihood.

    Parameters
    ----------
    variances : ndarray of shape (n_components, n_features)
        Of every component, on a scale on which ratios are meaningful.
    pooled : ndarray of shape (n_features,)
        The same of all the data.
    n_rows : ndarray of shape (n_components,)
        Number of distinct rows that each component stands for.
    narrowest : float, default=0.0
        Smallest variance that the family knows of.

    Returns
    -------
    spikes : ndarray of bool, shape (n_components,)
    """
    at_floor = (variances / np.maximum(pooled, TINY)).min(axis=1) <= FLOOR_RATIO
    at_floor |= variances.min(axis=1) <= AT_LIMIT * narrowest
    dimension = min(len(pooled), SPIKE_DIMENSION)
    few = (n_rows <= dimension + SPIKE_ROWS) & (len(n_rows) > 1)
    spiky: NDArray[np.bool_] = at_floor | few | _by_chance(variances, n_rows)
    return spiky


def _by_chance(variances: Array, n_rows: Array) -> NDArray[np.bool_]:
    """Thin components that so few rows out of so many could form by chance.

    With a share v of its peers' volume, a component of m rows out of n gains about
    m log(m / (n v)) - m over rows that are spread like the rest; that must pay for its shape.
    """
    n, d = n_rows.sum(), variances.shape[1]
    ratio = variances / np.maximum(n_rows / n @ variances, TINY)
    thin = ratio.min(axis=1) < SPIKE_RATIO
    log_volume = 0.5 * np.log(np.maximum(ratio, TINY)).sum(axis=1)
    gain = n_rows * (np.log(np.maximum(n_rows, TINY) / n) - log_volume - 1.0)
    chance: NDArray[np.bool_] = thin & (gain < 2.0 * d * np.log(n))
    return chance
