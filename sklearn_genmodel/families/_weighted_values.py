"""Values of single columns with their weights: statistics of columns that have none smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import GROWING, Array

__all__ = [
    "DistinctValues",
    "ValueWeights",
    "WeightedColumn",
    "WeightedValues",
    "distinct_values",
    "weighted_values",
]

Indices = NDArray[np.intp]


class ValueWeights(NamedTuple):
    """Values (n_values,) of a column, and weights (n_components, n_values) of each."""

    values: Array
    weights: Array

    def weights_of(self, components: slice) -> Array:
        """The weights for some components."""
        return self.weights[components]


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

    def merge(self, resp: Array) -> Array:
        """The weights of the values from those of the rows, (n_components, n_rows)."""
        weights = np.take(resp, self.order, axis=1)
        if len(self.values) < len(self.order):
            weights = np.add.reduceat(weights, self.starts, axis=1)
        return weights


class SharedWeights(NamedTuple):
    """A column of a block, and the weights of the rows, (n_components, n_rows), for all columns."""

    distinct: DistinctValues
    resp: Array

    @property
    def values(self) -> Array:
        """The distinct values."""
        return self.distinct.values

    def weights_of(self, components: slice) -> Array:
        """Their weights for some components."""
        return self.distinct.merge(self.resp[components])


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
class WeightedColumn:
    """A column in all blocks of rows.

    Parameters
    ----------
    blocks : tuple of ValueWeights or SharedWeights
    """

    blocks: tuple[ValueWeights | SharedWeights, ...]

    @cached_property
    def _distinct(self) -> DistinctValues:
        return distinct_values(np.concatenate([block.values for block in self.blocks]))

    @property
    def values(self) -> Array:
        """The distinct values in ascending order."""
        return self.blocks[0].values if len(self.blocks) == 1 else self._distinct.values

    @property
    def weights(self) -> Array:
        """Their weights, (n_components, n_values)."""
        return self.weights_of(slice(None))

    def weights_of(self, components: slice) -> Array:
        """Their weights for some components."""
        weights = [block.weights_of(components) for block in self.blocks]
        if len(weights) == 1:
            return weights[0]
        return self._distinct.merge(np.concatenate(weights, axis=1))


@dataclass(frozen=True)
class WeightedValues:
    """Distinct values of every column with their weights, block by block until they are read.

    Parameters
    ----------
    parts : tuple of tuple of ValueWeights or SharedWeights
        One for each column, in every block of rows.
    n_components : int
    current : NamedTuple, default=None
        Parameters from which a search for better ones starts.
    """

    parts: tuple[tuple[ValueWeights | SharedWeights, ...], ...]
    n_components: int
    current: Any = None

    def __add__(self, other: WeightedValues) -> WeightedValues:
        return replace(self, parts=self.parts + other.parts)

    def __mul__(self, factor: float) -> WeightedValues:
        raise TypeError(GROWING)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.parts[0])

    def column(self, position: int) -> WeightedColumn:
        """One column in all blocks."""
        return WeightedColumn(tuple(part[position] for part in self.parts))


def weighted_values(
    columns: tuple[DistinctValues, ...], resp: Array, current: Any = None
) -> WeightedValues:
    """Give the values of a block the weights of its rows.

    The weights of the values are kept, or those of the rows for all columns: whichever are fewer.

    Parameters
    ----------
    columns : tuple of DistinctValues
    resp : ndarray of shape (n_components, n_rows)
    current : NamedTuple, default=None

    Returns
    -------
    stats : WeightedValues
    """
    part: tuple[ValueWeights | SharedWeights, ...]
    if sum(len(own.values) for own in columns) <= resp.shape[1]:
        part = tuple(ValueWeights(own.values, own.merge(resp)) for own in columns)
    else:
        part = tuple(SharedWeights(own, resp) for own in columns)
    return WeightedValues((part,), len(resp), current)
