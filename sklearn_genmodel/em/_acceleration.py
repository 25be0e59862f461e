"""Fewer passes for slow problems: proposals that look ahead of plain EM.

`run_em` drops a proposal that lowers the bound, so none of these can end below the point where it
set in. They set in only once EM is slow and settled; near a saddle they may still climb another
optimum than plain EM would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._chart import Chart
from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._loop import Accelerator
from sklearn_genmodel.em._multisecant import Multisecant
from sklearn_genmodel.families import Family

__all__ = ["Anderson", "Plain", "Squarem", "accelerator"]

Array = NDArray[np.float64]

# A burst of proposals ends where a pass gains less than this share of tol; then plain EM checks.
BURST_SHARE = 1e-3
SHORTEST_CHECK, LONGEST_CHECK = 4, 16


class Plain:
    """No acceleration: the next point is the EM image."""

    def propose(self, theta: Theta, image: Theta, convergence: Convergence) -> Theta:
        """Return the image."""
        return image

    def reject(self) -> None:
        """Nothing to learn: a plain EM pass is never rejected."""


@dataclass
class _Bursts:
    """Bursts of proposals between stretches of plain EM that estimate its rate.

    Parameters
    ----------
    family : Family
        Gives the unconstrained coordinates.
    fixed_weights : ndarray of shape (n_components,), optional
        Mixing weights that are not estimated, NaN where they are.
    """

    family: Family
    fixed_weights: Array | None = None
    chart: Chart | None = field(default=None, init=False)
    bursting: bool = field(default=False, init=False)
    last_bound: float = field(default=-np.inf, init=False)
    n_plain: int = field(default=SHORTEST_CHECK, init=False)

    def propose(self, theta: Theta, image: Theta, convergence: Convergence) -> Theta:
        """Return an extrapolation within a burst, the image outside of one."""
        burst, self.bursting = self.bursting, self._burst_goes_on(convergence)
        if not self.bursting:
            if burst:
                self.chart = None
                self.reset()
            return image
        if self.chart is None:
            self.chart = Chart(self.family, image, self.fixed_weights)
        point, target = self.chart.vector(theta), self.chart.vector(image)
        proposal = self.extrapolate(point, target - point)
        return image if proposal is None else self.chart.theta(proposal)

    def reject(self) -> None:
        """Forget the history that misled, and let plain EM go on for a little longer."""
        self.n_plain = min(self.n_plain + 2, LONGEST_CHECK)
        self.bursting, self.chart = False, None
        self.reset()

    def reset(self) -> None:
        """Start a new history."""
        raise NotImplementedError

    def extrapolate(self, point: Array, residual: Array) -> Array | None:
        """Return the next point from the current one and EM's step there, or None for that step."""
        raise NotImplementedError

    def _burst_goes_on(self, convergence: Convergence) -> bool:
        bound = convergence.lower_bound
        gain, self.last_bound = bound - self.last_bound, bound
        if self.bursting:
            return gain > BURST_SHARE * convergence.tol
        return len(convergence.gains) >= self.n_plain and convergence.steady


