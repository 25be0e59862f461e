"""Weighted statistics of what was seen of every column, to start from and to scale by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = [
    "ROUNDING",
    "deviations",
    "extra_zeros",
    "failures",
    "locations",
    "log_means",
    "robust_deviations",
    "tail_dofs",
    "units",
    "weighted_means",
    "weighted_medians",
    "weighted_sums",
    "weighted_variances",
]

Array = NDArray[np.float64]

# A spread of a few units in the last place is rounding, not variation.
ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
# Between the 5 % and the 95 % of a standard normal.
NORMAL_RANGE = 3.2897072539029435
# A share of a column's deviation that is no spread of its own.
ALIKE = 1e-6
# There is no mean at 1.
LEAST_DOF = 1.2
# Counts start with a variance of at least 1.01 times the mean, and with r within these.
LEAST_EXCESS, FAILURES = 1e-2, (1e-2, 1e3)
# Of the moments of counts with extra zeros, which near their solution from above.
N_PASSES = 30


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
    return _quantiles(X, [0.5], weights)[0]


def deviations(X: Array, weights: Array | None = None) -> Array:
    """Standard deviation of every column; see `weighted_sums`.

    Of one that does not vary its absolute value, which changes with its units; 1 if that is 0.
    """
    largest = np.nanmax(np.abs(X), axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    sd = unit * np.sqrt(weighted_variances(X / unit, weights))
    return np.where(sd <= ROUNDING * largest, unit, sd)


def robust_deviations(X: Array, weights: Array | None = None) -> Array:
    """Standard deviation of a normal with nine tenths of every column, whatever its outliers.

    Never more than that of the column, which bounded or two-peaked ones have; and that one where
    nine tenths are alike but for rounding.
    """
    low, high = _quantiles(X, [0.05, 0.95], weights) / NORMAL_RANGE
    whole = deviations(X, weights)
    return np.where(high - low > ALIKE * whole, np.minimum(high - low, whole), whole)


def tail_dofs(X: Array, weights: Array | None, most: float) -> Array:
    """Degrees of freedom of a t distribution with nine tenths and a half of every column.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,) or None
    most : float
        Also of columns half of which are alike.

    Returns
    -------
    dofs : ndarray of shape (n_features,)
        Not below 1.2.
    """
    low, first, third, high = _quantiles(X, [0.05, 0.25, 0.75, 0.95], weights)
    dofs = np.geomspace(most, LEAST_DOF, 100)
    ratios = stdtrit(dofs, 0.95) / stdtrit(dofs, 0.75)
    half = third - first
    varies = half > ALIKE * deviations(X, weights)
    found = np.interp((high - low) / np.where(varies, half, 1.0), ratios, dofs)
    return np.where(varies, found, most)


def locations(X: Array, weights: Array | None, robust: NDArray[np.bool_]) -> Array:
    """Mean of every column, or its median where outliers are expected."""
    values = weighted_means(X, weights)
    values[robust] = weighted_medians(X[:, robust], weights)
    return values


def units(X: Array, weights: Array | None, robust: NDArray[np.bool_]) -> Array:
    """Standard deviation of every column, from nine tenths of it where outliers are expected."""
    values = deviations(X, weights)
    values[robust] = robust_deviations(X[:, robust], weights)
    return values


def log_means(X: Array, weights: Array | None = None) -> Array:
    """Log of the mean of every column, finite for columns of zeros; see `weighted_sums`."""
    sums, counts = weighted_sums(X, weights)
    return np.asarray(np.log((sums + 0.5) / (counts + 0.5)))


def failures(means: Array, variances: Array, extra: Any = 0.0) -> Array:
    """Number of failures r of negative binomial columns, by moments; 100 for columns of zeros.

    Parameters
    ----------
    means, variances : ndarray of shape (n_features,)
    extra : float or ndarray of shape (n_features,)
        Share of extra zeros among the cells, which have no part in E[x (x - 1)] / E[x].

    Returns
    -------
    r : ndarray of shape (n_features,)
    """
    positive = np.where(means > 0, means, 1.0)
    own = positive / (1.0 - extra)
    # own (1 + 1 / r) = E[x (x - 1)] / E[x] = mean + variance / mean - 1
    excess = (positive - own + variances / positive - 1.0) / own
    r = np.clip(1.0 / np.maximum(excess, LEAST_EXCESS / own), *FAILURES)
    # Of zeros alone any r is an answer; a small one would leave the mean free to grow.
    return np.where(means > 0, r, 100.0)


def extra_zeros(X: Array, weights: Array | None = None) -> Array:
    """Share of zeros in every column that a negative binomial of its moments does not explain."""
    means, variances = weighted_means(X, weights), weighted_variances(X, weights)
    zeros = weighted_means(np.where(np.isnan(X), np.nan, X == 0.0), weights)
    zeros, positive = np.where(means > 0, zeros, 0.0), np.where(means > 0, means, 1.0)
    # Of more the others would vary less than Poisson's, for which this is the share.
    ratios = means + variances / positive - 1.0
    most = np.clip(1.0 - positive / np.maximum(ratios, 1e-9 * positive), 0.0, zeros)
    extra = most
    for _ in range(N_PASSES):
        r = failures(means, variances, extra)
        explained = np.exp(-r * np.log1p(means / (1.0 - extra) / r))
        extra = np.clip((zeros - explained) / np.maximum(1.0 - explained, 1e-300), 0.0, most)
    return extra


def _quantiles(X: Array, levels: list[float], weights: Array | None) -> Array:
    """Quantiles of every column, of what lies between two cells the lower: (n_levels, n)."""
    seen = ~np.isnan(X.T)
    values = [
        # Without weights nothing need be sorted.
        np.quantile(
            column[own],
            levels,
            weights=None if weights is None else weights[own],
            method="inverted_cdf",
        )
        for column, own in zip(X.T, seen, strict=True)
    ]
    return np.reshape(values, (X.shape[1], len(levels))).T
