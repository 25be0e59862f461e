"""Families of independent columns that are fitted to the distinct values of every column."""

import math
import pickle
from decimal import Decimal

import numpy as np
import pytest
from scipy import optimize, special, stats
from sklearn.base import clone

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths, load_old_faithful
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Gaussian, Poisson, PoissonParams, _negative_binomial
from sklearn_genmodel.families._custom import CustomFamily, CustomParams
from sklearn_genmodel.families._laplace import Laplace, LaplaceParams
from sklearn_genmodel.families._negative_binomial import NegativeBinomial, NegativeBinomialParams
from sklearn_genmodel.families._numerics._numerical_mle import maximize
from sklearn_genmodel.families._numerics._poisson_draws import poisson_draws
from sklearn_genmodel.families._numerics._roots import falling_root
from sklearn_genmodel.families._scipy import ScipyFamily, ScipyParams
from sklearn_genmodel.families._support import Support
from sklearn_genmodel.families._uniform import Uniform, UniformParams
from sklearn_genmodel.families._weibull import Weibull, WeibullParams
from sklearn_genmodel.families._zero_inflated import ZeroInflated, ZeroInflatedParams
from sklearn_genmodel.testing import check_family

SIZES, COUNT_MEANS = np.array([[0.5, 3.0], [4.0, 1.0]]), np.array([[2.0, 10.0], [5.0, 30.0]])
SHAPES, SCALES = np.array([[0.8, 3.0], [4.0, 1.5]]), np.array([[2.0, 10.0], [5.0, 30.0]])
LOCATIONS, RATES = np.array([[0.8, 3.0], [4.0, -1.0]]), np.array([[2.0, 1.0], [7.0, 4.0]])
ZERO_PROBS = np.array([[0.3, 0.1], [0.4, 0.5]])
LOWS, HIGHS = np.array([[0.0, -3.0], [0.0, -3.0]]), np.array([[2.0, 1.0], [2.0, 1.0]])


def log_density(X, theta):
    """Hyperbolic secant columns with one scale."""
    z = np.abs(X - theta[:-1]) * np.exp(-theta[-1])
    return (np.log(2.0 / np.pi) - theta[-1] - z - np.log1p(np.exp(-2.0 * z))).sum(axis=1)


def expectation(theta):
    return theta[:-1]


def draw(theta, n_samples, rng):
    shape = n_samples, len(theta) - 1
    return stats.hypsecant.rvs(theta[:-1], np.exp(theta[-1]), size=shape, random_state=rng)


def n_theta(n_features):
    return n_features + 1


def start(X, weights):
    return np.append(np.average(X, axis=0, weights=weights), np.log(X.std()))


NB = NegativeBinomial(), NegativeBinomialParams(SIZES, COUNT_MEANS)
WEIBULL = Weibull(), WeibullParams(SHAPES, SCALES)
LAPLACE = Laplace(), LaplaceParams(LOCATIONS, np.array([[2.0, 1.0], [0.5, 3.0]]))
ZIP = ZeroInflated(), ZeroInflatedParams(ZERO_PROBS, PoissonParams(RATES))
ZINB = (
    ZeroInflated(NegativeBinomial()),
    ZeroInflatedParams(ZERO_PROBS, NegativeBinomialParams(SIZES, RATES)),
)
GUMBEL = ScipyFamily("gumbel_r"), ScipyParams(np.array([[[0.5, 3.0]], [[2.0, 1.0]]]))
CUSTOM = (
    CustomFamily(log_density, expectation, n_theta, sample=draw, start=start),
    CustomParams(np.array([[0.0, 1.0, 0.5], [3.0, -1.0, 1.0]])),
)


def first_column(family, params):
    """The marginal distributions of the first column."""
    return family.marginal(params, np.array([0]))


TABLE = {
    "negative binomial": NB,
    "negative binomial univariate": first_column(*NB),
    "weibull": WEIBULL,
    "weibull univariate": first_column(Weibull(), WeibullParams(SHAPES + 1.0, SCALES)),
    "laplace": LAPLACE,
    "laplace univariate": first_column(*LAPLACE),
    # A row outside the range of a component has no finite log-density, so the ranges are equal.
    "uniform": (Uniform(), UniformParams(LOWS, HIGHS)),
    "zero-inflated poisson": ZIP,
    "zero-inflated poisson univariate": first_column(*ZIP),
    "zero-inflated negative binomial": ZINB,
    "scipy gumbel": GUMBEL,
    "scipy binomial": (
        ScipyFamily("binom", {"n": 10}),
        ScipyParams(np.array([[[0.5], [0.1]], [[0.2], [0.9]]])),
    ),
    "custom": CUSTOM,
}
COLUMNWISE = {name: TABLE[name] for name in TABLE if name.split()[-1] != "univariate"}
del COLUMNWISE["uniform"], COLUMNWISE["custom"]
WITH_PRIOR = ["negative binomial", "weibull", "laplace", "zero-inflated poisson", "scipy gumbel"]


