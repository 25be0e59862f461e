"""Maxima of many functions at once by Newton's method with numerical derivatives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = ["FEW_STEPS", "MOST_STEPS", "Objective", "maximize"]

Objective = Callable[[Array], Array]

# Differences are taken over 1e-3 units; a unit is about the distance that costs one nat.
DIFFERENCE = 1e-3
MOST_STEPS, MOST_CALIBRATIONS = 200, 8
# Enough from nearby, and a bound on what a pass may cost where there is no maximum.
FEW_STEPS = 8
LARGEST_RESCALING, SHRINKAGE = 1e4, 0.1
FLATTEST, LONGEST_STEP = 1e-7, 4.0
# A Newton step as short as this leaves an error of about 1e-6 times itself.
LAST_STEP = 1e-5
ROUNDING = 1e-14
SHARES = 4.0 ** -np.arange(1, 9)


class Derivatives(NamedTuple):
    """Gradients (n, p) and Hessians (n, p, p) of n functions of p arguments."""

    gradients: Array
    hessians: Array


def maximize(objective: Objective, start: Array, n_steps: int = MOST_STEPS) -> Array:
    """Climb to a maximum of every function; no result is below its start.

    Parameters
    ----------
    objective : callable
        Maps points (n_points, n, p), n_points for each of n functions of p arguments, to values
        (n_points, n) of order 1; -inf or NaN where a function is not defined.
    start : ndarray of shape (n, p)
        Points at which the functions are defined.
    n_steps : int, default=200
        Largest number of steps; few are needed near a regular maximum.

    Returns
    -------
    points : ndarray of shape (n, p)
        To about 1e-10 of the distance that costs one unit of the objective.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families._numerics._numerical_mle import maximize
    >>> maximize(lambda x: np.log(x[..., 0]) - x[..., 0] / [2.0, 5.0], np.ones((2, 1))).round(8)
    array([[2.],
           [5.]])
    """
    values = _sound(objective)
    x, best = start, values(start[None])[0]
    active = np.isfinite(best)
    units = _calibrated(values, x, best)
    for _ in range(n_steps):
        gradients, hessians = _derivatives(values, x, best, units)
        steps = np.where(active[:, None], _newton_steps(gradients, hessians), 0.0)
        if not active.any():
            break
        short = np.abs(steps).max(axis=1) < LAST_STEP
        moved, reached = _line_search(values, x, best, steps * units, short)
        active &= ~short & (moved != x).any(axis=1)
        x, best = moved, reached
        curvatures = np.diagonal(hessians, axis1=1, axis2=2)
        units = units * np.clip(_rescaling(gradients, curvatures), 0.25, 4.0)
    return x


def _sound(objective: Objective) -> Objective:
    """The objective with -inf for NaN, and without warnings at points that it is not made for."""

    def values(points: Array) -> Array:
        with np.errstate(all="ignore"):
            found = objective(points)
        return np.where(np.isfinite(found), found, -np.inf)

    return values


def _calibrated(values: Objective, x: Array, best: Array) -> Array:
    """Units in which neither first nor second derivatives exceed about 1."""
    p = x.shape[1]
    units = np.maximum(np.abs(x), 1.0)
    for _ in range(MOST_CALIBRATIONS):
        offsets = DIFFERENCE * np.eye(p)[:, None] * units
        both = values(np.concatenate([x + offsets, x - offsets])).reshape(2, p, -1)
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = (both[0] - both[1]).T / (2.0 * DIFFERENCE)
            curvatures = (both.sum(axis=0) - 2.0 * best).T / DIFFERENCE**2
        usable = np.isfinite(curvatures)
        factors = np.where(usable, _rescaling(slopes, curvatures), SHRINKAGE)
        if ((factors > 0.5) & (factors < 2.0)).all():
            break
        units = units * factors
    return units


def _rescaling(slopes: Array, curvatures: Array) -> Array:
    """Factors that turn units into the distance over which a function changes by about 1."""
    change = np.maximum(np.abs(slopes), np.sqrt(np.abs(curvatures)))
    return 1.0 / np.clip(change, 1.0 / LARGEST_RESCALING, LARGEST_RESCALING)


def _derivatives(values: Objective, x: Array, best: Array, units: Array) -> Derivatives:
    """Central differences, of fourth order for gradients and the diagonals of the Hessians."""
    p, h = x.shape[1], DIFFERENCE
    pairs = list(combinations(range(p), 2))
    identity = np.eye(p)
    mixed = np.array([identity[i] + identity[j] for i, j in pairs]).reshape(-1, p)
    offsets = np.concatenate([identity, -identity, 2.0 * identity, -2.0 * identity, mixed, -mixed])
    found = values(x + h * offsets[:, None] * units)
    near = found[: 2 * p].reshape(2, p, -1)
    far = found[2 * p : 4 * p].reshape(2, p, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        gradients = (8.0 * (near[0] - near[1]) - (far[0] - far[1])) / (12.0 * h)
        diagonals = (16.0 * near.sum(axis=0) - far.sum(axis=0) - 30.0 * best) / (12.0 * h**2)
        both = found[4 * p :].reshape(2, len(pairs), len(x)).sum(axis=0)
        hessians = np.zeros((len(x), p, p))
        hessians[:, range(p), range(p)] = diagonals.T
        for place, (i, j) in enumerate(pairs):
            cross = both[place] - near[:, i].sum(axis=0) - near[:, j].sum(axis=0) + 2.0 * best
            hessians[:, i, j] = hessians[:, j, i] = cross / (2.0 * h**2)
    return _usable(gradients.T, hessians)


def _usable(gradients: Array, hessians: Array) -> Derivatives:
    """Derivatives with 0 for those that a point outside the domain spoils, curvature -1 there."""
    spoilt = ~np.isfinite(gradients) | ~np.isfinite(np.diagonal(hessians, axis1=1, axis2=2))
    hessians = np.where(np.isfinite(hessians), hessians, 0.0)
    either = spoilt[:, :, None] | spoilt[:, None, :]
    hessians = np.where(either, -np.eye(hessians.shape[1]), hessians)
    return Derivatives(np.where(spoilt, 0.0, gradients), hessians)


def _newton_steps(gradients: Array, hessians: Array) -> Array:
    """Uphill steps: curvatures count by their size, those near 0 as if they were not."""
    curvatures, axes = np.linalg.eigh(hessians)
    along = np.einsum("kip,ki->kp", axes, gradients)
    steps = np.einsum("kip,kp->ki", axes, along / np.maximum(np.abs(curvatures), FLATTEST))
    lengths = np.sqrt((steps**2).sum(axis=1, keepdims=True))
    return np.asarray(steps * np.minimum(1.0, LONGEST_STEP / np.maximum(lengths, FLATTEST)))


def _line_search(
    values: Objective, x: Array, best: Array, steps: Array, short: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """The full step where it climbs, or else the best of shorter ones, or none.

    The gain of a short step may be lost in rounding: such a step is taken if it does not fall.
    """
    moved, reached = x + steps, values((x + steps)[None])[0]
    slack = np.where(short, ROUNDING * (1.0 + np.abs(best)), 0.0)
    falls = ~((reached > best) | (short & (reached >= best - slack)))
    if falls.any():
        tried = x + SHARES[:, None, None] * steps
        found = np.concatenate([best[None], values(tried)])
        choice = found.argmax(axis=0)
        components = np.arange(len(x))
        shorter = np.concatenate([x[None], tried])[choice, components]
        moved = np.where(falls[:, None], shorter, moved)
        reached = np.where(falls, found[choice, components], reached)
    return moved, reached
