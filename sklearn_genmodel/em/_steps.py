"""One pass over the data: blocks of rows -> expected statistics -> parameters (L5, L6, L7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._expectation import (
    Expectation,
    Theta,
    constants_of,
    expectation,
    log_joint,
    pass_width,
    reduce_blocks,
    reduce_prepared,
)
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._rows import Block, Rows
from sklearn_genmodel.families import Family
from sklearn_genmodel.variational import log_normalize

__all__ = [
    "Step",
    "blocked_step",
    "lower_bound",
    "map_rows",
    "stacked_step",
    "theta_from_resp",
]

Array = NDArray[np.float64]

MAXIMUM_LIKELIHOOD = MStep()

Step = Callable[[Theta], tuple[Theta, float]]


def blocked_step(family: Family, rows: Rows, m_step: MStep = MAXIMUM_LIKELIHOOD) -> Step:
    """Make one EM pass a function of the parameters.

    Parameters
    ----------
    family : Family
    rows : Rows
    m_step : MStep

    Returns
    -------
    step : callable
        ``step(theta)`` returns the parameters after one E-step and one M-step, and the lower bound
        of the parameters that came in: their mean log-likelihood per unit of weight, in nats, and
        the log-density of their prior on the same scale.
    """
    stacked = stacked_step(family, rows, m_step)

    def step(theta: Theta) -> tuple[Theta, float]:
        updated, bounds = stacked(theta, 1)
        return updated, float(bounds[0])

    return step


def stacked_step(
    family: Family, rows: Rows, m_step: MStep = MAXIMUM_LIKELIHOOD
) -> Callable[[Theta, int], tuple[Theta, Array]]:
    """Make one EM pass of several mixtures at once, which share the features of the rows.

    Parameters
    ----------
    family : Family
        If there are several mixtures, what `Family.side_by_side` returns for their number.
    rows : Rows
    m_step : MStep

    Returns
    -------
    step : callable
        ``step(theta, n_mixtures)`` takes the components of all mixtures in one `Theta`, those of a
        mixture side by side, and returns the same after one pass, and the bound of every mixture.
    """
    base = _mean_log_base_measure(family, rows)

    @cache
    def constants(n_components: int) -> Any:
        return constants_of(family, rows, n_components)

    def step(theta: Theta, n_mixtures: int) -> tuple[Theta, Array]:
        known = constants(len(theta.weights))
        total = expectation(family, theta, rows, n_mixtures, known)
        weights = m_step.weights(total.counts.reshape(n_mixtures, -1)).ravel()
        log_prior = _log_prior(family, m_step, theta, n_mixtures)
        bounds = (total.log_evidence + log_prior) / rows.total_weight + base
        return Theta(weights, m_step.params(family, total.stats)), bounds

    return step


def theta_from_resp(
    family: Family,
    rows: Rows,
    resp: NDArray[np.floating],
    reference: Any,
    m_step: MStep = MAXIMUM_LIKELIHOOD,
) -> Theta:
    """M-step from responsibilities of one's own, in blocks.

    Parameters
    ----------
    family : Family
    rows : Rows
    resp : ndarray of shape (n_samples, n_components)
    reference : NamedTuple
        Parameters of one component near the data, which fix the centre of the statistics.
    m_step : MStep

    Returns
    -------
    theta : Theta
    """
    n_components = resp.shape[1]
    start = Theta(np.ones(n_components), family.repeat(reference, n_components))
    kernel = family.kernel(start.params)

    def expect(block: Block) -> Expectation:
        weighted = np.array(resp[block.rows].T, dtype=np.float64, order="C")
        if block.sample_weight is not None:
            weighted *= block.sample_weight
        return Expectation(np.zeros(1), weighted.sum(axis=1), kernel(block.X)[1](weighted))

    total = reduce_prepared(expect, Expectation.merge, family, start, rows)
    return Theta(m_step.weights(total.counts), m_step.params(family, total.stats))


def lower_bound(
    family: Family, theta: Theta, rows: Rows, m_step: MStep = MAXIMUM_LIKELIHOOD
) -> float:
    """Weighted mean log-likelihood of the parameters, in nats, and their prior: what EM raises.

    Parameters
    ----------
    family : Family
    theta : Theta
    rows : Rows
    m_step : MStep

    Returns
    -------
    lower_bound : float
    """
    joint = log_joint(family, theta)

    def log_evidence(block: Block) -> float:
        log_prob = joint(block.X)[0]
        if block.log_resp_prior is not None:
            log_prob += block.log_resp_prior
        values, _ = log_normalize(log_prob)
        return _weighted_sum(values, block)

    total = reduce_prepared(log_evidence, float.__add__, family, theta, rows)
    total += float(_log_prior(family, m_step, theta, 1)[0])
    return float(total / rows.total_weight + _mean_log_base_measure(family, rows))


def map_rows(family: Family, theta: Theta, rows: Rows, function: Callable[[Array], Array]) -> Array:
    """Apply a function of log p(x, z), base measure included, to every block of rows.

    Parameters
    ----------
    family : Family
    theta : Theta
    rows : Rows
    function : callable
        Maps the log-joint, (n_components, n_rows), to an array with a row for each row.

    Returns
    -------
    values : ndarray of shape (n_samples, ...)
    """
    joint = log_joint(family, theta)

    def run(chunk: list[slice]) -> list[Array]:
        return [
            function(joint(family.prepare(block.X))[0] + family.log_base_measure(block.X))
            for block in rows.blocks(chunk)
        ]

    parts = rows.map(run, rows.chunks(pass_width(family, theta, rows)))
    return np.concatenate([values for chunk in parts for values in chunk])


def _log_prior(family: Family, m_step: MStep, theta: Theta, n_mixtures: int) -> Array:
    """Log-density of the prior of all parameters of every mixture, (n_mixtures,)."""
    weights = theta.weights.reshape(n_mixtures, -1)
    components = np.broadcast_to(family.log_prior(theta.params), theta.weights.shape)
    return components.reshape(weights.shape).sum(axis=1) + m_step.log_prior(weights)


def _weighted_sum(values: Array, block: Block) -> float:
    return float(values.sum() if block.sample_weight is None else values @ block.sample_weight)


def _mean_log_base_measure(family: Family, rows: Rows) -> float:
    """What the base measure adds to the lower bound of any parameters."""

    def base(block: Block) -> float:
        values = np.broadcast_to(family.log_base_measure(block.X), len(block.X))
        return _weighted_sum(values, block)

    width = family.width(rows.X.shape[1])
    return float(reduce_blocks(base, float.__add__, rows, width) / rows.total_weight)
