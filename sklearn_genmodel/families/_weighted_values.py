"""Values of single columns with their weights: statistics of columns that have none smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import GROWING, Array

__all__ = ["DistinctValues", "ValueWeights", "WeightedValues", "distinct_values"]

Indices = NDArray[np.intp]


class ValueWeights(NamedTuple):
    """Values (n_values,) of a column, and weights (n_components, n_values) of each."""

    values: Array
    weights: Array


class DistinctValues(NamedTuple):
    """The distinct values of a column in ascending order, and where they stand.

    ``values`` has shape (n_distinct,); ``order``, (n_observed,), are the rows in which a value was
    observed, by the size of the value, and ``starts``, (n_distinct,), where in it each value
    begins; ``places``, (n_rows,), are the positions of the rows' values, n_distinct where missing.
    """

    values: Array
    order: Indices
    starts: Indices
    places: Indices

    def gather(self, results: Array) -> Array:
        """Results for the values, (n_components, n_distinct), row by row; 0 where missing."""
        if len(self.order) < len(self.places):
            results = np.concatenate([results, np.zeros((len(results), 1))], axis=1)
        return np.take(results, self.places, axis=1)

    def merge(self, resp: Array) -> ValueWeights:
        """The weight of every value from those of the rows, (n_components, n_rows)."""
        weights = resp[:, self.order]
        if len(self.values) < len(self.order):
            weights = np.add.reduceat(weights, self.starts, axis=1)
        return ValueWeights(self.values, weights)


def distinct_values(column: Array) -> DistinctValues:
    """Sort a column and find its distinct values; missing ones (NaN) are left out.

    Parameters
    ----------
    column : ndarray of shape (n_rows,)

    Returns
    -------
    distinct : DistinctValues
    """
    n_observed = len(column) - int(np.isnan(column).sum())
    order = np.argsort(column, kind="stable")[:n_observed]
    ascending = column[order]
    first = np.ones(n_observed, dtype=bool)
    first[1:] = ascending[1:] != ascending[:-1]
    starts = np.flatnonzero(first)
    places = np.full(len(column), len(starts))
    places[order] = np.cumsum(first) - 1
    return DistinctValues(ascending[starts], order, starts, places)


@dataclass(frozen=True)
class WeightedValues:
    """Distinct values of every column with their weights, block by block until they are read.

    Parameters
    ----------
    parts : tuple of tuple of ValueWeights
        One for each column, in every block of rows.
    current : NamedTuple, default=None
        Parameters from which a search for better ones starts.
    """

    parts: tuple[tuple[ValueWeights, ...], ...]
    current: Any = None

    def __add__(self, other: WeightedValues) -> WeightedValues:
        return replace(self, parts=self.parts + other.parts)

    def __mul__(self, factor: float) -> WeightedValues:
        raise TypeError(GROWING)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.parts[0])

    def column(self, position: int) -> ValueWeights:
        """Distinct values of a column in ascending order, and their weights in all blocks."""
        blocks = [part[position] for part in self.parts]
        if len(blocks) == 1:
            return blocks[0]
        distinct = distinct_values(np.concatenate([block.values for block in blocks]))
        return distinct.merge(np.concatenate([block.weights for block in blocks], axis=1))
