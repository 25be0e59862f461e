"""Indices of triangles of matrices, and their order."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = ["exceeds", "lower_triangle", "upper_triangle"]


@cache
def upper_triangle(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of an upper triangle, row by row."""
    return np.triu_indices(n_features)


@cache
def lower_triangle(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of a lower triangle, row by row."""
    return np.tril_indices(n_features)


def exceeds(covariances: Array, minimum: Array) -> bool:
    """Whether covariances minus diag(minimum) are positive definite."""
    scale = np.sqrt(minimum)
    try:
        np.linalg.cholesky(covariances / scale[:, None] / scale - np.eye(len(minimum)))
    except np.linalg.LinAlgError:
        return False
    return True
