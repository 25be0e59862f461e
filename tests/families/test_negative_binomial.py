"""Negative binomial columns: log-probabilities in exact arithmetic, estimates, draws."""

import math
from decimal import Decimal

import numpy as np
import pytest
from scipy import special, stats

from sklearn_genmodel.families import Poisson, PoissonParams, _negative_binomial
from sklearn_genmodel.families._negative_binomial import NegativeBinomial, NegativeBinomialParams
from sklearn_genmodel.families._numerics._poisson_draws import poisson_draws


def exact_negative_binomial(x, r, mu):
    """Log-probability from sums of logarithms, added without rounding."""
    terms = [math.log((r + i) / (1.0 + i)) for i in range(int(x))]
    return math.fsum([*terms, -r * math.log1p(mu / r), -x * math.log1p(r / mu)])


@pytest.mark.parametrize("mean", [1e-8, 1e-3, 1.0, 50.0, 1e3])
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 20.0, 1e3, 1e6, 1e8])
def test_negative_binomial_log_prob_is_exact(size, mean):
    x = np.unique(np.floor(mean * np.array([0.0, 0.5, 1.0, 1.5]) + [0, 1, 2, 3]))
    params = NegativeBinomialParams(np.array([[size]]), np.array([[mean]]))
    ours = NegativeBinomial().log_prob(x[:, None], params)[:, 0]
    expected = [exact_negative_binomial(value, size, mean) for value in x]
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mean", [1e4, 1e8])
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 20.0, 1e3])
def test_negative_binomial_log_prob_is_scipys_at_large_means(size, mean):
    x = np.floor(mean * np.array([0.0, 0.5, 1.0, 1.5]) + [0, 1, 2, 3])
    params = NegativeBinomialParams(np.array([[size]]), np.array([[mean]]))
    probs = stats.nbinom(size, size / (size + mean)).pmf(x)
    seen = probs > 1e-290
    ours = NegativeBinomial().log_prob(x[:, None], params)[:, 0]
    np.testing.assert_allclose(ours[seen], np.log(probs[seen]), rtol=1e-10)


def exact_poisson(count, mean):
    """Log-probability in decimal arithmetic, log n! by Stirling's series where n is large."""
    n, mu = Decimal(float(count)), Decimal(mean)
    log_factorial = (
        Decimal(math.log(math.factorial(int(n))))
        if n < 1000
        else (
            n * n.ln() - n + (2 * Decimal(math.pi) * n).ln() / 2 + 1 / (12 * n) - 1 / (360 * n**3)
        )
    )
    return float(n * mu.ln() - mu - log_factorial)


@pytest.mark.parametrize("mean", [1e-3, 1.0, 1e4, 1e8])
def test_negative_binomial_becomes_poisson(mean):
    """Under-dispersed counts have the Poisson distribution as their limit."""
    counts = np.unique(np.floor(mean + np.sqrt(mean) * np.linspace(-5, 5, 11)).clip(0.0))
    X = np.array([[np.floor(mean)], [np.floor(mean) + 1.0]])
    upper = mean - np.floor(mean)
    resp = np.array([[1.0 - upper], [upper]])
    params = NegativeBinomial().weighted_mle(X, resp)
    np.testing.assert_allclose(params.means, mean)
    np.testing.assert_allclose(params.sizes, 1e12 * max(mean, 1.0))
    ours = NegativeBinomial().log_prob(counts[:, None], params)
    expected = [exact_poisson(count, mean) for count in counts]
    np.testing.assert_allclose(ours[:, 0], expected, rtol=1e-10, atol=1e-10)
    vector = NegativeBinomial().to_vector(params, params)
    assert np.isfinite(vector).all()


def test_sizes_are_sought_only_where_counts_are_over_dispersed(monkeypatch):
    """The components of a column are what each is without the others."""
    rng = np.random.default_rng(0)
    under, over = rng.binomial(6, 0.7, 60), rng.negative_binomial(2.0, 0.2, 60)
    X = np.concatenate([under, over, 3 * over])[:, None]
    resp = 0.998 * np.repeat(np.eye(3), 60, axis=0) + 0.001 * rng.random((180, 3))
    family, order = NegativeBinomial(), [1, 0, 2]
    together = family.weighted_mle(X, resp[:, order])
    alone = [family.weighted_mle(X, resp[:, [k]]) for k in order]
    sizes = np.concatenate([params.sizes for params in alone])
    np.testing.assert_allclose(together.sizes, sizes, rtol=1e-9)
    assert (together.sizes < 1e6).ravel().tolist() == [True, False, True]
    # From sizes of before, as in a fit, one for each component.
    near = together._replace(sizes=1.1 * together.sizes)
    again = family.m_step(family.suffstats(X, resp[:, order], near))
    np.testing.assert_allclose(again.sizes, sizes, rtol=1e-9)

    def no_root(*_):
        raise AssertionError("there is no root to find")

    monkeypatch.setattr(_negative_binomial, "increasing_root", no_root)
    poisson = family.weighted_mle(X[:60], np.ones((60, 1)))
    np.testing.assert_allclose(poisson.sizes, 1e12 * poisson.means)


@pytest.mark.parametrize("seed", range(3))
def test_negative_binomial_score_vanishes(seed):
    rng = np.random.default_rng(seed)
    r, mu = np.exp(rng.uniform(-3, 4)), np.exp(rng.uniform(0, 5))
    x, w = rng.negative_binomial(r, r / (r + mu), 400), rng.random(400)
    params = NegativeBinomial().weighted_mle(x[:, None].astype(float), w[:, None])
    size, mean = params.sizes.item(), params.means.item()
    np.testing.assert_allclose(mean, np.average(x, weights=w), rtol=1e-14)
    terms = special.digamma(x + size) - special.digamma(size) - np.log1p(mean / size)
    assert abs(np.average(terms, weights=w)) < 1e-13 * (1.0 + 1.0 / size)


@pytest.mark.parametrize("rate", [1e15, 1e17, 1e40, 1e200])
def test_counts_too_large_for_integers_are_drawn(rate):
    labels, rng = np.zeros(20_000, dtype=int), np.random.default_rng(0)
    X = Poisson().sample(PoissonParams(np.full((1, 1), rate)), labels, rng)
    z = (X[:, 0] - rate) / np.sqrt(rate)
    if rate < 1e30:
        assert stats.kstest(z, "norm").pvalue > 0.01
    np.testing.assert_array_equal(X, np.rint(X))
    np.testing.assert_allclose(X, rate, rtol=1e-6)
    size = NegativeBinomialParams(np.full((1, 1), 2.0), np.full((1, 1), rate))
    X = NegativeBinomial().sample(size, labels, rng)
    assert stats.kstest(X[:, 0] / rate, stats.gamma(2.0, scale=0.5).cdf).pvalue > 0.01


def test_counts_too_large_for_numbers_are_the_largest():
    rates = np.array([3e307, 1.7e308, np.inf])
    with np.errstate(all="raise"):
        counts = poisson_draws(rates, np.random.default_rng(0))
    np.testing.assert_allclose(counts, [3e307, 1e308, 1e308])
