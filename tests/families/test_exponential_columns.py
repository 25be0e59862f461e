"""Exponential-family columns: contract, log-densities, estimates, missing values, priors."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from sklearn.base import clone

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Bernoulli, BernoulliParams, Poisson, PoissonParams
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


@pytest.mark.parametrize("value", [1e-8, 1e-3, 1.0, 50.0, 1e4, 1e8])
def test_log_prob_is_scipys_over_wide_ranges(value):
    quantiles = np.array([0.05, 0.3, 0.5, 0.9, 0.999])
    one = np.array([[value]])
    cases = [
        (Exponential(), ExponentialParams(one), stats.expon(scale=1.0 / value)),
        (Gamma(), GammaParams(one * 0 + 1.5, one), stats.gamma(1.5, scale=value)),
        (LogNormal(), LogNormalParams(np.log(one), one * 0 + 0.7), stats.lognorm(0.7, scale=value)),
        (InverseGaussian(), InverseGaussianParams(one, one), stats.invgauss(1.0, scale=value)),
        (Beta(), BetaParams(one * 0 + 1.5, one), stats.beta(1.5, value)),
    ][: 4 if value > 1e4 else 5]
    for family, params, scipys in cases:
        X = scipys.ppf(quantiles)
        X = X[(X > 1e-300) & (X < 1.0 - 1e-12 if isinstance(family, Beta) else X > 0)]
        ours = family.log_prob(X[:, None], params)[:, 0]
        np.testing.assert_allclose(ours, scipys.logpdf(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("prob", [1e-8, 1e-3, 0.5, 0.999])
def test_log_prob_of_rare_and_of_sure_events(prob):
    X, params = np.array([[0.0], [1.0], [7.0], [1e6]]), GeometricParams(np.array([[prob]]))
    expected = stats.geom(prob, loc=-1).logpmf(X)
    np.testing.assert_allclose(Geometric().log_prob(X, params), expected, rtol=1e-10)
    X, params = np.array([[0.0], [1.0], [7.0], [20.0]]), BinomialParams(np.array([[prob]]))
    expected = stats.binom(20, prob).logpmf(X)
    np.testing.assert_allclose(Binomial(20).log_prob(X, params), expected, rtol=1e-10, atol=1e-12)


# Densities where SciPy's own lose digits: values from mpmath 1.4.1 with 50 digits.
@pytest.mark.parametrize(
    ("family", "params", "x", "expected"),
    [
        (Gamma(), GammaParams(1e5, 2.0), 200400.0, -7.570281014940137),
        (Gamma(), GammaParams(1e8, 2.0), 200030000.0, -11.94746358797999),
        (Gamma(), GammaParams(1e-6, 3.0), 1e-30, 55.26197263290686),
        (Beta(), BetaParams(1e8, 1e8), 0.50002, 9.171122609833107),
        (Beta(), BetaParams(1e6, 2.0), 0.999998, 12.508658738549808),
        (Beta(), BetaParams(1.5, 1e8), 1.5e-8, 17.244195543141693),
        (Beta(), BetaParams(1e-3, 1e5), 1e-9, 13.806776607195523),
        (Beta(), BetaParams(1e5, 9e5), 0.1, 7.1927887075108075),
        (InverseGaussian(), InverseGaussianParams(5.0, 1e10), 5.0001, 7.779808063256269),
        (InverseGaussian(), InverseGaussianParams(2e-5, 1e-8), 1e-5, 7.139984292274487),
        (InverseGaussian(), InverseGaussianParams(3.0, 1e-3), 1e5, -27.197426597373305),
        (LogNormal(), LogNormalParams(0.0, 1e-4), 1.0001, 7.79135183918837),
        (LogNormal(), LogNormalParams(-300.0, 2.0), 2e-130, 296.80061920176126),
        (LogNormal(), LogNormalParams(0.0, 50.0), 2.0, -5.524204809795548),
        (VonMises(), VonMisesParams(-0.3, 1e-8), 0.5, -1.8378770594422784),
        (VonMises(), VonMisesParams(-3.0, 25.0), 3.0, -0.3103479051494387),
        (VonMises(), VonMisesParams(1.0, 1e6), 1.001, 5.488816662444178),
        (VonMises(), VonMisesParams(1.0, 700.0), 2.0, -319.431962957155),
        (Binomial(10**6), BinomialParams(1e-3), 1000.0, -4.372399255942922),
        (Binomial(10**9), BinomialParams(1e-8), 3.0, -4.884004213245919),
        (Binomial(10**6), BinomialParams(0.999), 999999.0, -993.5915778042187),
    ],
)
def test_log_prob_at_extremes(family, params, x, expected):
    params = type(params)(*(np.array([[value]]) for value in params))
    ours = family.log_prob(np.array([[x]]), params)
    np.testing.assert_allclose(ours, [[expected]], rtol=1e-10)


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


@pytest.mark.parametrize("offset", [1e3, 1e4])
def test_narrow_columns_keep_their_digits(offset):
    """log a - digamma(a) = gap has the solution 1 / (2 gap) + 1/6 - gap / 18 for small gaps."""
    X = offset + np.round(np.random.default_rng(0).standard_normal((500, 1)) * 2**10) / 2**10
    deviations = X / X.mean() - 1.0
    gap = -np.mean(deviations**2 * (-1 / 2 + deviations / 3 - deviations**2 / 4))
    params = Gamma().weighted_mle(X, np.ones((500, 1)))
    np.testing.assert_allclose(params.shapes, 0.5 / gap + 1 / 6 - gap / 18, rtol=1e-8)
    dispersion = np.mean(1.0 / (1.0 + deviations) - 1.0 + deviations)
    params = InverseGaussian().weighted_mle(X, np.ones((500, 1)))
    np.testing.assert_allclose(params.means / params.shapes, dispersion, rtol=1e-7)


@pytest.mark.parametrize(
    ("family", "params"),
    [
        (Gamma(), GammaParams(np.array([[1e7], [2e6], [3.0]]), np.array([[1e-7], [1e-3], [0.5]]))),
        (LogNormal(), LogNormalParams(np.array([[0.0], [40.0], [1]]), np.array([[1e-4]] * 3))),
        (InverseGaussian(), InverseGaussianParams(np.array([[1.0], [1e3]]), np.full((2, 1), 1e9))),
        (Beta(), BetaParams(np.array([[1e8], [2e6]]), np.array([[1e8], [5e9]]))),
    ],
)
def test_narrow_components_far_apart_do_not_disturb_each_other(family, params):
    rng = np.random.default_rng(0)
    n_components = len(params[0])
    labels = np.repeat(np.arange(n_components), 100)
    X = family.sample(params, labels, rng)
    resp = np.eye(n_components)[labels]
    together = family.m_step(family.suffstats(X, resp, params))
    for k in range(n_components):
        own = family.take(params, np.array([k]))
        rows = X[labels == k]
        ours = family.log_prob(rows, params)[:, [k]]
        np.testing.assert_allclose(ours, family.log_prob(rows, own), rtol=1e-9, atol=1e-9)
        alone = family.m_step(family.suffstats(rows, np.ones((100, 1)), own))
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[[k]], b, rtol=1e-6)


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


def test_exponential_zeros_alone_are_degenerate():
    X = np.repeat([0.0, 1.0, 2.0, 5.0], 10)[:, None]
    resp = np.repeat(np.eye(2), [10, 30], axis=0)
    params = Exponential().weighted_mle(X, resp)
    assert np.isfinite(Exponential().log_prob(X, params)).all()
    pooled = Exponential().weighted_mle(X, np.ones((40, 1)))
    assert Exponential().degenerate(params, np.array([1.0, 3.0]), pooled).tolist() == [True, False]


def test_angles_are_taken_modulo_full_turns():
    family, params, X, resp = sampled("von mises")
    turns = 2.0 * np.pi * np.random.default_rng(1).integers(-3, 4, X.shape)
    ours = family.log_prob(X + turns, params)
    np.testing.assert_allclose(ours, family.log_prob(X, params), atol=1e-11)
    for a, b in zip(
        family.weighted_mle(X + turns, resp), family.weighted_mle(X, resp), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    wrapped = VonMisesParams(np.array([[3.1]]), np.array([[2.0]]))
    rows = family.sample(wrapped, np.zeros(1000, dtype=int), np.random.default_rng(0))
    assert (rows > -np.pi).all()
    assert (rows <= np.pi).all()
    mass = integrate.quad(
        lambda x: np.exp(family.log_prob(np.array([[x]]), wrapped)[0, 0]), 1.0, 1 + 2 * np.pi
    )
    np.testing.assert_allclose(mass[0], 1.0, rtol=1e-9)


@pytest.mark.parametrize("name", ["inverse gaussian", "log-normal"])
def test_densities_integrate_to_one_over_the_logarithm(name):
    family, params = univariate(name)
    for k in range(2):

        def density(log_x, k=k):
            return np.exp(family.log_prob(np.exp([[log_x]]), params)[0, k] + log_x)

        mass = integrate.quad(density, -30.0, 0.0)[0] + integrate.quad(density, 0.0, 30.0)[0]
        np.testing.assert_allclose(mass, 1.0, rtol=1e-8)


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
