"""Checks of rows that are to be fitted, beyond what the supports of their columns say."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel._validation import check_supports
from sklearn_genmodel.em import Rows
from sklearn_genmodel.families import Family

__all__ = ["check_training_rows"]

ROUNDING = 1e-9


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
