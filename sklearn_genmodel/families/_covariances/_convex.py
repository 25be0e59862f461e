"""Minima of several convex functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = ["Evaluated", "Indices", "minimize_convex"]

Indices = NDArray[np.intp]
# Values (n,), gradients (n, size) and Hessians (n, size, size).
Evaluated = tuple[Array, Array, Array]

MAX_STEPS, MAX_HALVINGS, PRECISION, LONGEST_STEP = 100, 40, 1e-14, 30.0


def minimize_convex(evaluate: Callable[[Array, Indices], Evaluated], starts: Array) -> Array:
    """Newton's method with halved steps, for functions that do not change along (1, ..., 1).

    Parameters
    ----------
    evaluate : callable
        ``evaluate(points, which)`` evaluates the functions of these indices, each at its point.
    starts : ndarray of shape (n_functions, size)

    Returns
    -------
    points : ndarray of shape (n_functions, size)
    """
    size = starts.shape[1]
    # The null direction is filled in; the rest keeps far-off flat regions solvable.
    lift = np.full((size, size), 1.0 / size) + PRECISION * np.eye(size)
    points, going = starts.copy(), np.arange(len(starts))
    values, gradients, hessians = evaluate(points, going)
    for _ in range(MAX_STEPS):
        steepest = np.abs(gradients).max(axis=1)
        steep = ~(steepest <= PRECISION)
        if not steep.any():
            break
        going, steepest = going[steep], steepest[steep]
        values, gradients, hessians = values[steep], gradients[steep], hessians[steep]
        steps = np.linalg.solve(hessians + lift, -gradients[..., None])[..., 0]
        # In a flat region Newton would leap beyond what exp can hold.
        longest = np.abs(steps).max(axis=1, keepdims=True)
        steps *= np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))
        tolerances = PRECISION * (1.0 + np.abs(values))
        reached = points[going] + steps
        trial = evaluate(reached, going)
        for _ in range(MAX_HALVINGS):
            worse = ~(trial[0] <= values + tolerances)
            if not worse.any():
                break
            steps[worse] *= 0.5
            reached[worse] = points[going[worse]] + steps[worse]
            again = evaluate(reached[worse], going[worse])
            for whole, part in zip(trial, again, strict=True):
                whole[worse] = part
        flatter = np.abs(trial[1]).max(axis=1) <= 0.5 * steepest
        moving = np.isfinite(trial[0]) & ((values - trial[0] > tolerances) | flatter)
        going = going[moving]
        points[going] = reached[moving]
        values, gradients, hessians = (part[moving] for part in trial)
    return points
