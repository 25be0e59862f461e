"""When to stop: the distance to the limit, predicted from the last gains."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["Convergence"]

# Gains below this share of the bound are rounding.
ROUNDING = 1e-14
# A rate has settled if its distance from 1 changes by less than this share in three passes.
STEADY = 0.3
# So many gains below this share of the tolerance are rounding if they go up and down that often,
# and that far: by this share of the largest.
FAINT, N_FAINT, TURNS, SWING = 0.01, 6, 3, 0.5


@dataclass
class Convergence:
    """Stopping rule of one run of EM.

    EM converges linearly: near the limit each pass gains rate times what the one before gained,
    so that gain * rate / (1 - rate) is still to come (Aitken; Boehning et al. 1994). The usual
    rule, a small last gain, stops slow runs early. Two passes in a row must agree, and the second
    predict no more than the first: where the rate still rises, predictions grow.

    Parameters
    ----------
    tol : float
        Largest predicted distance to the limit of the mean log-likelihood, in nats. 0: never stop
        before `max_iter`.
    max_iter : int
        Largest number of passes.

    References
    ----------
    Boehning, D., Dietz, E., Schaub, R., Schlattmann, P. and Lindsay, B. G. (1994). The
    distribution of the likelihood ratio for mixtures of densities from the one-parameter
    exponential family. Annals of the Institute of Statistical Mathematics 46, 373-388.
    """

    tol: float
    max_iter: int
    n_iter: int = 0
    converged: bool = False
    gains: list[float] = field(default_factory=list)
    lower_bound: float = -math.inf
    # What was to come at the last pass, if that was close to the limit.
    _to_come: float = -math.inf

    def update(self, lower_bound: float, *, plain: bool = True) -> None:
        """Take the bound that a pass found; `plain` if it follows from a pure EM pass."""
        self.n_iter += 1
        if not plain:
            self.gains.clear()
        elif self.n_iter > 1:
            self.gains.append(lower_bound - self.lower_bound)
        self.lower_bound = lower_bound
        gap = self.gap
        close = (self.steady or gap == 0.0) and gap < self.tol and self.gains[-1] < self.tol
        self.converged = close and gap <= self._to_come
        self._to_come = gap if close else -math.inf

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self.converged or self.n_iter >= self.max_iter

    @property
    def rate(self) -> float:
        """Estimated linear rate of plain EM; 1 while unknown."""
        if len(self.gains) < 2 or self.gains[-2] <= 0:
            return 1.0
        return max(self.gains[-1], 0.0) / self.gains[-2]

    @property
    def steady(self) -> bool:
        """Whether gains shrink at a rate that has settled, as they do near a limit."""
        if len(self.gains) < 3 or min(self.gains[-3:]) <= 0:
            return False
        before, rate = self.gains[-2] / self.gains[-3], self.rate
        return rate < 1.0 and abs(rate - before) < STEADY * (1.0 - rate)

    @property
    def gap(self) -> float:
        """Predicted distance to the limit, in nats; infinite while unknown."""
        if len(self.gains) < 2:
            return math.inf
        # EM only ever gains: where it seems to lose, rounding is all that is left.
        lost = min(self.gains[-2:]) <= 0.0
        if lost or self._faint or abs(self.gains[-1]) <= ROUNDING * max(1.0, abs(self.lower_bound)):
            return 0.0
        rate = self.rate
        return self.gains[-1] * rate / (1.0 - rate) if rate < 1.0 else math.inf

    @property
    def _faint(self) -> bool:
        """Whether gains go up and down by turns, as those of EM do not, far below the tolerance."""
        last = self.gains[-N_FAINT:]
        if len(last) < N_FAINT or max(last) > FAINT * self.tol:
            return False
        if max(last) - min(last) < SWING * max(last):
            return False
        neighbours = zip(last, last[1:], last[2:], strict=False)
        return sum((b - a) * (c - b) < 0.0 for a, b, c in neighbours) >= TURNS

    @property
    def passes_left(self) -> float:
        """Predicted number of passes that plain EM still needs."""
        if self.converged or self.gap <= self.tol or not 0 < self.rate < 1:
            return 0.0
        return math.log(max(self.tol, ROUNDING) / self.gap) / math.log(self.rate)