def rows_of(name, n_samples=300, seed=0):
    """Rows of a family, and weights of two components."""
    family, params = TABLE[name]
    rng = np.random.default_rng(seed)
    X = family.sample(params, rng.integers(2, size=n_samples), rng)
    return X, rng.dirichlet(np.ones(2), n_samples)


def assert_same_params(one, other, **tolerances):
    """Compare parameters, nested ones too."""
    for a, b in zip(one, other, strict=True):
        if isinstance(a, tuple):
            assert_same_params(a, b, **tolerances)
        else:
            np.testing.assert_allclose(a, b, **tolerances)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_family(*TABLE[name], random_state=seed)


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


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 7.0, 500.0])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_weibull_log_prob_is_scipys(shape, scale):
    distribution = stats.weibull_min(shape, scale=scale)
    x = distribution.ppf([1e-9, 0.01, 0.5, 0.99, 1 - 1e-9])
    ours = Weibull().log_prob(x[:, None], WeibullParams(np.array([[shape]]), np.array([[scale]])))
    np.testing.assert_allclose(ours[:, 0], distribution.logpdf(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_laplace_log_prob_is_scipys(scale):
    x = scale * np.linspace(-30, 30, 7)
    params = LaplaceParams(np.array([[1.5 * scale]]), np.array([[scale]]))
    expected = stats.laplace(1.5 * scale, scale).logpdf(x)
    np.testing.assert_allclose(Laplace().log_prob(x[:, None], params)[:, 0], expected, rtol=1e-12)


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


@pytest.mark.parametrize("offset", [0.0, 1.0, 5.0, 15.0])
def test_weibull_score_vanishes(offset):
    rng = np.random.default_rng(0)
    x, w = np.exp(0.3 * rng.standard_normal(200) * np.exp(-offset) + offset), rng.random(200)
    params = Weibull().weighted_mle(x[:, None], w[:, None])
    shape, scale = params.shapes.item(), params.scales.item()
    logs = np.log(x) - np.log(scale)
    powers = np.exp(shape * logs)
    np.testing.assert_allclose(np.average(powers, weights=w), 1.0, rtol=1e-7)
    score = 1.0 + shape * np.average((1.0 - powers) * logs, weights=w)
    assert abs(score) < 1e-7


def test_one_hot_weights_fit_each_group_as_scipy_does():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.weibull(2.0, 100), 5.0 * rng.weibull(1.2, 100)])[:, None]
    resp = np.repeat(np.eye(2), 100, axis=0)
    weibull, laplace = Weibull().weighted_mle(X, resp), Laplace().weighted_mle(X, resp)
    for k, group in enumerate([X[:100], X[100:]]):
        shape, _, scale = stats.weibull_min.fit(group.ravel(), floc=0)
        np.testing.assert_allclose(weibull.shapes[k], shape, rtol=1e-4)
        np.testing.assert_allclose(weibull.scales[k], scale, rtol=1e-4)
        np.testing.assert_allclose(laplace.locations[k, 0], stats.laplace.fit(group)[0])
        np.testing.assert_allclose(laplace.scales[k, 0], stats.laplace.fit(group)[1])


def test_laplace_location_is_the_median():
    X = np.array([[3.0], [1.0], [2.0], [10.0]])
    assert Laplace().weighted_mle(X, np.ones((4, 1))).locations == np.median(X)
    weights = np.array([1.0, 1.0, 1.0, 4.0])
    assert Laplace().weighted_mle(X, weights[:, None]).locations == 10.0


