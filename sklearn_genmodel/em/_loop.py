"""Contract 2: the one loop that every fit runs through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._steps import Step

__all__ = ["BROKEN_RUN", "Accelerator", "EMResult", "Monitor", "Run", "run_em"]

# How arithmetic breaks down in a pass.
BROKEN_RUN = (ArithmeticError, np.linalg.LinAlgError)
# A bound may fall by rounding; more than this, relative, means that a proposal went downhill.
SLACK = 1e-12
# After a plain EM pass, a fall beyond this is no rounding but a family that breaks the contract.
FALL = 1e-7

Monitor = Callable[[Theta, float], bool]


class EMResult(NamedTuple):
    """A finished run: its parameters, the bound before it and after every pass, how it ended."""

    theta: Theta
    lower_bounds: NDArray[np.float64]
    n_iter: int
    converged: bool
    stopped: bool

    @property
    def lower_bound(self) -> float:
        """Mean log-likelihood of the parameters, in nats."""
        return float(self.lower_bounds[-1])


class Accelerator(Protocol):
    """Proposes where to go from a point and its image under EM."""

    def propose(self, theta: Theta, image: Theta, convergence: Convergence) -> Theta:
        """Return the next point; `image` itself is a plain EM pass."""

    def reject(self) -> None:
        """Learn that the last proposal lowered the bound."""


@dataclass
class Run:
    """A run in progress: all that its next pass depends on, so that a copy of it can go on.

    Parameters
    ----------
    point, image : Theta
        Where the run is, and where plain EM goes from there.
    bounds : list of float
    convergence : Convergence
    accelerator : Accelerator
    plain, rejected : bool
        Whether the last pass was plain EM, and whether its proposal lowered the bound.
    before : tuple of Theta, Theta and int, or None
        Point, image and number of bounds before the first proposal that was taken.
    trusting : bool
        False once a proposal lay outside of what the M-step can reach: beyond a floor, say.
    """

    point: Theta
    image: Theta
    bounds: list[float]
    convergence: Convergence
    accelerator: Accelerator
    plain: bool = True
    rejected: bool = False
    before: tuple[Theta, Theta, int] | None = None
    trusting: bool = True

    @classmethod
    def begin(
        cls, step: Step, theta: Theta, convergence: Convergence, accelerator: Accelerator
    ) -> Run:
        """Make the first pass."""
        image, bound = step(theta)
        run = cls(theta, image, [_checked(bound, -np.inf)], convergence, accelerator)
        convergence.update(run.bounds[-1])
        return run

    def advance(self, step: Step) -> None:
        """Make one pass more: from a proposal, or from the image where the last one misled."""
        theta = self._proposal()
        self.plain = theta is self.image
        try:
            # What a proposal beyond all bounds overflows is told by its bound.
            with np.errstate(all=None if self.plain and self.before is None else "ignore"):
                trial, bound = step(theta)
        except BROKEN_RUN:
            if self.plain and self.before is None:
                raise
            bound = -np.inf
        best = self.bounds[-1]
        rises = np.isfinite(bound) and bound >= best - SLACK * abs(best)
        self.rejected = not (self.plain or rises)
        if self.plain and self.misled(bound):
            self.go_back()
        elif self.rejected:
            self.accelerator.reject()
            self.bounds.append(best)
        else:
            self._accept(theta, trial, bound)
        self.convergence.update(self.bounds[-1], plain=self.plain)

    def _proposal(self) -> Theta:
        """Where the accelerator leads; the image where it is not asked, or cannot tell."""
        if not self.trusting or self.rejected:
            return self.image
        try:
            with np.errstate(all="ignore"):
                return self.accelerator.propose(self.point, self.image, self.convergence)
        except np.linalg.LinAlgError:
            # Its decompositions did not converge: plain EM goes on regardless.
            return self.image

    def _accept(self, theta: Theta, image: Theta, bound: float) -> None:
        if not self.plain and self.before is None:
            self.before = self.point, self.image, len(self.bounds)
        self.bounds.append(_checked(bound, self.bounds[-1]))
        self.point, self.image = theta, image

    def misled(self, bound: float) -> bool:
        """Whether plain EM falls, or breaks, after proposals: they led where no M-step leads."""
        return self.before is not None and _falls(bound, self.bounds[-1])

    def go_back(self) -> None:
        """Go on by plain EM from before the proposals that misled."""
        assert self.before is not None
        self.point, self.image, n_bounds = self.before
        self.before, self.trusting, self.plain = None, False, False
        n_lost = len(self.bounds) - n_bounds
        self.bounds[n_bounds:] = [self.bounds[n_bounds - 1]] * (n_lost + 1)


def run_em(
    step: Step,
    start: Theta | Run,
    convergence: Convergence,
    *,
    evaluate: Callable[[Theta], float],
    accelerator: Accelerator,
    monitor: Monitor | None = None,
    save: Callable[[Run], None] = lambda run: None,
) -> EMResult:
    """Raise the lower bound until it stops rising.

    A proposal that lowers the bound is dropped for the EM image of the point before it, so the
    bounds never decrease, whatever the accelerator does. The parameters returned are the image of
    the best point, as in plain EM.

    Parameters
    ----------
    step : callable
        ``step(theta)`` returns the next parameters and the lower bound of those it was given.
    start : Theta or Run
        Where to start; a run that was saved goes on with the convergence and the accelerator that
        it has.
    convergence : Convergence
        The stopping rule; counts the passes.
    evaluate : callable
        Lower bound of parameters, for those that are returned.
    accelerator : Accelerator
    monitor : callable, default=None
        Called with the current parameters and bound after every pass; True stops the run.
    save : callable
        Called with the run after every pass.

    Returns
    -------
    result : EMResult
    """
    resumed = isinstance(start, Run)
    run = start if isinstance(start, Run) else Run.begin(step, start, convergence, accelerator)
    while True:
        if not resumed:
            stop = monitor is not None and monitor(run.image, run.bounds[-1])
            if run.convergence.finished or stop:
                break
            save(run)
        resumed = False
        run.advance(step)
    last, converged = evaluate(run.image), run.convergence.converged
    if run.misled(last):
        run.go_back()
        run.bounds.pop()
        last, converged = evaluate(run.image), False
    bounds = [*run.bounds, _checked(last, run.bounds[-1])]
    rising = np.maximum.accumulate(bounds)
    return EMResult(run.image, rising, run.convergence.n_iter, converged, stop)


def _checked(bound: float, previous: float) -> float:
    """Return the bound, or say why it cannot be the bound of an EM pass."""
    if not np.isfinite(bound):
        raise ArithmeticError(f"the lower bound became {bound}")
    if _falls(bound, previous):
        raise ArithmeticError(
            f"the lower bound fell from {previous!r} to {bound!r}: m_step does not maximise the "
            "expected log-likelihood, or log_prob is not the density that it fits, or the fit "
            "started from parameters that it may not reach, such as variances below reg_covar"
        )
    return bound


def _falls(bound: float, previous: float) -> bool:
    """Whether a bound is lower than the one before it, by more than rounding."""
    return bool(bound < previous - FALL * max(1.0, abs(previous)))
