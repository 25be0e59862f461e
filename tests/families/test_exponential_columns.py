"""Exponential-family columns: contract, estimates, missing values, priors, spikes."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, optimize, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Columns,
    Dirichlet,
    IndependentColumns,
    Poisson,
    PoissonParams,
    Support,
    VonMisesFisher,
)
from sklearn_genmodel.families._beta import Beta, BetaParams
from sklearn_genmodel.families._binomial import Binomial, BinomialParams
from sklearn_genmodel.families._exponential import Exponential, ExponentialParams
from sklearn_genmodel.families._gamma import Gamma, GammaParams
from sklearn_genmodel.families._geometric import Geometric, GeometricParams
from sklearn_genmodel.families._inverse_gaussian import InverseGaussian, InverseGaussianParams
from sklearn_genmodel.families._log_normal import LogNormal, LogNormalParams
from sklearn_genmodel.families._von_mises import VonMises, VonMisesParams
from sklearn_genmodel.testing import check_family

ONE = np.array([[0.5, 3.0], [4.0, 2.0]])
TWO = np.array([[2.0, 1.0], [0.1, 5.0]])
PROBS = np.array([[0.3, 0.5], [0.05, 0.8]])
ANGLES = np.array([[0.0, 1.0], [0.0, -1.0]])

TABLE = {
    "exponential": (Exponential(), ExponentialParams(ONE)),
    "gamma": (Gamma(), GammaParams(ONE, TWO)),
    "log-normal": (LogNormal(), LogNormalParams(ANGLES, 0.3 * ONE)),
    "inverse gaussian": (InverseGaussian(), InverseGaussianParams(ONE, 3.0 * TWO)),
    "beta": (Beta(), BetaParams(ONE, 4.0 * TWO)),
    "geometric": (Geometric(), GeometricParams(PROBS)),
    "binomial": (Binomial((10, 3)), BinomialParams(PROBS)),
    "von mises": (VonMises(), VonMisesParams(ANGLES, np.array([[1.0, 50.0], [20.0, 40.0]]))),
    "bernoulli": (Bernoulli(), BernoulliParams(PROBS)),
    "poisson": (Poisson(), PoissonParams(ONE)),
    "poisson with exposure": (Poisson(exposure=1), PoissonParams(ONE)),
}
UNBOUNDED = ("gamma", "log-normal", "inverse gaussian", "beta", "von mises")
# Densities that the quadrature of check_family does not resolve, or with another domain.
TESTED_BELOW = ("von mises", "inverse gaussian", "log-normal")
# Families of whose columns SciPy has distributions, with arguments from our parameters.
SCIPY = {
    "exponential": lambda p: stats.expon(scale=1.0 / p.rates),
    "gamma": lambda p: stats.gamma(p.shapes, scale=p.scales),
    "log-normal": lambda p: stats.lognorm(p.scales, scale=np.exp(p.locations)),
    "inverse gaussian": lambda p: stats.invgauss(p.means / p.shapes, scale=p.shapes),
    "beta": lambda p: stats.beta(p.alphas, p.betas),
    "geometric": lambda p: stats.geom(p.probs, loc=-1),
    "binomial": lambda p: stats.binom([10, 3], p.probs),
    "von mises": lambda p: stats.vonmises(p.concentrations, loc=p.locations),
    "bernoulli": lambda p: stats.bernoulli(p.probs),
    "poisson": lambda p: stats.poisson(p.rates),
}


def univariate(name):
    """A family of the table with its first column alone."""
    family, params = TABLE[name]
    return family.marginal(params, np.array([0]))


def sampled(name, n_samples=400, seed=0):
    """Family, parameters, rows and responsibilities that are nobody's in particular."""
    family, params = TABLE[name]
    rng = np.random.default_rng(seed)
    X = family.sample(params, rng.integers(2, size=n_samples), rng)
    return family, params, X, rng.dirichlet(np.ones(2), n_samples)


def slopes(function, vector, step=1e-5):
    """Central differences."""
    sides = np.eye(len(vector)) * step
    return np.array([function(vector + s) - function(vector - s) for s in sides]) / (2 * step)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_family(*TABLE[name], random_state=seed)


@pytest.mark.parametrize("name", [n for n in SCIPY if n not in TESTED_BELOW])
def test_contract_of_one_column(name):
    check_family(*univariate(name))


