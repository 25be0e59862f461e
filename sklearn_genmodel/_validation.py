"""The boundary: everything a user passes is checked here, and trusted behind it."""

from __future__ import annotations

import numbers
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

__all__ = ["check_number", "check_rows", "check_support", "check_weights"]

Array = NDArray[np.float64]

ROWS_AT_A_TIME = 2**14


class SupportLike(Protocol):
    """What the check of a support needs to know; see `families.Support`."""

    @property
    def description(self) -> str:
        """The set in words."""

    @property
    def varies(self) -> bool:
        """Whether constant columns have no maximum-likelihood estimate."""

    def contains(self, X: Array) -> NDArray[np.bool_]:
        """Which entries of an array lie in the set."""


def check_rows(estimator: Any, X: Any, *, reset: bool) -> Array:
    """Numeric, finite rows as a two-dimensional array; float32 and float64 are not copied.

    Parameters
    ----------
    estimator : estimator
        Gets n_features_in_ and feature_names_in_ if `reset`, is compared with them otherwise.
    X : array-like of shape (n_samples, n_features)
    reset : bool

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
    _refuse_lazy(X)
    try:
        rows = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(f"{error}. {_first_text(X)}") from error
    _check_finite(rows, column_names(estimator, rows.shape[1]))
    return rows


def column_names(estimator: Any, n_features: int) -> list[str]:
    """How messages call the columns: quoted names where there are names, else positions.

    Parameters
    ----------
    estimator : estimator
    n_features : int

    Returns
    -------
    names : list of str
    """
    names = getattr(estimator, "feature_names_in_", range(n_features))
    return [repr(name) if isinstance(name, str) else str(name) for name in names]


def check_support(estimator: Any, X: Array, support: SupportLike, *, fitting: bool) -> None:
    """Check that every value belongs to the support of a family.

    Parameters
    ----------
    estimator : estimator
        Knows the names of the columns.
    X : ndarray of shape (n_samples, n_features)
    support : Support
    fitting : bool
        Whether columns without variation matter.

    Raises
    ------
    ValueError
        Names the column, the row, the value and what was expected.
    """
    names = column_names(estimator, X.shape[1])
    for start in range(0, len(X), ROWS_AT_A_TIME):
        inside = support.contains(X[start : start + ROWS_AT_A_TIME])
        if not inside.all():
            row, column = np.argwhere(~inside)[0] + (start, 0)
            raise ValueError(
                f"Column {names[column]} holds {X[row, column]:g} in row {row}, which is not "
                f"{support.description}: choose a family for such values, or recode the column."
            )
    if fitting and support.varies:
        _check_varies(X, names)


def check_weights(sample_weight: Any, n_samples: int) -> Array | None:
    """Weights of the rows, or None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
    n_samples : int

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If weights are negative, not finite, all zero, or of another number than the rows.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_samples, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D, got an array of shape {weights.shape}.")
    if len(weights) != n_samples:
        raise ValueError(
            f"sample_weight has {len(weights)} entries (shape {weights.shape}), X has "
            f"{n_samples} rows: give one weight per row."
        )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ValueError(
            f"sample_weight[{bad[0]}] is {weights[bad[0]]:g}: weights must be finite and not "
            "negative."
        )
    if not weights.any():
        raise ValueError("All entries of sample_weight are 0: at least one row must count.")
    return weights


def check_number(name: str, value: Any, kind: type, *, low: float, strict: bool = False) -> None:
    """Check one numeric argument of an estimator.

    Parameters
    ----------
    name : str
    value : object
    kind : type
        numbers.Integral or numbers.Real.
    low : float
        Smallest value allowed; excluded if `strict`.
    strict : bool, default=False

    Raises
    ------
    ValueError
        If the value is of another kind, or too small.
    """
    good = isinstance(value, kind) and not isinstance(value, (bool, np.bool_))
    if not good or not (value > low if strict else value >= low) or not np.isfinite(value):
        what = "an integer" if kind is numbers.Integral else "a number"
        bound = f"above {low:g}" if strict else f"of at least {low:g}"
        raise ValueError(f"{name} must be {what} {bound}, got {value!r}.")


def _refuse_lazy(X: Any) -> None:
    """Raise for data that would have to be computed first."""
    module = type(X).__module__.split(".")[0]
    if hasattr(X, "__dask_graph__") or (hasattr(X, "collect") and module in ("polars", "pyspark")):
        raise TypeError(
            f"X is a lazy {module} {type(X).__name__}, which is never loaded into memory "
            "unasked: pass X.compute() or X.collect(), or a sample of it."
        )


def _first_text(X: Any) -> str:
    """Name the first column that holds text."""
    table = np.asarray(X, dtype=object)
    names = getattr(X, "columns", range(table.shape[1]))
    for name, column in zip(names, table.T, strict=True):
        for value in column:
            if isinstance(value, (str, bytes)) and not _is_number(value):
                return f"Column {name!r} holds {value!r}: encode or drop such columns."
    return "Encode or drop such columns."


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_finite(X: Array, names: list[str]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    for start in range(0, len(X), ROWS_AT_A_TIME):
        finite = np.isfinite(X[start : start + ROWS_AT_A_TIME])
        if not finite.all():
            row, column = np.argwhere(~finite)[0] + (start, 0)
            value = "NaN" if np.isnan(X[row, column]) else f"{X[row, column]} (infinity)"
            raise ValueError(
                f"Input X contains {value} in column {names[column]}, row {row}: impute or drop "
                "such rows first."
            )


def _check_varies(X: Array, names: list[str]) -> None:
    low, high = X.min(axis=0), X.max(axis=0)
    # A spread of a few units in the last place is rounding, not variation.
    spread = 4.0 * np.finfo(X.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    constant = np.flatnonzero(high - low <= spread)
    if len(X) == 1:
        raise ValueError(
            "X has 1 sample (n_samples=1): no column varies, so the likelihood has no maximum. "
            "Pass more rows."
        )
    if len(constant):
        column = constant[0]
        raise ValueError(
            f"Column {names[column]} is constant ({low[column]:g}): its variance is 0 and the "
            "likelihood has no maximum. Drop the column."
        )
