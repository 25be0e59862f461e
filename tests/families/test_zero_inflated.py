"""Columns with excess zeros: estimates are maxima, with and without inflation."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from sklearn_genmodel.families import Poisson, PoissonParams
from sklearn_genmodel.families._negative_binomial import NegativeBinomial
from sklearn_genmodel.families._weibull import Weibull
from sklearn_genmodel.families._zero_inflated import ZeroInflated, ZeroInflatedParams


def zero_inflated_log_likelihood(x, w, zero_prob, log_pmf):
    log_probs = np.log1p(-zero_prob) + log_pmf
    log_probs[x == 0] = np.logaddexp(np.log(zero_prob), log_probs[x == 0])
    return w @ log_probs


@pytest.mark.parametrize("seed", range(3))
def test_zero_inflated_poisson_is_the_maximum(seed):
    rng = np.random.default_rng(seed)
    x, w = rng.poisson(3.0, 200) * (rng.random(200) < 0.6), rng.random(200)
    family = ZeroInflated("poisson")
    params = family.weighted_mle(x[:, None].astype(float), w[:, None])

    def loss(point):
        pmf = stats.poisson(np.exp(point[1])).logpmf(x)
        return -zero_inflated_log_likelihood(x, w, special.expit(point[0]), pmf)

    best = optimize.minimize(loss, [0.0, 1.0], method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(params.zero_probs, special.expit(best.x[0]), rtol=1e-5)
    np.testing.assert_allclose(params.base.rates, np.exp(best.x[1]), rtol=1e-5)
    ours = w @ family.log_prob(x[:, None].astype(float), params)[:, 0]
    assert ours >= -best.fun - 1e-10
    # With structural zeros the base is the zero-truncated fit: mean / (1 - e^-mean).
    rate = params.base.rates.item()
    np.testing.assert_allclose(rate / -np.expm1(-rate), np.average(x[x > 0], weights=w[x > 0]))


def test_zero_inflated_negative_binomial_is_the_maximum():
    rng = np.random.default_rng(0)
    x = rng.negative_binomial(4.0, 0.4, 500) * (rng.random(500) < 0.7)
    X, w = x[:, None].astype(float), rng.random(500)
    family = ZeroInflated(NegativeBinomial())
    params = family.weighted_mle(X, w[:, None])

    def loss(point):
        r, mu = np.exp(point[1:])
        pmf = stats.nbinom(r, r / (r + mu)).logpmf(x)
        return -zero_inflated_log_likelihood(x, w, special.expit(point[0]), pmf)

    best = optimize.minimize(loss, [0.0, 1.0, 1.0], method="BFGS", options={"gtol": 1e-6})
    ours = w @ family.log_prob(X, params)[:, 0]
    np.testing.assert_allclose(ours, -best.fun, atol=1e-7)
    np.testing.assert_allclose(params.base.sizes, np.exp(best.x[1]), rtol=1e-3)


@pytest.mark.parametrize("base", [Poisson(), NegativeBinomial()])
def test_without_excess_zeros_there_is_no_inflation(base):
    X = np.repeat(np.arange(7.0), [1, 4, 9, 12, 9, 5, 2])[:, None]
    ones = np.ones((len(X), 1))
    params = ZeroInflated(base).weighted_mle(X, ones)
    assert params.zero_probs == 0.0
    for found, expected in zip(params.base, base.weighted_mle(X, ones), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_inflation_leaves_and_reaches_zero_in_one_step():
    family = ZeroInflated("poisson")
    many = np.repeat([0.0, 3.0, 4.0], [50, 30, 20])[:, None]
    none = ZeroInflatedParams(np.zeros((1, 1)), PoissonParams(np.array([[1.7]])))
    left = family.m_step(family.suffstats(many, np.ones((100, 1)), none))
    expected = family.weighted_mle(many, np.ones((100, 1)))
    np.testing.assert_allclose(left.zero_probs, expected.zero_probs, rtol=1e-9)
    np.testing.assert_allclose(left.base.rates, expected.base.rates, rtol=1e-9)
    few = np.repeat([0.0, 1.0, 2.0, 3.0], [5, 30, 50, 15])[:, None]
    some = ZeroInflatedParams(np.array([[1e-3]]), PoissonParams(np.array([[1.7]])))
    assert family.m_step(family.suffstats(few, np.ones((100, 1)), some)).zero_probs == 0.0


def test_zero_inflated_columns_of_zeros_and_of_none():
    X = np.array([[0.0, 2.0], [0.0, 3.0], [0.0, 1.0]])
    params = ZeroInflated().weighted_mle(X, np.ones((3, 1)))
    np.testing.assert_array_equal(params.zero_probs, [[0.0, 0.0]])
    np.testing.assert_allclose(params.base.rates, [[0.0, 2.0]], atol=1e-300)


@pytest.mark.parametrize(
    ("base", "match"),
    [
        ("gaussian", "counts from 0 on"),
        (Weibull(), "counts from 0 on"),
        (Poisson(prior=1.0), "give it to ZeroInflated"),
    ],
)
def test_zero_inflated_refuses_other_bases(base, match):
    with pytest.raises(ValueError, match=match):
        ZeroInflated(base).weighted_mle(np.zeros((2, 1)), np.ones((2, 1)))
    with pytest.raises(TypeError, match="base must be a name or an instance"):
        ZeroInflated(3).weighted_mle(np.zeros((2, 1)), np.ones((2, 1)))
