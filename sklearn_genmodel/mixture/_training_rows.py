"""Checks of rows that are to be fitted, beyond what the supports of their columns say."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel._validation import check_supports, column_names
from sklearn_genmodel.em import Rows
from sklearn_genmodel.families import Family

__all__ = ["check_training_rows"]

ROUNDING = 1e-9
ROWS_AT_A_TIME = 2**14


def check_training_rows(mixture: Any, family: Family, rows: Rows) -> None:
    """Refuse rows that a mixture cannot be fitted to.

    Parameters
    ----------
    mixture : EMMixture
        Knows the names of the columns.
    family : Family
        Knows the columns.
    rows : Rows
        Of weight above 0.

    Raises
    ------
    ValueError
        If a row has no density, or all of them weigh too little for a sparse prior.
    """
    if isinstance(rows.X, np.ndarray):
        check_supports(mixture, rows.X, family.column_supports(rows.X.shape[1]), fitting=True)
        family.check_rows(rows.X)
    # Of a list of another length the family says so.
    if len(family.alike(mixture.n_components)) == mixture.n_components:
        _check_boxes(mixture, family, rows)
    if mixture.n_components > 1:
        _check_weight(mixture.weight_concentration, rows.total_weight)


def _check_weight(concentration: float, total: float) -> None:
    """Some component must be able to weigh enough to be kept."""
    least = 1.0 - concentration
    if 0.0 < least and total <= least * (1.0 + ROUNDING):
        raise ValueError(
            f"weight_concentration={concentration:g} drops components whose rows weigh at most "
            f"{least:g}, and all rows together weigh {total:g}: raise it above {1.0 - total:g}, or "
            "pass a sample_weight that counts rows."
        )


def _check_boxes(mixture: Any, family: Family, rows: Rows) -> None:
    """Every row must lie within the bounds of a component that it may belong to."""
    n_features = rows.X.shape[1]
    lows, highs = family.boxes(mixture.n_components, n_features)
    if not (np.isfinite(lows) | np.isfinite(highs)).any():
        return
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        own = slice(start, start + ROWS_AT_A_TIME)
        X = np.asarray(rows.X[own])
        # Missing values lie within all bounds.
        beyond = (X[:, None] < lows) | (X[:, None] > highs)
        allowed = np.ones((len(X), 1), dtype=bool)
        if rows.resp_prior is not None:
            allowed = rows.resp_prior[own] > 0
        lost = (beyond.any(axis=2) | ~allowed).all(axis=1)
        if lost.any():
            row = int(lost.argmax())
            component = int(allowed[row].argmax())
            column = int(beyond[row, component].argmax())
            low, high = lows[component, column], highs[component, column]
            raise ValueError(
                f"Column {column_names(mixture, n_features)[column]} holds {X[row, column]:g} in "
                f"row {start + row}, which is not from {low:g} to {high:g}, the bounds given to "
                f"component {component}, and no other component may have that row: widen the "
                "bounds, leave the row out, or add a component of another family."
            )
