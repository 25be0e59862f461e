"""Structures whose best covariances above a floor have no closed form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._covariances._patterns import packed

__all__ = ["Compared", "fitted"]


class Compared(Structure):
    """Structures of which several covariances above a floor are compared, the current among them.

    What the floor makes of the best covariances need not be the best above it: where components
    share something, one that the floor raises may cost the others all that they have gained. So
    no M-step is worse than standing still, whatever the search among near-singular matrices finds.
    """

    @property
    def compares(self) -> bool:
        return True

    @abstractmethod
    def expected_log_prob(self, covariances: Array, scatter: Array, counts: Array) -> float:
        """-sum_k (n_k log |Sigma_k| + tr(Sigma_k^-1 W_k)) / 2, from packed scatter."""

    def constrained(
        self, scatter: Array, counts: Array, n_features: int, minimum: Array, current: Any = None
    ) -> Array:
        # Scatter to which every row adds the floor leads near it without being near-singular, and
        # no more than one matrix for all need be lost.
        floors = counts[:, None, None] * np.diag(minimum)
        alike = np.multiply.outer(counts / counts.sum(), scatter.sum(axis=0))
        found = [] if current is None else [current]
        found += [
            self.floor(self.covariances(own, counts, n_features, current), minimum)
            for own in (scatter, scatter + packed(self, floors), alike)
        ]
        gains = [self.expected_log_prob(covariances, scatter, counts) for covariances in found]
        return np.asarray(found[int(np.argmax(gains))])


def fitted(fit: Callable[[], Array], scatter: Array, counts: Array) -> Array:
    """What fits scatters, or one matrix for all of them, which is of every structure.

    Scatters so near singular that numbers cannot hold their ratios have no better fit.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = fit()
        usable = bool(np.isfinite(found).all())
    except np.linalg.LinAlgError:
        usable = False
    return found if usable else np.broadcast_to(scatter.sum(axis=0) / counts.sum(), scatter.shape)
