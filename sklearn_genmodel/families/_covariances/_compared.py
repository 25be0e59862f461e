"""Structures whose best covariances above a floor have no closed form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import Structure

__all__ = ["Compared", "fitted"]

# Covariances (M, K, ...) from scatter (M, K, ...), counts (M, K) and current covariances.
Fit = Callable[[Array, Array, "Array | None"], Array]


class Compared(Structure):
    """Structures of which several covariances above a floor are compared, the current among them.

    What the floor makes of the best covariances need not be the best above it: where components
    share something, one that the floor raises may cost the others all that they have gained. So
    no M-step is worse than standing still, whatever the search among near-singular matrices finds.
    """

    coupled: bool = True
    divides: bool = False

    @property
    def compares(self) -> bool:
        return True

    @abstractmethod
    def expected_log_prob(self, covariances: Array, scatter: Array, counts: Array) -> Array:
        """-sum_k (n_k log |Sigma_k| + tr(Sigma_k^-1 W_k)) / 2 of every mixture, (M,).

        From covariances and packed scatter of their components.
        """

    def side_by_side(self, n_mixtures: int) -> Structure:
        return self._of_mixtures(n_mixtures)

    def by_mixture(self, array: Array) -> Array:
        """An array of all components, (M, K, ...)."""
        return array.reshape(self.n_mixtures, -1, *array.shape[1:])

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
            for own in (scatter, scatter + self.packed(floors), alike)
        ]
        gains = [float(self.expected_log_prob(own, scatter, counts)[0]) for own in found]
        return np.asarray(found[int(np.argmax(gains))])


def fitted(fit: Fit, scatter: Array, counts: Array, current: Array | None) -> Array:
    """What fits scatters, or one matrix for all of a mixture, which is of every structure.

    Scatters so near singular that numbers cannot hold their ratios have no better fit.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = fit(scatter, counts, current)
        usable = bool(np.isfinite(found).all())
    except np.linalg.LinAlgError:
        usable = False
    if usable:
        return found
    if len(scatter) == 1:
        pooled = scatter.sum(axis=1, keepdims=True) / counts.sum()
        return np.repeat(pooled, scatter.shape[1], axis=1)
    currents = [None] * len(scatter) if current is None else np.split(current, len(scatter))
    mixtures = zip(scatter[:, None], counts[:, None], currents, strict=True)
    return np.concatenate([fitted(fit, *mixture) for mixture in mixtures])
