"""Single rows, as users have them: with names or without, whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation._coding import encode_table
from sklearn_genmodel._validation._frames import loaded
from sklearn_genmodel._validation._names import check_names, column_names, fitted_names
from sklearn_genmodel._validation._rows import check_finite, check_supports, without_mask
from sklearn_genmodel._validation._table import CodedSupport, Table

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
    n_features, given, names = estimator.n_features_in_, loaded(given), fitted_names(estimator)
    if isinstance(given, dict):
        placed = [(place_of(estimator, name), name, value) for name, value in given.items()]
    elif (named := _by_name(given, names)) is not None:
        placed = [(_place_among(names, name), name, value) for name, value in named]
    else:
        row = np.asarray(without_mask(given), dtype=object).ravel()
        if len(row) != n_features:
            raise ValueError(
                f"given has {len(row)} values for {n_features} columns: give one for each, NaN "
                "where it is not known, or a dict of the known ones."
            )
        return list(enumerate(row))
    taken: dict[int, Any] = {}
    for place, name, _ in placed:
        if place in taken:
            column = column_names(estimator, n_features)[place]
            raise ValueError(f"Column {column} is given twice, as {taken[place]!r} and {name!r}.")
        taken[place] = name
    return [(place, value) for place, _, value in placed]


def _by_name(given: Any, known: list[Any]) -> list[tuple[Any, Any]] | None:
    """Names and values of what has names, if the fit saw any; None for what has none."""
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
    names = [name for name, _ in named]
    strings = all(isinstance(name, str) for name in [*names, *known])
    return named if known and (strings or set(known).issuperset(names)) else None


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
    names, n_features = fitted_names(estimator), estimator.n_features_in_
    is_number = isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_))
    is_position = is_number and -n_features <= name < n_features
    if name in names and not (is_position and names.index(name) != name):
        return names.index(name)
    if name in names:
        raise ValueError(
            f"{name!r} is the name of the column in position {names.index(name)}, and the position "
            "of another: give the columns of the fit names that are strings."
        )
    if is_position:
        return int(name) % n_features
    raise _unknown(names, name, n_features)


def _place_among(names: list[Any], name: Any) -> int:
    """Position of a name of a row that has names."""
    if name not in names:
        raise _unknown(names, name, len(names))
    return names.index(name)


def _unknown(names: list[Any], name: Any, n_features: int) -> ValueError:
    known = f"one of {names}, or a position" if names else "a position, for the fit saw no names,"
    return ValueError(f"{name!r} is no column of the fit: take {known} below {n_features}.")
