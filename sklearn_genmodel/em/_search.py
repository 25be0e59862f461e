"""Which optimum EM climbs: a tournament of starts, then moves that single runs cannot make.

Many short runs find better optima than few long ones (Biernacki, Celeux and Govaert 2003), and a
good optimum is often one moved component away from a better one (Ueda, Nakano, Ghahramani and
Hinton 2000; Zhao, Hautamaki and Franti 2012). All of it runs on distinct rows of limited number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._contender import Contender, alike, has_twins, raised
from sklearn_genmodel.em._contender_runs import ContenderRuns
from sklearn_genmodel.em._effort import Effort
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._init import (
    agreeing_order,
    complete,
    neighbourhoods,
    partitions,
    whitened,
)
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._moves import Mover
from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.em._steps import map_rows, theta_from_resp
from sklearn_genmodel.families import Family
from sklearn_genmodel.variational import log_normalize

__all__ = ["Search"]

Array = NDArray[np.float64]
# Names and responsibilities.
Starts = Iterator[tuple[str, Array]]

# Rounds of the tournament: passes, and the share of the contenders that go on.
ROUNDS = ((5, 0.5), (15, 0.25), (40, 0.125))
FINALISTS = 3
# A moved component has this many passes to come this close (nats per row) to the best bound.
TRIALS = ((10, 0.2), (20, 0.05), (40, 0.01))
BLEND = 0.02
# So many moves are tried at a time, and more while a pass of all of them, side by side, takes fewer
# than CHEAP_PASS multiplications: what Python does once a pass costs more than these.
MOVES_AT_A_TIME, MOST_AT_A_TIME, CHEAP_PASS = 10, 30, 1_000_000
RESP_FLOATS = 2**23


@dataclass
class Search:
    """Tournament and moves for one data set and one number of components.

    Parameters
    ----------
    family : Family
    rows : Rows
        Distinct rows with their weights.
    n_components : int
    pooled : NamedTuple
        The one-component fit, a yardstick for degenerate components.
    rng : numpy.random.Generator
    tol : float
    acceleration : str or None
    n_rows : float
        Number of rows that the sample stands for.
    report : callable
        Is told in a line how far the search has come.
    m_step : MStep
    """

    family: Family
    rows: Rows
    n_components: int
    pooled: Any
    rng: np.random.Generator
    tol: float
    acceleration: str | None
    n_rows: float
    report: Callable[[str], None]
    m_step: MStep

    @cached_property
    def runs(self) -> ContenderRuns:
        """Runs on these rows."""
        return ContenderRuns(self.family, self.rows, self.m_step, self.tol, self.acceleration)

    def run(self, init: str, effort: Effort) -> list[Contender]:
        """All contenders, the best first.

        Parameters
        ----------
        init : {"auto", "kmeans", "k-means++", "random"}
        effort : Effort
            Number of starts, of moves in a row that must fail before the best is taken for the
            best, and of starts of a second search.

        Returns
        -------
        contenders : list of Contender
        """
        identity = np.eye(self.n_components)
        data = self._embedded, self.rows.weights, self.n_components, self.rng
        starts = ((name, identity[labels]) for name, labels in partitions(init, *data))
        found, agreed = self._round(starts, effort)
        if effort.n_again:
            best = max(found, key=self.rank)
            again = effort if agreed else effort._replace(n_init=effort.n_again)
            found += self._round(neighbourhoods(*data), again, best if agreed else None)[0]
        return sorted(found, key=self.rank, reverse=True)

    def _round(
        self, starts: Starts, effort: Effort, settled: Contender | None = None
    ) -> tuple[list[Contender], bool]:
        """A tournament and moves from its best; contenders, and whether the finalists agree.

        There are no moves if what is thought to be settled is not beaten without them.
        """
        contenders, n_moves = self._starts(starts, effort.n_init), effort.n_moves
        finalists = self._tournament(contenders)
        for contender in finalists:
            self.runs.polish(contender, effort.n_polish, settled)
        best = max(finalists, key=self.rank)
        agree = len(finalists) == FINALISTS and all(alike(other, best) for other in finalists)
        if settled is not None and self.rank(best) <= self.rank(raised(settled, 10.0 * self.tol)):
            return contenders, agree
        if agree:
            n_moves = effort.n_moves_if_alike
        if has_twins(self.family.mean(best.theta.params), self.rows.X):
            n_moves = max(n_moves, MOVES_AT_A_TIME)
        return [*contenders, *self._improve(best, n_moves, effort.n_polish)], agree

    def rank(self, contender: Contender) -> tuple[bool, bool, float]:
        """Sort key: broken runs last, degenerate ones before them, higher bounds first."""
        if contender.broken:
            return False, False, -np.inf
        return True, not contender.judged(self.degenerate), contender.lower_bound

    def degenerate(self, theta: Theta) -> bool:
        """Whether some component owes its likelihood to a near-singularity."""
        n_rows = theta.weights * self.n_rows
        constraints = self.m_step.constraints
        found = self.family.collapsed(theta.params, n_rows, self.pooled, constraints)
        return bool(found.any())

    def _tell(self, what: str, best: Contender) -> None:
        self.report(f"search: {what}, best lower bound {best.lower_bound:.10g} nats per row")

    def _starts(self, starts: Starts, n_init: int) -> list[Contender]:
        contenders: list[Contender] = []
        while len(contenders) < n_init:
            n_more = min(n_init - len(contenders), self._n_at_once)
            drawn = list(islice(starts, n_more))
            thetas = self._thetas([self._numbered(resp) for _, resp in drawn])
            pairs = zip(drawn, thetas, strict=True)
            contenders += [Contender(name, theta) for (name, _), theta in pairs]
        return contenders

    def _tournament(self, contenders: list[Contender]) -> list[Contender]:
        """Let all run a little, the better ones longer; return the finalists."""
        n_starts = len(contenders)
        for n_passes, share in ROUNDS:
            if len(contenders) <= FINALISTS:
                break
            self.runs.advance(contenders, n_passes)
            n_kept = max(FINALISTS, round(share * n_starts))
            contenders = sorted(contenders, key=self.rank, reverse=True)[:n_kept]
            self._tell(f"{len(contenders)} of {n_starts} starts go on", contenders[0])
        return contenders

    def _improve(self, best: Contender, n_moves: int, n_polish: int) -> list[Contender]:
        """Move components at random as long as that helps; return the contenders that did."""
        improved: list[Contender] = []
        failures = 0
        while failures < n_moves and len(improved) <= self.n_components:
            moved = self._moved(best.theta, min(self._moves_at_a_time, n_moves - failures))
            n_polished = max(FINALISTS * len(moved) // MOVES_AT_A_TIME, FINALISTS)
            for contender in self._catching_up(moved, best)[:n_polished]:
                if not contender.judged(self.degenerate):
                    self.runs.polish(contender, n_polish, best)
            hurdle = raised(best, 10.0 * self.tol)
            ahead = [c for c in moved if c.lower_bound > hurdle.lower_bound]
            rivals = moved if best.judged(self.degenerate) else ahead
            winner = max(rivals, key=self.rank, default=best)
            failures += len(moved)
            if self.rank(winner) > self.rank(hurdle):
                best = winner
                improved.append(winner)
                # A gain by a degenerate one is no sign that more moves would help.
                failures = failures if winner.judged(self.degenerate) else 0
            self._tell(f"{failures} of {n_moves} moves in a row without gain", best)
        return improved

    def _catching_up(self, contenders: list[Contender], best: Contender) -> list[Contender]:
        """Run in trials; drop what is out of reach of the best, or returns to where it is.

        If the best is sound, so are those that become degenerate: they cannot win over it, and
        seldom become sound again.
        """
        sound = not best.judged(self.degenerate)
        for n_passes, slack in TRIALS:
            self.runs.advance(contenders, n_passes)
            contenders = [
                contender
                for contender in contenders
                if contender.lower_bound >= best.lower_bound - slack
                and not alike(contender, best)
                and not (sound and contender.judged(self.degenerate))
            ]
        return sorted(contenders, key=self.rank, reverse=True)

    def _moved(self, theta: Theta, n_moves: int) -> list[Contender]:
        """Take one component away and give it to rows elsewhere, at random; so many times."""
        found = map_rows(self.family, theta, self.rows, _posterior)
        resp, log_evidence = found[:, :-1], found[:, -1]
        contenders: list[Contender] = []
        while len(contenders) < n_moves:
            n_more = min(n_moves - len(contenders), self._n_at_once)
            names, changed = zip(
                *(self._mover.move(resp, log_evidence) for _ in range(n_more)), strict=True
            )
            contenders += map(Contender, names, self._thetas(changed))
        return contenders

    def _numbered(self, resp: Array) -> Array:
        """A partition, its parts numbered as what is known of the rows suggests."""
        prior = self.rows.resp_prior
        if prior is None:
            return resp
        return resp[:, agreeing_order(resp, prior, self.rows.weights)]

    def _thetas(self, resps: Sequence[Array]) -> list[Theta]:
        """M-steps from responsibilities, all in one where mixtures are run side by side."""
        blended = [self._blended(resp) for resp in resps]
        if not self.runs.side_by_side or self.family.ordered:
            return [self._m_step(self.family, resp, self.m_step) for resp in blended]
        # The weights of all mixtures in one are of no use, and each may be held: made below.
        free = replace(self.m_step, fixed_weights=None)
        family = self.family.side_by_side(len(resps))
        theta = self._m_step(family, np.concatenate(blended, axis=1), free)
        counts = [resp.T @ self.rows.weights for resp in blended]
        parts = list(np.arange(len(theta.weights)).reshape(len(resps), -1))
        pairs = zip(counts, family.unstack(theta.params, parts), strict=True)
        return [Theta(self.m_step.weights(count), params) for count, params in pairs]

    def _blended(self, resp: Array) -> Array:
        """Keep responsibilities off the edges, so that no parameter starts on one."""
        blended = (1.0 - BLEND) * resp + BLEND / self.n_components
        if self.rows.resp_prior is not None:
            blended = blended * self.rows.resp_prior
            blended /= blended.sum(axis=1, keepdims=True)
        return blended

    def _m_step(self, family: Family, resp: Array, m_step: MStep) -> Theta:
        return theta_from_resp(family, self.rows, resp, self.pooled, m_step)

    @property
    def _moves_at_a_time(self) -> int:
        """How many moves are tried before the best of them is taken."""
        if not self.runs.side_by_side:
            return MOVES_AT_A_TIME
        size = len(self.rows) * self.n_components * self.family.width(self.rows.X.shape[1])
        return int(np.clip(CHEAP_PASS // size, MOVES_AT_A_TIME, MOST_AT_A_TIME))

    @property
    def _n_at_once(self) -> int:
        """How many mixtures' responsibilities and parameters may be in memory."""
        fitting = max(1, RESP_FLOATS // (len(self.rows) * self.n_components))
        return min(fitting, self.runs.at_once(self.n_components))

    @cached_property
    def _embedded(self) -> Array:
        return complete(self.family.embed(self.rows.X), self.rows.weights)

    @cached_property
    def _mover(self) -> Mover:
        weights = self.rows.weights
        return Mover(whitened(self._embedded, weights), weights, self.rng)


def _posterior(log_joint: Array) -> Array:
    """Responsibilities, and the log-evidence in the last column."""
    log_evidence, resp = log_normalize(log_joint)
    return np.concatenate([resp, log_evidence[None]]).T
