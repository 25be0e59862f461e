"""Weighted statistics of what was seen of every column, to start from and to scale by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "deviations",
    "log_means",
    "weighted_means",
    "weighted_medians",
    "weighted_sums",
    "weighted_variances",
]

Array = NDArray[np.float64]


def weighted_sums(X: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Sum of the weighted cells of every column, and of the weights of those seen.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a cell is missing.
    weights : ndarray of shape (n_samples,) or None
        Counted relative to their mean, as if they were of so many rows.

    Returns
    -------
    sums, counts : ndarray of shape (n_features,)
    """
    seen = ~np.isnan(X)
    if weights is None:
        return np.where(seen, X, 0.0).sum(axis=0), seen.sum(axis=0).astype(np.float64)
    relative = (weights / weights.mean())[:, None]
    return (relative * np.where(seen, X, 0.0)).sum(axis=0), (relative * seen).sum(axis=0)


def weighted_means(X: Array, weights: Array | None = None) -> Array:
    """Mean of every column, without overflow; see `weighted_sums`."""
    unit = np.nanmax(np.abs(X), axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    sums, counts = weighted_sums(X / unit, weights)
    return np.asarray(unit * (sums / counts))


def weighted_variances(X: Array, weights: Array | None = None) -> Array:
    """Variance of every column; see `weighted_sums`."""
    sums, counts = weighted_sums((X - weighted_means(X, weights)) ** 2, weights)
    return np.asarray(sums / counts)


def weighted_medians(X: Array, weights: Array | None = None) -> Array:
    """Median of every column, the lower of two."""
    own = np.ones(len(X)) if weights is None else weights
    return np.asarray(
        [
            np.quantile(column[seen], 0.5, weights=own[seen], method="inverted_cdf")
            for column, seen in zip(X.T, ~np.isnan(X.T), strict=True)
        ]
    )


def deviations(X: Array, weights: Array | None = None) -> Array:
    """Standard deviation of every column, 1 where it does not vary; see `weighted_sums`."""
    largest = np.nanmax(np.abs(X), axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    sd = unit * np.sqrt(weighted_variances(X / unit, weights))
    # A spread of a few units in the last place is rounding, not variation.
    constant = sd <= 8.0 * np.finfo(np.float64).eps * largest
    return np.where(constant, 1.0, sd)


def log_means(X: Array, weights: Array | None = None) -> Array:
    """Log of the mean of every column, finite for columns of zeros; see `weighted_sums`."""
    sums, counts = weighted_sums(X, weights)
    return np.asarray(np.log((sums + 0.5) / (counts + 0.5)))
