"""Single rows, as users have them: with names or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation._table import Table

__all__ = ["named_values", "row_values"]


def named_values(given: Any) -> dict[Any, Any] | None:
    """Values of a Series or of a frame of one row by their names.

    Parameters
    ----------
    given : object

    Returns
    -------
    values : dict or None
        None for what has no names.

    Raises
    ------
    ValueError
        If it is a frame of several rows.
    """
    if hasattr(given, "columns"):
        if len(given) != 1:
            raise ValueError(f"A frame of {len(given)} rows was given: pass one row.")
        table = Table(given, tuple(given.columns))
        cells = (table.values(place)[0] for place in range(len(table.names)))
        named = dict(zip(table.names, cells, strict=True))
    elif hasattr(given, "index") and hasattr(given, "items"):
        named = dict(given.items())
    else:
        return None
    return named if all(isinstance(name, str) for name in named) else None


def row_values(given: Any, n_features: int, names: Sequence[str] | None) -> NDArray[Any]:
    """A whole row in the order of the columns of a fit.

    Parameters
    ----------
    given : Series, frame of one row, or array-like of shape (n_features,)
    n_features : int
    names : sequence of str or None
        Of the columns, if the fit saw names.

    Returns
    -------
    values : ndarray of objects, shape (n_features,)

    Raises
    ------
    ValueError
        If it has other columns.
    """
    named = None if names is None else named_values(given)
    cells = given
    if names is not None and named is not None:
        if set(named) != set(names):
            raise ValueError(f"The row has columns {list(named)}, the fit had {list(names)}.")
        cells = [named[name] for name in names]
    values = np.asarray(cells, dtype=object).ravel()
    if len(values) != n_features:
        raise ValueError(f"The row has {len(values)} values for {n_features} columns.")
    return values
