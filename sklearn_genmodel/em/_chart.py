"""Unconstrained coordinates of all parameters of a mixture, in which accelerators extrapolate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.families import Family

__all__ = ["Chart"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chart:
    """Square roots of the mixing weights, and the family's coordinates in units of `like`.

    Weights that are fixed, where `fixed_weights` is no NaN, stay so.
    """

    family: Family
    like: Theta
    fixed_weights: Array | None = None

    def vector(self, theta: Theta) -> Array:
        """Coordinates of parameters."""
        params = self.family.to_vector(theta.params, self.like.params)
        return np.concatenate([np.sqrt(theta.weights), params])

    def theta(self, vector: Array) -> Theta:
        """Inverse of `vector`, for weights of any sum."""
        n_components = len(self.like.weights)
        weights = vector[:n_components] ** 2
        params = self.family.from_vector(vector[n_components:], self.like.params)
        if self.fixed_weights is None:
            return Theta(weights / weights.sum(), params)
        free, left = np.isnan(self.fixed_weights), 1.0 - np.nansum(self.fixed_weights)
        shares = weights / weights[free].sum() if free.any() else weights
        return Theta(np.where(free, left * shares, self.fixed_weights), params)