@pytest.mark.parametrize("name", SCIPY)
def test_log_prob_is_scipys(name):
    family, params, X, _ = sampled(name)
    scipys = SCIPY[name](params)
    log_prob = getattr(scipys, "logpmf", None) or scipys.logpdf
    if family.support.integer:
        log_prob = scipys.logpmf
    expected = log_prob(X[:, None, :]).sum(axis=2)
    np.testing.assert_allclose(family.log_prob(X, params), expected, rtol=1e-10, atol=1e-12)


def scipys_fit(name, x):
    """Maximum-likelihood parameters of one column by SciPy or in closed form."""
    logs = np.log(np.abs(x) + (x == 0))
    return {
        "exponential": lambda: [1.0 / x.mean()],
        "gamma": lambda: np.take(stats.gamma.fit(x, floc=0), [0, 2]),
        "log-normal": lambda: [logs.mean(), logs.std()],
        "inverse gaussian": lambda: [x.mean(), 1.0 / (np.mean(1.0 / x) - 1.0 / x.mean())],
        "beta": lambda: stats.beta.fit(x, floc=0, fscale=1)[:2],
        "geometric": lambda: [1.0 / (1.0 + x.mean())],
        "binomial": lambda: [x.mean() / 10.0],
        "von mises": lambda: np.take(stats.vonmises.fit(x, fscale=1), [1, 0]),
        "bernoulli": lambda: [x.mean()],
        "poisson": lambda: [x.mean()],
    }[name]()


