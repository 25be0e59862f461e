"""Which family suits a column, judged by its type and its values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import (
    Table,
    check_names,
    loaded,
    refuse_lazy,
    refuse_time_values,
    refuse_times,
)

__all__ = ["inferred_groups"]

# Whole numbers count something if they start near 0 and are small.
FIRST_COUNT, TYPICAL_COUNT = 2, 15
OVERDISPERSED, SKEWED = 1.3, 1.0
Rule = tuple[str, Callable[[NDArray[np.float64]], Any], str]


def _skewness(x: NDArray[np.float64]) -> float:
    centred = x - x.mean()
    return float((centred**3).mean() / (centred**2).mean() ** 1.5)


def _counts(x: NDArray[np.float64]) -> bool:
    whole = x.min() >= 0 and not np.any(x % 1)
    return bool(whole and x.min() <= FIRST_COUNT and np.median(x) <= TYPICAL_COUNT)


RULES: tuple[Rule, ...] = (
    ("bernoulli", lambda x: np.isin(x, (0, 1)).all(), "0 and 1 only"),
    (
        "negative_binomial",
        lambda x: _counts(x) and x.var() > OVERDISPERSED * x.mean(),
        "counts whose variance exceeds their mean",
    ),
    ("poisson", _counts, "counts whose variance is about their mean"),
    ("beta", lambda x: x.min() > 0 and x.max() < 1, "shares between 0 and 1"),
    ("gamma", lambda x: x.min() > 0 and _skewness(x) > SKEWED, "positive and skewed amounts"),
    ("gaussian", lambda x: True, "real numbers"),
)


def inferred_groups(X: Any) -> tuple[list[tuple[str, str, list[Any]]], list[str]]:
    """Groups of columns for `Columns`, named by their families, and a line on each column.

    Parameters
    ----------
    X : DataFrame of pandas or polars

    Returns
    -------
    groups : list of (name, family, columns)
    reasons : list of str

    Raises
    ------
    TypeError
        If X is no data frame or lazy, or a column holds dates, times or lists.
    ValueError
        If a column cannot be modelled, or two have one name.
    """
    refuse_lazy("X", X)
    X = loaded(X)
    if not hasattr(X, "columns"):
        raise TypeError(f"X must be a data frame of pandas or polars, got {type(X).__name__}.")
    refuse_times(X)
    check_names(X)
    table = Table(X, tuple(X.columns))
    chosen = [_family(table.values(j), name) for j, name in enumerate(table.names)]
    # A number would be read as a position.
    named = all(isinstance(name, str) for name in table.names)
    labels: list[Any] = list(table.names) if named else list(range(len(table.names)))
    groups = [
        (family, family, [n for n, (own, _) in zip(labels, chosen, strict=True) if own == family])
        for family in dict.fromkeys(family for family, _ in chosen)
    ]
    widest = max(len(str(name)) for name in table.names)
    reasons = [
        f"{name!s:{widest}}  {family}: {reason}"
        for name, (family, reason) in zip(table.names, chosen, strict=True)
    ]
    return groups, reasons


def _family(values: NDArray[Any], name: Any) -> tuple[str, str]:
    """Name of a family for the values of a column, and why."""
    refuse_time_values(values, repr(name))
    if values.dtype == object:
        seen = [value for value in values.tolist() if value is not None]
        if not all(map(_is_number, seen)) or not seen:
            return _family_of_labels(seen, len(values), name)
        values = np.array([np.nan if value is None else value for value in values])
    numbers = values.astype(np.float64)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise ValueError(
            f"Column {name!r} holds {numbers[infinite][0]:g} in row {infinite.argmax()}: mend or "
            "drop such rows first."
        )
    numbers = numbers[~np.isnan(numbers)]
    _check_distinct(len(np.unique(numbers)), name)
    return next((family, why) for family, applies, why in RULES if applies(numbers))


def _family_of_labels(seen: list[Any], n_samples: int, name: Any) -> tuple[str, str]:
    unusable = next((value for value in seen if not isinstance(value, Hashable)), None)
    if unusable is not None:
        raise TypeError(
            f"Column {name!r} holds {type(unusable).__name__}s, such as {unusable!r}, which are "
            "neither numbers nor labels: make columns of what they hold, or drop it."
        )
    distinct = set(seen)
    _check_distinct(len(distinct), name)
    if distinct <= {False, True}:
        return "bernoulli", "truth values"
    if len(distinct) == n_samples:
        raise ValueError(
            f"Column {name!r} holds another label in every row, as an identifier does: drop it."
        )
    return "categorical", f"{len(distinct)} labels"


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, (bool, complex))


def _check_distinct(n_distinct: int, name: Any) -> None:
    if n_distinct < 2:
        what = "nothing but missing values" if n_distinct == 0 else "one value only"
        raise ValueError(f"Column {name!r} holds {what}: drop it.")
