"""Distributions of a row given its latent vector, p(x | z): normal columns, yes/no, counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sklearn_genmodel.families import BINARY, COUNTS
from sklearn_genmodel.families._numerics._poisson_draws import poisson_draws
from sklearn_genmodel.vae._column_statistics import (
    deviations,
    log_means,
    weighted_means,
    weighted_sums,
    weighted_variances,
)
from sklearn_genmodel.vae._counts import negative_binomial, poisson
from sklearn_genmodel.vae._likelihood import (
    FINITE,
    LARGEST_LOG,
    Likelihood,
    LocationScale,
    padded,
    to_array,
)

__all__ = [
    "Bernoulli",
    "Gaussian",
    "NegativeBinomial",
    "Poisson",
    "sample_negative_binomial",
]

Array = NDArray[np.float64]

LOG_2PI = math.log(2.0 * math.pi)


class Gaussian(LocationScale):
    """Normal columns: the decoder gives means, and deviations if these are its own."""

    support = FINITE
    rescaled = True

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the mean and the deviation of every column."""
        self.scale.start(torch.as_tensor(np.log(deviations(X, weights))))
        return padded(weighted_means(X, weights), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """-((x - mu) / s)^2 / 2 - log s - log(2 pi) / 2."""
        location, log_scale = self.location_scale(outputs)
        standardized = (X - location) * torch.exp(-log_scale)
        return -0.5 * standardized.square() - (log_scale + 0.5 * LOG_2PI)

    def row_log_prob(self, X: Any, outputs: Any, mask: Any) -> Any:
        """The same, summed, in fewer passes over the cells; squares in the decoder's precision."""
        location, log_scale = self.location_scale(outputs)
        inverse, constants = torch.exp(-log_scale), log_scale + 0.5 * LOG_2PI
        if mask is not None:
            inverse, constants = inverse * mask, constants * mask
        dtype = torch.promote_types(location.dtype, torch.float32)
        location, target = location.to(dtype), (X * inverse).to(dtype)
        standardized = torch.addcmul(target, location, inverse.to(dtype), value=-1.0)
        squares = torch.linalg.vector_norm(standardized, dim=-1).to(X.dtype).square()
        n_alike = X.shape[-1] // constants.shape[-1]
        return -0.5 * squares - n_alike * constants.sum(-1)

    def normal_deviations(self) -> Any:
        """Those of the columns, unless the network gives them."""
        return None if self.scale.from_network else torch.exp(self.scale()).expand(self.n_features)

    def mean(self, outputs: Any) -> Any:
        """Means."""
        return self.location_scale(outputs)[0]

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Means plus noise."""
        location, log_scale = self.location_scale(outputs)
        noise = rng.standard_normal(location.shape)
        return to_array(location) + to_array(torch.exp(log_scale)) * noise


class Bernoulli(Likelihood):
    """Columns of 0 and 1: the decoder gives log-odds."""

    support = BINARY

    def spread(self, features: Array, weights: Array | None) -> Array:
        """Zeros and ones keep their size."""
        return np.ones(features.shape[1])

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the log-odds of every column."""
        ones, n_seen = weighted_sums(X, weights)
        return np.asarray(np.log((ones + 0.5) / (n_seen - ones + 0.5)))

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

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the mean of every column."""
        return log_means(X, weights)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """x log rate - rate - log x!."""
        return poisson(X, outputs.clamp(-LARGEST_LOG, LARGEST_LOG))

    def mean(self, outputs: Any) -> Any:
        """Rates."""
        return torch.exp(outputs.clamp(-LARGEST_LOG, LARGEST_LOG))

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Counts."""
        return poisson_draws(to_array(self.mean(outputs)), rng)


class NegativeBinomial(LocationScale):
    """Counts that vary more than Poisson's: the decoder gives log-means.

    The scale is the number of failures r, so that the variance is mean + mean^2 / r.
    """

    support = COUNTS

    def features(self, X: Array) -> Array:
        """log(1 + x): counts of any size."""
        return np.log1p(X)

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the mean, and r by moments: mean^2 / (variance - mean)."""
        mean, variance = weighted_means(X, weights), weighted_variances(X, weights)
        excess = np.maximum(variance - mean, 1e-2 * mean + 1e-6)
        # Of zeros alone any r is an answer; a small one would leave the mean free to grow.
        r = np.where(mean > 0, np.clip(mean**2 / excess, 1e-2, 1e2), 1e2)
        self.scale.start(torch.as_tensor(np.log(r)))
        return padded(log_means(X, weights), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """log C(x + r - 1, x) + r log(r / (r + m)) + x log(m / (r + m))."""
        return negative_binomial(X, *self.location_scale(outputs))

    def mean(self, outputs: Any) -> Any:
        """Means."""
        return torch.exp(self.location_scale(outputs)[0])

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Counts with gamma-distributed rates."""
        return sample_negative_binomial(*self.location_scale(outputs), rng)

    def location_scale(self, outputs: Any) -> tuple[Any, Any]:
        """Log-means, kept within what numbers can hold, and log r."""
        log_mean, log_r = super().location_scale(outputs)
        return log_mean.clamp(-LARGEST_LOG, LARGEST_LOG), log_r


def sample_negative_binomial(log_mean: Any, log_r: Any, rng: np.random.Generator) -> Array:
    """Draw counts: Poisson with gamma-distributed rates."""
    mean, r = to_array(torch.exp(log_mean)), to_array(torch.exp(log_r))
    rates = rng.gamma(np.broadcast_to(r, mean.shape)) * mean / r
    return poisson_draws(rates, rng)
