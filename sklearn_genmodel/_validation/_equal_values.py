"""Columns in which many values are equal: a density that shrinks onto them is unbounded there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_values", "few_values"]

Array = NDArray[np.float64]

# Few values, each in several rows, are what rounding or coding has left.
MOST_VALUES, ROWS_PER_VALUE = 20, 5
# One value stands out if it has such a share, and so many times the rows of the others on average:
# rounding alone repeats all of them.
LEAST_SHARE, STANDS_OUT = 0.1, 10


def few_values(x: Array, weights: Array | None = None) -> bool:
    """Whether a column has few values, and several rows for each.

    Parameters
    ----------
    x : ndarray of shape (n_rows,)
        Not NaN.
    weights : ndarray of shape (n_rows,), default=None

    Returns
    -------
    few_values : bool
    """
    n_rows = len(x) if weights is None else weights.sum()
    n_values = len(np.unique(x))
    return bool(n_values <= MOST_VALUES and n_values * ROWS_PER_VALUE <= n_rows)


def equal_values(x: Array, weights: Array | None = None) -> str | None:
    """What a user should know of values that are equal in many rows of a column.

    Parameters
    ----------
    x : ndarray of shape (n_rows,)
        Not NaN.
    weights : ndarray of shape (n_rows,), default=None

    Returns
    -------
    equal : str or None
        None where equal values are rare.
    """
    values, places = np.unique(x, return_inverse=True)
    if few_values(x, weights):
        return f"{len(values)} values only"
    counts = np.bincount(places, weights)
    most = counts.argmax()
    share = counts[most] / counts.sum()
    if share > LEAST_SHARE and share * (len(values) - 1) > STANDS_OUT * (1.0 - share):
        return f"{100.0 * share:.0f} % are {values[most]:g}"
    return None