@pytest.mark.parametrize("name", COLUMNWISE)
def test_missing_values_leave_the_marginal(name):
    family, params = TABLE[name]
    X, resp = rows_of(name)
    rng = np.random.default_rng(3)
    X[rng.random(X.shape) < 0.3] = np.nan
    X[0] = np.nan
    log_prob, estimates = family.log_prob(X, params), family.weighted_mle(X, resp)
    expected = np.zeros_like(log_prob)
    for j in range(X.shape[1]):
        seen, columns = ~np.isnan(X[:, j]), np.array([j])
        own, own_params = family.marginal(params, columns)
        expected[seen] += own.log_prob(X[seen][:, columns], own_params)
        alone = own.weighted_mle(X[seen][:, columns], resp[seen])
        assert_same_params(family.marginal(estimates, columns)[1], alone, rtol=1e-9)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-12, atol=1e-12)
    assert not log_prob[0].any()


@pytest.mark.parametrize("name", ["negative binomial", "weibull", "zero-inflated poisson"])
def test_weights_are_repetitions_and_order_does_not_matter(name):
    X, _ = rows_of(name, n_samples=60)
    weights = np.random.default_rng(2).integers(1, 4, len(X))
    mixture = EMMixture(2, family=TABLE[name][0], n_init=4, random_state=0)
    one = clone(mixture).fit(X, sample_weight=weights)
    two = clone(mixture).fit(np.repeat(X, weights, axis=0)[::-1])
    assert_same_params(one.params_, two.params_, rtol=0)


@pytest.mark.parametrize("name", COLUMNWISE)
def test_statistics_add_over_many_blocks(name):
    family, params = TABLE[name]
    X, resp = rows_of(name)
    whole = family.suffstats(X, resp, params)
    parts = family.suffstats(X[:10], resp[:10], params)
    for i in range(10, len(X), 10):
        parts = parts + family.suffstats(X[i : i + 10], resp[i : i + 10], params)
    for j in range(X.shape[1]):
        np.testing.assert_array_equal(parts.column(j).values, np.unique(X[:, j]))
        np.testing.assert_allclose(parts.column(j).weights, whole.column(j).weights, rtol=1e-13)


@pytest.mark.parametrize("name", [n for n in COLUMNWISE if n != "zero-inflated poisson"])
def test_covariances_are_those_of_samples(name):
    family, params = TABLE[name]
    X = family.sample(params, np.zeros(200_000, dtype=int), np.random.default_rng(0))
    deviations = np.sqrt(np.diagonal(family.covariance(params)[0]))
    z = (X - family.mean(params)[0]) / deviations
    errors = np.sqrt(((z**2 - 1.0) ** 2).mean(axis=0) / len(z))
    np.testing.assert_array_less(np.abs((z**2).mean(axis=0) - 1.0), 5.0 * errors)
    off_diagonal = family.covariance(params)[0] - np.diag(deviations**2)
    np.testing.assert_allclose(off_diagonal, 0.0, atol=1e-12)


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


def test_a_component_without_weight_gets_the_fit_to_all():
    for name in COLUMNWISE:
        X, resp = rows_of(name)
        family = TABLE[name][0]
        empty = np.column_stack([resp.sum(axis=1), np.zeros(len(X))])
        params = family.weighted_mle(X, empty)
        assert_same_params(family.take(params, [0]), family.take(params, [1]), rtol=1e-9)


@pytest.mark.parametrize("name", WITH_PRIOR)
def test_prior_is_pseudo_observations(name):
    family, _ = TABLE[name]
    X, resp = rows_of(name)
    with_prior = clone(family).set_params(prior=5.0)
    known = with_prior.for_rows(X, None, 2)
    params = known.weighted_mle(X, resp)
    pseudo = np.full((len(X), 2), 5.0 / len(X))
    expected = family.weighted_mle(np.concatenate([X, X]), np.concatenate([resp, pseudo]))
    assert_same_params(params, expected, rtol=1e-9)
    np.testing.assert_allclose(
        known.log_prior(params), (pseudo * family.log_prob(X, params)).sum(axis=0), rtol=1e-10
    )
    with pytest.raises(ValueError, match="for_rows"):
        with_prior.weighted_mle(X, resp)
    theta = Theta(np.full(2, 0.5), family.weighted_mle(X, resp))
    step, bounds = blocked_step(known, Rows(X)), []
    for _ in range(20):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() > -1e-12


@pytest.mark.parametrize("prior", [0.0, -1.0, np.inf, True, "1"])
def test_prior_must_be_a_positive_number(prior):
    with pytest.raises(ValueError, match="pseudo-observations"):
        Laplace(prior).for_rows(np.ones((3, 1)), None, 1)


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
    assert_same_params(params.base, base.weighted_mle(X, ones), rtol=1e-12)


