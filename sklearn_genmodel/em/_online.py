"""Online EM: expected statistics that forget, for streams that are seen once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._expectation import Theta, expectation
from sklearn_genmodel.em._loop import BROKEN_RUN
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.families import Family

__all__ = ["OnlineState", "online_step"]

Array = NDArray[np.float64]


class OnlineState(NamedTuple):
    """Decayed statistics per unit of weight, and how much they stand for.

    ``counts`` (n_components,) and ``stats`` are means over the batches seen, each weighted by its
    step size; ``n_batches`` and ``total_weight`` count all of them alike.
    """

    counts: Array
    stats: Any
    n_batches: int
    total_weight: float


def online_step(
    family: Family,
    theta: Theta,
    state: OnlineState | None,
    rows: Rows,
    m_step: MStep,
    learning_decay: float,
) -> tuple[Theta, OnlineState]:
    """Take one batch into the statistics, and make an M-step.

    s_t = (1 - gamma_t) s_(t-1) + gamma_t E[statistics of the batch]

    gamma_t = t^(-decay) times the weight of the batch over the mean weight of all so far.

    Parameters
    ----------
    family : Family
        With statistics of fixed size that can be multiplied by a number.
    theta : Theta
        Current parameters.
    state : OnlineState or None
        None for the first batch.
    rows : Rows
        The batch.
    m_step : MStep
    learning_decay : float
        In (1/2, 1]; 1 gives every row of all batches the same weight.

    Returns
    -------
    theta : Theta
    state : OnlineState

    Raises
    ------
    ValueError
        If a component has no density then.

    References
    ----------
    Cappe, O. and Moulines, E. (2009). On-line expectation-maximization algorithm for latent data
    models. Journal of the Royal Statistical Society B 71, 593-613.
    """
    try:
        theta, state = _step(family, theta, state, rows, m_step, learning_decay)
        family.kernel(theta.params)
    except BROKEN_RUN as error:
        raise ValueError(
            f"With this batch a component has no density any more ({error}): its rows do not vary "
            "in some direction, or hardly beside how far the stream has moved. Set reg_covar above "
            "0, pass more rows at a time, or call fit anew where the data are now."
        ) from error
    return theta, state


def _step(
    family: Family,
    theta: Theta,
    state: OnlineState | None,
    rows: Rows,
    m_step: MStep,
    learning_decay: float,
) -> tuple[Theta, OnlineState]:
    """The step, whatever becomes of the components."""
    found, weight = expectation(family, theta, rows), rows.total_weight
    counts, stats = found.counts / weight, found.stats * (1.0 / weight)
    if state is None:
        state = OnlineState(counts, stats, 1, weight)
    else:
        n_batches, total = state.n_batches + 1, state.total_weight + weight
        # t^-decay for batches of equal weight; others count by theirs.
        size = min(1.0, weight / total * n_batches ** (1.0 - learning_decay))
        counts = (1.0 - size) * state.counts + size * counts
        # The batch's come first: sums are about the centres of their first term, and an M-step
        # that iterates starts from the parameters at which that was collected.
        stats = stats * size + state.stats * (1.0 - size)
        state = OnlineState(counts, stats, n_batches, total)
    # Priors are to weigh against all the rows seen.
    params = m_step.params(family, state.stats * state.total_weight)
    return Theta(m_step.weights(state.counts * state.total_weight), params), state
