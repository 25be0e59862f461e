"""A start in the tournament, and how two of them compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._expectation import Theta

__all__ = ["Contender", "alike", "has_twins", "raised"]

Array = NDArray[np.float64]

# Bounds (nats per row) that far apart are of different optima; runs that near in bound and in
# mixing weights are on their way to the same one.
SAME_OPTIMUM = 1e-6
NEAR_BOUND, NEAR_WEIGHT = 2e-4, 2e-3
# Means that near, in standard deviations of the data, are almost the same.
TWINS = 0.02
# Stands for means that are infinite, and can be subtracted.
HUGE = 1e300


@dataclass
class Contender:
    """A start, how far it has come, and what broke it ("" if nothing did).

    ``gain`` is that of the last pass of `ContenderRuns.advance`, in nats per row.
    """

    start: str
    theta: Theta
    lower_bound: float = -np.inf
    n_iter: int = 0
    broken: str = ""
    gain: float = np.inf
    _judgement: tuple[Theta, bool] | None = None

    def judged(self, degenerate: Callable[[Theta], bool]) -> bool:
        """Whether the parameters are degenerate, asked once for the same parameters."""
        if self._judgement is None or self._judgement[0] is not self.theta:
            self._judgement = self.theta, degenerate(self.theta)
        return self._judgement[1]

    def break_down(self, error: Exception) -> None:
        """Remember why this run cannot go on."""
        self.broken, self.lower_bound = str(error), -np.inf


def alike(one: Contender, other: Contender) -> bool:
    """Whether two runs are near the same bound and the same mixing weights."""
    difference = np.sort(one.theta.weights) - np.sort(other.theta.weights)
    near = abs(one.lower_bound - other.lower_bound) < NEAR_BOUND
    return bool(near and np.abs(difference).max() < NEAR_WEIGHT)


def raised(contender: Contender, rounding: float) -> Contender:
    """What a contender must beat to be another optimum, runs being this far from their limits."""
    gain = max(SAME_OPTIMUM, rounding)
    return replace(contender, lower_bound=contender.lower_bound + gain)


def has_twins(means: Array, X: Array) -> bool:
    """Whether two components have almost the same mean: a saddle, more likely than not."""
    # Means and deviations of a column that is constant are rounding.
    varies = np.nanmin(X, axis=0) < np.nanmax(X, axis=0)
    deviations = np.where(varies, np.nanstd(X, axis=0), np.inf)
    # A mean may be infinite; two that are both are alike.
    means = np.nan_to_num(means / deviations, posinf=HUGE, neginf=-HUGE)
    apart = np.abs(means[:, None] - means).max(axis=2)
    return bool((apart[np.triu_indices(len(means), 1)] < TWINS).any())