def test_inflation_leaves_and_reaches_zero_in_one_step():
    family = ZeroInflated("poisson")
    many = np.repeat([0.0, 3.0, 4.0], [50, 30, 20])[:, None]
    none = ZeroInflatedParams(np.zeros((1, 1)), PoissonParams(np.array([[1.7]])))
    left = family.m_step(family.suffstats(many, np.ones((100, 1)), none))
    assert_same_params(left, family.weighted_mle(many, np.ones((100, 1))), rtol=1e-9)
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


def test_scipy_family_finds_closed_forms():
    rng = np.random.default_rng(0)
    x, w = rng.gamma(2.5, 3.0, 300), rng.random((300, 2))
    shares = w / w.sum(axis=0)
    mean, log_mean = x @ shares, np.log(x) @ shares
    gamma = ScipyFamily("gamma", {"loc": 0.0}).weighted_mle(x[:, None], w).values[:, 0]
    equation = np.log(gamma[:, 0]) - special.digamma(gamma[:, 0])
    np.testing.assert_allclose(equation, np.log(mean) - log_mean, rtol=1e-9)
    np.testing.assert_allclose(gamma.prod(axis=1), mean, rtol=1e-9)
    expon = ScipyFamily(stats.expon, {"loc": 0.0}).weighted_mle(x[:, None], w)
    np.testing.assert_allclose(expon.values[:, 0, 0], mean, rtol=1e-9)
    norm = ScipyFamily("norm").weighted_mle(x[:, None], w).values[:, 0]
    deviation = np.sqrt(x**2 @ shares - mean**2)
    np.testing.assert_allclose(norm, np.column_stack([mean, deviation]), rtol=1e-9)
    counts = np.floor(x)
    poisson = ScipyFamily("poisson").weighted_mle(counts[:, None], w)
    np.testing.assert_allclose(poisson.values[:, 0, 0], counts @ shares, rtol=1e-9)
    nbinom = ScipyFamily("nbinom").weighted_mle(counts[:, None], w)
    ours = NegativeBinomial().weighted_mle(counts[:, None], w)
    np.testing.assert_allclose(nbinom.values[:, :, 0], ours.sizes, rtol=1e-7)


def test_scipy_family_never_ends_below_its_start():
    """The exponential density has its location at the smallest value: no maximum inside."""
    x = np.random.default_rng(0).exponential(2.0, (100, 1))
    family, params = ScipyFamily("expon"), ScipyParams(np.array([[[-1.0, 2.0]]]))
    value = family.log_prob(x, params).sum()
    for _ in range(5):
        params = family.m_step(family.suffstats(x, np.ones((100, 1)), params))
        assert family.log_prob(x, params).sum() >= value - 1e-11
        value = family.log_prob(x, params).sum()
    best = stats.expon(x.min(), x.mean() - x.min()).logpdf(x).sum()
    assert best - 1.0 < value <= best


def test_scipy_family_mixture_of_normals_is_the_gaussian_one():
    X = load_old_faithful().data[:, 1:]
    ours = EMMixture(2, family=ScipyFamily("norm"), n_init=4, random_state=0).fit(X)
    theirs = EMMixture(2, family=Gaussian(reg_covar=0.0), random_state=0).fit(X)
    np.testing.assert_allclose(ours.score(X), theirs.score(X), atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("gumbel",), "pass a univariate distribution"),
        ((stats.norm(0, 1),), "pass a univariate distribution"),
        (("norm", {"mu": 0.0}), "'mu' is none of them"),
        (("norm", {"loc": 0.0, "scale": 1.0}), "none is left"),
        (("gamma", None, {"a": 1.0, "loc": 9.0, "scale": 1.0}), "pass `start`"),
    ],
)
def test_scipy_family_says_what_is_wrong(arguments, match):
    with pytest.raises(ValueError, match=match):
        ScipyFamily(*arguments).weighted_mle(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)))


def test_scipy_family_knows_its_support():
    assert ScipyFamily("gamma", {"loc": 2.0}).support.low == 2.0
    assert ScipyFamily("gamma").support.low == -np.inf
    beta = ScipyFamily("beta", {"loc": 1.0, "scale": 3.0}).support
    assert (beta.low, beta.high, beta.integer) == (1.0, 4.0, False)
    assert ScipyFamily("poisson").support.integer


