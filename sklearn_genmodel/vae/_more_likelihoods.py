"""Likelihoods with outliers, with many zeros, on the unit interval, and of labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit
from torch import nn
from torch.nn import functional

from sklearn_genmodel.families import COUNTS, Support
from sklearn_genmodel.vae._column_statistics import (
    extra_zeros,
    failures,
    log_means,
    robust_deviations,
    tail_dofs,
    weighted_means,
    weighted_medians,
    weighted_sums,
    weighted_variances,
)
from sklearn_genmodel.vae._counts import in_double, negative_binomial
from sklearn_genmodel.vae._likelihood import (
    FINITE,
    LARGEST_LOG,
    Likelihood,
    LocationScale,
    padded,
    to_array,
)
from sklearn_genmodel.vae._likelihoods import sample_negative_binomial
from sklearn_genmodel.vae._scale import Scale, bounded
from sklearn_genmodel.vae._shares import beta

__all__ = ["Beta", "Categorical", "StudentT", "ZeroInflatedNegativeBinomial"]

Array = NDArray[np.float64]

FIRST_DOF, LEAST_EXTRA = 10.0, 0.1
# A column of shares starts with no smaller coefficient of variation, and no smaller precision.
LEAST_VARIATION, LEAST_PRECISION = 1e-3, 0.1
SHARES = Support(
    "a number strictly between 0 and 1", low=np.nextafter(0.0, 1.0), high=np.nextafter(1.0, 0.0)
)


class StudentT(LocationScale):
    """Real columns with outliers: the decoder gives locations; degrees of freedom are learned."""

    support = FINITE
    rescaled = True
    has_outliers = True

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__(n_features, scale)
        first = torch.full((n_features,), math.log(FIRST_DOF - 1.0), dtype=torch.float32)
        self.raw_dof = nn.Parameter(first)

    def spread(self, features: Array, weights: Array | None) -> Array:
        """As far as nine tenths of every column say."""
        return robust_deviations(features, weights)

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the median, and from nine tenths of every column beside half of it."""
        dof = tail_dofs(X, weights, most=FIRST_DOF)
        with torch.no_grad():
            self.raw_dof.copy_(torch.as_tensor(np.log(dof - 1.0)))
        # Nine tenths of a normal are to be those of a t distribution.
        deviation = robust_deviations(X, weights) * (ndtri(0.95) / stdtrit(dof, 0.95))
        self.scale.start(torch.as_tensor(np.log(deviation)))
        return padded(weighted_medians(X, weights), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """log of Gamma((v+1)/2) / (Gamma(v/2) sqrt(v pi) s) (1 + ((x - mu) / s)^2 / v)^-(v+1)/2."""
        location, log_scale = self.location_scale(outputs)
        dof = self.dof()
        half = 0.5 * (dof + 1.0)
        constant = torch.lgamma(half) - torch.lgamma(0.5 * dof) - 0.5 * torch.log(math.pi * dof)
        squares = ((X - location) * torch.exp(-log_scale)).square()
        return constant - log_scale - half * torch.log1p(squares / dof)

    def dof(self) -> Any:
        """Degrees of freedom, above 1 so that there is a mean: (n_features,)."""
        return 1.0 + torch.exp(bounded(self.raw_dof))

    def mean(self, outputs: Any) -> Any:
        """Locations."""
        return self.location_scale(outputs)[0]

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Locations plus heavy-tailed noise."""
        location, log_scale = self.location_scale(outputs)
        noise = rng.standard_t(np.broadcast_to(to_array(self.dof()), location.shape))
        return to_array(location) + to_array(torch.exp(log_scale)) * noise


class ZeroInflatedNegativeBinomial(Likelihood):
    """Counts with extra zeros: the decoder gives log-means and log-odds of an extra zero."""

    support = COUNTS

    def __init__(self, n_features: int, scale: str | float) -> None:
        super().__init__(n_features, scale)
        self.scale = Scale(scale, n_features)
        self.n_outputs = n_features * (3 if self.scale.from_network else 2)

    def features(self, X: Array) -> Array:
        """log(1 + x): counts of any size."""
        return np.log1p(X)

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the zeros that moments do not explain, and the mean and r of the others."""
        extra = extra_zeros(X, weights)
        r = failures(weighted_means(X, weights), weighted_variances(X, weights), extra)
        self.scale.start(torch.as_tensor(np.log(r)))
        # The decoder may find that rows differ in what was no extra zero on the whole.
        share = np.maximum(extra, LEAST_EXTRA)
        outputs = log_means(X, weights) - np.log1p(-extra), np.log(share) - np.log1p(-share)
        return padded(np.concatenate(outputs), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """log(w [x = 0] + (1 - w) NB(x)), with w = sigmoid(odds)."""
        log_mean, odds, log_r = self._split(outputs)
        counted = functional.logsigmoid(-odds) + negative_binomial(X, log_mean, log_r)
        zero = torch.logaddexp(functional.logsigmoid(odds), counted)
        return torch.where(X == 0, zero, counted)

    def mean(self, outputs: Any) -> Any:
        """(1 - w) mean of the negative binomial part."""
        log_mean, odds, _ = self._split(outputs)
        return torch.exp(log_mean) * torch.sigmoid(-odds)

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Counts, or extra zeros."""
        log_mean, odds, log_r = self._split(outputs)
        counts = sample_negative_binomial(log_mean, log_r, rng)
        return np.where(rng.random(counts.shape) < to_array(torch.sigmoid(odds)), 0.0, counts)

    def _split(self, outputs: Any) -> tuple[Any, Any, Any]:
        log_mean, odds, *raw = outputs.split(self.n_features, dim=-1)
        return log_mean.clamp(-LARGEST_LOG, LARGEST_LOG), odds, self.scale(*raw)


class Beta(LocationScale):
    """Shares in (0, 1): the decoder gives log-odds of the mean; the scale is the precision."""

    support = SHARES

    def features(self, X: Array) -> Array:
        """Log-odds of the shares."""
        return np.log(X) - np.log1p(-X)

    def to_cells(self, X: Array) -> Array:
        """Log-odds: single precision has few shares near 1."""
        return self.features(X)

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the mean m, and the precision by moments: m (1 - m) / variance - 1."""
        share, rest = weighted_means(X, weights), weighted_means(1.0 - X, weights)
        # Of what is smaller and its coefficient of variation, in logs: squares would be 0.
        small, least = np.where(share < rest, X, 1.0 - X), np.minimum(share, rest)
        variation = np.maximum(weighted_variances(small / least, weights), LEAST_VARIATION**2)
        log_sum = np.log1p(-least) - np.log(least) - np.log(variation)
        log_sum = np.maximum(log_sum, math.log1p(LEAST_PRECISION))
        log_precision = log_sum + np.log1p(-np.exp(-log_sum))
        # Far too narrow costs a column far more than far too wide.
        shared = self.scale.shared
        self.scale.start(torch.as_tensor(log_precision.min() if shared else log_precision))
        return padded(np.log(share) - np.log(rest), self.n_outputs)

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """(a - 1) log x + (b - 1) log(1 - x) - log B(a, b)."""
        return beta(X, *self._shapes(outputs))

    def mean(self, outputs: Any) -> Any:
        """Means."""
        return torch.sigmoid(self.location_scale(outputs)[0])

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Shares, kept off 0 and 1."""
        a, b = map(to_array, self._shapes(outputs))
        return np.clip(rng.beta(a, b), SHARES.low, SHARES.high)

    def _shapes(self, outputs: Any) -> tuple[Any, Any]:
        odds, log_precision = map(in_double, self.location_scale(outputs))
        # Of shapes beyond these the digamma function or the sum is infinite.
        limit = 0.97 * math.log(torch.finfo(odds.dtype).max)
        logs = (log_precision + functional.logsigmoid(sign * odds) for sign in (1.0, -1.0))
        a, b = (torch.exp(log.clamp(-limit, limit)) for log in logs)
        return a, b


class Categorical(Likelihood):
    """Columns of codes 0, 1, ...: the decoder gives a log-weight for every code of every column.

    Parameters
    ----------
    n_codes : sequence of int
        Number of codes of every column.
    """

    support = COUNTS

    def __init__(self, n_codes: Any) -> None:
        super().__init__(len(n_codes), "unit")
        self.n_codes = [int(n) for n in n_codes]
        self.n_outputs = sum(self.n_codes)
        # Columns of different length side by side: places past a column's last code are shut.
        place = np.arange(max(self.n_codes))
        first = np.cumsum([0, *self.n_codes[:-1]])[:, None]
        is_open = place < np.array(self.n_codes)[:, None]
        self.register_buffer("place", torch.as_tensor(np.where(is_open, first + place, 0)))
        self.register_buffer("shut", torch.as_tensor(~is_open))

    @property
    def n_inputs(self) -> int:
        """Number of codes of all columns."""
        return self.n_outputs

    @property
    def n_expected(self) -> int:
        """Number of codes of all columns."""
        return self.n_outputs

    @property
    def supports(self) -> list[Support]:
        """The codes of every column."""
        return [
            Support(f"one of the codes 0 ... {n - 1} of this column", 0.0, n - 1.0, integer=True)
            for n in self.n_codes
        ]

    def features(self, X: Array) -> Array:
        """A column of 0 and 1 for every code."""
        columns = [X[:, [j]] == np.arange(n) for j, n in enumerate(self.n_codes)]
        missing = np.repeat(np.isnan(X), self.n_codes, axis=1)
        return np.where(missing, np.nan, np.concatenate(columns, axis=1))

    def spread(self, features: Array, weights: Array | None) -> Array:
        """Zeros and ones keep their size."""
        return np.ones(features.shape[1])

    def start(self, X: Array, weights: Array | None) -> Array:
        """Start from the log-frequencies."""
        counts, _ = weighted_sums(self.features(X), weights)
        return np.asarray(np.log(counts + 0.5))

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """Log-probability of the code."""
        codes = X.long().unsqueeze(-1)
        codes = codes.expand(*[1] * (outputs.ndim - X.ndim), *codes.shape)
        return torch.take_along_dim(self._log_probs(outputs), codes, -1).squeeze(-1)

    def mean(self, outputs: Any) -> Any:
        """The most probable codes."""
        return self.cells(self.expectation(outputs))

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Codes."""
        below = np.cumsum(to_array(torch.exp(self._log_probs(outputs))), axis=-1)
        uniform = rng.random(below.shape[:-1])[..., None] * below[..., -1:]
        codes: Array = np.sum(below <= uniform, axis=-1).astype(np.float64)
        return codes

    def expectation(self, outputs: Any) -> Any:
        """Probabilities of all codes of all columns, one after the other."""
        return torch.exp(self._log_probs(outputs))[..., ~self.shut]

    def cells(self, expectation: Any) -> Any:
        """The most probable codes."""
        probs = expectation[..., self.place].masked_fill(self.shut, -1.0)
        return probs.argmax(-1).to(expectation.dtype)

    def _log_probs(self, outputs: Any) -> Any:
        weights = outputs[..., self.place].masked_fill(self.shut, -torch.inf)
        return torch.log_softmax(weights, -1)
