"""Distributions of a row given its latent vector, p(x | z): one class per likelihood.

A likelihood turns the outputs of the decoder into log-densities of single cells, means and draws.
Cells are independent given z, so that a missing cell is one that is left out of the sum.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sklearn_genmodel.families import BINARY, COUNTS, Support
from sklearn_genmodel.vae._scale import Scale

__all__ = ["Bernoulli", "Gaussian", "Likelihood", "NegativeBinomial", "Poisson"]

Array = NDArray[np.float64]

LOG_2PI = math.log(2.0 * math.pi)
# Rates and dispersions are kept within these powers of e, so that float32 can hold them.
LARGEST_LOG = 30.0
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
    rescaled : bool
        Whether columns are standardised for the model, as a location-scale family allows.
    filler : float
        Stands in for a missing cell; its density is computed and dropped.
    n_outputs : int
        How many numbers the decoder must give.
    """

    support: ClassVar[Support]
    rescaled: ClassVar[bool] = False
    filler: ClassVar[float] = 0.0

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_outputs = n_features

    @property
    def supports(self) -> list[Support]:
        """What the cells of every column may hold."""
        return [self.support] * self.n_features

    @classmethod
    def for_rows(cls, X: Array, scale: str | float) -> Likelihood:
        """Make a likelihood for a table.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            In the units of the data, NaN where a cell is missing.
        scale : str or float

        Returns
        -------
        likelihood : Likelihood
        """
        return cls(X.shape[1], scale)

    def features(self, X: Array) -> Array:
        """What the encoder is given for rows in the units of the data, before standardising."""
        return X

    def spread(self, features: Array) -> Array:
        """By what the encoder's inputs are divided when they are standardised."""
        return deviations(features)

    def start(self, X: Array) -> Array:
        """Set scales for columns in the units of the model; return outputs of the marginal fit.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            NaN where a cell is missing.

        Returns
        -------
        outputs : ndarray of shape (n_outputs,)
            Outputs of a decoder that ignores z, near the maximum likelihood.
        """
        raise NotImplementedError

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """Log-density of every cell, in nats: (..., n_rows, n_features)."""
        raise NotImplementedError

    def row_log_prob(self, X: Any, outputs: Any, mask: Any) -> Any:
        """Log-density of what was seen of every row, in nats: (..., n_rows)."""
        log_prob = self.log_prob(X, outputs)
        return (log_prob if mask is None else log_prob * mask).sum(-1)

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