def test_custom_family_is_scipys_where_they_are_the_same():
    X, w = load_old_faithful().data[:, 1:], np.random.default_rng(0).random((272, 2))
    custom = CUSTOM[0].weighted_mle(X, w).theta
    scipys = ScipyFamily("hypsecant").weighted_mle(X, w).values[:, 0]
    np.testing.assert_allclose(custom[:, 0], scipys[:, 0], rtol=1e-8)
    np.testing.assert_allclose(np.exp(custom[:, 1]), scipys[:, 1], rtol=1e-8)


def poisson_log_density(X, theta):
    return stats.poisson(np.exp(theta)).logpmf(X).sum(axis=1)


def poisson_mle(X, weights):
    return np.log(np.average(X, axis=0, weights=weights))


def test_custom_family_with_an_estimator_of_its_own():
    family = CustomFamily(
        poisson_log_density,
        np.exp,
        2,
        weighted_mle=poisson_mle,
        support=Support("a count", low=0.0, integer=True),
    )
    X, resp = rows_of("zero-inflated poisson")
    np.testing.assert_allclose(
        family.mean(family.weighted_mle(X, resp)), Poisson().weighted_mle(X, resp).rates
    )
    numerical = family.set_params(weighted_mle=None).weighted_mle(X, resp)
    np.testing.assert_allclose(
        family.mean(numerical), Poisson().weighted_mle(X, resp).rates, rtol=1e-9
    )
    with pytest.raises(ValueError, match="a count"):
        EMMixture(2, family=family).fit(X + 0.5)
    with pytest.raises(NotImplementedError, match=r"sample\("):
        family.sample(numerical, np.zeros(3, dtype=int), np.random.default_rng(0))


def test_custom_family_survives_cloning_and_pickling():
    family, params = CUSTOM
    X = rows_of("custom")[0]
    for copy in (clone(family), pickle.loads(pickle.dumps(family))):
        np.testing.assert_array_equal(copy.log_prob(X, params), family.log_prob(X, params))


def nowhere(X, theta):
    return np.full(len(X), -np.inf)


def test_custom_family_says_what_is_wrong():
    X, resp = rows_of("custom")
    with pytest.raises(ValueError, match="one value for each row"):
        CustomFamily(lambda X, theta: 0.0, expectation, 3).log_prob(X, CUSTOM[1])
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        CustomFamily(log_density, expectation, 3, start=[0.0, 1.0]).weighted_mle(X, resp)
    with pytest.raises(ValueError, match="not finite"):
        CustomFamily(lambda X, theta: np.full(len(X), -np.inf), expectation, 3).weighted_mle(
            X, resp
        )


def test_uniform_is_the_range_of_the_rows_with_weight():
    X = np.array([[0.0, 5.0], [1.0, np.nan], [2.0, 6.0], [9.0, 9.0]])
    resp = np.array([[1.0, 0.0], [0.5, 0.0], [1e-300, 0.0], [0.0, 0.0]])
    stats_ = Uniform().suffstats(X[:2], resp[:2]) + Uniform().suffstats(X[2:], resp[2:])
    params = Uniform().m_step(stats_)
    # The second component has no row, and gets the range of the first.
    np.testing.assert_array_equal(params.lows, [[0.0, 5.0], [0.0, 5.0]])
    np.testing.assert_array_equal(params.highs, [[2.0, 6.0], [2.0, 6.0]])
    log_prob = Uniform().log_prob(X, params)[:, 0]
    np.testing.assert_allclose(log_prob, [-np.log(2.0), -np.log(2.0), -np.log(2.0), -np.inf])


def test_uniform_bounds_may_be_known():
    family = Uniform(low=[0.0, -1.0], high=10.0)
    params = family.weighted_mle(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 1)))
    np.testing.assert_array_equal(params.lows, [[0.0, -1.0]])
    np.testing.assert_array_equal(params.highs, [[10.0, 10.0]])
    assert family.n_parameters(1, 2) == 0
    assert Uniform(low=0.0).n_parameters(3, 2) == 6
    own, own_params = family.marginal(params, np.array([1]))
    np.testing.assert_allclose(own.log_prob(np.array([[0.0]]), own_params), -np.log(11.0))
    with pytest.raises(ValueError, match="column 1"):
        Uniform(low=[0.0, 7.0]).weighted_mle(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="one a column"):
        Uniform(low=[0.0, 7.0, 1.0]).weighted_mle(np.ones((2, 2)), np.ones((2, 1)))


