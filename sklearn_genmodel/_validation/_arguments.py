"""Checks of arguments: numbers, choices, weights, kinds of tables that are refused."""

from __future__ import annotations

import datetime as dt
import functools
import numbers
from collections.abc import Callable, Collection, Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "check_choice",
    "check_number",
    "check_weights",
    "real_numbers",
    "refuse_lazy",
    "refuse_time_values",
    "refuse_times",
    "refuse_unread",
    "unchanged_on_error",
]

Array = NDArray[np.float64]

# Timestamps and Timedeltas of pandas are of these types too.
TIMES = (
    dt.date,
    dt.time,
    dt.timedelta,
    np.datetime64,
    np.timedelta64,
)
LARGEST_WEIGHT, SMALLEST_WEIGHT = 1e200, 1e-200


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
    weights = real_numbers("sample_weight", sample_weight)
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
    _check_total(weights)
    return weights


def check_choice(name: str, value: Any, choices: tuple[str | None, ...], more: str = "") -> None:
    """Raise unless a value is one of those that an argument may have.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
    choices : tuple of str or None
    more : str, default=""
        What else may be passed, for the message.

    Raises
    ------
    ValueError
        Lists the choices.
    """
    if not (value is None or isinstance(value, str)) or value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{name}={value!r}: choose one of {listed}{more}.")


def check_number(
    name: str, value: Any, kind: type, *, low: float, above: bool = False, more: str = ""
) -> None:
    """Check one numeric argument of an estimator.

    Parameters
    ----------
    name : str
    value : object
    kind : type
        numbers.Integral or numbers.Real.
    low : float
        Smallest value allowed; minus infinity for any that is finite.
    above : bool, default=False
        Whether `low` itself is refused.
    more : str, default=""
        What else the argument may be, for the message.

    Raises
    ------
    ValueError
        If the value is of another kind, or too small.
    """
    good = isinstance(value, kind) and not isinstance(value, (bool, np.bool_))
    if not good or not (value > low if above else value >= low) or not np.isfinite(value):
        what = "an integer" if kind is numbers.Integral else "a number"
        range_of = f"{what} above {low:g}" if above else f"{what} of at least {low:g}"
        allowed = f"a finite {what.split()[1]}" if low == -np.inf else range_of
        raise ValueError(f"{name} must be {allowed}{more}, got {value!r}.")


def refuse_lazy(name: str, data: Any) -> None:
    """Raise for data that would have to be computed first, such as dask's and polars' lazy ones.

    Parameters
    ----------
    name : str
        What the argument is called.
    data : object

    Raises
    ------
    TypeError
        Names the kind of the data, and how to load it.
    """
    kind = type(data)
    if hasattr(kind, "__dask_graph__") or hasattr(kind, "collect"):
        raise TypeError(
            f"{name} is a lazy {kind.__module__.split('.')[0]} {kind.__name__}, which is never "
            "loaded into memory unasked: pass its .compute() or .collect(), or a sample of it."
        )


def refuse_unread(X: Any) -> None:
    """Raise for what holds or names a table but is none: paths, dicts, iterators."""
    if isinstance(X, (str, PathLike)):
        raise TypeError(
            f"X is the path {str(X)!r}: pass what the file holds, as pandas.read_csv or numpy.load "
            "return it."
        )
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        raise TypeError(f"X is a {type(X).__name__}: pass pandas.DataFrame(X), or an array.")
    if isinstance(X, (list, tuple)) and any(getattr(part, "ndim", 0) == 2 for part in X[:1]):
        raise TypeError(
            f"X is a {type(X).__name__} of tables: concatenate them; batches go to partial_fit."
        )
    if isinstance(X, Iterator):
        raise TypeError(
            f"X is a {type(X).__name__}, which can be read once: pass an array or a frame; batches "
            "go to partial_fit, one at a time."
        )


def refuse_times(X: Any, ignored: Collection[int] = ()) -> None:
    """Raise for columns of dates and times, which conversion would turn into huge numbers."""
    dtypes = getattr(X, "dtypes", getattr(X, "dtype", ()))
    listed = list(dtypes) if np.iterable(dtypes) else [dtypes]
    names = getattr(X, "columns", range(len(listed)))
    for place, (column, dtype) in enumerate(zip(names, listed, strict=False)):
        # What follows in parentheses may be labels of the user's.
        kind = str(dtype).partition("(")[0].lower()
        is_time = any(word in kind for word in ("date", "time", "duration", "period"))
        if is_time and place not in ignored:
            raise TypeError(
                f"Column {column!r} holds dates or times ({dtype}): turn them into numbers whose "
                "unit and origin you choose, or drop the column."
            )


def refuse_time_values(values: NDArray[Any], name: str) -> None:
    """Raise for dates and times among the values of a column whose type does not tell of them."""
    for kind in set(map(type, values)) if values.dtype == object else ():
        if issubclass(kind, TIMES) or kind.__name__ == "Period":
            value = next(value for value in values if type(value) is kind)
            raise TypeError(
                f"Column {name} holds {value!r}: turn dates and times into numbers whose unit and "
                "origin you choose, or drop the column."
            )


def unchanged_on_error(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method that leaves its object as it was if it raises, KeyboardInterrupt included.

    Parameters
    ----------
    method : callable

    Returns
    -------
    method : callable
    """

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded


def real_numbers(name: str, data: Any) -> Array:
    """What goes with the rows as an array of floats.

    Parameters
    ----------
    name : str
        What the argument is called.
    data : array-like

    Returns
    -------
    values : ndarray

    Raises
    ------
    TypeError
        For sparse or lazy data.
    ValueError
        If it holds anything else than real numbers.
    """
    refuse_lazy(name, data)
    if hasattr(data, "toarray"):
        raise TypeError(f"{name} is a sparse {type(data).__name__}: pass its .toarray().")
    try:
        values = np.asarray(data)
        if values.dtype.kind in "buifO":
            return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}.") from error
    raise ValueError(f"{name} must hold real numbers, got an array of {values.dtype}.")


def _check_total(weights: Array) -> None:
    with np.errstate(over="ignore"):
        total = weights.sum()
    if total == 0:
        raise ValueError("sample_weight is zero for every row: at least one row must count.")
    if not SMALLEST_WEIGHT < total < LARGEST_WEIGHT:
        raise ValueError(
            f"sample_weight sums to {total:g}: rescale the weights to between "
            f"{SMALLEST_WEIGHT:g} and {LARGEST_WEIGHT:g}."
        )
