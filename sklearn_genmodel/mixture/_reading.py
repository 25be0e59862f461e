"""From what a user passes to rows of numbers that a family can take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import (
    check_finite,
    check_rows,
    check_supports,
    column_names,
    encode_table,
    read_table,
)
from sklearn_genmodel.families import Family, PerComponent, resolve_family
from sklearn_genmodel.mixture._streams import open_stream

__all__ = ["component_family", "read_rows", "read_training_rows"]

Array = NDArray[np.float64]


def component_family(family: Any) -> Family:
    """Turn the `family` argument of an estimator into a family; a list is one per component.

    Parameters
    ----------
    family : str, Family, or list of them

    Returns
    -------
    family : Family

    Raises
    ------
    TypeError, ValueError
        If a name is not known, or something is neither a name nor a family.
    """
    return PerComponent(family) if isinstance(family, (list, tuple)) else resolve_family(family)


def read_rows(estimator: Any, X: Any, family: Family) -> Array:
    """Rows to evaluate under a family that has been fitted.

    Parameters
    ----------
    estimator : estimator
        Knows the columns.
    X : array-like or frame of shape (n_samples, n_features)
    family : Family

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)

    Raises
    ------
    TypeError, ValueError
        If the columns are not those of the fit, or hold what the family has no density for.
    """
    opened = open_stream(estimator, X, family, reset=False)
    if opened is not None:
        return opened[1]
    if family.reads_tables:
        supports = family.column_supports(estimator.n_features_in_)
        table = read_table(estimator, X, reset=False, supports=supports)
        rows = _coded(estimator, table, family)
    else:
        rows = check_rows(estimator, X, reset=False, allow_nan=family.allow_nan)
    supports = family.column_supports(rows.shape[1])
    check_supports(estimator, rows, supports, fitting=False)
    family.check_rows(rows)
    return rows


def read_training_rows(estimator: Any, X: Any, family: Family) -> tuple[Family, Any]:
    """Rows to fit, and the family that knows their columns and levels.

    Parameters
    ----------
    estimator : estimator
        Gets n_features_in_ and feature_names_in_.
    X : array-like or frame of shape (n_samples, n_features)
    family : Family

    Returns
    -------
    family : Family
    X : ndarray of shape (n_samples, n_features)
        Those of a stream are not in memory: they have a shape and slices.

    Raises
    ------
    TypeError, ValueError
        If X is no table that the family can read.
    """
    opened = open_stream(estimator, X, family, reset=True)
    if opened is not None:
        return opened
    if not family.reads_tables:
        return family, check_rows(estimator, X, reset=True, allow_nan=family.allow_nan)
    table = read_table(estimator, X, reset=True)
    family = family.for_table(table)
    return family, _coded(estimator, table, family)


def _coded(estimator: Any, table: Any, family: Family) -> Array:
    names = column_names(estimator, len(table.names))
    rows = encode_table(table, family.column_supports(len(names)), names)
    check_finite(rows, names, allow_nan=family.allow_nan)
    return rows
