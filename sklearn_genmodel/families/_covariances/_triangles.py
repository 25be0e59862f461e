"""Indices of triangles of matrices."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["lower_triangle", "upper_triangle"]


@cache
def upper_triangle(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of an upper triangle, row by row."""
    return np.triu_indices(n_features)


@cache
def lower_triangle(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of a lower triangle, row by row."""
    return np.tril_indices(n_features)
