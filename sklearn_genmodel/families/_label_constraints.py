"""Probabilities of labels that are held fixed or tied: those of a column go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._constraints import Constraints

__all__ = ["check_ties", "fixed_columns", "n_lost"]

Places = tuple[NDArray[np.intp], NDArray[np.intp]]


def fixed_columns(values: Array, places: Places) -> NDArray[np.bool_]:
    """Which columns of which components are fixed.

    Parameters
    ----------
    values : ndarray of shape (n_components, n_features, n_levels)
        NaN where a probability is free.
    places : tuple of ndarray of int
        Columns and levels that are in use.

    Returns
    -------
    fixed : ndarray of bool, shape (n_components, n_features)

    Raises
    ------
    ValueError
        If some probabilities of a column are fixed and others are free, or they are no
        distribution.
    """
    in_use = np.zeros(values.shape[1:], dtype=bool)
    in_use[places] = True
    known = np.isfinite(values) | ~in_use
    fixed = known.all(axis=2)
    totals = np.where(in_use & np.isfinite(values), values, 0.0).sum(axis=2)
    partly = ~fixed & (np.isfinite(values) & in_use).any(axis=2)
    if partly.any() or (fixed & ~np.isclose(totals, 1.0)).any() or (values < 0).any():
        raise ValueError(
            "fixed['probs']: the probabilities of a column of a component are fixed together, "
            "at least 0, and sum to 1 over its levels; NaN for all where they are free."
        )
    return np.asarray(fixed)


def check_ties(labels: NDArray[np.intp], n_levels: tuple[int, ...]) -> None:
    """Raise unless tied columns have the same number of levels, which are tied by their places.

    Parameters
    ----------
    labels : ndarray of int, shape (n_components, n_features)
        Equal where columns are tied.
    n_levels : tuple of int
        Of every column.

    Raises
    ------
    ValueError
        Names two numbers of levels that are tied.
    """
    sizes = np.broadcast_to(n_levels, labels.shape).ravel()
    ties = np.unique(labels, return_inverse=True)[1].ravel()
    fewest, most = np.full(ties.max() + 1, sizes.max()), np.zeros(ties.max() + 1, dtype=int)
    np.minimum.at(fewest, ties, sizes)
    np.maximum.at(most, ties, sizes)
    if (fewest < most).any():
        tie = int(np.argmax(fewest < most))
        raise ValueError(
            f"tied['probs'] ties columns of {fewest[tie]} and {most[tie]} levels: tie columns "
            "with the same number of levels, whose probabilities are tied in the order of the "
            "levels."
        )


def n_lost(constraints: Constraints, n_levels: tuple[int, ...], places: Places) -> int:
    """How many free parameters fewer there are: of a column, one less than its levels.

    Parameters
    ----------
    constraints : Constraints
    n_levels : tuple of int
        Of every column.
    places : tuple of ndarray of int
        Columns and levels that are in use.

    Returns
    -------
    n_lost : int
    """
    free = np.array(n_levels) - 1
    held = (fixed_columns(values, places) @ free for values in constraints.fixed.values())
    tied = 0
    for labels in constraints.tied.values():
        _, first = np.unique(labels, return_index=True)
        tied += free.sum() * len(labels) - free[first % len(free)].sum()
    return int(sum(values.sum() for values in held) + tied)
