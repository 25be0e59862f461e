"""`check_family` passes what is right, heavy tails too, and names what is wrong."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from sklearn_genmodel.families import (
    POSITIVE,
    ColumnwiseFamily,
    Family,
    Poisson,
    PoissonParams,
    ScipyFamily,
    ScipyParams,
    StudentT,
    StudentTParams,
    Uniform,
    UniformParams,
)
from sklearn_genmodel.testing import check_family

RATES = PoissonParams(np.array([[1.0, 5.0], [4.0, 2.0]]))


class LocationParams(NamedTuple):
    locations: np.ndarray
    scales: np.ndarray


ONE = LocationParams(np.array([[0.0], [2.0]]), np.array([[1.0], [0.5]]))
TWO = LocationParams(np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 2.0], [0.5, 1.0]]))


class Normal(Family):
    """Independent normal columns with closed forms, written to be spoilt."""

    allow_nan = True

    def log_prob(self, X, params):
        terms = stats.norm.logpdf(X[:, None], params.locations, params.scales)
        return np.where(np.isnan(X[:, None]), 0.0, terms).sum(axis=2)

    def weighted_mle(self, X, resp):
        resp = np.where(resp.sum(axis=0) > 0.0, resp, 1.0)
        seen = ~np.isnan(X)
        filled = np.where(seen, X, 0.0)
        counts = resp.T @ seen
        means = resp.T @ filled / counts
        return LocationParams(means, np.sqrt(resp.T @ filled**2 / counts - means**2))

    def sample(self, params, labels, rng):
        return rng.normal(params.locations[labels], params.scales[labels])

    def mean(self, params):
        return params.locations

    def covariance(self, params):
        return params.scales[:, :, None] ** 2 * np.eye(params.scales.shape[1])

    def n_parameters(self, n_components, n_features):
        return 2 * n_components * n_features

    def marginal(self, params, columns):
        return Normal(), LocationParams(*(array[:, columns] for array in params))

    def conditional(self, params, x):
        return self.marginal(params, np.flatnonzero(np.isnan(x)))

    def to_vector(self, params, like):
        return np.concatenate([params.locations.ravel(), np.log(params.scales).ravel()])

    def from_vector(self, vector, like):
        locations, logs = vector.reshape(2, *like.locations.shape)
        return LocationParams(locations, np.exp(logs))


class NanIsZero(Normal):
    def weighted_mle(self, X, resp):
        return super().weighted_mle(np.nan_to_num(X), resp)


class NanStays(Normal):
    def log_prob(self, X, params):
        log_prob = super().log_prob(X, params)
        partly = np.isnan(X).any(axis=1) & ~np.isnan(X).all(axis=1)
        return np.where(partly[:, None], np.nan, log_prob)


class EmptyIsNan(Normal):
    def weighted_mle(self, X, resp):
        params = super().weighted_mle(X, resp)
        empty = resp.sum(axis=0) == 0.0
        return params._replace(locations=np.where(empty[:, None], np.nan, params.locations))


class HalfTheVariance(Normal):
    def sample(self, params, labels, rng):
        return rng.normal(params.locations[labels], params.scales[labels] * np.sqrt(0.5))

    covariance = Family.covariance


class Deviations(Normal):
    def covariance(self, params):
        return params.scales[:, :, None] * np.eye(params.scales.shape[1])


class Variances(Normal):
    def covariance(self, params):
        return params.scales**2


class Unconditional(Normal):
    def conditional(self, params, x):
        family, own = super().conditional(params, x)
        return family, own._replace(locations=own.locations + np.nansum(x))


class HalfTaken(Normal):
    def take(self, params, components):
        return params._replace(locations=params.locations[components])


class FirstRowCounts(Normal):
    def log_prob(self, X, params):
        log_prob = super().log_prob(X, params)
        log_prob[0] -= 1e-3
        return log_prob


class Learns(Normal):
    def for_rows(self, X, sample_weight, n_components):
        self.n_seen = len(X)
        return self


class Remembers(Normal):
    def log_prob(self, X, params):
        self.last = X
        return super().log_prob(X, params)


class HoldsMore(Normal):
    def __init__(self):
        self.cache = {}


class EmbedsLess(Normal):
    def embed(self, X):
        return X[1:]


class AllDegenerate(Normal):
    def degenerate(self, params, n_rows, pooled):
        return np.ones(len(n_rows), dtype=bool)


class TooMany(Normal):
    def n_parameters(self, n_components, n_features):
        return 3 * n_components * n_features


class TooFew(Normal):
    def n_parameters(self, n_components, n_features):
        return 2 * n_features


class OneForAll(Normal):
    def n_parameters(self, n_components, n_features):
        return n_components * n_features


class IgnoredPrior(Poisson):
    def log_prior(self, params):
        return -5.0 * params.rates.sum(axis=1)


class ClippedRates(Poisson):
    def m_step(self, stats):
        return PoissonParams(np.maximum(super().m_step(stats).rates, 2.0))


class EmbedsNaN(Normal):
    def embed(self, X):
        return np.full_like(X, np.nan)


class LogisticByMoments(Normal):
    """The mean and the variance are those of the rows, which is no maximum."""

    allow_nan = False

    def log_prob(self, X, params):
        terms = stats.logistic.logpdf(X[:, None], params.locations, params.scales)
        return terms.sum(axis=2)

    def weighted_mle(self, X, resp):
        params = super().weighted_mle(X, resp)
        return params._replace(scales=params.scales * np.sqrt(3.0) / np.pi)

    def sample(self, params, labels, rng):
        return rng.logistic(params.locations[labels], params.scales[labels])

    covariance, marginal = Family.covariance, Family.marginal


class RayleighParams(NamedTuple):
    scales: np.ndarray


class ExponentialForRayleigh(ColumnwiseFamily):
    support = POSITIVE

    def column_log_prob(self, values, params):
        return stats.rayleigh.logpdf(values, scale=params.scales[:, None])

    def column_mle(self, values, weights, current):
        return RayleighParams(np.sqrt(0.5 * weights @ values**2))

    def sample(self, params, labels, rng):
        return rng.exponential(self.mean(params)[labels])

    def mean(self, params):
        return params.scales * np.sqrt(0.5 * np.pi)


WRONG = {
    "NaN as 0": (NanIsZero(), TWO, "where values are missing"),
    "NaN as 0, one column": (NanIsZero(), ONE, "where values are missing"),
    "NaN in part": (NanStays(), TWO, "a number where values are missing"),
    "no row": (EmptyIsNan(), TWO, "without weight must be numbers"),
    "half the variance": (HalfTheVariance(), ONE, "not spread as its density says"),
    "an exponential": (
        ExponentialForRayleigh(),
        RayleighParams(np.array([[1.0], [4.0]])),
        "not spread as its density says",
    ),
    "deviations": (Deviations(), TWO, "the covariance that covariance"),
    "variances": (Variances(), TWO, "a matrix of all columns"),
    "conditional": (Unconditional(), TWO, "multiply to the density of the row"),
    "take": (HalfTaken(), TWO, "take must take all parameters"),
    "position": (FirstRowCounts(), TWO, "must not depend on the other rows"),
    "for_rows": (Learns(), TWO, "not change self"),
    "state": (Remembers(), TWO, "store nothing in the family"),
    "more held": (HoldsMore(), TWO, "nothing else: cache"),
    "embed": (EmbedsLess(), TWO, "embed must return as many rows"),
    "embed NaN": (EmbedsNaN(), TWO, "embed must return numbers"),
    "clipped rates": (ClippedRates(), RATES, "the parameters passed in do better"),
    "degenerate": (AllDegenerate(), TWO, "degenerate must spare"),
    "too many": (TooMany(), TWO, "hold 8 numbers"),
    "too few": (TooFew(), TWO, "returns 4, but more"),
    "too few, one column": (OneForAll(), ONE, "returns 2, but more"),
    "logistic by moments": (LogisticByMoments(), TWO, "parameters nearby do better"),
    "one logistic by moments": (LogisticByMoments(), ONE, "parameters nearby do better"),
    "ignored prior": (IgnoredPrior(), RATES, "parameters nearby do better"),
}


@pytest.mark.parametrize("params", [ONE, TWO])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_right_passes(params, seed):
    check_family(Normal(), params, random_state=seed)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_wrong_is_named(name, seed):
    family, params, match = WRONG[name]
    with pytest.raises(AssertionError, match=match):
        check_family(clone(family), params, random_state=seed)


HEAVY = {
    "cut off": (Uniform(), UniformParams(np.array([[0.0], [5.0]]), np.array([[1.0], [6.0]]))),
    "cauchy": (ScipyFamily("cauchy"), ScipyParams(np.array([[[0.0, 1.0]], [[2.0, 3.0]]]))),
    "pareto": (
        ScipyFamily("pareto", {"loc": 0.0, "scale": 1.0}),
        ScipyParams(np.array([[[1.5]], [[3.0]]])),
    ),
    "student": (
        StudentT(),
        StudentTParams(
            np.array([[0.0], [1.0]]), np.array([[[1.0]], [[4.0]]]), np.array([1.2, 3.0])
        ),
    ),
    "student in the plane": (
        StudentT(),
        StudentTParams(
            np.array([[0.0, 1.0], [1.0, 0.0]]), np.tile(np.eye(2), (2, 1, 1)), np.array([3.0, 5.0])
        ),
    ),
}


@pytest.mark.parametrize("name", HEAVY)
@pytest.mark.parametrize("seed", range(3))
def test_heavy_tails_and_none_pass(name, seed):
    check_family(*HEAVY[name], random_state=seed)
