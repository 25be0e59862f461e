"""The M-step: mixing weights under their prior, parameters under their constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families import Constraints, Family

__all__ = ["MStep"]

Array = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class MStep:
    """What an M-step maximises under.

    With a concentration below 1 the mode of the weights is at the edge of the simplex: a component
    whose rows weigh less than 1 - concentration gets no weight any more (Figueiredo and Jain 2002).
    Where those of all weigh less, the expected log-density is convex in the weights, and highest at
    the corner of the largest component.

    Parameters
    ----------
    concentration : float, default=1.0
        Of the symmetric Dirichlet prior of the mixing weights; 1 is maximum likelihood.
    fixed_weights : ndarray of shape (n_components,), optional
        Mixing weights that are not estimated, NaN where they are.
    constraints : Constraints, optional
        What is fixed or tied among the parameters of the components.
    """

    concentration: float = 1.0
    fixed_weights: Array | None = None
    constraints: Constraints | None = None

    def weights(self, counts: Array) -> Array:
        """Most probable weights given expected counts, (..., n_components) both.

        weight_k = max(count_k + concentration - 1, 0) / sum over all k of the same

        Where none is above 0, the largest component has all. Those that are estimated share what
        the fixed ones leave.
        """
        raised = np.maximum(counts + (self.concentration - 1.0), TINY)
        if self.concentration < 1.0:
            alone = raised.max(axis=-1, keepdims=True) <= TINY
            largest = np.arange(counts.shape[-1]) == counts.argmax(axis=-1)[..., None]
            raised = np.where(alone & largest, 1.0, raised)
        if self.fixed_weights is None:
            # Of a component that goes the prior counts one weight, whatever is left to share.
            return np.where(raised > TINY, raised / raised.sum(axis=-1, keepdims=True), TINY)
        free, left = np.isnan(self.fixed_weights), 1.0 - np.nansum(self.fixed_weights)
        total = np.where(free, raised, 0.0).sum(axis=-1, keepdims=True)
        return np.where(free, left * raised / np.maximum(total, TINY), self.fixed_weights)

    def params(self, family: Family, stats: Any) -> Any:
        """Most probable parameters of the components given expected statistics."""
        if self.constraints is None:
            return family.m_step(stats)
        return family.constrained_m_step(stats, self.constraints)

    def log_prior(self, weights: Array) -> Array | float:
        """Log-density of the prior of the weights up to a constant, one for each mixture, (...)."""
        if self.concentration == 1.0:
            return 0.0
        free = weights if self.fixed_weights is None else weights[..., np.isnan(self.fixed_weights)]
        total = np.log(np.maximum(free, TINY)).sum(axis=-1)
        return np.asarray((self.concentration - 1.0) * total)

    def n_constraints(self, family: Family) -> int:
        """How many free parameters fewer there are than components and weights have."""
        held = 0
        if self.fixed_weights is not None:
            held = len(self.fixed_weights) - max(int(np.isnan(self.fixed_weights).sum()), 1)
        return held + (0 if self.constraints is None else family.n_constraints(self.constraints))

    @property
    def dense(self) -> MStep:
        """The same without sparsity, for finding starts with all components alive."""
        return replace(self, concentration=max(self.concentration, 1.0))

    def kept(self, weights: Array) -> NDArray[np.intp]:
        """Components that a sparse prior left some weight."""
        return np.flatnonzero((weights > np.sqrt(TINY)) | (self.concentration >= 1.0))
