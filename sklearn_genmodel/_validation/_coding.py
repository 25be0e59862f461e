"""Tables as numbers: labels coded by their levels, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation._arguments import refuse_time_values, refuse_times
from sklearn_genmodel._validation._frames import FrameSchema, is_missing
from sklearn_genmodel._validation._table import CodedSupport, Table, is_double

__all__ = ["decode_rows", "encode_table"]

Array = NDArray[np.float64]


def encode_table(table: Table, supports: Sequence[CodedSupport], names: Sequence[str]) -> Array:
    """Numbers of a table: values, or the positions of labels among the levels of their column.

    Parameters
    ----------
    table : Table
    supports : sequence of Support
        One for each column.
    names : sequence of str
        What messages call the columns.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        NaN where a value is missing.

    Raises
    ------
    ValueError
        Names the column, the row and the value that is no number or none of the levels.
    """
    source = table.source
    numeric = not table.is_frame and source.dtype.kind in "fiub"
    if numeric and all(support.levels is None for support in supports):
        return np.asarray(source, dtype=source.dtype if source.dtype.kind == "f" else np.float64)
    ignored = {j for j, support in enumerate(supports) if support.levels == ()}
    refuse_times(source, ignored)
    columns = [np.zeros(len(source))] * len(names)
    for j in set(range(len(names))) - ignored:
        values, support = table.values(j), supports[j]
        refuse_time_values(values, names[j])
        is_number = support.levels is None
        columns[j] = _numbers(values, names[j]) if is_number else _codes(values, support, names[j])
    return np.stack(columns, axis=1)


def decode_rows(X: Array, supports: Sequence[CodedSupport], schema: FrameSchema | None) -> Any:
    """Inverse of `encode_table`, as a frame like the one that was fitted if it was one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    supports : sequence of Support
    schema : FrameSchema or None

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features) or frame
        An array of objects where labels are no numbers. Columns that were ignored are None in an
        array, and are not in a frame.
    """
    if schema is None and all(support.levels is None for support in supports):
        return X
    columns = [
        values if support.levels is None else _labels(values, support.levels)
        for values, support in zip(X.T, supports, strict=True)
    ]
    if schema is not None:
        modelled = [j for j, support in enumerate(supports) if support.levels != ()]
        return schema.select(modelled).frame([columns[j] for j in modelled])
    kinds = {column.dtype.kind for column in columns}
    dtype: Any = np.float64 if kinds <= set("fiu") else object
    return np.stack([column.astype(dtype) for column in columns], axis=1)


def _labels(codes: Array, levels: tuple[Any, ...]) -> NDArray[Any]:
    """Labels of codes; None for the code of unseen ones and for missing values."""
    known = np.empty(len(levels) + 1, dtype=object)
    known[:-1] = levels
    positions = np.where(np.isnan(codes), len(levels), codes).astype(np.intp)
    labels = known[np.minimum(positions, len(levels))]
    complete = positions.max(initial=0) < len(levels)
    return labels.astype(np.float64) if complete and all(map(is_double, levels)) else labels


class _KnownCodes(dict[Any, float]):
    """Codes of labels; others are judged when they are met: NaN for missing ones, else -1."""

    def __missing__(self, label: Any) -> float:
        return np.nan if is_missing(label) else -1.0


def _codes(values: NDArray[Any], support: CodedSupport, name: str) -> Array:
    levels = support.levels or ()
    dtype = _common_type(values, levels)
    if dtype is not None:
        codes = _sorted_codes(values.astype(dtype), np.asarray(levels, dtype=dtype))
    else:
        known = _KnownCodes((level, float(code)) for code, level in enumerate(levels))
        known[None] = np.nan
        codes = np.fromiter(map(known.__getitem__, values.tolist()), np.float64, len(values))
    foreign = codes < 0
    if foreign.any() and not support.unseen:
        row = int(np.argmax(foreign))
        listed = ", ".join(map(repr, levels[:8])) + (", ..." if len(levels) > 8 else "")
        (value,) = values[row : row + 1].tolist()
        raise ValueError(
            f"Column {name} holds {value!r} in row {row}, which is none of the levels seen in fit "
            f"({listed}): recode it, or give the family of a mixture a prior, which leaves a "
            "probability for unseen levels."
        )
    return np.where(foreign, float(len(levels)), codes)


def _common_type(values: NDArray[Any], levels: tuple[Any, ...]) -> Any:
    """A type that holds these numbers and levels without loss; None if there is none."""
    if values.dtype.kind not in "fiu" or not all(isinstance(x, (int, float)) for x in levels):
        return None
    if values.dtype.kind == "f" or not all(isinstance(level, int) for level in levels):
        return np.dtype(np.float64) if levels else None
    common = np.result_type(values.dtype, np.asarray(levels).dtype)
    return common if common.kind in "iu" else None


def _sorted_codes(values: Array, levels: Array) -> Array:
    """Positions of numbers among numbers; -1 for others, NaN for NaN."""
    order = np.argsort(levels)
    places = np.minimum(np.searchsorted(levels[order], values), len(levels) - 1)
    codes = np.where(levels[order][places] == values, order[places].astype(np.float64), -1.0)
    return np.where(np.isnan(values), np.nan, codes)


def _is_real(value: Any) -> bool:
    """Whether a value is one number: strings that read like numbers are none."""
    if isinstance(value, (str, bytes)) or np.ndim(value) or not np.isreal(value):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _numbers(values: NDArray[Any], name: str) -> Array:
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    # np.isreal is slow, and need not be asked of what Python itself takes for a real number.
    numbers = set(map(type, values)) <= {int, float, bool, type(None)}
    for row, value in enumerate(() if numbers else values):
        if not (value is None or _is_real(value)):
            raise ValueError(
                f"Column {name} holds {value!r} in row {row}, which is no number: give the column "
                "to a family for labels, such as Categorical, encode it, or drop it."
            )
    return np.array([np.nan if value is None else float(value) for value in values])
