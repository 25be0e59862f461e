"""Contract 2: the one loop that every fit runs through."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._steps import Step, Theta

__all__ = ["Accelerator", "EMResult", "run_em"]

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


def run_em(
    step: Step,
    theta: Theta,
    convergence: Convergence,
    *,
    evaluate: Callable[[Theta], float],
    accelerator: Accelerator,
    monitor: Monitor | None = None,
) -> EMResult:
    """Raise the lower bound until it stops rising.

    A proposal that lowers the bound is dropped for the EM image of the point before it, so the
    bounds never decrease, whatever the accelerator does. The parameters returned are the image of
    the best point, as in plain EM.

    Parameters
    ----------
    step : callable
        ``step(theta)`` returns the next parameters and the lower bound of those it was given.
    theta : Theta
        Where to start.
    convergence : Convergence
        The stopping rule; counts the passes.
    evaluate : callable
        Lower bound of parameters, for those that are returned.
    accelerator : Accelerator
    monitor : callable, default=None
        Called with the current parameters and bound after every pass; True stops the run.

    Returns
    -------
    result : EMResult
    """
    point, (image, bound) = theta, step(theta)
    bounds, plain, rejected = [_checked(bound, -np.inf)], True, False
    while True:
        convergence.update(bounds[-1], plain=plain)
        stop = monitor is not None and monitor(image, bounds[-1])
        if convergence.finished or stop:
            break
        theta = image if rejected else accelerator.propose(point, image, convergence)
        plain = theta is image
        trial, bound = step(theta)
        rejected = not plain and not bound >= bounds[-1] - SLACK * abs(bounds[-1])
        if rejected:
            accelerator.reject()
            bounds.append(bounds[-1])
        else:
            point, image = theta, trial
            bounds.append(_checked(bound, bounds[-1]))
    bounds.append(_checked(evaluate(image), bounds[-1]))
    rising = np.maximum.accumulate(bounds)
    return EMResult(image, rising, convergence.n_iter, convergence.converged, stop)


def _checked(bound: float, previous: float) -> float:
    """Return the bound, or say why it cannot be the bound of an EM pass."""
    if not np.isfinite(bound):
        raise ArithmeticError(f"the lower bound became {bound}")
    if bound < previous - FALL * max(1.0, abs(previous)):
        raise ArithmeticError(
            f"the lower bound fell from {previous!r} to {bound!r}: m_step does not maximise the "
            "expected log-likelihood, or log_prob is not the density that it fits"
        )
    return bound
