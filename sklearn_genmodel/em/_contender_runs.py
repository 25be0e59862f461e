"""Runs of contenders: a few passes side by side, or one of them to its limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from sklearn_genmodel.em._acceleration import accelerator
from sklearn_genmodel.em._contender import Contender, alike
from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._loop import BROKEN_RUN, run_em
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.em._steps import Step, blocked_step, lower_bound, stacked_step
from sklearn_genmodel.families import Family

__all__ = ["ContenderRuns"]

# Contenders are run for so many passes at a time, unless the last gained so little (nats per row).
BURST, SETTLED = 5, 1e-8
# Nothing is gained by passes of more multiplications, which take memory for all their contenders.
DEAR_PASS = 2e8


@dataclass(frozen=True)
class ContenderRuns:
    """Runs of contenders on one set of rows.

    Parameters
    ----------
    family : Family
    rows : Rows
    m_step : MStep
    tol : float
        Distance to its limit at which a run is over.
    acceleration : str or None
    """

    family: Family
    rows: Rows
    m_step: MStep
    tol: float
    acceleration: str | None

    @cached_property
    def _step(self) -> Step:
        return blocked_step(self.family, self.rows, self.m_step)

    @cached_property
    def _steps_side_by_side(self) -> Any:
        """Steps of several mixtures and the family of their components, by their number."""

        @cache
        def made(n_mixtures: int) -> Any:
            family = self.family.side_by_side(n_mixtures)
            return family, stacked_step(family, self.rows, self.m_step)

        return made

    @cached_property
    def side_by_side(self) -> bool:
        """Whether mixtures can be run side by side."""
        return self.m_step.constraints is None and self.family.side_by_side(2) is not None

    def advance(self, contenders: list[Contender], n_passes: int) -> None:
        """Run plain EM for a few passes, less for contenders that hardly gain any more.

        All at once where they can be run side by side.
        """
        for done in range(0, n_passes, BURST):
            moving = [c for c in contenders if not c.broken and c.gain > SETTLED]
            size = self.at_once(len(moving[0].theta.weights)) if moving else 1
            for start in range(0, len(moving), size):
                self._advance(moving[start : start + size], min(BURST, n_passes - done))

    def at_once(self, n_components: int) -> int:
        """How many mixtures of so many components a pass is made of at most."""
        return max(int(DEAR_PASS / (n_components * self._cost)), 1)

    @cached_property
    def _cost(self) -> float:
        return self.family.pass_cost(self.rows.X)

    def _advance(self, contenders: list[Contender], n_passes: int) -> None:
        if self.side_by_side and len(contenders) > 1:
            try:
                return self._advance_together(contenders, n_passes)
            except BROKEN_RUN:
                pass  # One of them breaks down; find out which.
        for contender in contenders:
            self._advance_alone(contender, n_passes)
        return None

    def _advance_together(self, contenders: list[Contender], n_passes: int) -> None:
        n_mixtures = len(contenders)
        weights = np.concatenate([contender.theta.weights for contender in contenders])
        family, step = self._steps_side_by_side(n_mixtures)
        theta = Theta(weights, family.stack([contender.theta.params for contender in contenders]))
        bounds = np.array([contender.lower_bound for contender in contenders])
        for _ in range(n_passes):
            before, (theta, bounds) = bounds, step(theta, n_mixtures)
            if not np.isfinite(bounds).all():
                raise ArithmeticError("a lower bound is not finite")
        parts = list(np.arange(len(theta.weights)).reshape(n_mixtures, -1))
        own = zip(contenders, parts, family.unstack(theta.params, parts), strict=True)
        for i, (contender, part, params) in enumerate(own):
            contender.theta = Theta(theta.weights[part], params)
            contender.lower_bound, contender.gain = float(bounds[i]), float(bounds[i] - before[i])
            contender.n_iter += n_passes

    def _advance_alone(self, contender: Contender, n_passes: int) -> None:
        """Run plain EM for a few passes; a run that breaks says why."""
        try:
            for _ in range(n_passes):
                contender.theta, bound = self._step(contender.theta)
                contender.n_iter += 1
                if not np.isfinite(bound):
                    raise ArithmeticError(f"the lower bound became {bound}")
                contender.gain = bound - contender.lower_bound
                contender.lower_bound = bound
        except BROKEN_RUN as error:
            contender.break_down(error)

    def polish(self, contender: Contender, n_passes: int, best: Contender | None = None) -> None:
        """Run to convergence, or until it is plain that the limit is not above the best."""
        convergence = Convergence(self.tol, n_passes)

        def hopeless(theta: Theta, bound: float) -> bool:
            if best is None or bound > best.lower_bound:
                return False
            beaten = convergence.steady and bound + 2.0 * convergence.gap < best.lower_bound
            return beaten or alike(replace(contender, theta=theta, lower_bound=bound), best)

        try:
            result = run_em(
                self._step,
                contender.theta,
                convergence,
                evaluate=lambda theta: lower_bound(self.family, theta, self.rows, self.m_step),
                accelerator=accelerator(self.acceleration, self.family, self.m_step.fixed_weights),
                monitor=hopeless,
            )
        except BROKEN_RUN as error:
            contender.break_down(error)
        else:
            contender.theta, contender.lower_bound = result.theta, result.lower_bound
            contender.n_iter += result.n_iter
