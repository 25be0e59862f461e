"""The contract of p(x | z), the distribution of a row given its latent vector.

A likelihood turns the outputs of the decoder into log-densities of single cells, means and draws.
Cells are independent given z, so that a missing cell is one that is left out of the sum.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sklearn_genmodel.families import Support
from sklearn_genmodel.vae._column_statistics import deviations
from sklearn_genmodel.vae._scale import Scale

__all__ = ["FINITE", "LARGEST_LOG", "Likelihood", "LocationScale", "padded", "to_array"]

Array = NDArray[np.float64]

# Rates and dispersions are kept within these powers of e: float32 can hold them, and 64 bits hold
# such counts.
LARGEST_LOG = 43.0
FINITE = Support("a real number")


class Likelihood(nn.Module):
    """Contract of p(x | z), for tables of `n_features` columns.

    Parameters
    ----------
    n_features : int
    scale : str or float
        The argument `decoder_scale`; ignored by distributions without a free scale.

    Attributes
    ----------
    support : Support
        What a cell may hold.
    rescaled : bool or ndarray of shape (n_features,)
        Whether columns are standardised for the model, as a location-scale family allows.
    has_outliers : bool or ndarray of shape (n_features,)
        Whether columns are standardised by nine tenths of them, and squashed for the encoder: an
        outlier neither hides the other rows nor is sent far away.
    n_outputs : int
        How many numbers the decoder must give.
    """

    support: ClassVar[Support]
    rescaled: Any = False
    has_outliers: Any = False

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_outputs = n_features

    @property
    def n_inputs(self) -> int:
        """How many columns `features` makes."""
        return self.n_features

    @property
    def inputs_with_outliers(self) -> NDArray[np.bool_]:
        """Which columns of `features` are those of `has_outliers`: (n_inputs,)."""
        return np.broadcast_to(self.has_outliers, self.n_inputs)

    @property
    def n_expected(self) -> int:
        """How many values `expectation` returns."""
        return self.n_features

    @property
    def supports(self) -> list[Support]:
        """What the cells of every column may hold."""
        return [self.support] * self.n_features

    def features(self, X: Array) -> Array:
        """What the encoder is given for rows in the units of the data, before standardising."""
        return X

    def to_cells(self, X: Array) -> Array:
        """What `log_prob` is given for columns in the units of the model."""
        return X

    def spread(self, features: Array, weights: Array | None) -> Array:
        """By what the encoder's inputs are divided when they are standardised."""
        return deviations(features, weights)

    def start(self, X: Array, weights: Array | None) -> Array:
        """Set scales for columns in the units of the model; return outputs of the marginal fit.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            NaN where a cell is missing.
        weights : ndarray of shape (n_samples,) or None

        Returns
        -------
        outputs : ndarray of shape (n_outputs,)
            Outputs of a decoder that ignores z, near the maximum likelihood.
        """
        raise NotImplementedError

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """Log-density of every cell, in nats: (..., n_rows, n_features).

        Where a cell is missing X, which `to_cells` made, is 0, and what this returns is dropped.
        """
        raise NotImplementedError

    def row_log_prob(self, X: Any, outputs: Any, mask: Any) -> Any:
        """Log-density of what was seen of every row, in nats: (..., n_rows)."""
        log_prob = self.log_prob(X, outputs.to(X.dtype))
        # Of a cell that is missing it may be infinite, and 0 times that is no number.
        return (log_prob if mask is None else torch.where(mask > 0, log_prob, 0.0)).sum(-1)

    def normal_deviations(self) -> Any:
        """Deviations (n_features,) of normal cells around the outputs, if all rows have the same.

        None if cells are not normal, or deviations depend on z.
        """
        return None

    def mean(self, outputs: Any) -> Any:
        """Mean of every cell: (..., n_features)."""
        raise NotImplementedError

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Draw every cell: (..., n_features)."""
        raise NotImplementedError

    def expectation(self, outputs: Any) -> Any:
        """What may be averaged over z: (..., n_values). Means, unless cells are labels."""
        return self.mean(outputs)

    def cells(self, expectation: Any) -> Any:
        """Cells that stand for an average over z: (..., n_features)."""
        return expectation


class LocationScale(Likelihood):
    """Of a location and a scale: the decoder gives the one, and the other if it is to."""

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__(n_features, scale)
        self.scale = Scale(scale, n_features)
        self.n_outputs = n_features * (2 if self.scale.from_network else 1)

    def location_scale(self, outputs: Any) -> tuple[Any, Any]:
        """Locations, and logarithms of the scales."""
        if not self.scale.from_network:
            return outputs, self.scale()
        location, raw = outputs.chunk(2, dim=-1)
        return location, self.scale(raw)


def padded(outputs: Array, n_outputs: int) -> Array:
    """Outputs for a start, with zeros where the decoder gives more."""
    return np.concatenate([outputs, np.zeros(n_outputs - len(outputs))])


def to_array(tensor: Any) -> Array:
    """Return the values of a tensor in double precision, on the CPU."""
    values: Array = tensor.detach().to("cpu", torch.float64).numpy()
    return values
