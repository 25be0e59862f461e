"""Which family suits a column, judged by its type and its values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr

from sklearn_genmodel._validation import (
    Table,
    check_names,
    equal_values,
    few_values,
    loaded,
    refuse_lazy,
    refuse_time_values,
    refuse_times,
)

__all__ = ["inferred_groups"]

# Whole numbers count something if they start near 0 and are small; or start at 0 and are skewed.
FIRST_COUNT, TYPICAL_COUNT = 2, 15
OVERDISPERSED, SKEWED = 1.3, 1.0
# Counts on few rows may vary less than their mean by chance: one column out of a hundred does.
CHANCE = 0.01
# Shares come near to both of their bounds; what is below 1 by its unit alone hardly does.
NEAR_NONE, NEAR_ALL = 0.1, 0.9
Rule = tuple[str, Callable[[NDArray[np.float64]], Any], str]


def _skewness(x: NDArray[np.float64]) -> float:
    return float((((x - x.mean()) / x.std()) ** 3).mean())


def _counts(x: NDArray[np.float64]) -> bool:
    if x.min() < 0 or np.any(x % 1):
        return False
    small = x.min() <= FIRST_COUNT and np.median(x) <= TYPICAL_COUNT
    return bool(small or (x.min() == 0 and _skewness(x) > SKEWED))


def _dispersion(x: NDArray[np.float64]) -> float:
    return float(x.var() / x.mean())


def _by_chance(x: NDArray[np.float64]) -> bool:
    """Whether Poisson counts on so few rows may vary as little; mixtures of them vary more."""
    # n var / mean is nearly chi-squared with n - 1 degrees of freedom (Fisher's dispersion test).
    return bool(chdtr(len(x) - 1, len(x) * _dispersion(x)) > CHANCE)


RULES: tuple[Rule, ...] = (
    ("bernoulli", lambda x: np.isin(x, (0, 1)).all(), "0 and 1 only"),
    (
        "negative_binomial",
        lambda x: _counts(x) and _dispersion(x) > OVERDISPERSED,
        "counts whose variance exceeds their mean",
    ),
    (
        "poisson",
        lambda x: _counts(x) and _dispersion(x) * OVERDISPERSED >= 1,
        "counts whose variance is about their mean",
    ),
    (
        "poisson",
        lambda x: _counts(x) and _by_chance(x),
        "counts whose variance, on few rows, is not clearly below their mean",
    ),
    (
        "categorical",
        lambda x: _counts(x) and few_values(x),
        "codes or grades, whose variance is far below their mean",
    ),
    (
        "beta",
        lambda x: 0 < x.min() < NEAR_NONE and NEAR_ALL < x.max() < 1,
        "shares that come near to 0 and to 1",
    ),
    ("gamma", lambda x: x.min() > 0 and _skewness(x) > SKEWED, "positive and skewed amounts"),
    ("gaussian", lambda x: x.min() == 0 and _skewness(x) > SKEWED, "skewed amounts, but some 0"),
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
    chosen = [
        _family(table.values(j), name, labels=table.declares_levels(j))
        for j, name in enumerate(table.names)
    ]
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


def _family(values: NDArray[Any], name: Any, *, labels: bool) -> tuple[str, str]:
    """Name of a family for the values of a column, whose type may say so, and why."""
    refuse_time_values(values, repr(name))
    if labels:
        values = values[~np.isnan(values)] if values.dtype.kind == "f" else values
        seen = [value for value in values.tolist() if value is not None]
        return _family_of_labels(seen, len(values), name)
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
    family, reason = next((family, why) for family, applies, why in RULES if applies(numbers))
    return family, "; ".join([reason, *_cautions(family, numbers)])


def _cautions(family: str, x: NDArray[np.float64]) -> list[str]:
    """What the user may know better, where the family is one of densities."""
    cautions = []
    if family in ("gamma", "gaussian") and 0 < x.min() and x.max() < 1:
        cautions.append("'beta' if these are shares")
    equal = equal_values(x) if family in ("beta", "gamma", "gaussian") else None
    if equal is not None:
        cautions.append(f"{equal}: components may shrink onto equal values, see the guide")
    return cautions


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
