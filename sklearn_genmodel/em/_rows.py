"""Weighted rows, cut into blocks that fit a cache and chunks that threads share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray

from sklearn_genmodel._validation import ChosenRows
from sklearn_genmodel.em._shared_limit import SharedLimit, thread_pools

__all__ = ["Block", "Rows", "row_threads"]

Array = NDArray[np.float64]
Map = Callable[..., Iterable[Any]]

# Blocks fit a cache, unless that makes them so small that calls cost more than what they do.
CACHE_FLOATS, MEMORY_FLOATS = 2**18, 3 * 2**18
SMALLEST_BLOCK, ENOUGH_ROWS, LARGEST_BLOCK = 256, 6000, 32000
EXCESS = 0.25
CHUNKS, BLOCKS_PER_CHUNK = 12, 16
# Copies that make the passes of a fit faster take no more bytes.
MOST_KEPT = 2**28


class Block(NamedTuple):
    """A few rows: their place, values, weights (None: all 1), and prior over the components.

    The values may be what a family has prepared of them. The prior is (n_components, n_rows), minus
    infinity where a component is forbidden.
    """

    rows: slice
    X: Any
    sample_weight: Array | None
    log_resp_prior: Array | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.rows.stop - self.rows.start)


@dataclass(frozen=True)
class Rows:
    """Data of one fit or one evaluation: rows, weights, and who maps over their blocks.

    Rows need not be in memory: anything with a length, a shape and slices will do.

    Chunks do not depend on the number of threads, and are reduced in order, so neither do results.
    Passes keep what they prepare in ``memory``, if there is one; see `kept`.
    """

    X: Array
    sample_weight: Array | None = None
    map: Map = map
    resp_prior: Array | None = None
    memory: Any = None

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

    def of_some_weight(self) -> Rows:
        """The rows of weight above 0; those of a source that is not in memory stay there."""
        if self.sample_weight is None or self.sample_weight.all():
            return self
        X: Any = self.X
        chosen = self.sample_weight > 0
        kept: Any = X[chosen] if isinstance(X, np.ndarray) else ChosenRows(X, chosen)
        prior = None if self.resp_prior is None else self.resp_prior[chosen]
        return Rows(kept, self.sample_weight[chosen], self.map, prior)

    def take(self, chosen: NDArray[Any]) -> Rows:
        """The rows chosen, in memory, with all that belongs to them.

        By position only where all rows are in memory.
        """
        weights = None if self.sample_weight is None else self.sample_weight[chosen]
        prior = None if self.resp_prior is None else self.resp_prior[chosen]
        return Rows(self._rows_at(chosen), weights, self.map, prior)

    def _rows_at(self, chosen: NDArray[Any]) -> Array:
        X: Any = self.X
        if isinstance(X, np.ndarray):
            return X[chosen]
        width = self.X.shape[1]
        blocks = (block for chunk in self.chunks(width) for block in self.blocks(chunk))
        return np.concatenate([block.X[chosen[block.rows]] for block in blocks])

    def chunks(self, width: int) -> list[list[slice]]:
        """Runs of block slices for rows that take `width` floats each in a pass."""
        width = max(width, 1)
        size = max(CACHE_FLOATS // width, min(ENOUGH_ROWS, MEMORY_FLOATS // width))
        size = min(max(size, SMALLEST_BLOCK), LARGEST_BLOCK)
        # Blocks of about one length, a little longer rather than one more: calls on few rows cost
        # most for each. Columns that are a power of two apart would all compete for the same lines
        # of the cache.
        n_blocks = max(math.ceil(len(self) / size - EXCESS), 1)
        size = (math.ceil(len(self) / n_blocks) + 7) // 16 * 16 + 8
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


def _hold_blas() -> Callable[[], None]:
    restore: Callable[[], None] = (
        thread_pools().limit(limits=1, user_api="blas").restore_original_limits
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
