"""Rows that are given one by one, each with its own names or without."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import (
    Table,
    check_finite,
    check_supports,
    column_names,
    encode_table,
    row_values,
)
from sklearn_genmodel.families import Family
from sklearn_genmodel.vae._likelihood import Likelihood

__all__ = ["read_single_rows"]

Array = NDArray[np.float64]


def read_single_rows(
    vae: Any, given: list[Any], family: Family | None, likelihood: Likelihood
) -> Array:
    """Single rows, each with names of its own or without, to evaluate with a fitted model.

    Parameters
    ----------
    vae : VAEEstimator
    given : list of Series, frames of one row, or array-likes of shape (n_features,)
    family : Family or None
        What `read_training_rows` returned.
    likelihood : Likelihood

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If the columns are not those of the fit, or hold what there is no density for.
    """
    n_features = vae.n_features_in_
    known = getattr(vae, "feature_names_in_", None)
    values = np.stack([row_values(row, n_features, known) for row in given])
    names = column_names(vae, n_features)
    supports = likelihood.supports if family is None else family.column_supports(n_features)
    rows = encode_table(Table(values, tuple(names)), supports, names).astype(np.float64)
    check_finite(rows, names, allow_nan=True)
    check_supports(vae, rows, likelihood.supports, fitting=False)
    return rows
