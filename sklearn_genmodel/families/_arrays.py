"""Types and constants that all families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TINY", "Accumulate", "Array", "Kernel", "WeightedRows"]

Array = NDArray[np.float64]
Accumulate = Callable[[Array], Any]
Kernel = Callable[[Array], tuple[Array, Accumulate]]

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class WeightedRows:
    """Rows with their weights: the sufficient statistic of a family that has none smaller.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    resp : ndarray of shape (n_samples, n_components)
    """

    X: Array
    resp: Array

    def __add__(self, other: WeightedRows) -> WeightedRows:
        return WeightedRows(
            np.concatenate([self.X, other.X]), np.concatenate([self.resp, other.resp])
        )
