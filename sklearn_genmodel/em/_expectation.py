"""E-step: blocks of rows -> expected statistics (L5, L6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._prepared import prepared_chunks
from sklearn_genmodel.em._rows import Block, Rows
from sklearn_genmodel.families import Family
from sklearn_genmodel.variational import log_normalize

__all__ = [
    "Expectation",
    "Theta",
    "constants_of",
    "expectation",
    "log_joint",
    "pass_width",
    "reduce_blocks",
    "reduce_prepared",
]

Array = NDArray[np.float64]

Kernel = Callable[[Any], tuple[Array, Callable[[Array], Any]]]


class Theta(NamedTuple):
    """All parameters of a mixture: ``weights`` (n_components,) and the family's ``params``."""

    weights: Array
    params: Any


class Expectation(NamedTuple):
    """What a pass adds up: log-evidence per mixture, weight per component, statistics."""

    log_evidence: Array
    counts: Array
    stats: Any

    def merge(self, other: Expectation) -> Expectation:
        """The expectation over the rows of both."""
        return Expectation(*(a + b for a, b in zip(self, other, strict=True)))


def expectation(
    family: Family, theta: Theta, rows: Rows, n_mixtures: int = 1, constants: Any = None
) -> Expectation:
    """E-step: what the M-step needs to know of the rows (L6).

    Parameters
    ----------
    family : Family
    theta : Theta
        The components of all mixtures, those of a mixture side by side.
    rows : Rows
    n_mixtures : int, default=1
    constants : object, default=None
        `Family.constants` of all rows.

    Returns
    -------
    expectation : Expectation
        Its log-evidence lacks the base measure.
    """
    short = None if constants is None else family.shortened(theta.params, constants)
    if short is None:
        return _pass_over_rows(family, theta, rows, family.kernel(theta.params), n_mixtures)
    log_evidence = np.broadcast_to(short.log_prob, n_mixtures)
    left_out = Expectation(log_evidence, np.zeros(len(theta.weights)), short.stats)
    if short.kernel is None:
        return left_out._replace(counts=np.full(1, rows.total_weight))
    return left_out.merge(_pass_over_rows(family, theta, rows, short.kernel, n_mixtures))


def _pass_over_rows(
    family: Family, theta: Theta, rows: Rows, kernel: Kernel, n_mixtures: int = 1
) -> Expectation:
    """Add up what the blocks give."""
    joint = _weighted(kernel, theta)

    def expect(block: Block) -> Expectation:
        log_prob, accumulate = joint(block.X)
        grouped = log_prob.reshape(n_mixtures, -1, block.n_rows)
        if block.log_resp_prior is not None:
            grouped += block.log_resp_prior
        log_evidence, resp = log_normalize(grouped)
        totals = log_evidence.sum(axis=1)
        if block.sample_weight is not None:
            totals = np.dot(log_evidence, block.sample_weight)
            resp *= block.sample_weight
        resp = resp.reshape(log_prob.shape)
        return Expectation(totals, resp.sum(axis=1), accumulate(resp))

    total: Expectation = reduce_prepared(expect, Expectation.merge, family, theta, rows)
    return total


def constants_of(family: Family, rows: Rows, n_components: int) -> Any:
    """What no pass over these rows changes, if the family knows of anything."""
    if rows.resp_prior is not None or not family.has_constants(n_components):
        return None

    def collect(block: Block) -> Any:
        weights = np.ones(len(block.X)) if block.sample_weight is None else block.sample_weight
        return family.constants(block.X, weights)

    def merge(one: Any, other: Any) -> Any:
        return None if one is None or other is None else one + other

    return reduce_blocks(collect, merge, rows, family.width(rows.X.shape[1]))


def log_joint(family: Family, theta: Theta) -> Kernel:
    """Make log p(x, z = k), base measure left out, a function of a block that is prepared.

    Parameters
    ----------
    family : Family
    theta : Theta

    Returns
    -------
    log_joint : callable
        As `Family.kernel`, the log mixing weights added.
    """
    return _weighted(family.kernel(theta.params), theta)


def _weighted(kernel: Kernel, theta: Theta) -> Kernel:
    """A kernel whose densities are those of the components times their mixing weights."""
    # Not even a row that all others cannot explain is of a component without weight.
    with np.errstate(divide="ignore"):
        log_weights = np.log(theta.weights)[:, None]

    def joint(prepared: Any) -> tuple[Array, Callable[[Array], Any]]:
        log_prob, accumulate = kernel(prepared)
        log_prob += log_weights
        return log_prob, accumulate

    return joint


def reduce_blocks(
    function: Callable[[Block], Any], merge: Callable[[Any, Any], Any], rows: Rows, width: int
) -> Any:
    """Merge a function's results over all blocks, chunk by chunk, in an order that is fixed."""

    def run(chunk: list[slice]) -> Any:
        return reduce(merge, map(function, rows.blocks(chunk)))

    return reduce(merge, rows.map(run, rows.chunks(width)))


def reduce_prepared(
    function: Callable[[Block], Any],
    merge: Callable[[Any, Any], Any],
    family: Family,
    theta: Theta,
    rows: Rows,
) -> Any:
    """Merge a function's results over all blocks as the kernels of a family read them."""

    def run(chunk: Iterable[Block]) -> Any:
        return reduce(merge, map(function, chunk))

    chunks = prepared_chunks(family, rows, pass_width(family, theta, rows))
    return reduce(merge, rows.map(run, chunks))


def pass_width(family: Family, theta: Theta, rows: Rows) -> int:
    """Number of floats that a row occupies in a pass."""
    return family.width(rows.X.shape[1], len(theta.weights)) + len(theta.weights)
