"""Locations and variances column by column, from the values observed: where a fit sets out."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.families._all_rows import summed
from sklearn_genmodel.families._arrays import TINY, Array

__all__ = ["observed_medians", "observed_moments", "overall_means", "overall_variances"]

# No component sets out with less than this share of a column's variance.
SMALLEST_SHARE = 1e-3
# Far below what outliers make of a deviation, and far above where its square is lost.
ALL_BUT_EQUAL = 1e-30
# The median absolute deviation of normal rows is 0.6745 standard deviations.
MAD_OF_NORMAL = 0.6744897501960817


def observed_moments(X: Array, resp: Array) -> tuple[Array, Array]:
    """Weighted means and variances of what is observed.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a value is missing.
    resp : ndarray of shape (n_samples, n_components)

    Returns
    -------
    means, variances : ndarray of shape (n_components, n_features)
        Those of all rows where a component has observed none; the variances not far below those.
    """
    seen = ~np.isnan(X)
    everything = np.ones((1, len(X)))
    center = _means(np.where(seen, X, 0.0), seen, everything)[0]
    Y = np.where(seen, X - center, 0.0)
    means = _means(Y, seen, resp.T)
    total = _means(Y**2, seen, everything)[0]
    squares = np.where(_weights(seen, resp.T) > 0, _means(Y**2, seen, resp.T), total)
    return center + means, _bounded(squares - means**2, total)


def overall_means(X: Any, sample_weight: Array | None) -> tuple[Array, Array]:
    """Weighted means of what is observed in all rows, and its weight.

    Parameters
    ----------
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
        NaN where a value is missing.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    means, counts : ndarray of shape (n_features,)
    """

    def sums(rows: Array, weights: Array) -> Array:
        seen = ~np.isnan(rows)
        return np.stack([weights @ np.where(seen, rows, 0.0), weights @ seen])

    totals, counts = summed(sums, X, sample_weight)
    return totals / np.maximum(counts, TINY), counts


def overall_variances(X: Any, sample_weight: Array | None) -> Array:
    """Weighted variances of what is observed in all rows; 1 where those are 0.

    Parameters
    ----------
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
        NaN where a value is missing.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    variances : ndarray of shape (n_features,)
    """
    means, counts = overall_means(X, sample_weight)

    def squares(rows: Array, weights: Array) -> Array:
        return np.asarray(weights @ np.where(np.isnan(rows), 0.0, rows - means) ** 2)

    variances = summed(squares, X, sample_weight) / np.maximum(counts, TINY)
    return np.where(variances > 0.0, variances, 1.0)


def observed_medians(X: Array, resp: Array) -> tuple[Array, Array]:
    """Weighted medians of what is observed, and variances from median absolute deviations.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a value is missing.
    resp : ndarray of shape (n_samples, n_components)

    Returns
    -------
    medians, variances : ndarray of shape (n_components, n_features)
        Where more than half of the values are all but equal, the variance is the usual one.
    """
    medians, variances = observed_moments(X, resp)
    for j, column in enumerate(X.T):
        seen = ~np.isnan(column)
        values, weights = column[seen, None], resp[seen]
        found = weights.sum(axis=0) > 0
        medians[found, j] = _weighted_median(values, weights)[found]
        deviations = _weighted_median(np.abs(values - medians[:, j]), weights) / MAD_OF_NORMAL
        robust = found & (deviations > ALL_BUT_EQUAL * np.sqrt(variances[:, j]))
        variances[robust, j] = deviations[robust] ** 2
    return medians, variances


def _weights(seen: Array, weights: Array) -> Array:
    """Weight of the values observed, (K, d)."""
    return weights @ seen


def _means(values: Array, seen: Array, weights: Array) -> Array:
    """Weighted means of values that are 0 where they are missing, (K, d)."""
    return weights @ values / np.maximum(_weights(seen, weights), TINY)


def _bounded(variances: Array, total: Array) -> Array:
    """Variances not far below those of all rows; 1 where those are 0."""
    smallest = np.where(total > 0, SMALLEST_SHARE * total, 1.0)
    return np.maximum(variances, smallest)


def _weighted_median(values: Array, weights: Array) -> Array:
    """Smallest value of every column that half of its weight does not exceed, (K,)."""
    values = np.broadcast_to(values, weights.shape)
    order = np.argsort(values, axis=0, kind="stable")
    shares = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    middle = np.argmax(shares >= 0.5 * shares[-1], axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    return np.asarray(np.take_along_axis(ordered, middle[None], axis=0)[0])
