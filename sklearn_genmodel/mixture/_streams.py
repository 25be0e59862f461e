"""Streams of rows: checked and coded chunk by chunk, never whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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

__all__ = ["first_chunk", "open_stream"]

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
    first = next(read(), None)
    if first is None:
        raise ValueError("X is a stream without chunks: there is nothing to fit.")
    if family.reads_tables:
        table = replace(read_table(estimator, first, reset=reset), read=read)
        family = family.for_table(table) if reset else family
    else:
        check_rows(estimator, first, reset=reset, allow_nan=family.allow_nan)
    chunks = _checked(estimator, read, family, fitting=reset)
    if source is None or family.reads_tables:
        return family, spooled(chunks)
    for _ in chunks:
        pass
    return family, source


def first_chunk(X: Any) -> Any:
    """The first chunk of a stream of chunks; other data as they are.

    Parameters
    ----------
    X : object

    Returns
    -------
    X : object
    """
    read = chunk_reader(X)
    return X if read is None else next(read(), None)


def _checked(estimator: Any, read: Read, family: Family, *, fitting: bool) -> Iterator[Array]:
    """Chunks as rows of numbers, each checked; at the end what only all of them can tell."""
    ends: list[Array] = []
    supports: Any = ()
    for number, chunk in enumerate(read()):
        try:
            if family.reads_tables:
                table = read_table(estimator, chunk, reset=False)
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
    if fitting:
        check_supports(estimator, ends[0], supports, fitting=True)


def _widened(ends: Array, others: Array) -> Array:
    """Smallest and largest values of both, two rows each."""
    return np.array([np.fmin(ends[0], others[0]), np.fmax(ends[1], others[1])])
