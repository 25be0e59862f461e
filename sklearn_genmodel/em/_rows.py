"""Weighted rows, cut into blocks that fit a cache and chunks that threads share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from sklearn_genmodel.em._shared_limit import SharedLimit

__all__ = [
    "Block",
    "Rows",
    "canonical_rows",
    "distinct_rows",
    "fingerprint",
    "row_sample",
    "row_threads",
]

Array = NDArray[np.float64]
Map = Callable[..., Iterable[Any]]

# Blocks fit a cache, unless that makes them so small that calls cost more than what they do.
CACHE_FLOATS, MEMORY_FLOATS = 2**17, 3 * 2**18
SMALLEST_BLOCK, ENOUGH_ROWS, LARGEST_BLOCK = 256, 4000, 16000
CHUNKS, BLOCKS_PER_CHUNK = 12, 16

# Up to this many values, data are always sorted and merged.
SMALL_DATA = 2**19
HASH_SEED = np.uint64(0x9E3779B97F4A7C15)
HASH_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Block(NamedTuple):
    """A few rows: their place, values, weights (None: all 1), and prior over the components.

    The latter is (n_components, n_rows), minus infinity where a component is forbidden.
    """

    rows: slice
    X: Array
    sample_weight: Array | None
    log_resp_prior: Array | None


@dataclass(frozen=True)
class Rows:
    """Data of one fit or one evaluation: rows, weights, and who maps over their blocks.

    Rows need not be in memory: anything with a length, a shape and slices will do.

    Chunks do not depend on the number of threads, and are reduced in order, so neither do results.
    """

    X: Array
    sample_weight: Array | None = None
    map: Map = map
    resp_prior: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    @cached_property
    def total_weight(self) -> float:
        """Sum of the weights: the number of rows where there are none."""
        return float(len(self) if self.sample_weight is None else self.sample_weight.sum())

    @property
    def weights(self) -> Array:
        """The weight of every row, 1 where none are given."""
        return np.ones(len(self)) if self.sample_weight is None else self.sample_weight

    def take(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows chosen, with all that belongs to them."""
        weights = None if self.sample_weight is None else self.sample_weight[chosen]
        prior = None if self.resp_prior is None else self.resp_prior[chosen]
        return Rows(self._rows_at(chosen), weights, self.map, prior)

    def _rows_at(self, chosen: NDArray[np.bool_]) -> Array:
        X: Any = self.X
        if isinstance(X, np.ndarray):
            return X[chosen]
        width = self.X.shape[1]
        blocks = (block for chunk in self.chunks(width) for block in self.blocks(chunk))
        return np.concatenate([block.X[chosen[block.rows]] for block in blocks])

    def chunks(self, width: int) -> list[list[slice]]:
        """Runs of block slices for rows that take `width` floats each in a pass."""
        size = max(CACHE_FLOATS // width, min(ENOUGH_ROWS, MEMORY_FLOATS // width))
        # Columns that are a power of two apart would all compete for the same lines of the cache.
        size = min(max(size, SMALLEST_BLOCK), LARGEST_BLOCK) // 16 * 16 + 8
        starts = range(0, len(self), size)
        blocks = [slice(i, min(i + size, len(self))) for i in starts]
        # Many chunks keep threads busy to the end, long ones are quick to read from a file.
        length = min(max(len(blocks) // CHUNKS, 1), BLOCKS_PER_CHUNK)
        return [blocks[i : i + length] for i in range(0, len(blocks), length)]

    def blocks(self, chunk: list[slice]) -> Iterator[Block]:
        """The blocks of one chunk, in double precision; a source is read once a chunk."""
        first = chunk[0].start
        X = self.X[first : chunk[-1].stop]
        for rows in chunk:
            weight = None if self.sample_weight is None else self.sample_weight[rows]
            prior = None if self.resp_prior is None else _log(self.resp_prior[rows].T)
            values = np.asarray(X[rows.start - first : rows.stop - first], dtype=np.float64)
            yield Block(rows, values, weight, prior)


def _log(probs: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probs)


@cache
def _controller() -> ThreadpoolController:
    """Inspect the loaded BLAS libraries once a process."""
    return ThreadpoolController()


def _hold_blas() -> Callable[[], None]:
    restore: Callable[[], None] = (
        _controller().limit(limits=1, user_api="blas").restore_original_limits
    )
    return restore


_one_blas_thread = SharedLimit(_hold_blas)


@contextmanager
def row_threads(n_jobs: int | None) -> Iterator[Map]:
    """Yield a `map` over threads, BLAS held to one thread within.

    Parameters
    ----------
    n_jobs : int or None
        As joblib takes it: None is 1 outside a joblib context, -1 is every core.

    Yields
    ------
    map : callable
        As the built-in, results in order.
    """
    n_threads = effective_n_jobs(n_jobs)
    with _one_blas_thread():
        if n_threads == 1:
            yield map
        else:
            with ThreadPoolExecutor(n_threads) as executor:
                yield partial(_map_in_context, executor)


def _map_in_context(
    executor: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any]
) -> Iterator[Any]:
    """Map over threads that treat floating-point errors as the caller does."""
    tasks = ((copy_context(), item) for item in items)
    return executor.map(lambda task: task[0].run(function, task[1]), tasks)


def canonical_rows(rows: Rows) -> Rows:
    """Return the same data with repeated rows merged, where that pays; zero weights left out.

    Small data always come out as distinct rows in lexicographic order, so that fits do not depend
    on the order of rows, and a weight of 2 equals a repeated row. Large data are merged if that
    halves them.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    rows : Rows
    """
    stored = not isinstance(rows.X, np.ndarray)
    if rows.X.size > SMALL_DATA and (stored or 2 * len(_distinct(_hashes(rows))) > len(rows)):
        return rows
    return _distinct_rows_of(rows)


def row_sample(rows: Rows, n_rows: int) -> Rows:
    """A sample of distinct rows, each with all its weight, for finding starts.

    Rows are chosen by a hash of their values, so that neither order nor weight matters.

    Parameters
    ----------
    rows : Rows
    n_rows : int
        Largest number of distinct rows.

    Returns
    -------
    rows : Rows
    """
    if len(rows) > n_rows:
        smallest = np.empty(0, dtype=np.uint64)
        waiting: list[NDArray[np.uint64]] = []
        for _, hashes in _hashed_blocks(rows):
            waiting.append(hashes if len(smallest) < n_rows else hashes[hashes < smallest[-1]])
            if sum(map(len, waiting)) >= n_rows:
                smallest = _distinct(np.concatenate([smallest, *waiting]))[:n_rows]
                waiting.clear()
        smallest = _distinct(np.concatenate([smallest, *waiting]))[:n_rows]
        chosen = np.zeros(len(rows), dtype=bool)
        for place, hashes in _hashed_blocks(rows):
            chosen[place] = hashes <= smallest[-1]
        rows = rows.take(chosen)
    return _distinct_rows_of(rows)


def _distinct_rows_of(rows: Rows) -> Rows:
    """Merge rows that are equal in their values and in their prior over the components."""
    if rows.resp_prior is None:
        return Rows(*distinct_rows(rows.X, rows.sample_weight), rows.map)
    d = rows.X.shape[1]
    joint = np.concatenate([rows.X[:], rows.resp_prior], axis=1)
    merged, weights = distinct_rows(joint, rows.sample_weight)
    return Rows(merged[:, :d].copy(), weights, rows.map, merged[:, d:].copy())


def fingerprint(rows: Rows) -> str:
    """A few digits that tell these rows and weights from others.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    fingerprint : str
    """
    ordered = _hashes(rows) * np.arange(1, len(rows) + 1, dtype=np.uint64)
    weighted = rows.weights @ np.arange(1.0, len(rows) + 1.0)
    known = b"" if rows.resp_prior is None else np.ascontiguousarray(rows.resp_prior).tobytes()
    told = hashlib.sha256(known).hexdigest()[:16]
    return f"{rows.X.shape} {ordered.sum(dtype=np.uint64):016x} {weighted!r} {told}"


def distinct_rows(X: Array, sample_weight: Array | None) -> tuple[Array, Array]:
    """Distinct rows in lexicographic order and the weight of each, zero weights left out.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    rows : ndarray of shape (n_distinct, n_features)
    weights : ndarray of shape (n_distinct,)
    """
    X = np.asarray(X[:])
    weights = Rows(X, sample_weight).weights
    seen = weights > 0
    # Adding 0.0 makes -0.0 and 0.0 one value.
    X, weights = np.asarray(X[seen], dtype=np.float64) + 0.0, weights[seen]
    order = np.lexsort(X.T[::-1])
    X, weights = X[order], weights[order]
    same = (X[1:] == X[:-1]) | (np.isnan(X[1:]) & np.isnan(X[:-1]))
    first = np.append(True, ~same.all(axis=1))
    return X[first], np.add.reduceat(weights, np.flatnonzero(first))


def _hashes(rows: Rows) -> NDArray[np.uint64]:
    """A hash of every row."""
    return np.concatenate([hashes for _, hashes in _hashed_blocks(rows)])


def _hashed_blocks(rows: Rows) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    """A 64-bit hash of the values of every row (multiply-xorshift, Steele et al. 2014)."""
    for chunk in rows.chunks(2 * rows.X.shape[1]):
        for block in rows.blocks(chunk):
            values = np.where(np.isnan(block.X), np.nan, block.X + 0.0)
            bits = np.ascontiguousarray(values).view(np.uint64)
            mixed = np.full(len(bits), HASH_SEED)
            for column in bits.T:
                mixed = (mixed ^ column) * HASH_FACTORS[0]
                mixed = (mixed ^ (mixed >> np.uint64(29))) * HASH_FACTORS[1]
                mixed ^= mixed >> np.uint64(32)
            yield block.rows, mixed


def _distinct(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Distinct values in ascending order; sorts the array it is given."""
    hashes.sort()
    return hashes[np.append(True, hashes[1:] != hashes[:-1])]
