"""Independent numbers of successes."""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._all_rows import row_blocks
from sklearn_genmodel.families._arrays import TINY, Array, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten, tied_sums
from sklearn_genmodel.families._large_counts import LARGE_COUNT, CountColumns, half_deviance
from sklearn_genmodel.families._numerics._special import HALF_LOG_2PI, stirling_remainder
from sklearn_genmodel.families._prior import Prior, prior_of_columns
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Binomial", "BinomialParams"]

BELOW_ONE = float(np.nextafter(1.0, 0.0))


class BinomialParams(NamedTuple):
    """Parameters of binomial components: ``probs`` of a success, (n_components, n_features)."""

    probs: Array


class Binomial(CountColumns):
    """Numbers of successes among known numbers of trials, independent given the component.

    log p(x) = sum_j x_j log p_j + (n_j - x_j) log(1 - p_j) + log binom(n_j, x_j)

    Missing values (NaN) are allowed: the likelihood is that of the values observed. A probability
    is never exactly 0 or 1: it is kept between the smallest positive float and the last float below
    1.

    Parameters
    ----------
    n_trials : int, sequence of int or "max", default="max"
        Number of trials n, one for all columns or one for each. "max" takes the largest value of
        every column in `fit`, which underestimates n where not all trials of any row succeeded.
    prior : float, (float, means) or None, default=None
        Beta prior of the probabilities, as a number of pseudo-observations s per component and
        column, of n trials each, whose mean m is that of all the data or the one given:
        Beta(s m + 1, s (n - m) + 1). The estimate is the posterior mode. None is maximum
        likelihood.

    See Also
    --------
    Bernoulli : One trial.
    Multinomial : More than two outcomes.

    References
    ----------
    Blischke, W. R. (1964). Estimating the parameters of mixtures of binomial distributions. Journal
    of the American Statistical Association 59, 510-528.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Binomial
    >>> X = np.array([[0], [1], [1], [2], [2], [8], [9], [9], [10]])
    >>> mixture = EMMixture(2, family=Binomial(n_trials=10), random_state=0).fit(X)
    >>> mixture.params_.probs.round(2).ravel()
    array([0.12, 0.9 ])
    """

    support: ClassVar[Support] = COUNTS

    def __init__(self, n_trials: Any = "max", prior: Prior = None) -> None:
        super().__init__(prior)
        self.n_trials = n_trials

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """0 to the number of trials."""
        if self._unknown:
            return (self.support,) * n_features
        limits = self._trials
        if limits.ndim and limits.shape != (n_features,):
            raise ValueError(
                f"n_trials has shape {limits.shape}, but X has {n_features} column(s): pass one "
                "number, or one for each column."
            )
        return tuple(
            Support(f"an integer from 0 to n_trials = {n:g}", 0.0, float(n), integer=True)
            for n in np.broadcast_to(limits, n_features)
        )

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Take the largest counts for the numbers of trials, and center the prior at the data."""
        if not self._unknown:
            return super().for_rows(X, sample_weight, n_components)
        largest = reduce(np.fmax, (np.fmax.reduce(rows, axis=0) for rows, _ in row_blocks(X)))
        n_trials = np.maximum(np.where(np.isnan(largest), 1.0, largest), 1.0)
        known = Binomial(tuple(int(n) for n in n_trials), self.prior)
        return known.for_rows(X, sample_weight, n_components)

    def coefficients(self, params: BinomialParams) -> tuple[Array, Array]:
        """logit p and n log(1 - p)."""
        probs = np.clip(params.probs, TINY, BELOW_ONE)
        log_complement = np.log1p(-probs)
        return np.log(probs) - log_complement, self._trials * log_complement

    def from_means(self, means: Array) -> BinomialParams:
        """p = mean / n."""
        return BinomialParams(np.clip(means[0] / self._trials, TINY, BELOW_ONE))

    def constrained_m_step(self, stats: Array, constraints: Constraints) -> BinomialParams:
        """Tied probabilities pool successes and trials, whose numbers may differ by column."""
        sums, counts = self._posterior(stats)
        pooled = np.concatenate([sums, counts * self._trials], axis=1)
        for labels in constraints.tied.values():
            pooled = tied_sums(pooled, labels)
        probs = pooled[:, 0] / np.maximum(pooled[:, 1], TINY)
        return overwritten(BinomialParams(np.clip(probs, TINY, BELOW_ONE)), constraints)

    def log_base_terms(self, X: Array) -> Array:
        """Logarithms of binomial coefficients, by Stirling's formula and its remainder."""
        n = self._trials
        inside = (X > 0) & (X < n)
        x = np.where(inside, np.minimum(X, n - X), 0.5 * n)
        # x log(n / x) + (n - x) log(n / (n - x)), which large counts do without
        terms = x * np.log(n / x) - (n - x) * np.log1p(-x / n)
        terms = np.where(self.is_large(X), 0.0, terms)
        # log(n / (2 pi x (n - x))) / 2
        terms += 0.5 * np.log(n / x / (n - x)) - HALF_LOG_2PI
        terms += stirling_remainder(n) - stirling_remainder(x) - stirling_remainder(n - x)
        return np.where(inside, terms, 0.0)

    def is_large(self, X: Array) -> NDArray[np.bool_]:
        """Those among a million trials or more; of no success the linear terms are exact."""
        return (self._trials >= LARGE_COUNT) & (X > 0)

    def half_deviances(self, values: Array, params: BinomialParams, column: int) -> Array:
        """Those of successes and failures."""
        probs = np.clip(params.probs[:, column, None], TINY, BELOW_ONE)
        n = np.broadcast_to(self._trials, params.probs.shape[1:])[column]
        failures = half_deviance(n - values, n * (1.0 - probs))
        return half_deviance(values, n * probs) + failures

    def sample(
        self, params: BinomialParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        n_trials = self._trials.astype(np.int64)
        return rng.binomial(n_trials, params.probs[labels]).astype(np.float64)

    def mean(self, params: BinomialParams) -> Array:
        """n p."""
        return self._trials * params.probs

    def covariance(self, params: BinomialParams) -> Array:
        """Diagonal: n p (1 - p)."""
        variances = self._trials * params.probs * (1.0 - params.probs)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def marginal(self, params: BinomialParams, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The same family with the prior, parameters and numbers of trials of these columns."""
        n_trials = np.broadcast_to(self._trials, params.probs.shape[1:])[columns]
        kept = Binomial(tuple(int(n) for n in n_trials), prior_of_columns(self.prior, columns))
        return kept, map_params(lambda array: array[:, columns], params)

    def to_vector(self, params: BinomialParams, like: BinomialParams) -> Array:
        """Arcs whose squared sine is p: finite and regular where a probability goes to 0 or 1."""
        return np.arcsin(np.sqrt(params.probs)).ravel()

    def from_vector(self, vector: Array, like: BinomialParams) -> BinomialParams:
        """Inverse of `to_vector`."""
        probs = np.clip(np.sin(vector) ** 2, TINY, BELOW_ONE)
        return BinomialParams(probs.reshape(like.probs.shape))

    def embed(self, X: Array) -> Any:
        """Arcs, whose variance hardly depends on p; "max" takes the largest values of X."""
        n_trials = np.fmax.reduce(X, axis=0) if self._unknown else self._trials
        return np.arcsin(np.sqrt(X / np.maximum(n_trials, 1.0)))

    @property
    def _unknown(self) -> bool:
        return isinstance(self.n_trials, str) and self.n_trials == "max"

    @property
    def _trials(self) -> Array:
        """Numbers of trials, a number or one for each column."""
        if self._unknown:
            raise ValueError(
                "n_trials='max' depends on the data: pass numbers, or use the family that "
                "for_rows(X, sample_weight, n_components) returns."
            )
        n_trials = np.asarray(self.n_trials)
        numbers = (
            n_trials.dtype.kind in "iuf" and n_trials.ndim <= 1 and np.isfinite(n_trials).all()
        )
        if not numbers or (n_trials < 1).any() or (np.floor(n_trials) != n_trials).any():
            raise ValueError(
                f"n_trials={self.n_trials!r} must be an integer of at least 1, one for each "
                "column, or 'max'."
            )
        return n_trials.astype(np.float64)
