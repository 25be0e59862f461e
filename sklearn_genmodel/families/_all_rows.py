"""Passes over all rows before a fit, block by block: rows need not be in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import ChosenColumns
from sklearn_genmodel.families._arrays import Array

__all__ = ["columns_of", "row_blocks", "statistics_of_all", "summed"]

BLOCK_ROWS = 2**14


def columns_of(X: Any, columns: NDArray[np.intp]) -> Any:
    """Some columns of rows, which stay where they are.

    Parameters
    ----------
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
    columns : ndarray of int

    Returns
    -------
    chosen : ndarray or ChosenColumns
    """
    return X[:, columns] if isinstance(X, np.ndarray) else ChosenColumns(X, columns)


def row_blocks(X: Any, sample_weight: Array | None = None) -> Iterator[tuple[Array, Array]]:
    """Rows in double precision, a block at a time, with their weights.

    Parameters
    ----------
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,), default=None

    Yields
    ------
    rows : ndarray of shape (n_rows, n_features)
    weights : ndarray of shape (n_rows,)
    """
    for start in range(0, X.shape[0], BLOCK_ROWS):
        own = slice(start, start + BLOCK_ROWS)
        rows = np.asarray(X[own], dtype=np.float64)
        yield rows, np.ones(len(rows)) if sample_weight is None else sample_weight[own]


def summed(function: Callable[[Array, Array], Array], X: Any, sample_weight: Array | None) -> Array:
    """Sum of a function of rows and their weights over all blocks.

    Parameters
    ----------
    function : callable
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    total : ndarray
    """
    return reduce(add, (function(*block) for block in row_blocks(X, sample_weight)))


def statistics_of_all(family: Any, X: Any, sample_weight: Array | None) -> Array:
    """Statistics of one component that has all rows.

    Parameters
    ----------
    family : Family
        Whose statistics are an array.
    X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    stats : ndarray
    """

    def statistics(rows: Array, weights: Array) -> Array:
        (stats,) = family.suffstats(rows, weights[:, None])
        return np.asarray(stats)

    return summed(statistics, X, sample_weight)
