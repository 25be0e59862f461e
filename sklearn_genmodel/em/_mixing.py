"""The M-step of the mixing weights, and their prior."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["MixingWeights"]

Array = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class MixingWeights:
    """Mixing weights under a symmetric Dirichlet prior, or held fixed.

    With a concentration below 1 the mode is at the edge of the simplex: a component whose rows
    weigh less than 1 - concentration gets no weight any more (Figueiredo and Jain 2002).

    Parameters
    ----------
    concentration : float, default=1.0
        Of the Dirichlet prior; 1 is maximum likelihood.
    fixed : ndarray of shape (n_components,), optional
        Weights that are not estimated.
    """

    concentration: float = 1.0
    fixed: Array | None = None

    def estimate(self, counts: Array) -> Array:
        """Most probable weights given expected counts, (..., n_components) both.

        weight_k = max(count_k + concentration - 1, 0) / sum over all k of the same
        """
        if self.fixed is not None:
            return np.broadcast_to(self.fixed, counts.shape).copy()
        raised = np.maximum(counts + (self.concentration - 1.0), TINY)
        weights: Array = raised / raised.sum(axis=-1, keepdims=True)
        return weights

    def log_prior(self, weights: Array) -> Array | float:
        """Log-density of the prior up to a constant, one for each mixture, (...)."""
        if self.concentration == 1.0 or self.fixed is not None:
            return 0.0
        total = np.log(np.maximum(weights, TINY)).sum(axis=-1)
        return np.asarray((self.concentration - 1.0) * total)

    @property
    def dense(self) -> MixingWeights:
        """The same without sparsity, for finding starts with all components alive."""
        return replace(self, concentration=max(self.concentration, 1.0))

    def kept(self, weights: Array) -> NDArray[np.intp]:
        """Components that a sparse prior left some weight."""
        return np.flatnonzero((weights > np.sqrt(TINY)) | (self.concentration >= 1.0))
