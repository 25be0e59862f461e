"""Checks of tables: what rows are made of, and the support that their columns must lie in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.utils.validation import validate_data

from sklearn_genmodel._validation._arguments import refuse_lazy, refuse_times, refuse_unread
from sklearn_genmodel._validation._names import check_names, column_names, remember_columns

__all__ = [
    "as_array",
    "check_finite",
    "check_rows",
    "check_supports",
    "without_mask",
]

Array = NDArray[np.float64]

ROWS_AT_A_TIME = 2**14
# Up to so many columns are reduced one by one.
NARROW = 10
# Beyond these, squares leave the range of double precision.
LARGEST_VALUE, SMALLEST_SPREAD = 1e152, 1e-151


class SupportLike(Protocol):
    """What the check of a support needs to know; see `families.Support`."""

    @property
    def description(self) -> str:
        """The set in words."""

    @property
    def low(self) -> float:
        """Smallest value."""

    @property
    def varies(self) -> bool:
        """Whether constant columns have no maximum-likelihood estimate."""

    @property
    def scale(self) -> tuple[float, float]:
        """Between what the largest value of a column to be fitted must lie, unless all are 0."""

    def __hash__(self) -> int:
        """Equal supports are checked together."""

    def contains(self, X: Array) -> NDArray[np.bool_]:
        """Which entries of an array lie in the set."""


def check_rows(estimator: Any, X: Any, *, reset: bool, allow_nan: bool) -> Array:
    """Numeric, finite rows as a two-dimensional array; float32 and float64 are not copied.

    Parameters
    ----------
    estimator : estimator
        Gets n_features_in_, feature_names_in_ and the names and types of a frame if `reset`, is
        compared with them otherwise.
    X : array-like of shape (n_samples, n_features)
    reset : bool
    allow_nan : bool
        Whether NaN stands for a missing value.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)

    Raises
    ------
    TypeError
        For sparse or lazy data.
    ValueError
        For anything else that is not a table of finite numbers; the message names the column.
    """
    refuse_lazy("X", X)
    refuse_unread(X)
    refuse_times(X)
    check_names(X)
    given, X = X, without_mask(X)
    try:
        rows = as_array(estimator, X, reset=reset, dtype=[np.float64, np.float32])
    except (TypeError, ValueError) as error:
        what = _first_foreign(X)
        if what is None:
            raise
        raise type(error)(
            f"{error}. {what}: encode or drop such columns, or model them: 'categorical' takes "
            "labels, Columns takes columns of different kinds."
        ) from error
    remember_columns(estimator, given, reset=reset)
    check_finite(rows, column_names(estimator, rows.shape[1]), allow_nan=allow_nan)
    return rows


def as_array(estimator: Any, X: Any, *, reset: bool, dtype: Any) -> NDArray[Any]:
    """A table as an array of NumPy, checked by scikit-learn, whatever library it is of.

    Parameters
    ----------
    estimator : estimator
        Gets n_features_in_ and feature_names_in_ if `reset`, is compared with them otherwise.
    X : array-like of shape (n_samples, n_features)
    reset : bool
    dtype : dtype, list of dtypes or None

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    """
    with config_context(array_api_dispatch=False):
        checked: NDArray[Any] = validate_data(
            estimator, X, reset=reset, dtype=dtype, ensure_all_finite=False
        )
    return checked


def check_supports(
    estimator: Any, X: Array, supports: Sequence[SupportLike], *, fitting: bool
) -> None:
    """Check that every value, missing ones (NaN) left out, belongs to the support of its column.

    Parameters
    ----------
    estimator : estimator
        Knows the names of the columns.
    X : ndarray of shape (n_samples, n_features)
    supports : sequence of Support
        One for each column.
    fitting : bool
        Whether columns without variation matter.

    Raises
    ------
    ValueError
        Names the column, the row, the value and what was expected.
    """
    names = column_names(estimator, X.shape[1])
    if fitting and np.isnan(X[-1]).any():
        _check_observed(X, names)
    for support in dict.fromkeys(supports):
        columns = [j for j, own in enumerate(supports) if own == support]
        alike = X if len(columns) == X.shape[1] else X[:, columns]
        _check_support(alike, support, [names[j] for j in columns], fitting=fitting)


def _check_support(X: Array, support: SupportLike, names: list[str], *, fitting: bool) -> None:
    for start in range(0, len(X), ROWS_AT_A_TIME):
        block = X[start : start + ROWS_AT_A_TIME]
        inside = support.contains(block) | np.isnan(block)
        if not inside.all():
            row, column = np.argwhere(~inside)[0] + (start, 0)
            value = X[row, column]
            negative = "Negative values in data. " if value < 0 <= support.low else ""
            raise ValueError(
                f"{negative}Column {names[column]} holds {value:g} in row {row}, which is not "
                f"{support.description}: choose a distribution for such "
                "values, or recode the column."
            )
    scaled = fitting and support.scale != (0.0, np.inf)
    if support.varies or support.low == -np.inf or scaled:
        with np.errstate(all="ignore"):
            low, high = _along_columns(np.fmin, X), _along_columns(np.fmax, X)
        if scaled:
            _check_scale(high, support.scale, names)
        if support.varies or support.low == -np.inf:
            _check_squares(low, high, names)
        if fitting and support.varies:
            _check_varies(low, high, names, X)


def _along_columns(ufunc: np.ufunc, X: Array) -> Array:
    """Reduce every column; numpy is slow to reduce them together where rows are short."""
    narrow = X.flags.c_contiguous and X.shape[1] <= NARROW
    reduced = [ufunc.reduce(column) for column in X.T] if narrow else ufunc.reduce(X, axis=0)
    return np.array(reduced, dtype=np.float64)


def _check_observed(X: Array, names: list[str]) -> None:
    """Raise for a column that is missing altogether; the last row is, in every such column."""
    for column in np.flatnonzero(np.isnan(X[-1])):
        if np.isnan(X[:, column]).all():
            raise ValueError(f"Column {names[column]} holds nothing but NaN: drop the column.")


def without_mask(X: Any) -> Any:
    """A masked array as one with NaN (None among objects) where it is masked."""
    if not np.ma.isMaskedArray(X):
        return X
    if X.dtype.kind in "fiub":
        return np.ma.filled(X.astype(X.dtype if X.dtype.kind == "f" else np.float64), np.nan)
    return np.ma.filled(X.astype(object), None)


def _first_foreign(X: Any) -> str | None:
    """Name the first entry of a table that is no number; None if there is none."""
    table = np.asarray(X, dtype=object)
    if table.ndim != 2:
        return None
    names = getattr(X, "columns", range(table.shape[1]))
    for name, column in zip(names, table.T, strict=True):
        for value in column:
            if not _is_number(value):
                return f"Column {name!r} holds {value!r}"
    return None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True


def check_finite(X: Array, names: list[str], *, allow_nan: bool) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    for start in range(0, len(X), ROWS_AT_A_TIME):
        block = X[start : start + ROWS_AT_A_TIME]
        good = np.isfinite(block) | np.isnan(block) if allow_nan else np.isfinite(block)
        if not good.all():
            row, column = np.argwhere(~good)[0] + (start, 0)
            value = "NaN" if np.isnan(X[row, column]) else f"{X[row, column]} (infinity)"
            raise ValueError(
                f"Input X contains {value} in column {names[column]}, row {row}: impute or drop "
                "such rows first."
            )


def _check_scale(high: Array, scale: tuple[float, float], names: list[str]) -> None:
    for column in np.flatnonzero((high > 0.0) & ((high < scale[0]) | (high > scale[1]))):
        raise ValueError(
            f"Column {names[column]} has {high[column]:g} for its largest value, out of the range "
            f"from {scale[0]:g} to {scale[1]:g} in which its distribution can be fitted: rescale "
            "the column, or choose another distribution."
        )


def _check_squares(low: Array, high: Array, names: list[str]) -> None:
    # Those of columns without a value are NaN.
    largest = np.fmax(np.fmax(np.abs(low), np.abs(high)), 0.0)
    column = int(largest.argmax())
    if largest[column] > LARGEST_VALUE:
        raise ValueError(
            f"Column {names[column]} reaches {largest[column]:g} in magnitude, whose square is "
            f"beyond double precision: rescale the column, or mend values above {LARGEST_VALUE:g}."
        )


def _check_varies(low: Array, high: Array, names: list[str], X: Array) -> None:
    if len(X) == 1:
        raise ValueError(
            "X has 1 sample (n_samples=1): no column varies, so the likelihood has no maximum. "
            "Pass more rows."
        )
    # A spread of a few units in the last place is rounding, not variation.
    rounding = 4.0 * np.finfo(X.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    constant = np.flatnonzero(high - low <= rounding)
    if len(constant):
        column = constant[0]
        raise ValueError(
            f"Column {names[column]} is constant ({low[column]:g}): its variance is 0 and the "
            "likelihood has no maximum. Drop the column."
        )
    column = int((high - low).argmin())
    if high[column] - low[column] < SMALLEST_SPREAD:
        raise ValueError(
            f"Column {names[column]} varies by only {high[column] - low[column]:g}, whose square "
            "is beyond double precision: rescale the column."
        )