class Gaussian(Likelihood):
    """Normal columns: the decoder gives means, and deviations if these are its own."""

    support = FINITE
    rescaled = True

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__(n_features, scale)
        self.scale = Scale(scale, n_features)
        self.n_outputs = n_features * (2 if self.scale.from_network else 1)

    def start(self, X: Array) -> Array:
        """Start from the mean and the deviation of every column."""
        self.scale.start(torch.as_tensor(np.log(deviations(X))))
        return padded(np.nanmean(X, axis=0), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """-((x - mu) / s)^2 / 2 - log s - log(2 pi) / 2."""
        location, log_scale = self._location_scale(outputs)
        standardized = (X - location) * torch.exp(-log_scale)
        return -0.5 * standardized.square() - (log_scale + 0.5 * LOG_2PI)

    def row_log_prob(self, X: Any, outputs: Any, mask: Any) -> Any:
        """The same, summed, in fewer passes over the cells."""
        location, log_scale = self._location_scale(outputs)
        inverse, constants = torch.exp(-log_scale), log_scale + 0.5 * LOG_2PI
        if mask is not None:
            inverse, constants = inverse * mask, constants * mask
        squares = torch.linalg.vector_norm((X - location) * inverse, dim=-1).square()
        width = torch.broadcast_shapes(constants.shape, X.shape[-1:])
        return -0.5 * squares - constants.expand(width).sum(-1)

    def mean(self, outputs: Any) -> Any:
        """Means."""
        return self._location_scale(outputs)[0]

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Means plus noise."""
        location, log_scale = self._location_scale(outputs)
        noise = rng.standard_normal(location.shape)
        return to_array(location) + to_array(torch.exp(log_scale)) * noise

    def _location_scale(self, outputs: Any) -> tuple[Any, Any]:
        if not self.scale.from_network:
            return outputs, self.scale()
        location, raw = outputs.chunk(2, dim=-1)
        return location, self.scale(raw)


class Bernoulli(Likelihood):
    """Columns of 0 and 1: the decoder gives log-odds."""

    support = BINARY

    def spread(self, features: Array) -> Array:
        """Zeros and ones keep their size."""
        return np.ones(features.shape[1])

    def start(self, X: Array) -> Array:
        """Start from the log-odds of every column."""
        n_seen = np.sum(~np.isnan(X), axis=0)
        ones = np.nansum(X, axis=0)
        return np.log((ones + 0.5) / (n_seen - ones + 0.5))

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """x logit - log(1 + e^logit)."""
        return X * outputs - functional.softplus(outputs)

    def mean(self, outputs: Any) -> Any:
        """Probabilities of a one."""
        return torch.sigmoid(outputs)

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Zeros and ones."""
        probs = to_array(self.mean(outputs))
        return (rng.random(probs.shape) < probs).astype(np.float64)


class Poisson(Likelihood):
    """Counts: the decoder gives log-rates."""

    support = COUNTS

    def features(self, X: Array) -> Array:
        """log(1 + x): counts of any size."""
        return np.log1p(X)

    def start(self, X: Array) -> Array:
        """Start from the mean of every column."""
        return log_means(X)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """x log rate - rate - log x!."""
        log_rate = outputs.clamp(-LARGEST_LOG, LARGEST_LOG)
        return X * log_rate - torch.exp(log_rate) - torch.lgamma(X + 1.0)

    def mean(self, outputs: Any) -> Any:
        """Rates."""
        return torch.exp(outputs.clamp(-LARGEST_LOG, LARGEST_LOG))

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Counts."""
        return rng.poisson(to_array(self.mean(outputs))).astype(np.float64)


class NegativeBinomial(Likelihood):
    """Counts that vary more than Poisson's: the decoder gives log-means.

    The scale is the number of failures r, so that the variance is mean + mean^2 / r.
    """

    support = COUNTS

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__(n_features, scale)
        self.scale = Scale(scale, n_features)
        self.n_outputs = n_features * (2 if self.scale.from_network else 1)

    def features(self, X: Array) -> Array:
        """log(1 + x): counts of any size."""
        return np.log1p(X)

    def start(self, X: Array) -> Array:
        """Start from the mean, and r by moments: mean^2 / (variance - mean)."""
        mean, variance = np.nanmean(X, axis=0), np.nanvar(X, axis=0)
        excess = np.maximum(variance - mean, 1e-2 * mean + 1e-6)
        r = np.clip(mean**2 / excess, 1e-2, 1e2)
        self.scale.start(torch.as_tensor(np.log(r)))
        return padded(log_means(X), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """log C(x + r - 1, x) + r log(r / (r + m)) + x log(m / (r + m))."""
        return negative_binomial(X, *self._location_scale(outputs))

    def mean(self, outputs: Any) -> Any:
        """Means."""
        return torch.exp(self._location_scale(outputs)[0])

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Counts with gamma-distributed rates."""
        return sample_negative_binomial(*self._location_scale(outputs), rng)

    def _location_scale(self, outputs: Any) -> tuple[Any, Any]:
        raw = None
        if self.scale.from_network:
            outputs, raw = outputs.chunk(2, dim=-1)
        return outputs.clamp(-LARGEST_LOG, LARGEST_LOG), self.scale(raw)


def negative_binomial(X: Any, log_mean: Any, log_r: Any) -> Any:
    """Log-mass of counts with variance mean + mean^2 / r."""
    r = torch.exp(log_r)
    log_odds = log_mean - log_r
    choices = torch.lgamma(X + r) - torch.lgamma(r) - torch.lgamma(X + 1.0)
    successes = X * functional.logsigmoid(log_odds)
    return choices + successes - r * functional.softplus(log_odds)


def sample_negative_binomial(log_mean: Any, log_r: Any, rng: np.random.Generator) -> Array:
    """Draw counts: Poisson with gamma-distributed rates."""
    mean, r = to_array(torch.exp(log_mean)), to_array(torch.exp(log_r))
    rates = rng.gamma(np.broadcast_to(r, mean.shape)) * mean / r
    return rng.poisson(rates).astype(np.float64)


def deviations(X: Array) -> Array:
    """Standard deviation of every column, 1 where it does not vary.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a cell is missing.

    Returns
    -------
    deviations : ndarray of shape (n_features,)
    """
    largest = np.nanmax(np.abs(X), axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    sd = unit * np.nanstd(X / unit, axis=0)
    # A spread of a few units in the last place is rounding, not variation.
    constant = sd <= 8.0 * np.finfo(np.float64).eps * largest
    return np.where(constant, 1.0, sd)


def log_means(X: Array) -> Array:
    """Log of the mean of every column, finite for columns of zeros."""
    n_seen = np.sum(~np.isnan(X), axis=0)
    return np.log((np.nansum(X, axis=0) + 0.5) / (n_seen + 0.5))


def padded(outputs: Array, n_outputs: int) -> Array:
    """Outputs for a start, with zeros where the decoder gives more."""
    return np.concatenate([outputs, np.zeros(n_outputs - len(outputs))])


def to_array(tensor: Any) -> Array:
    """Return the values of a tensor in double precision, on the CPU."""
    values: Array = tensor.detach().to("cpu", torch.float64).numpy()
    return values
