"""From data to the fitted parameters of a mixture: canonical rows, starts, the chosen run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._acceleration import accelerator
from sklearn_genmodel.em._contender import Contender
from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._distinct import by_gaps, canonical_rows, row_sample
from sklearn_genmodel.em._effort import Effort, effort, larger_sample, sample_size
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._journal import NO_JOURNAL, FitState, Journal
from sklearn_genmodel.em._loop import BROKEN_RUN, EMResult, Monitor, Run, run_em
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._prepared import kept
from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.em._search import Search
from sklearn_genmodel.em._steps import blocked_step, lower_bound, theta_from_resp
from sklearn_genmodel.families import Family

__all__ = ["FitOptions", "StartResult", "fit_mixture"]

Array = NDArray[np.float64]

MOST_RUNS = 3
SEARCH_TOL, SAMPLE_TOL = 1e-6, 1e-5


class FitOptions(NamedTuple):
    """What an estimator's arguments ask of a fit; `init` may also be an array or a `Theta`."""

    n_components: int
    init: Any
    n_init: int | str
    max_iter: int
    tol: float
    acceleration: str | None
    m_step: MStep = MStep()


class StartResult(NamedTuple):
    """How one start fared: its bound (nats per row), its passes, why it was dropped (or None).

    Starts that were dropped have the bound they had reached by then, on the sample of the rows on
    which starts compete if the data are large; the start that was chosen has that of the fit.
    """

    start: str
    lower_bound: float
    n_iter: int
    dropped: str | None


@dataclass(frozen=True)
class Fit:
    """A finished fit.

    Parameters
    ----------
    result : EMResult
        The chosen run.
    starts : list of StartResult
    degenerate : bool
        Whether even the best start owes its likelihood to a near-singular component.
    dependent : ndarray of int
        Columns that others determine; see `Family.dependent_columns`.
    """

    result: EMResult
    starts: list[StartResult]
    degenerate: bool
    dependent: NDArray[np.intp]


def fit_mixture(
    family: Family,
    rows: Rows,
    options: FitOptions,
    rng: np.random.Generator,
    monitor: Monitor | None = None,
    report: Callable[[str], None] = lambda line: None,
    journal: Journal = NO_JOURNAL,
) -> Fit:
    """Fit a mixture by EM.

    Parameters
    ----------
    family : Family
    rows : Rows
        Checked data, weights above 0.
    options : FitOptions
    rng : numpy.random.Generator
    monitor : callable, default=None
        Called with the parameters and the bound after every pass of the chosen run.
    report : callable
        Is told in a line how far the search for starts has come.
    journal : Journal
        Keeps states to go on from.

    Returns
    -------
    fit : Fit

    Raises
    ------
    ValueError
        If there are fewer distinct rows than components, or every start breaks down.
    """
    compact = canonical_rows(rows)
    compact = kept(by_gaps(compact) if family.by_pattern else compact)
    sample = kept(row_sample(compact, sample_size(compact, options.n_components)))
    _check_enough_rows(sample, options.n_components)
    pooled = family.pooled(sample.X, sample.weights)
    search = Search(
        family,
        sample,
        options.n_components,
        pooled,
        rng,
        SAMPLE_TOL if len(sample) < len(compact) else 0.1 * (options.tol or SEARCH_TOL),
        options.acceleration,
        max(len(compact), compact.total_weight),
        report,
        options.m_step.dense,
    )
    dependent = family.dependent_columns(pooled)
    saved = journal.load()
    try:
        contenders = saved.contenders if saved else _contenders(search, rows, compact, options)
    except BROKEN_RUN as error:
        raise ValueError(f"No start could be made: {error}.{_dependence(dependent)}") from error
    # Runs on all rows need the memory that passes over the sample have filled.
    sample.memory.clear()
    attempts = Attempts(search, compact, options, monitor, journal)
    runs = list(attempts.runs(contenders, saved))
    if not runs:
        raise ValueError(_all_failed(contenders) + _dependence(dependent))
    chosen, result, degenerate = min(runs, key=lambda run: run[2])
    starts = _report(search, contenders, chosen, result)
    return Fit(result, starts, degenerate, dependent)


