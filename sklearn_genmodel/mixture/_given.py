"""The row of values that a conditional distribution is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._compat import column_positions
from sklearn_genmodel._validation import (
    Table,
    check_finite,
    check_supports,
    column_names,
    encode_table,
    named_values,
)

__all__ = ["chosen_columns", "given_row"]

Array = NDArray[np.float64]


def chosen_columns(mixture: Any, table: Table, columns: Any) -> list[int]:
    """Positions of columns that are chosen by names, positions, a slice or a mask.

    Parameters
    ----------
    mixture : EMMixture
        Fitted.
    table : Table
        With the columns of the fit.
    columns : list, slice or mask

    Returns
    -------
    positions : list of int

    Raises
    ------
    ValueError
        If there are no such columns.
    """
    try:
        return [int(position) for position in column_positions(table.source, columns)]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        names = getattr(mixture, "feature_names_in_", None)
        known = (
            f"names of {list(names)} or positions below {len(names)}"
            if names is not None
            else f"positions below {mixture.n_features_in_}, for the fit saw no names"
        )
        raise ValueError(f"{columns!r} are no columns of the fit: take {known}.") from error


def given_row(mixture: Any, table: Table, given: Any) -> Array:
    """One row of numbers, NaN where nothing is given.

    Parameters
    ----------
    mixture : EMMixture
        Fitted.
    table : Table
        With the columns of the fit.
    given : dict, Series, frame of one row, or array-like of shape (n_features,)
        What has names is read by them, if the fit saw names.

    Returns
    -------
    x : ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If columns are unknown or given twice, or a value cannot be one of its column.
    """
    n_features = mixture.n_features_in_
    values = np.full((1, n_features), None, dtype=object)
    names = column_names(mixture, n_features)
    named = named_values(given) if hasattr(mixture, "feature_names_in_") else None
    if isinstance(given, dict) or named is not None:
        places: dict[int, Any] = {}
        for key, value in (given if named is None else named).items():
            (place,) = chosen_columns(mixture, table, [key])
            if place in places:
                raise ValueError(
                    f"Column {names[place]} is given twice, as {places[place]!r} and {key!r}."
                )
            places[place] = key
            values[0, place] = value
    else:
        row = np.asarray(given, dtype=object).ravel()
        if len(row) != n_features:
            raise ValueError(
                f"given has {len(row)} values for {n_features} columns: give one for each, NaN "
                "where it is not known, or a dict of the known ones."
            )
        values[0] = row
    supports = mixture.family_.column_supports(n_features)
    x = encode_table(Table(values, tuple(names)), supports, names)
    check_finite(x, names, allow_nan=True)
    check_supports(mixture, x, supports, fitting=False)
    return np.asarray(x[0])