@dataclass
class Anderson(_Bursts):
    """Damped Anderson acceleration with restarts (DAAREM).

    References
    ----------
    Henderson, N. C. and Varadhan, R. (2019). Damped Anderson acceleration with restarts and
    monotonicity control for accelerating EM and EM-like algorithms. Journal of Computational and
    Graphical Statistics 28, 834-846.
    """

    order: int = 10
    points: list[Array] = field(default_factory=list, init=False)
    residuals: list[Array] = field(default_factory=list, init=False)
    successes: int = field(default=0, init=False)

    def reset(self) -> None:
        """Start a new history, more damped than the last (equation 11)."""
        self.points, self.residuals = [], []
        self.successes = max(self.successes - self.order, -DAMPING_PERIOD)

    def extrapolate(self, point: Array, residual: Array) -> Array | None:
        """x + f - (dX + dF) gamma, gamma the damped least-squares fit of f by dF."""
        if len(self.points) > min(self.order, len(point) - 1):
            self.points, self.residuals = self.points[-1:], self.residuals[-1:]
        self.points.append(point)
        self.residuals.append(residual)
        if len(self.points) < 2:
            return None
        self.successes += 1
        d_points = np.diff(self.points, axis=0).T
        d_residuals = np.diff(self.residuals, axis=0).T
        gamma = _damped_least_squares(d_residuals, residual, self._damping())
        proposal: Array = point + residual - (d_points + d_residuals) @ gamma
        return proposal if np.isfinite(proposal).all() else None

    def _damping(self) -> float:
        """Share of the squared norm of the undamped solution that is kept."""
        return float(1.0 / (1.0 + DAMPING_BASE ** (DAMPING_PERIOD - self.successes)))


DAMPING_BASE = 1.2
DAMPING_PERIOD = 25


def _damped_least_squares(matrix: Array, target: Array, share: float) -> Array:
    """Ridge solution whose squared norm is `share` of that of least squares."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = values > 1e-12 * values[0] if values[0] > 0 else values > 0
    left, values, right = left[:, kept], values[kept], right[kept]
    projected = left.T @ target
    wanted = share * np.sum((projected / values) ** 2)
    low, high = 0.0, 1e4 * float(values[0]) ** 2 if len(values) else 0.0
    for _ in range(60):
        ridge = 0.5 * (low + high)
        norm = np.sum((projected * values / (values**2 + ridge)) ** 2)
        low, high = (ridge, high) if norm > wanted else (low, ridge)
    solution: Array = right.T @ (projected * values / (values**2 + high))
    return solution


@dataclass
class Squarem(_Bursts):
    """Squared extrapolation of order 1, step length S3 (SQUAREM).

    References
    ----------
    Varadhan, R. and Roland, C. (2008). Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm. Scandinavian Journal of Statistics 35, 335-353.
    """

    start: tuple[Array, Array] | None = field(default=None, init=False)
    stabilise: bool = field(default=False, init=False)

    def reset(self) -> None:
        """Start a new cycle."""
        self.start, self.stabilise = None, False

    def extrapolate(self, point: Array, residual: Array) -> Array | None:
        """x + 2 s r + s^2 v with s = |r| / |v|, r the first step, v the change of step."""
        if self.stabilise or self.start is None:
            self.start = None if self.stabilise else (point, residual)
            self.stabilise = False
            return None
        (origin, first), self.start, self.stabilise = self.start, None, True
        change = residual - first
        size = float(np.linalg.norm(change))
        if size == 0.0:
            return None
        length = max(float(np.linalg.norm(first)) / size, 1.0)
        return origin + 2.0 * length * first + length**2 * change


def accelerator(
    name: str | None, family: Family, fixed_weights: Array | None = None
) -> Accelerator:
    """Turn the `acceleration` argument of an estimator into a fresh accelerator.

    Parameters
    ----------
    name : {"auto", "anderson", "squarem"} or None
    family : Family
        "auto" is None for a family without unconstrained coordinates.
    fixed_weights : ndarray of shape (n_components,), optional
        Mixing weights that are not estimated, NaN where they are.

    Returns
    -------
    accelerator : Accelerator
    """
    has_coordinates = family.has_coordinates
    if name is not None and name != "auto" and not has_coordinates:
        raise ValueError(
            f"acceleration={name!r} needs to_vector and from_vector, which {type(family).__name__} "
            "does not define: use acceleration='auto' or None."
        )
    makers: dict[str | None, Callable[[], Accelerator]] = {
        "auto": lambda: Multisecant(family, fixed_weights) if has_coordinates else Plain(),
        "anderson": lambda: Anderson(family, fixed_weights),
        "squarem": lambda: Squarem(family, fixed_weights),
        None: Plain,
    }
    return makers[name]()