@dataclass(frozen=True)
class Attempts:
    """Runs of contenders on all rows."""

    search: Search
    rows: Rows
    options: FitOptions
    monitor: Monitor | None
    journal: Journal

    def runs(
        self, contenders: list[Contender], saved: FitState | None
    ) -> Iterator[tuple[Contender, EMResult, bool]]:
        """Run contenders, and whether each ends degenerate, until one is sound.

        No sound one can follow a contender that was degenerate before, for they are ranked last.
        """
        sound = [(i, c) for i, c in enumerate(contenders) if not c.broken]
        for position, contender in sound[:MOST_RUNS]:
            if saved and position < saved.position:
                continue
            start = saved.run if saved and position == saved.position else contender.theta
            result = self._attempt(contenders, position, start)
            if result is not None:
                degenerate = self.search.degenerate(result.theta)
                yield contender, result, degenerate
                if result.stopped or not degenerate or self.search.degenerate(contender.theta):
                    return

    def _attempt(
        self, contenders: list[Contender], position: int, start: Theta | Run
    ) -> EMResult | None:
        """Run a contender; None if it breaks down, which the contender remembers."""
        family, m_step = self.search.family, self.options.m_step

        def run(start: Theta | Run) -> EMResult:
            return self._run(start, lambda r: self.journal.save(FitState(contenders, position, r)))

        try:
            result = run(start)
            while len(kept := m_step.kept(result.theta.weights)) < len(result.theta.weights):
                weights = result.theta.weights[kept]
                params = family.take(result.theta.params, kept)
                result = run(Theta(weights / weights.sum(), params))
        except BROKEN_RUN as error:
            contenders[position].break_down(error)
            return None
        return result

    def _run(self, start: Theta | Run, save: Callable[[Run], None]) -> EMResult:
        family, options = self.search.family, self.options
        return run_em(
            blocked_step(family, self.rows, options.m_step),
            start,
            Convergence(options.tol, options.max_iter),
            evaluate=lambda theta: lower_bound(family, theta, self.rows, options.m_step),
            accelerator=accelerator(options.acceleration, family, options.m_step.fixed_weights),
            monitor=self.monitor,
            save=save,
        )


def _contenders(search: Search, rows: Rows, compact: Rows, options: FitOptions) -> list[Contender]:
    """Starts in the order in which they deserve the chosen run."""
    init, n_components, family = options.init, options.n_components, search.family
    if isinstance(init, Theta):
        return [Contender("given parameters", init)]
    if not isinstance(init, str):
        theta = theta_from_resp(family, rows, init, search.pooled, options.m_step)
        return [Contender("given responsibilities", theta)]
    if n_components == 1:
        resp = np.ones((len(search.rows), 1))
        theta = theta_from_resp(family, search.rows, resp, search.pooled, options.m_step)
        return [Contender("all rows", theta)]
    sampled = len(search.rows) < len(compact)
    # By weight, so that a weight of 2 is a repeated row where large data are not merged, too.
    n_rows = max(int(compact.total_weight), len(compact)) if sampled else len(compact)
    planned = effort(family, search.rows, n_components, n_rows)
    if options.n_init != "auto":
        planned = Effort(int(options.n_init), 0, 0, planned.n_polish)
    if init != "auto":
        planned = planned._replace(n_moves=0, n_moves_if_alike=0, n_again=0)
    contenders = search.run(init, planned)
    n_larger = min(larger_sample(n_rows), len(compact))
    if sampled and n_larger > len(search.rows):
        winner = replace(contenders[0])
        runs = replace(search.runs, rows=kept(row_sample(compact, n_larger)))
        runs.polish(winner, planned.n_polish)
        contenders[0] = contenders[0] if winner.broken else winner
    return contenders


def _check_enough_rows(rows: Rows, n_components: int) -> None:
    if len(rows) < n_components:
        raise ValueError(
            f"n_components={n_components} but X has only {len(rows)} distinct row(s) "
            f"(n_samples={len(rows)} without repetitions and zero weights): "
            f"choose n_components <= {len(rows)}."
        )


def _report(
    search: Search, contenders: list[Contender], chosen: Contender, result: EMResult
) -> list[StartResult]:
    """What became of every start; the chosen one first."""
    first = StartResult(chosen.start, result.lower_bound, chosen.n_iter + result.n_iter, None)
    others = (contender for contender in contenders if contender is not chosen)
    return [first, *(StartResult(*_fate(search, contender)) for contender in others)]


def _fate(search: Search, contender: Contender) -> tuple[str, float, int, str]:
    reason = contender.broken or "another start was ahead of it"
    if not contender.broken and search.degenerate(contender.theta):
        reason = "a component is degenerate: near-singular, or on hardly any rows"
    return contender.start, contender.lower_bound, contender.n_iter, reason


def _all_failed(contenders: list[Contender]) -> str:
    reasons = "; ".join(sorted({f"{c.start}: {c.broken}" for c in contenders if c.broken})[:5])
    return f"None of {len(contenders)} start(s) could be fitted. {reasons}."


def _dependence(columns: NDArray[np.intp]) -> str:
    """What to do about columns that others determine."""
    if not len(columns):
        return ""
    listed = ", ".join(map(str, columns[:5])) + (" ..." if len(columns) > 5 else "")
    return (
        f" Columns {listed} are linearly dependent and nothing keeps their covariance regular: "
        "drop those that others determine, or set reg_covar above 0."
    )
