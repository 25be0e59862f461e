"""Labels of several columns as one code: what passes over many rows read instead of indicators.

Of the combinations of labels that a few columns can have, a row has one. Its log-density is a sum
of one number for every group of columns, looked up in a table, and its responsibilities are added
to one place for every group: fewer by far than there are indicators, most of which are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sklearn_genmodel.families._arrays import Accumulate, Array

__all__ = [
    "MANY_ROWS",
    "PackedLabels",
    "is_packable",
    "packed_counts",
    "packed_kernel",
    "packed_labels",
    "packed_width",
    "packs",
    "places_of",
]

# Tables of codes cost as much as the indicators of so many rows. A column of many levels is a code
# by itself, and a table that is hardly longer than there are levels costs less: an entry of it, as
# much as so many indicators.
MANY_ROWS, MANY_LEVELS, ENTRY = 5000, 500, 50

# Columns share a code as long as their labels have so few combinations: tables then fit a cache.
MOST_CODES = 1024
# A code costs as much as so many indicators, and so does turning rows into columns.
INDICATORS = 10


class Packing(NamedTuple):
    """How columns share codes.

    ``groups`` are slices of columns, ``radices`` the numbers of labels of all columns, one more
    where some are missing; ``members`` has a sparse array for each group, (n_levels, n_codes), that
    is 1 where a label is part of a code.
    """

    groups: tuple[slice, ...]
    radices: NDArray[np.intp]
    members: tuple[Any, ...]

    @property
    def starts(self) -> list[int]:
        """Where the codes of every group start among those of all, and their number."""
        return [0, *np.cumsum([member.shape[1] for member in self.members]).tolist()]

    @property
    def n_groups(self) -> int:
        """Number of codes that a row has."""
        return len(self.groups)


class PackedLabels(NamedTuple):
    """A block of rows as the parts of a sparse matrix: 1 at each code of a row, 0 elsewhere.

    ``shape`` is (n_rows, n_codes); ``gaps`` tells whether some labels are missing.
    """

    parts: tuple[Any, ...]
    shape: tuple[int, int]
    gaps: bool

    @property
    def matrix(self) -> Any:
        """The matrix."""
        return csr_array(self.parts, shape=self.shape)


@lru_cache(maxsize=64)
def packing(sizes: tuple[int, ...], *, gaps: bool) -> Packing:
    """Groups of neighbouring columns that share codes.

    Parameters
    ----------
    sizes : tuple of int
        Number of levels of every column.
    gaps : bool
        Whether there is to be a code for a label that is missing.

    Returns
    -------
    packing : Packing
    """
    radices = np.array(sizes) + gaps
    groups, start = [], 0
    for stop in range(1, len(sizes) + 1):
        if stop == len(sizes) or np.prod(radices[start : stop + 1]) > MOST_CODES:
            groups.append(slice(start, stop))
            start = stop
    members = [_members(radices[group], sizes[group]) for group in groups]
    return Packing(tuple(groups), radices, tuple(members))


def is_packable(sizes: tuple[int, ...]) -> bool:
    """Whether codes are quicker than indicators."""
    return sum(sizes) > INDICATORS * (1 + packing(sizes, gaps=False).n_groups)


def packs(sizes: tuple[int, ...], n_rows: int) -> bool:
    """Whether codes are quicker than indicators for a block of so many rows."""
    if not is_packable(sizes) or n_rows >= MANY_ROWS:
        return is_packable(sizes)
    n_levels, n_codes = sum(sizes), packing(sizes, gaps=False).starts[-1]
    return n_levels > MANY_LEVELS and n_rows * n_levels > ENTRY * n_codes


def packed_width(sizes: tuple[int, ...]) -> int:
    """Number of floats that the codes of a row take: what is 1, where, and room to add them up."""
    return 3 * packing(sizes, gaps=False).n_groups


@lru_cache(maxsize=64)
def places_of(sizes: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Column and level of every level of columns that have so many."""
    columns = np.repeat(np.arange(len(sizes)), sizes)
    return columns, np.concatenate([np.arange(size) for size in sizes])


def _members(radices: NDArray[np.intp], sizes: tuple[int, ...]) -> Any:
    """Which label of every column is part of which code, sparse, (n_levels, n_codes)."""
    n_codes = int(np.prod(radices))
    rows, columns, start = [], [], 0
    for labels, size in zip(np.unravel_index(np.arange(n_codes), radices), sizes, strict=True):
        known = np.flatnonzero(labels < size)
        rows.append(start + labels[known])
        columns.append(known)
        start += size
    places = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(places[0])), places), shape=(start, n_codes))


def packed_labels(X: Array, sizes: tuple[int, ...]) -> PackedLabels:
    """Codes of rows.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Positions of labels among the levels, NaN where they are missing.
    sizes : tuple of int

    Returns
    -------
    packed : PackedLabels
    """
    missing = np.isnan(X)
    gaps = bool(missing.any())
    plan = packing(sizes, gaps=gaps)
    labels = np.where(missing, sizes, X).astype(np.int32) if gaps else X.astype(np.int32)
    codes = np.empty((len(X), plan.n_groups), dtype=np.int32)
    for own, group, start in zip(codes.T, plan.groups, plan.starts, strict=False):
        own[:] = start + np.ravel_multi_index(labels[:, group].T, plan.radices[group])
    starts = np.arange(0, codes.size + 1, plan.n_groups, dtype=np.int32)
    parts = np.ones(codes.size), codes.ravel(), starts
    return PackedLabels(parts, (len(X), plan.starts[-1]), gaps)


def packed_counts(rows: PackedLabels, sizes: tuple[int, ...], resp: Array) -> Array:
    """Responsibilities added up for every level.

    Parameters
    ----------
    rows : PackedLabels
    sizes : tuple of int
    resp : ndarray of shape (n_components, n_rows)

    Returns
    -------
    counts : ndarray of shape (n_components, 1 + n_levels)
        Those of all rows first.
    """
    plan = packing(sizes, gaps=rows.gaps)
    sums = rows.matrix.T @ np.ascontiguousarray(resp.T)
    parts = np.split(sums, plan.starts[1:-1])
    levels = [member @ part for member, part in zip(plan.members, parts, strict=True)]
    return np.concatenate([resp.sum(axis=1)[None], *levels]).T


def packed_kernel(
    log_probs: Array, sizes: tuple[int, ...]
) -> Callable[[PackedLabels], tuple[Array, Accumulate]]:
    """Log-densities of packed labels, and counts of every level.

    Parameters
    ----------
    log_probs : ndarray of shape (n_components, n_levels)
        Of the levels of all columns.
    sizes : tuple of int

    Returns
    -------
    kernel : callable
        See `Family.kernel`; the statistics are `packed_counts`.
    """

    @cache
    def table(*, gaps: bool) -> Array:
        members = packing(sizes, gaps=gaps).members
        stops = np.cumsum([member.shape[0] for member in members])
        parts = np.split(log_probs, stops[:-1], axis=1)
        tables = [member.T @ part.T for member, part in zip(members, parts, strict=True)]
        return np.concatenate(tables)

    def block(rows: PackedLabels) -> tuple[Array, Accumulate]:
        log_prob = np.ascontiguousarray((rows.matrix @ table(gaps=rows.gaps)).T)
        return log_prob, partial(packed_counts, rows, sizes)

    return block
