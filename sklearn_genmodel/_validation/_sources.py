"""Data that do not fit in memory: files, sliceable arrays, and chunks that can be read again."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation._frames import loaded

__all__ = [
    "ChosenColumns",
    "ChosenRows",
    "FileRows",
    "SlicedRows",
    "chunk_reader",
    "row_source",
    "spooled",
]

Array = NDArray[np.float64]

# Of rows that lie far apart, so many are read at a time with what lies between them.
ROWS_AT_A_TIME = 2**16


class _Source:
    """Rows that are not in memory."""

    shape: tuple[int, ...]

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.shape[0] * self.shape[1])


class FileRows(_Source):
    """Rows in a file of numbers, read from it slice by slice and never mapped into memory.

    Parameters
    ----------
    path : str
    dtype : dtype
    shape : tuple of int
    offset : int, default=0
        Bytes before the first row.
    owner : object, optional
        Kept as long as the rows are: a temporary file that goes with it.
    """

    def __init__(
        self, path: str, dtype: Any, shape: tuple[int, ...], offset: int = 0, owner: Any = None
    ) -> None:
        self.path, self.dtype, self.shape, self.offset = path, np.dtype(dtype), shape, offset
        self.owner = owner

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        n_columns = self.shape[1]
        skipped = self.offset + start * n_columns * self.dtype.itemsize
        count = (stop - start) * n_columns
        values = np.fromfile(self.path, self.dtype, count, offset=skipped)
        if values.size < count:
            raise OSError(
                f"{self.path} ends before row {stop}: it has changed since it was opened."
            )
        return values.reshape(-1, n_columns)


class SlicedRows(_Source):
    """Rows of anything with a shape and slices, such as arrays of h5py and zarr.

    Parameters
    ----------
    source : object
    """

    def __init__(self, source: Any) -> None:
        self.source, self.shape = source, tuple(source.shape)
        self.dtype = np.dtype(source.dtype)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return np.asarray(self.source[rows])


class ChosenRows(_Source):
    """Some rows of a source that is not in memory, in its order.

    Parameters
    ----------
    source : FileRows, SlicedRows or the like
    chosen : ndarray of bool, shape (n_rows,)
    """

    def __init__(self, source: Any, chosen: NDArray[np.bool_]) -> None:
        self.source, self.dtype = source, source.dtype
        self.places = np.flatnonzero(chosen)
        self.shape = len(self.places), int(source.shape[1])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        places = self.places[rows]
        apart = 1 + np.flatnonzero(np.diff(places // ROWS_AT_A_TIME))
        parts = [self._among_neighbours(own) for own in np.split(places, apart) if len(own)]
        return np.concatenate([np.empty((0, self.shape[1]), self.dtype), *parts])

    def _among_neighbours(self, places: NDArray[np.intp]) -> NDArray[Any]:
        first, last = int(places[0]), int(places[-1])
        chosen: NDArray[Any] = self.source[slice(first, last + 1)][places - first]
        return chosen


class ChosenColumns:
    """Some columns of a source that is not in memory.

    Parameters
    ----------
    source : FileRows, SlicedRows or the like
    columns : ndarray of int
    """

    def __init__(self, source: Any, columns: NDArray[np.intp]) -> None:
        self.source, self.columns = source, columns
        self.shape = int(source.shape[0]), len(columns)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        chosen: NDArray[Any] = self.source[rows][:, self.columns]
        return chosen


def row_source(X: Any) -> FileRows | SlicedRows | None:
    """Rows of numbers that can be read by slices and are not in memory; None for other data.

    Parameters
    ----------
    X : object

    Returns
    -------
    source : FileRows, SlicedRows or None
    """
    if isinstance(X, np.memmap):
        plain = X.ndim == 2 and X.dtype.kind in "fiu" and X.dtype.isnative
        base: Any = X.base
        # A copy-on-write map may differ from its file.
        if (
            plain
            and X.mode != "c"
            and isinstance(base, mmap.mmap)
            and X.flags.c_contiguous
            and X.filename
        ):
            return FileRows(str(X.filename), X.dtype, X.shape, X.offset)
        return SlicedRows(X) if plain else None
    stored = hasattr(X, "chunks") and hasattr(X, "dtype") and len(getattr(X, "shape", ())) == 2
    numeric = stored and np.dtype(X.dtype).kind in "fiu"
    return SlicedRows(X) if numeric and not hasattr(X, "__dask_graph__") else None


def chunk_reader(X: Any) -> Callable[[], Iterator[Any]] | None:
    """A function that starts reading the chunks of a stream anew; None for what is no stream.

    Parameters
    ----------
    X : object
        A dataset of pyarrow, or something that can be iterated again and again, over arrays or
        frames.

    Returns
    -------
    read : callable or None

    Raises
    ------
    TypeError
        For an iterator, which can be read once only.
    """
    if hasattr(X, "to_batches") and hasattr(X, "scanner"):
        return lambda: _filled(X.to_batches())
    if isinstance(X, (list, tuple)):
        return (lambda: _filled(X)) if X and _is_table(X[0]) else None
    if not hasattr(X, "__iter__") or hasattr(X, "__array__") or hasattr(X, "shape"):
        return None
    if isinstance(X, (str, bytes, dict, set)):
        return None
    if hasattr(X, "__next__") or iter(X) is iter(X):
        raise TypeError(
            f"X is a {type(X).__name__}, which can be read once only: pass an object whose "
            "__iter__ starts anew. A batch that is seen once goes to partial_fit, or to the method "
            "by itself."
        )
    return lambda: _filled(X)


def _filled(chunks: Iterable[Any]) -> Iterator[Any]:
    """Chunks that have rows, as arrays or frames."""
    return (loaded(chunk) for chunk in chunks if not _is_empty(chunk))


def _is_empty(chunk: Any) -> bool:
    # Tables and batches of pyarrow have a shape, as arrays and frames have.
    shape = getattr(chunk, "shape", ())
    return isinstance(shape, tuple) and shape[:1] == (0,)


def spooled(chunks: Iterable[Array]) -> FileRows:
    """Write chunks of rows to a temporary file, which is removed with the rows.

    Parameters
    ----------
    chunks : iterable of ndarray of shape (n_rows, n_features)

    Returns
    -------
    rows : FileRows
    """
    file = tempfile.NamedTemporaryFile(prefix="sklearn_genmodel-", suffix=".rows")  # noqa: SIM115
    iterator = iter(chunks)
    first = next(iterator)
    n_rows = 0
    for chunk in chain([first], iterator):
        file.write(np.ascontiguousarray(chunk, dtype=np.float64).tobytes())
        n_rows += len(chunk)
    file.flush()
    return FileRows(file.name, np.float64, (n_rows, first.shape[1]), owner=file)


def _is_table(item: Any) -> bool:
    return hasattr(item, "columns") or getattr(item, "ndim", 0) == 2
