"""Rows with missing values: what their observed columns say under every component.

Rows are taken pattern by pattern. Patterns with about as many columns observed and about as many
rows are computed together: once a pass, for densities and for moments, as long as there is memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import LOG_2PI
from sklearn_genmodel.families._covariances._regressions import (
    ByMissing,
    ByObserved,
    Matrices,
    Regression,
)

__all__ = ["IncompleteRows", "cost_of_patterns"]

Positions = NDArray[np.intp]

# Floats of the largest array in which patterns are computed together.
FLOATS_AT_A_TIME = 2**18
# Completed rows and their regressions are kept from the densities of a block to its moments up to
# this many floats.
MOST_KEPT = 2**23
# Patterns are computed together whose numbers of columns observed differ by less than this; their
# numbers of rows differ by less than a factor of 2.
COLUMNS_APART = 2
# With up to so many columns missing for each that is observed, the block of those is factored.
MISSING_TO_OBSERVED = 2
# A pattern takes as long as so many multiplications, and as the cube of the number of columns; a
# search that counted all of that would end too early on data with many patterns.
PATTERN_COST, COUNTED = 1000, 0.25


class Group(NamedTuple):
    """Rows of several patterns: positions (P, r), and 0 (1 otherwise) where a row only fills up."""

    seen: NDArray[np.bool_]
    completed: Callable[[], Completed]
    rows: Positions
    real: Array


class Completed(NamedTuple):
    """Rows of a group about the means, what is missing as expected, (K, d, P, r).

    ``distances`` (K, P, r) are those of the columns observed.
    """

    regression: Regression
    values: Array
    distances: Array


@dataclass(frozen=True)
class IncompleteRows:
    """Distances and expected moments of rows with missing values, for a pass.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)
    """

    means: Array
    covariances: Array

    @cached_property
    def matrices(self) -> Matrices:
        """The covariances, and their inverses once they are asked for."""
        return Matrices(self.covariances)

    def groups(self, X: Array) -> list[Group]:
        """The rows of every pattern with a column observed, in groups of about as many rows."""
        order, starts, counts = _patterns(~np.isnan(X))
        seen = ~np.isnan(X[order[starts]])
        groups, kept = [], 0
        n_observed = seen.sum(axis=1)
        for chosen in self._together(counts, n_observed):
            place = np.arange(counts[chosen].max())
            real = place < counts[chosen, None]
            rows = order[starts[chosen, None] + np.where(real, place, 0)]
            completed = partial(self._completed, X, seen[chosen], rows)
            kept += len(chosen) * self._n_floats(n_observed[chosen], len(place))
            once = cache(completed) if kept <= MOST_KEPT else completed
            groups.append(Group(seen[chosen], once, rows, real.astype(np.float64)))
        return groups

    def densities(self, X: Array, groups: list[Group]) -> tuple[Array, Array]:
        """Normal log-densities of what is observed, and half log-determinants, both (K, n).

        0 where nothing is observed.
        """
        log_prob = np.zeros((len(self.means), len(X)))
        half_log_det = np.zeros_like(log_prob)
        for group in groups:
            regression, _, distances = group.completed()
            half = regression.half_log_det[..., None]
            constant = 0.5 * LOG_2PI * group.seen.sum(axis=1)[:, None] + half
            log_prob[:, group.rows] = -0.5 * distances - constant
            half_log_det[:, group.rows] = half
        return log_prob, half_log_det

    def moments(
        self, groups: list[Group], scaled: Array, resp: Array
    ) -> tuple[Array, Array, Array]:
        """Expected counts (K,), sums (K, d) and products (K, d, d) about the means.

        Completed rows weigh `scaled`, the conditional covariances `resp`, both (K, n). Rows with
        nothing observed are left out: they say nothing about the parameters.
        """
        counts, sums = np.zeros(len(self.means)), np.zeros_like(self.means)
        products = np.zeros_like(self.covariances)
        for group in groups:
            regression, values, _ = group.completed()
            y = values.reshape(*self.means.shape, -1)
            weights = (scaled[:, group.rows] * group.real).reshape(len(y), 1, -1)
            weighted = y * weights
            counts += weights.sum(axis=(1, 2))
            sums += weighted.sum(axis=2)
            products += weighted @ y.swapaxes(1, 2)
            products += regression.residual((resp[:, group.rows] * group.real).sum(axis=2))
        return counts, sums, products

    def _completed(self, X: Array, seen: NDArray[np.bool_], rows: Positions) -> Completed:
        regression = self._kind(seen.sum(axis=1))(self.matrices, seen)
        centred = X.T[:, rows] - self.means[:, :, None, None]
        values = np.where(seen.T[:, :, None], centred, 0.0)
        return Completed(regression, values, regression.complete(values))

    def _kind(self, n_observed: Positions) -> type[Regression]:
        """The cheaper kind of regression for patterns with so many columns observed."""
        least = n_observed.min()
        few = self.means.shape[1] - least <= MISSING_TO_OBSERVED * least
        return ByMissing if few and self.matrices.invertible else ByObserved

    def _n_floats(self, n_observed: Positions, n_rows: int) -> int:
        """Number of floats that a pattern's completed rows and regressions take."""
        n_components, d = self.means.shape
        return n_components * (n_rows * d + self._kind(n_observed).size(n_observed, d))

    def _together(self, counts: Positions, n_observed: Positions) -> Iterator[Positions]:
        """Patterns with about as many columns observed, and about as many rows."""
        sizes = n_observed // COLUMNS_APART, np.maximum(np.frexp(counts - 0.5)[1], 1)
        order = np.lexsort(sizes)
        order = order[n_observed[order] > 0]
        changes = np.any([np.diff(size[order]) for size in sizes], axis=0)
        for chosen in np.split(order, np.flatnonzero(changes) + 1) if len(order) else ():
            floats = self._n_floats(n_observed[chosen], int(counts[chosen].max()))
            n_parts = -(-len(chosen) // max(FLOATS_AT_A_TIME // floats, 1))
            yield from np.array_split(chosen, n_parts)


def cost_of_patterns(X: Array) -> float:
    """Multiplications that the patterns of missing values take of a component in a pass.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)

    Returns
    -------
    cost : float
    """
    gaps = np.isnan(X)
    partial = gaps[gaps.any(axis=1)]
    n_patterns = len(_patterns(partial)[1]) if len(partial) else 0
    return COUNTED * n_patterns * (PATTERN_COST + X.shape[1] ** 3)


def _patterns(seen: NDArray[np.bool_]) -> tuple[Positions, Positions, Positions]:
    """Order of the rows by pattern, where in it each pattern begins, and its number of rows."""
    bits = np.packbits(seen, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8)), dtype=np.uint64)
    words.view(np.uint8)[:, : bits.shape[1]] = bits
    order = np.lexsort(words.T)
    changes = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(np.append(True, changes))
    return order, starts, np.diff(np.append(starts, len(seen)))
