"""Poisson counts of any size."""

from __future__ import annotations

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = ["poisson_draws"]

# numpy's generator counts in 64-bit integers. From here on the skewness is below 1e-8.
LARGEST_RATE = 1e16
LARGEST_COUNT = 1e308


def poisson_draws(rates: Array, rng: np.random.Generator) -> Array:
    """One count of every rate; those of rates that no integer can hold are rounded normals.

    Parameters
    ----------
    rates : ndarray
    rng : Generator

    Returns
    -------
    counts : ndarray of the shape of rates
    """
    rates = np.minimum(rates, LARGEST_COUNT)
    counts = rng.poisson(np.minimum(rates, LARGEST_RATE)).astype(np.float64)
    large = rates > LARGEST_RATE
    noise = np.sqrt(rates[large]) * rng.standard_normal(np.count_nonzero(large))
    counts[large] = np.rint(rates[large] + noise)
    return counts
