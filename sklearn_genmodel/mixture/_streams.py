"""Streams of rows: checked and coded chunk by chunk, never whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import (
    check_rows,
    check_supports,
    chunk_reader,
    column_names,
    encode_table,
    read_table,
    row_source,
    spooled,
)
from sklearn_genmodel.families import Family

__all__ = ["open_stream"]

Array = NDArray[np.float64]
Read = Callable[[], Iterator[Any]]

CHUNK_ROWS = 2**16


def open_stream(estimator: Any, X: Any, family: Family, *, reset: bool) -> Any:
    """Rows of a stream that can be read by slices, checked in one pass over it.

    Numbers in files and stored arrays are read where they are. Chunks of other kinds are coded
    and written to a temporary file.

    Parameters
    ----------
    estimator : estimator
    X : object
        What the user passed.
    family : Family
    reset : bool
        Whether the columns are to be remembered or compared.

    Returns
    -------
    opened : (Family, rows) or None
        The family that knows the columns, and rows with a shape and slices; None if X is no
        stream.

    Raises
    ------
    ValueError
        If a chunk has no rows, other columns, or values that the family has no density for; the
        message names the chunk.
    """
    source = row_source(X)
    if source is not None:
        starts = range(0, max(len(source), 1), CHUNK_ROWS)
        read: Read = lambda: (source[slice(i, i + CHUNK_ROWS)] for i in starts)  # noqa: E731
    elif (found := chunk_reader(X)) is not None:
        read = found
    else:
        return None
    passes = _Passes(read)
    whole = passes()
    first = next(whole, None)
    if first is None:
        raise ValueError("X is a stream without chunks, or without rows in any.")
    table = None
    try:
        if family.reads_tables:
            known = () if reset else family.column_supports(estimator.n_features_in_)
            table = read_table(estimator, first, reset=reset, supports=known)
        else:
            check_rows(estimator, first, reset=reset, allow_nan=family.allow_nan)
    except ValueError as error:
        raise ValueError(f"Chunk 0 of the stream: {error}") from error
    if table is not None and reset:
        family = family.for_table(replace(table, read=passes))
    # The chunks after the first are read where that was, so that none is lost; unless other passes
    # came between, which may have moved a cursor that all of them share.
    whole = passes() if passes.totals else chain([first], whole)
    chunks = passes.checked(_checked(estimator, whole, family, fitting=reset))
    if source is None or family.reads_tables:
        return family, spooled(chunks)
    for _ in chunks:
        pass
    return family, source


class _Passes:
    """Passes over a stream, which must all find as many rows.

    Parameters
    ----------
    read : callable
        Starts reading the chunks anew.
    """

    def __init__(self, read: Read) -> None:
        self.read = read
        self.totals: set[int] = set()

    def __call__(self) -> Iterator[Any]:
        """One pass."""
        n_rows = 0
        for chunk in self.read():
            n_rows += _n_rows(chunk)
            yield chunk
        self.totals.add(n_rows)

    def checked(self, chunks: Iterator[Any]) -> Iterator[Any]:
        """Chunks of the last pass, whose rows are compared at its end."""
        yield from chunks
        if len(self.totals) > 1:
            raise ValueError(
                f"Passes over the stream found {min(self.totals)} and {max(self.totals)} rows: its "
                "__iter__ must start anew, at the first chunk, every time."
            )


def _n_rows(chunk: Any) -> int:
    """Number of rows; 0 for what is no table, which is said where it is read."""
    shape = getattr(chunk, "shape", None)
    if isinstance(shape, tuple):
        return int(shape[0]) if shape else 0
    return len(chunk) if isinstance(chunk, (list, tuple)) else 0


def _checked(
    estimator: Any, chunks: Iterable[Any], family: Family, *, fitting: bool
) -> Iterator[Array]:
    """Chunks as rows of numbers, each checked; at the end what only all of them can tell."""
    ends: list[Array] = []
    supports: Any = ()
    for number, chunk in enumerate(chunks):
        try:
            if family.reads_tables:
                known = family.column_supports(estimator.n_features_in_)
                table = read_table(estimator, chunk, reset=False, supports=known)
                names = column_names(estimator, len(table.names))
                rows = encode_table(table, family.column_supports(len(names)), names)
            else:
                rows = check_rows(estimator, chunk, reset=False, allow_nan=family.allow_nan)
            supports = family.column_supports(rows.shape[1])
            check_supports(estimator, rows, supports, fitting=False)
            family.check_rows(rows)
        except ValueError as error:
            raise ValueError(f"Chunk {number} of the stream: {error}") from error
        found = np.array([np.fmin.reduce(rows, axis=0), np.fmax.reduce(rows, axis=0)], dtype=float)
        ends = [found] if not ends else [_widened(ends[0], found)]
        yield rows
    if fitting and ends:
        check_supports(estimator, ends[0], supports, fitting=True)


def _widened(ends: Array, others: Array) -> Array:
    """Smallest and largest values of both, two rows each."""
    return np.array([np.fmin(ends[0], others[0]), np.fmax(ends[1], others[1])])
