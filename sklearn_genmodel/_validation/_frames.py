"""Data frames of pandas and polars, told apart in this file only; neither is ever imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LARGEST_EXACT",
    "PLAIN",
    "FrameSchema",
    "column_values",
    "declared_levels",
    "is_missing",
    "loaded",
    "with_columns",
]

# Values of these types are what they are: never missing, other than None, nor scalars of NumPy.
PLAIN = frozenset({str, bytes, int, bool, type(None)})
# All integers up to this one are doubles.
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class FrameSchema:
    """Names and types of the columns of a frame, to make others like it.

    Parameters
    ----------
    library : {"pandas", "polars"}
    dtypes : dict
        From the name of a column to its type in that library; objects that are all truth values or
        missing, as in files with gaps, count as such.
    """

    library: str
    dtypes: dict[Any, Any]

    @classmethod
    def of(cls, X: Any) -> FrameSchema | None:
        """The schema of a frame; None for what is none."""
        library = type(X).__module__.partition(".")[0]
        if library == "pyarrow" and hasattr(X, "to_pandas"):
            # Types are those of its frame, without the rows.
            library, X = "pandas", loaded(X.slice(0, 0))
        if library not in {"pandas", "polars"} or not hasattr(X, "columns"):
            return None
        dtypes = dict(zip(X.columns, X.dtypes, strict=True))
        for place, (name, dtype) in enumerate(dtypes.items()):
            is_object = isinstance(dtype, np.dtype) and dtype.kind == "O"
            if is_object and _holds_truths(X, place):
                dtypes[name] = np.dtype(bool)
        return cls(library, dtypes)

    def select(self, positions: Sequence[int]) -> FrameSchema:
        """The schema of some of the columns."""
        items = list(self.dtypes.items())
        return FrameSchema(self.library, dict(items[position] for position in positions))

    def frame(self, columns: Sequence[NDArray[Any]]) -> Any:
        """A frame of these names and types; integer columns get rounded values."""
        library = sys.modules.get(self.library) or __import__(self.library)
        data = dict(zip(self.dtypes, columns, strict=True))
        return _MAKERS[self.library](library, data, self.dtypes)


def column_values(frame: Any, position: int) -> NDArray[Any]:
    """One column: numbers with NaN, or objects with None, where a value is missing.

    Parameters
    ----------
    frame : DataFrame
    position : int

    Returns
    -------
    values : ndarray of shape (n_samples,)
    """
    if _is_polars(frame):
        series = frame[:, position]
        if series.dtype.is_integer() and _exceeds_floats(series.min(), series.max()):
            return _as_objects(series.to_list())
        if series.dtype.is_numeric():
            return np.asarray(series.cast(float).to_numpy(), dtype=np.float64)
        return _as_objects(series.to_list())
    series = frame.iloc[:, position]
    if series.dtype.kind in "iu" and not series.hasnans:
        return np.asarray(series.to_numpy())
    whole = series.dtype.kind in "iu" and series.notna().any()
    if series.dtype.kind in "fiu" and not (whole and _exceeds_floats(series.min(), series.max())):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    objects = series.astype(object)
    return _as_objects(objects.where(series.notna(), None).tolist())


def declared_levels(frame: Any, position: int) -> tuple[Any, ...] | None:
    """Categories of a column in their order; None where its type declares none.

    Parameters
    ----------
    frame : DataFrame
    position : int

    Returns
    -------
    levels : tuple or None
    """
    if _is_polars(frame):
        categories = getattr(frame.dtypes[position], "categories", None)
        is_enum = type(frame.dtypes[position]).__name__ == "Enum"
        return tuple(categories.to_list()) if is_enum and categories is not None else None
    categories = getattr(frame.dtypes.iloc[position], "categories", None)
    return None if categories is None else tuple(categories.tolist())


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN or pandas' NA: the last two are not equal to themselves."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)  # noqa: PLR0124


def loaded(X: Any) -> Any:
    """A table of pyarrow as a frame of pandas; anything else as it is.

    Parameters
    ----------
    X : object

    Returns
    -------
    X : object
    """
    if not (type(X).__module__.startswith("pyarrow") and hasattr(X, "to_pandas")):
        return X
    if importlib.util.find_spec("pandas") is None:
        raise ModuleNotFoundError(
            "Tables of pyarrow are read through pandas: pip install 'sklearn-genmodel[parquet]'.",
            name="pandas",
        )
    return X.to_pandas()


def with_columns(frame: Any, names: list[Any], optional: set[Any]) -> Any:
    """A frame with missing values in columns that it may lack, if it lacks no others.

    Parameters
    ----------
    frame : DataFrame
    names : list
        Of all columns.
    optional : set
        Names of those that may be missing.

    Returns
    -------
    frame : DataFrame
        The same where it has all columns, or others than these.
    """
    present = set(frame.columns)
    needed = [name for name in names if name in present or name not in optional]
    if len(needed) == len(names) or needed != list(frame.columns):
        return frame
    if not _is_polars(frame):
        return frame.reindex(columns=names)
    null = sys.modules["polars"].lit(None)
    return frame.select([name if name in present else null.alias(name) for name in names])


def _exceeds_floats(lowest: Any, highest: Any) -> bool:
    """Whether some of these integers are no doubles, as keys of 64 bits are."""
    return lowest is not None and max(-int(lowest), int(highest)) > LARGEST_EXACT


def _as_objects(values: list[Any]) -> NDArray[Any]:
    objects = np.empty(len(values), dtype=object)
    objects[:] = [
        None if type(value) not in PLAIN and is_missing(value) else value for value in values
    ]
    return objects


def _holds_truths(frame: Any, position: int) -> bool:
    """Whether a column of objects holds truth values and missing ones only."""
    first = frame.iloc[:, position].first_valid_index()
    if first is None or not isinstance(frame.iloc[:, position].dropna().iloc[0], (bool, np.bool_)):
        return False
    seen = (value for value in column_values(frame, position) if value is not None)
    return all(isinstance(value, (bool, np.bool_)) for value in seen)


def _is_polars(frame: Any) -> bool:
    return type(frame).__module__.startswith("polars")


def _pandas_frame(pandas: Any, data: dict[Any, NDArray[Any]], dtypes: dict[Any, Any]) -> Any:
    fitted = {}
    for name, values in data.items():
        kind = dtypes[name].kind if values.dtype != object else "O"
        # What is stored of a sparse column is of another type than the column.
        stored = getattr(dtypes[name], "subtype", dtypes[name])
        whole = _whole(values, f"{kind}{stored.itemsize}") if kind in "iu" else values
        fitted[name] = np.round(whole) if kind == "b" else whole
        # Labels that are numbers come as floats.
        categories = np.asarray(getattr(dtypes[name], "categories", None))
        if categories.dtype.kind in "iufb" and np.isin(fitted[name], categories).all():
            labels = fitted[name].astype(categories.dtype)
            fitted[name] = pandas.Categorical(labels, dtype=dtypes[name])
    kept = {name: dtypes[name] for name in data if _holds(fitted[name], dtypes[name].kind)}
    return pandas.DataFrame(fitted).astype(kept)


def _polars_frame(polars: Any, data: dict[Any, NDArray[Any]], dtypes: dict[Any, Any]) -> Any:
    series = []
    for name, values in data.items():
        dtype = dtypes[name]
        if values.dtype == object:
            column = polars.Series(name, values.tolist(), dtype=dtype, strict=False)
        elif dtype.is_integer():
            kind = "u" if dtype.is_unsigned_integer() else "i"
            bits = "".join(filter(str.isdigit, str(dtype)))
            column = polars.Series(name, _whole(values, f"{kind}{int(bits) // 8}")).cast(dtype)
        else:
            kind = "b" if dtype == polars.Boolean else "f" if dtype.is_numeric() else "O"
            column = polars.Series(name, np.round(values) if kind == "b" else values)
            column = column.cast(dtype) if _holds(column.to_numpy(), kind) else column
        series.append(column)
    return polars.DataFrame(series)


def _whole(values: NDArray[Any], integer: str) -> NDArray[Any]:
    """Rounded, and within the range of a type of integers."""
    range_of = np.iinfo(integer)
    # The largest of 64 bits is no double: the next one above is beyond the range.
    highest = float(range_of.max)
    highest = highest if int(highest) <= range_of.max else float(np.nextafter(highest, 0.0))
    return np.clip(np.round(values), float(range_of.min), highest)


def _holds(values: Any, kind: str) -> bool:
    """Whether a column type can hold these: numbers are no labels, and few are truth values."""
    if not isinstance(values, np.ndarray) or values.dtype == object or kind in "iuf":
        return True
    return kind == "b" and bool(np.isin(values, (0.0, 1.0)).all())


_MAKERS = {"pandas": _pandas_frame, "polars": _polars_frame}
