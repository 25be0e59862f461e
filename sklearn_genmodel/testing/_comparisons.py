"""Equality to rounding, and to what samples leave open."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import map_params

__all__ = ["RTOL", "Array", "assert_same", "differs"]

Array = NDArray[np.float64]

RTOL = 1e-8
# Five standard errors: a correct family fails once in about two million draws.
STANDARD_ERRORS = 5.0
# What a mean of n values with a tail index above 1.2 may lack, in n-ths of the largest of them.
LARGEST_VALUES = 10.0


def assert_same(one: Any, other: Any, message: str) -> None:
    """Raise unless all arrays of two sets of parameters are equal to rounding."""

    def compare(a: Any, b: Any) -> None:
        scale = np.abs(b).max() if np.size(b) else 1.0
        np.testing.assert_allclose(a, b, rtol=RTOL, atol=1e-10 * scale, err_msg=message)

    map_params(compare, one, other)


def differs(deviations: Array, size: Array | float) -> NDArray[np.bool_]:
    """Where deviations of samples, (n_samples, ...), from what is stated do not average to 0."""
    n = len(deviations)
    error = STANDARD_ERRORS * deviations.std(axis=0) / np.sqrt(n)
    # Of a heavy tail the average lacks what lies beyond its largest value.
    error += LARGEST_VALUES * np.abs(deviations).max(axis=0) / n + RTOL * (1.0 + np.abs(size))
    return np.asarray(np.abs(deviations.mean(axis=0)) > error)
