"""Single rows, as users have them: with names or without, whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation._frames import loaded
from sklearn_genmodel._validation._rows import (
    check_finite,
    check_names,
    check_supports,
    column_names,
    without_mask,
)
from sklearn_genmodel._validation._table import CodedSupport, Table, encode_table

__all__ = ["given_row", "place_of"]


def given_row(estimator: Any, given: Any, supports: Sequence[Any]) -> NDArray[np.float64]:
    """One row of numbers, NaN where nothing is given.

    Parameters
    ----------
    estimator : estimator
        Fitted: knows the number of its columns, and their names if the fit saw any.
    given : dict, Series, frame of one row, or array-like of shape (n_features,)
        What has names is read by them, if the fit saw names; keys of a dict may be positions.
    supports : sequence of Support
        One for each column.

    Returns
    -------
    x : ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If columns are unknown or given twice, or a value cannot be one of its column.
    """
    n_features = estimator.n_features_in_
    values = np.full((1, n_features), None, dtype=object)
    for place, value in _placed(estimator, given):
        values[0, place] = value
    names = column_names(estimator, n_features)
    coded: Sequence[CodedSupport] = supports
    x = encode_table(Table(values, tuple(names)), coded, names).astype(np.float64)
    check_finite(x, names, allow_nan=True)
    check_supports(estimator, x, supports, fitting=False)
    return np.asarray(x[0])


def _placed(estimator: Any, given: Any) -> list[tuple[int, Any]]:
    """Places of columns and their values."""
    n_features, given = estimator.n_features_in_, loaded(given)
    if isinstance(given, dict):
        named: list[tuple[Any, Any]] | None = list(given.items())
    else:
        named = _by_name(given) if hasattr(estimator, "feature_names_in_") else None
    if named is None:
        row = np.asarray(without_mask(given), dtype=object).ravel()
        if len(row) != n_features:
            raise ValueError(
                f"given has {len(row)} values for {n_features} columns: give one for each, NaN "
                "where it is not known, or a dict of the known ones."
            )
        return list(enumerate(row))
    taken: dict[int, Any] = {}
    for name, _ in named:
        place = place_of(estimator, name)
        if place in taken:
            column = column_names(estimator, n_features)[place]
            raise ValueError(f"Column {column} is given twice, as {taken[place]!r} and {name!r}.")
        taken[place] = name
    return [(place_of(estimator, name), value) for name, value in named]


def _by_name(given: Any) -> list[tuple[Any, Any]] | None:
    """Names and values of what has names; None for what has none."""
    if hasattr(given, "columns"):
        check_names(given)
        if len(given) != 1:
            raise ValueError(f"A frame of {len(given)} rows was given: pass one row.")
        table = Table(given, tuple(given.columns))
        named = [(name, table.values(place)[0]) for place, name in enumerate(table.names)]
    elif hasattr(given, "index") and hasattr(given, "items"):
        named = list(given.items())
    else:
        return None
    return named if all(isinstance(name, str) for name, _ in named) else None


def place_of(estimator: Any, name: Any) -> int:
    """Position of a column that is named, or whose position is given.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    name : str or int

    Returns
    -------
    place : int

    Raises
    ------
    ValueError
        If there is no such column.
    """
    names = list(getattr(estimator, "feature_names_in_", ()))
    n_features = estimator.n_features_in_
    if isinstance(name, str) and name in names:
        return names.index(name)
    is_number = isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_))
    if is_number and -n_features <= name < n_features:
        return int(name) % n_features
    known = f"one of {names}, or a position" if names else "a position, for the fit saw no names,"
    raise ValueError(f"{name!r} is no column of the fit: take {known} below {n_features}.")
