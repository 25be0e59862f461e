"""Where EM starts: partitions of the rows, in coordinates that the family chooses.

A partition of canonical rows (distinct, sorted, with their weights) is the same for any order of
the data and for weights against repetition. Distances are Euclidean in standardised coordinates
or in whitened ones, where clusters that are long in one direction come apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel.em._shared_limit import thread_pools
from sklearn_genmodel.variational import log_normalize

__all__ = [
    "INIT_NAMES",
    "agreeing_order",
    "complete",
    "nearest_rows",
    "neighbourhoods",
    "partitions",
    "standardized",
    "whitened",
]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

# Directions with less than this share of the largest variance are taken for rounding.
RANK_SHARE = 1e-10
TINY = float(np.finfo(np.float64).tiny)


def partitions(
    init: str, Z: Array, weights: Array, n_components: int, rng: np.random.Generator
) -> Iterator[tuple[str, Labels]]:
    """Endless starting partitions of weighted rows, each with its name.

    Parameters
    ----------
    init : {"auto", "kmeans", "k-means++", "random"}
        "auto" takes turns through all of them and through cuts along random directions.
    Z : ndarray of shape (n_samples, n_coordinates)
        Rows as the family embeds them.
    weights : ndarray of shape (n_samples,)
    n_components : int
    rng : numpy.random.Generator

    Yields
    ------
    name : str
    labels : ndarray of int, shape (n_samples,)
        Every component has at least one row.
    """
    spaces = {"standardized": standardized(Z, weights), "whitened": whitened(Z, weights)}
    makers = INITS if init == "auto" else {init: INITS[init]}
    while True:
        for name, make in makers.items():
            for space, coordinates in spaces.items():
                labels = make(coordinates, weights, n_components, rng)
                yield f"{name}, {space}", _populated(labels, n_components, rng)


def neighbourhoods(
    Z: Array, weights: Array, n_components: int, rng: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    """Endless starting responsibilities that fall off with the distance to a few random rows.

    Components that overlap start as broad as they are far apart, and end near-singular less often
    than those of partitions do.

    Parameters
    ----------
    Z, weights, n_components, rng
        As `partitions`.

    Yields
    ------
    name : str
    resp : ndarray of shape (n_samples, n_components)
    """
    spaces = {"whitened": whitened(Z, weights), "standardized": standardized(Z, weights)}
    chances = weights / weights.sum()
    while True:
        for space, rows in spaces.items():
            chosen = rng.choice(len(rows), n_components, replace=False, p=chances)
            squares = ((rows[:, None] - rows[chosen]) ** 2).mean(axis=2)
            _, resp = log_normalize(-squares.T)
            yield f"neighbourhoods, {space}", resp.T


def standardized(Z: Array, weights: Array) -> Array:
    """Columns with mean 0 and variance 1; constant columns 0."""
    centred = Z - np.average(Z, axis=0, weights=weights)
    scale = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    return centred / np.where(scale > 0, scale, 1.0)


def whitened(Z: Array, weights: Array) -> Array:
    """Principal coordinates with variance 1, those without variance left out."""
    Z = standardized(Z, weights)
    values, vectors = np.linalg.eigh((Z * weights[:, None]).T @ Z / weights.sum())
    kept = values > RANK_SHARE * values[-1]
    coordinates: Array = Z @ vectors[:, kept] / np.sqrt(values[kept])
    return coordinates if kept.any() else Z


def complete(Z: Array, weights: Array) -> Array:
    """Coordinates with the mean of what was observed in place of missing values (NaN).

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_coordinates)
    weights : ndarray of shape (n_samples,)

    Returns
    -------
    Z : ndarray of shape (n_samples, n_coordinates)
    """
    missing = np.isnan(Z)
    if not missing.any():
        return Z
    seen = weights[:, None] * ~missing
    means = (seen * np.where(missing, 0.0, Z)).sum(axis=0) / np.maximum(seen.sum(axis=0), TINY)
    return np.where(missing, means, Z)


def agreeing_order(resp: Array, resp_prior: Array, weights: Array) -> NDArray[np.intp]:
    """Order of the columns of a partition in which it agrees best with a prior.

    Parameters
    ----------
    resp, resp_prior : ndarray of shape (n_samples, n_components)
    weights : ndarray of shape (n_samples,)

    Returns
    -------
    order : ndarray of int, shape (n_components,)
    """
    agreement = resp_prior.T @ (resp * weights[:, None])
    return np.asarray(linear_sum_assignment(agreement, maximize=True)[1])


def nearest_rows(Z: Array, row: int) -> NDArray[np.intp]:
    """Indices of all rows, the nearest to a given one first."""
    return np.argsort(np.einsum("ij,ij->i", Z - Z[row], Z - Z[row]), kind="stable")


def _kmeans(Z: Array, weights: Array, n_components: int, rng: np.random.Generator) -> Labels:
    from sklearn.cluster import KMeans

    kmeans = KMeans(n_components, n_init=1, random_state=_seed(rng))
    # Rows are few: threads take fifty times as long on a busy machine, and their number would
    # decide how sums are rounded.
    with thread_pools().limit(limits=1, user_api="openmp"), warnings.catch_warnings():
        # Clusters that stay empty are given a row afterwards.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels: Labels = kmeans.fit(Z, sample_weight=weights).labels_.astype(np.intp)
    return labels


def _kmeans_plusplus(
    Z: Array, weights: Array, n_components: int, rng: np.random.Generator
) -> Labels:
    from sklearn.cluster import kmeans_plusplus

    centers, _ = kmeans_plusplus(Z, n_components, sample_weight=weights, random_state=_seed(rng))
    return _nearest_center(Z, centers)


def _random_rows(Z: Array, weights: Array, n_components: int, rng: np.random.Generator) -> Labels:
    chosen = rng.choice(len(Z), n_components, replace=False, p=weights / weights.sum())
    return _nearest_center(Z, Z[chosen])


def _random_cuts(Z: Array, weights: Array, n_components: int, rng: np.random.Generator) -> Labels:
    """Slices of random sizes along a random direction."""
    order = np.argsort(Z @ rng.standard_normal(Z.shape[1]), kind="stable")
    quantiles = np.cumsum(weights[order]) / weights.sum()
    cuts = np.cumsum(rng.dirichlet(np.full(n_components, 3.0)))[:-1]
    labels = np.empty(len(Z), dtype=np.intp)
    labels[order] = np.searchsorted(cuts, quantiles - 0.5 * weights[order] / weights.sum())
    return labels


# The names that users may give, and one kind more that only "auto" uses.
INIT_NAMES = ("auto", "kmeans", "k-means++", "random")
INITS: dict[str, Callable[[Array, Array, int, np.random.Generator], Labels]] = {
    "kmeans": _kmeans,
    "k-means++": _kmeans_plusplus,
    "random": _random_rows,
    "cuts": _random_cuts,
}


def _nearest_center(Z: Array, centers: Array) -> Labels:
    # |z - c|^2 = |z|^2 - 2 z . c + |c|^2, and |z|^2 does not choose.
    return np.argmin((centers**2).sum(axis=1) - 2.0 * Z @ centers.T, axis=1)


def _populated(labels: Labels, n_components: int, rng: np.random.Generator) -> Labels:
    """Give every component that has no row one of a component that has several."""
    counts = np.bincount(labels, minlength=n_components)
    for k in np.flatnonzero(counts == 0):
        row = rng.choice(np.flatnonzero(counts[labels] > 1))
        counts[labels[row]] -= 1
        labels[row], counts[k] = k, 1
    return labels


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