@pytest.mark.parametrize("name", SCIPY)
def test_one_hot_m_step_is_scipys_fit_of_every_group(name):
    family, _, X, resp = sampled(name)
    groups = resp.argmax(axis=1)
    params = family.weighted_mle(X, np.eye(2)[groups])
    for k in range(2):
        ours = [values[k, 0] for values in params]
        np.testing.assert_allclose(ours, scipys_fit(name, X[groups == k, 0]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("prior", [None, 5.0])
def test_m_step_is_stationary(name, prior):
    family, _, X, resp = sampled(name)
    family = clone(family).set_params(prior=prior).for_rows(X, None, 2)
    best = family.weighted_mle(X, resp)

    def expected(vector):
        params = family.from_vector(vector, best)
        log_prob = family.log_prob(X, params) - np.reshape(family.log_base_measure(X), (-1, 1))
        return (resp * log_prob).sum() + np.sum(family.log_prior(params))

    gradient = slopes(expected, family.to_vector(best, best))
    np.testing.assert_allclose(gradient, 0.0, atol=2e-4)
    start = family.to_vector(TABLE[name][1], best)
    assert np.abs(slopes(expected, start)).max() > 0.1


@pytest.mark.parametrize("name", SCIPY)
def test_missing_values_leave_the_marginal(name):
    family, params, X, resp = sampled(name)
    X[::3, 0] = np.nan
    X[5] = np.nan
    log_prob = family.log_prob(X, params)
    assert not log_prob[5].any()
    second = np.isnan(X[:, 0]) & ~np.isnan(X[:, 1])
    marginal, of_second = family.marginal(params, np.array([1]))
    expected = marginal.log_prob(X[second][:, 1:], of_second)
    np.testing.assert_allclose(log_prob[second], expected, rtol=1e-10, atol=1e-12)
    seen = ~np.isnan(X).any(axis=1)
    ours = family.weighted_mle(X, resp)
    alone = family.weighted_mle(X[seen], resp[seen])
    for a, b in zip(ours, alone, strict=True):
        np.testing.assert_allclose(a[:, 0], b[:, 0], rtol=1e-8)


@pytest.mark.parametrize("name", SCIPY)
def test_means_and_covariances_are_scipys(name):
    family, params = TABLE[name]
    scipys = SCIPY[name](params)
    means, variances = scipys.mean(), scipys.var()
    if name == "von mises":
        means = params.locations
        variances = np.empty_like(means)
        for index, concentration in np.ndenumerate(params.concentrations):
            density = stats.vonmises(concentration).pdf
            variances[index] = 2 * integrate.quad(lambda x, f=density: x**2 * f(x), 0, np.pi)[0]
    np.testing.assert_allclose(family.mean(params), means, rtol=1e-10)
    covariances = family.covariance(params)
    np.testing.assert_allclose(covariances, variances[:, :, None] * np.eye(2), rtol=1e-8)


@pytest.mark.parametrize("name", UNBOUNDED)
def test_statistics_about_different_origins_add(name):
    family, params, X, resp = sampled(name)
    order = np.argsort(X[:, 0])
    X, resp = X[order], resp[order]
    parts = family.suffstats(X[:200], resp[:200]) + family.suffstats(X[200:], resp[200:])
    parts = parts + family.suffstats(X[:10], resp[:10], params)
    whole = family.suffstats(np.concatenate([X, X[:10]]), np.concatenate([resp, resp[:10]]))
    for a, b in zip(family.m_step(parts), family.m_step(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


@pytest.mark.parametrize(
    ("family", "x", "mode"),
    [
        # Modes: (shape - 1) / rate of the gamma, (a - 1) / (a + b - 2) of the beta distribution.
        (Poisson(prior=(4.0, 2.5)), [1.0, 0.0, 7.0], ((4.0 * 2.5 + 1 + 8) - 1) / (4.0 + 3)),
        (Exponential(prior=(4.0, 2.5)), [1.0, 0.5, 7.0], ((4.0 + 1 + 3) - 1) / (4.0 * 2.5 + 8.5)),
        (Bernoulli(prior=(4.0, 0.3)), [1.0, 0.0, 1.0], (4 * 0.3 + 2) / (4.0 + 3)),
        (Geometric(prior=(4.0, 2.5)), [1.0, 0.0, 7.0], (4.0 + 3) / (4.0 + 3 + 4 * 2.5 + 8)),
        (Binomial(10, prior=(4.0, 2.5)), [1.0, 0.0, 7.0], (4 * 2.5 + 8) / (4.0 * 10 + 30)),
    ],
)
def test_conjugate_priors_give_the_posterior_mode(family, x, mode):
    X = np.reshape(x, (-1, 1))
    fitted = EMMixture(1, family=family).fit(X)
    np.testing.assert_allclose(fitted.params_[0], [[mode]], rtol=1e-12)


@pytest.mark.parametrize("name", SCIPY)
def test_a_prior_is_rows_more(name):
    family, _, X, resp = sampled(name)
    extra = X[:7]
    means = np.array([statistic.mean(axis=0) for statistic in family.statistics(extra)])
    with_prior = type(family)(**{**family.get_params(), "prior": (7.0, means)})
    ours = with_prior.for_rows(X, None, 2).weighted_mle(X, resp)
    rows, weights = np.concatenate([X, extra]), np.concatenate([resp, np.ones((7, 2))])
    for a, b in zip(ours, family.weighted_mle(rows, weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8)


@pytest.mark.parametrize("name", UNBOUNDED)
def test_one_repeated_value_is_a_spike(name):
    family, _, X, _ = sampled(name)
    x = X[:1].repeat(20, axis=0)
    data = np.concatenate([X, x])
    spike = family.weighted_mle(data, np.repeat(np.eye(2), [len(X), 20], axis=0))
    assert all(np.isfinite(values).all() for values in spike)
    assert np.isfinite(family.log_prob(data, spike)).all()
    pooled = family.weighted_mle(data, np.ones((len(data), 1)))
    assert family.degenerate(spike, np.array([len(X), 20.0]), pooled).tolist() == [False, True]
    assert family.support.varies


@pytest.mark.parametrize("name", UNBOUNDED)
def test_constant_columns_are_refused(name):
    family, _ = TABLE[name]
    with pytest.raises(ValueError, match="Column 0 is constant"):
        EMMixture(1, family=family).fit(np.full((5, 1), 0.5))


def test_a_search_passes_by_repeated_values():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.gamma(3.0, 1.0, 150), rng.gamma(200.0, 0.1, 100), np.full(8, 11.0)])
    mixture = EMMixture(2, family=Gamma(), random_state=0).fit(X[:, None])
    assert (mixture.params_.shapes < 1e4).all()
    assert (np.diff(mixture.lower_bounds_) >= -1e-12).all()


def test_beta_estimates_are_a_numerical_maximum():
    rng = np.random.default_rng(0)
    x, weights = rng.beta(0.3, 7.0, 300), rng.random(300)
    ours = Beta().weighted_mle(x[:, None], weights[:, None])

    def loss(logs):
        return -weights @ stats.beta.logpdf(x, *np.exp(logs))

    found = optimize.minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(np.ravel(ours), np.exp(found.x), rtol=1e-5)


def test_binomial_trials():
    X = np.array([[0.0, 2.0], [3.0, 5.0], [np.nan, 1.0]])
    mixture = EMMixture(1, family=Binomial()).fit(X)
    assert mixture.family_.n_trials == (3, 5)
    np.testing.assert_allclose(mixture.params_.probs, [[0.5, 8 / 15]])
    with pytest.raises(ValueError, match=r"Column 1 holds 5 in row 1.*from 0 to n_trials = 4"):
        EMMixture(1, family=Binomial((3, 4))).fit(X)
    with pytest.raises(ValueError, match="n_trials=0 must be an integer of at least 1"):
        EMMixture(1, family=Binomial(0)).fit(X)
    with pytest.raises(ValueError, match="n_trials has shape"):
        EMMixture(1, family=Binomial((3, 5, 7))).fit(X)


SHARES = np.random.default_rng(0).dirichlet([2.0, 3.0, 4.0], 50)
DIRECTIONS = SHARES / np.linalg.norm(SHARES, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("family", "X", "means", "wrong"),
    [
        (Bernoulli, SHARES.round(), 0.3, 2.0),
        (Poisson, SHARES.round(), 1.0, [[1.0, -1.0, 1.0]]),
        (Gamma, SHARES, [[3.0], [np.log(3.0)]], [[3.0], [1.2]]),
        (LogNormal, SHARES, [[2.0], [4.0]], [[2.0], [3.9]]),
        (InverseGaussian, SHARES, [[49.0], [1.0 / 49.0]], [[49.0], [0.01]]),
        (Beta, SHARES, [[np.log(0.3)], [np.log(0.7)]], [[-0.5], [-0.5]]),
        (VonMises, SHARES, [[0.6], [0.8]], [[0.8], [0.8]]),
        (Dirichlet, SHARES, np.log([0.1, 0.2, 0.7]), [0.1, 0.2, 0.7]),
        (VonMisesFisher, DIRECTIONS, [0.48, 0.6, 0.64], [0.7, 0.7, 0.7]),
    ],
)
def test_prior_means_are_those_of_some_values(family, X, means, wrong):
    """Those of one value, or of none."""
    EMMixture(1, family=family(prior=(4.0, means))).fit(X)
    with pytest.raises(ValueError, match=r"have the means .* of what statistics"):
        EMMixture(2, family=family(prior=(4.0, wrong))).fit(X)


class ParetoParams(NamedTuple):
    alphas: np.ndarray


class Pareto(IndependentColumns):
    """Values above 1 with log p(x) = log alpha - (alpha + 1) log x."""

    support = Support("at least 1", low=1.0, varies=True)

    def statistics(self, X):
        return (np.log(X),)

    def coefficients(self, params):
        return -(params.alphas + 1.0), np.log(params.alphas)

    def from_means(self, means):
        return ParetoParams(1.0 / means[0])

    def mean(self, params):
        return params.alphas / np.maximum(params.alphas - 1.0, 1e-3)


def test_prior_means_are_those_of_the_statistics():
    x = 1.0 + np.random.default_rng(0).pareto(2.0, (200, 1))
    mixture = EMMixture(1, family=Pareto(prior=(2.0, 0.5))).fit(x)
    expected = (200 + 2.0) / (np.log(x).sum() + 2.0 * 0.5)
    np.testing.assert_allclose(mixture.params_.alphas, [[expected]])


@pytest.mark.parametrize(
    ("family", "unit", "message"),
    [
        ("exponential", 1e-200, "column_1.* has .*e-.* from 1e-140 to inf .*: rescale"),
        ("geometric", 1e160, "column_1.* has .*e.16. .* from 0 to 1e.150 .*: rescale"),
    ],
)
def test_units_beyond_what_a_parameter_can_follow_are_refused(family, unit, message):
    """Where the rate or the probability stopped at its bound, without a word."""
    x = np.random.default_rng(0).geometric(0.2, (50, 2))
    table = pd.DataFrame({"column_0": 1.0 * x[:, 0], "column_1": unit * x[:, 1]})
    groups = [("whole", family, ["column_0", "column_1"])]
    for asked in (family, Columns(groups), [family, family]):
        with pytest.raises(ValueError, match=message):
            EMMixture(2, family=asked).fit(table)
    mixture = EMMixture(1, family=family).fit(x)
    assert np.isfinite(mixture.score_samples(table.to_numpy())).all()


def test_the_smallest_units_of_waiting_times():
    x = np.random.default_rng(0).exponential(1.0, (50, 1))
    mixture = EMMixture(1, family="exponential").fit(x * 1e-139)
    expected = stats.expon(scale=1e-139 * x.mean()).logpdf(1e-139 * x).mean()
    assert_allclose(mixture.lower_bound_, expected, rtol=1e-12)
    zeros = EMMixture(1, family="exponential")
    with pytest.warns(ConvergenceWarning, match="degenerate"):
        assert zeros.fit(np.zeros((5, 1))).params_.rates[0, 0] == 1e150