def test_uniform_noise_beside_a_gaussian():
    rng = np.random.default_rng(0)
    cluster, noise = rng.normal(0.0, 0.5, (150, 2)), rng.uniform(-10.0, 10.0, (50, 2))
    X = np.concatenate([cluster, noise])
    mixture = EMMixture(2, family=[Gaussian(), Uniform()], random_state=0).fit(X)
    log_noise = -np.log(np.ptp(X, axis=0)).sum()
    gaussian = mixture.params_.groups[0]
    normal = stats.multivariate_normal(gaussian.means[0], gaussian.covariances[0])
    expected = np.logaddexp(
        np.log(mixture.weights_[0]) + normal.logpdf(X), np.log(mixture.weights_[1]) + log_noise
    )
    np.testing.assert_allclose(mixture.score_samples(X), expected, rtol=1e-10)
    np.testing.assert_allclose(mixture.weights_, [0.75, 0.25], atol=0.05)


@pytest.mark.parametrize("family", [Laplace(), Weibull()])
def test_a_component_on_one_value_is_degenerate(family):
    rng = np.random.default_rng(0)
    X = np.concatenate([np.full(40, 3.0), rng.weibull(2.0, 60)])[:, None]
    resp = np.repeat(np.eye(2), [40, 60], axis=0)
    params, pooled = family.weighted_mle(X, resp), family.weighted_mle(X, np.ones((100, 1)))
    flags = family.degenerate(params, np.array([40.0, 60.0]), pooled)
    np.testing.assert_array_equal(flags, [True, False])
    assert np.isfinite(family.log_prob(X, params)).all()


# Of reference_fits: R 4.2.2 nlminb on the likelihood itself, from 2 to 30 starts.
REFERENCES = {
    "weibull-faithful_waiting-1": (Weibull(), 1, -1085.00789974041),
    "weibull-faithful_waiting-2": (Weibull(), 2, -1040.21062679691),
    "nb-deaths-1": (NegativeBinomial(), 1, -1990.82866993565),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_mixtures_reach_the_likelihood_of_other_software(name):
    family, n_components, expected = REFERENCES[name]
    data = load_deaths() if "deaths" in name else load_old_faithful()
    X = data.data if "deaths" in name else data.data[:, 1:]
    weights = data.get("sample_weight")
    mixture = EMMixture(n_components, family=family, tol=1e-9, random_state=0)
    mixture.fit(X, sample_weight=weights)
    total = len(X) if weights is None else weights.sum()
    np.testing.assert_allclose(mixture.lower_bound_ * total, expected, atol=1e-6)


@pytest.mark.parametrize("name", COLUMNWISE)
def test_a_fit_is_better_than_the_truth(name):
    family, params = TABLE[name]
    X, _ = rows_of(name, n_samples=200)
    X[::7, 0] = np.nan
    mixture = EMMixture(2, family=family, n_init=4, random_state=0).fit(X)
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    truth = EMMixture.from_params(family, [0.5, 0.5], params)
    assert mixture.score(X) > truth.score(X)


def test_falling_roots():
    """Roots of exp(-x) - c, far from the start, at an end, and beyond both ends."""
    levels = np.array([1e-30, 0.5, 1.0, 2.0, 1e-60])
    low, high = np.zeros(5), np.full(5, 100.0)
    roots = falling_root(lambda x: np.exp(-x) - levels, np.full(5, 3.0), low, high)
    np.testing.assert_allclose(roots, [-np.log(1e-30), np.log(2.0), 0.0, 0.0, 100.0], atol=1e-14)


def test_maxima_keep_their_digits_far_from_the_start():
    """Location and log scale of normal data by Newton's method, from afar and off-centre."""
    x = np.random.default_rng(0).standard_normal(100) * 1e-3 + 1e3

    def objective(points):
        location, log_scale = points[..., 0, None], points[..., 1, None]
        return (-0.5 * ((x - location) / np.exp(log_scale)) ** 2 - log_scale).mean(axis=-1)

    (found,) = maximize(objective, np.array([[900.0, 6.0]]))
    np.testing.assert_allclose(found, [x.mean(), np.log(x.std())], rtol=1e-9)


def test_values_on_the_edge_of_a_density_stay_inside():
    """The maximum of a uniform density has values on both its ends."""
    for seed in range(12):
        x = np.random.default_rng(seed).random((300, 1))
        mixture = EMMixture(1, family=ScipyFamily("uniform"), random_state=0).fit(x)
        np.testing.assert_allclose(mixture.lower_bound_, -np.log(np.ptp(x)), rtol=1e-9)
