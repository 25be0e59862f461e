"""Tables whose columns need not be numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from sklearn_genmodel._validation._arguments import refuse_lazy, refuse_unread
from sklearn_genmodel._validation._frames import (
    LARGEST_EXACT,
    PLAIN,
    column_values,
    declared_levels,
    is_missing,
    loaded,
    with_columns,
)
from sklearn_genmodel._validation._names import check_names, fitted_names, remember_columns
from sklearn_genmodel._validation._rows import as_array, without_mask

__all__ = ["CodedSupport", "Table", "is_double", "read_table"]

Array = NDArray[np.float64]


class CodedSupport(Protocol):
    """What coding needs to know of the support of a column; see `families.Support`."""

    @property
    def levels(self) -> tuple[Any, ...] | None:
        """Labels of the column in the order of their codes; None for numbers."""

    @property
    def unseen(self) -> bool:
        """Whether other labels have a code too."""


@dataclass(frozen=True)
class Table:
    """Columns with their names.

    Parameters
    ----------
    source : array or frame
        What the user passed, checked; two-dimensional.
    names : tuple
        Names of the columns, or their positions where there are none.
    positions : tuple of int, optional
        Places of the columns in the source; None for all of them.
    read : callable, optional
        Starts reading the chunks of a stream anew, of which the source is the first.
    labelled : Table, optional
        Columns of the same stream whose levels are sought in one pass.
    """

    source: Any
    names: tuple[Hashable, ...]
    positions: tuple[int, ...] | None = None
    read: Callable[[], Iterator[Any]] | None = None
    labelled: Table | None = None

    @property
    def is_frame(self) -> bool:
        """Whether columns have names and types of their own."""
        return hasattr(self.source, "columns")

    def values(self, position: int) -> NDArray[Any]:
        """One column; where a value is missing, NaN among numbers and None among objects."""
        place = self._place(position)
        if self.is_frame:
            return column_values(self.source, place)
        column = np.asarray(self.source)[:, place]
        return _without_missing(column) if column.dtype == object else column

    def levels(self, position: int) -> tuple[Any, ...]:
        """Distinct values of a column: in the order it declares, if any, or else sorted."""
        if self.read is not None:
            streamed = self._streamed_levels[self._place(position)]
            return _in_order(_as_integers(streamed), self._declared(position))
        values = self.values(position)
        if values.dtype.kind in "fc":
            return tuple(np.unique(values[~np.isnan(values)]).tolist())
        if values.dtype != object:
            return tuple(np.unique(values).tolist())
        found = {value for value in values.tolist() if value is not None}
        return _in_order(found, self._declared(position))

    def levels_of_all(self) -> tuple[tuple[Any, ...], ...]:
        """Levels of every column, none of which may be missing altogether."""
        levels = tuple(self.levels(position) for position in range(len(self.names)))
        if not all(levels):
            name = self.names[levels.index(())]
            raise ValueError(f"Column {name!r} holds nothing but NaN: drop the column.")
        return levels

    def select(self, positions: tuple[int, ...]) -> Table:
        """Some of the columns."""
        names = tuple(self.names[position] for position in positions)
        places = tuple(self._place(position) for position in positions)
        return Table(self.source, names, places, self.read, self.labelled)

    def seeking_levels(self, positions: tuple[int, ...]) -> Table:
        """The same columns, of which selections among these seek their levels in one pass."""
        return replace(self, labelled=self.select(positions))

    @cached_property
    def _streamed_levels(self) -> dict[int, set[Any]]:
        """Distinct values in all chunks of a stream, by the places of the columns."""
        if self.labelled is not None and set(self._places) <= set(self.labelled._places):
            return self.labelled._streamed_levels
        found: dict[int, set[Any]] = {place: set() for place in self._places}
        for number, chunk in enumerate(self.read() if self.read else ()):
            table = self._like_first(number, chunk)
            for position, place in enumerate(self._places):
                found[place].update(table.levels(position))
        return found

    @property
    def _places(self) -> list[int]:
        return [self._place(position) for position in range(len(self.names))]

    def _like_first(self, number: int, chunk: Any) -> Table:
        """Another chunk of the stream, which must have as many columns."""
        source = _source(chunk)
        shapes = np.shape(source), np.shape(self.source)
        if len(shapes[0]) != 2 or shapes[0][1] != shapes[1][1]:
            one, first = (
                list(getattr(table, "columns", ())) or f"shape {np.shape(table)}"
                for table in (source, self.source)
            )
            raise ValueError(
                f"Chunk {number} of the stream has {one}, where the first has {first}: all must "
                "have the same columns."
            )
        return Table(source, self.names, self.positions)

    def declares_levels(self, position: int) -> bool:
        """Whether the type of a column says that it holds labels."""
        return self._declared(position) is not None

    def _declared(self, position: int) -> tuple[Any, ...] | None:
        """Levels in the order that the type of a column declares."""
        return declared_levels(self.source, self._place(position)) if self.is_frame else None

    def _place(self, position: int) -> int:
        return position if self.positions is None else self.positions[position]


def read_table(
    estimator: Any, X: Any, *, reset: bool, supports: Sequence[CodedSupport] = ()
) -> Table:
    """Check names and number of columns of a table of any type.

    Parameters
    ----------
    estimator : estimator
        Gets n_features_in_, feature_names_in_ and the names and types of a frame if `reset`, is
        compared with them otherwise.
    X : array-like or frame of shape (n_samples, n_features)
    reset : bool
    supports : sequence of Support
        Those of the columns of the fit: a frame may lack columns that it left out of account.

    Returns
    -------
    table : Table

    Raises
    ------
    TypeError
        For sparse or lazy data.
    ValueError
        If X has no rows, is not two-dimensional, or its columns are not those of the fit.
    """
    given, X = X, _source(X)
    if hasattr(X, "columns"):
        if not len(X.columns):
            raise ValueError("Found array with 0 feature(s) while a minimum of 1 is required.")
        names = () if reset else fitted_names(estimator)
        ignored = {name for name, own in zip(names, supports, strict=False) if own.levels == ()}
        X = with_columns(X, list(names), ignored)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        remember_columns(estimator, given if reset else X, reset=reset)
        if not len(X):
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        return Table(X, tuple(X.columns))
    checked = as_array(estimator, X, reset=reset, dtype=None)
    remember_columns(estimator, given, reset=reset)
    return Table(checked, tuple(range(checked.shape[1])))


def _source(X: Any) -> Any:
    """A table as an array or a frame, None where a list has None and where values are masked."""
    refuse_lazy("X", X)
    refuse_unread(X)
    X = loaded(X)
    check_names(X)
    X = without_mask(X)
    has_types = any(hasattr(X, name) for name in ("columns", "dtype", "toarray"))
    return X if has_types else np.asarray(X, dtype=object)


def _without_missing(column: NDArray[Any]) -> NDArray[Any]:
    """Objects with None for None, NaN and pandas' NA; scalars of NumPy as those of Python."""
    cleaned = np.empty(len(column), dtype=object)
    cleaned[:] = [value if type(value) in PLAIN else _plain(value) for value in column]
    return cleaned


def is_double(level: Any) -> bool:
    """Whether a label is a number, and not a key of so many digits that a double loses some."""
    return type(level) is float or (type(level) is int and abs(level) <= LARGEST_EXACT)


def _as_integers(found: set[Any]) -> set[Any]:
    """Labels with whole numbers as integers, where there are some that are no doubles.

    Chunks with gaps hold them as floats, others as they are.
    """
    if not any(type(level) is int and not is_double(level) for level in found):
        return found
    return {int(x) if type(x) is float and x.is_integer() else x for x in found}


def _plain(value: Any) -> Any:
    value = getattr(value, "item", lambda: value)()
    return None if is_missing(value) else value


def _in_order(found: set[Any], declared: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if declared is not None and found <= set(declared):
        return tuple(level for level in declared if level in found)
    return tuple(sorted(found, key=_sort_key))


def _sort_key(level: Any) -> tuple[str, Any]:
    """Numbers by size, other things by type and then among themselves."""
    if isinstance(level, (bool, int, float)):
        return "", level
    # Complex numbers have no order.
    return type(level).__name__, repr(level) if isinstance(level, complex) else level
