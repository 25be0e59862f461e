"""Log-densities of columns over wide ranges, and of columns that are very narrow."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    CustomFamily,
    Dirichlet,
    Poisson,
    PoissonParams,
    ScipyFamily,
    Weibull,
)
from sklearn_genmodel.families._beta import Beta, BetaParams
from sklearn_genmodel.families._binomial import Binomial, BinomialParams
from sklearn_genmodel.families._exponential import Exponential, ExponentialParams
from sklearn_genmodel.families._gamma import Gamma, GammaParams
from sklearn_genmodel.families._geometric import Geometric, GeometricParams
from sklearn_genmodel.families._inverse_gaussian import InverseGaussian, InverseGaussianParams
from sklearn_genmodel.families._log_normal import LogNormal, LogNormalParams
from sklearn_genmodel.families._von_mises import VonMises, VonMisesParams

PAIR = np.array([[1.0], [0.1]]), np.array([[3.0], [0.4]])
UNIVARIATE = {
    "inverse gaussian": (InverseGaussian(), InverseGaussianParams(*PAIR)),
    "log-normal": (LogNormal(), LogNormalParams(*PAIR)),
}


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
        (Poisson(), PoissonParams(1e9), 1e9, -11.28057145176121),
        (Poisson(), PoissonParams(1.0001e9), 1e9, -16.280238143425878),
        (Poisson(), PoissonParams(1e15), 1e15, -18.18832673066002),
        (Poisson(), PoissonParams(3.0), 1e12, -25532408827278.168),
        (Binomial(10**10), BinomialParams(0.4), 4e9, -11.718305820381218),
        (Binomial(10**10), BinomialParams(0.4), 4.0001e9, -13.801637533278022),
        (Binomial(10**12), BinomialParams(1.0 - 1e-11), 1e12 - 5.0, -3.274566691523691),
        (Binomial(10**7), BinomialParams(0.9999999), 1e7, -1.0000000494736474),
        (Binomial(10**6), BinomialParams(1e-3), 1000.0, -4.372399255942922),
        (Binomial(10**9), BinomialParams(1e-8), 3.0, -4.884004213245919),
        (Binomial(10**6), BinomialParams(0.999), 999999.0, -993.5915778042187),
    ],
)
def test_log_prob_at_extremes(family, params, x, expected):
    params = type(params)(*(np.array([[value]]) for value in params))
    ours = family.log_prob(np.array([[x]]), params)
    np.testing.assert_allclose(ours, [[expected]], rtol=1e-10)


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


def test_exponential_zeros_alone_are_degenerate():
    X = np.repeat([0.0, 1.0, 2.0, 5.0], 10)[:, None]
    resp = np.repeat(np.eye(2), [10, 30], axis=0)
    params = Exponential().weighted_mle(X, resp)
    assert np.isfinite(Exponential().log_prob(X, params)).all()
    pooled = Exponential().weighted_mle(X, np.ones((40, 1)))
    assert Exponential().degenerate(params, np.array([1.0, 3.0]), pooled).tolist() == [True, False]


def test_angles_are_taken_modulo_full_turns():
    family, rng = VonMises(), np.random.default_rng(0)
    params = VonMisesParams(np.array([[0.0], [2.5]]), np.array([[1.0], [40.0]]))
    X, resp = rng.uniform(-3.0, 3.0, (100, 1)), rng.dirichlet(np.ones(2), 100)
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
    family, params = UNIVARIATE[name]
    for k in range(2):

        def density(log_x, k=k):
            return np.exp(family.log_prob(np.exp([[log_x]]), params)[0, k] + log_x)

        mass = integrate.quad(density, -30.0, 0.0)[0] + integrate.quad(density, 0.0, 30.0)[0]
        np.testing.assert_allclose(mass, 1.0, rtol=1e-8)


NARROW = 1e-10 * np.random.default_rng(0).normal(size=(100, 1))


@pytest.mark.parametrize(
    ("family", "X"),
    [
        (Gamma(), 1.0 + NARROW),
        (InverseGaussian(), 1.0 + NARROW),
        (Weibull(), 1.0 + NARROW),
        (Beta(), 0.3 + NARROW),
        (Dirichlet(), [0.2, 0.3, 0.5] + NARROW * [1.0, 1.0, -2.0]),
        (VonMises(), 3.0 + NARROW),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_limit_that_all_data_lie_on_is_told(family, X):
    with pytest.warns(ConvergenceWarning, match="degenerate"):
        EMMixture(1, family=family).fit(X)


def test_log_normal_columns_may_be_as_narrow_as_numbers_are():
    """Seconds since 1970, within seconds of each other: the formulas of a normal of the log."""
    X = 1.7e9 + np.random.default_rng(0).normal(0, 5, size=(300, 1))
    about = X[:, 0] / 1.7e9 - 1.0
    logs = np.log1p(about)
    expected = stats.norm(logs.mean(), logs.std()).logpdf(logs) - np.log(X[:, 0])
    assert_allclose(EMMixture(1, family=LogNormal()).fit(X).score_samples(X), expected, atol=1e-6)


def test_any_distribution_of_scipy_is_found_at_any_scale():
    rng = np.random.default_rng(3)
    labels = rng.choice(2, 300, p=[0.6, 0.4])
    X = rng.gumbel(np.array([0.0, 4.0])[labels], np.array([1.0, 0.7])[labels])[:, None]
    for scale in (1.0, 1e-20, 1e20):
        mixture = EMMixture(2, family=ScipyFamily("gumbel_r"), n_init=2, random_state=0)
        mixture.fit(scale * X)
        # Of an independent search by Nelder and Mead's method.
        assert mixture.score(scale * X) + np.log(scale) == pytest.approx(-2.0170664, abs=1e-6)


@pytest.mark.parametrize(("mean", "spread"), [(1e-5, 1e-3), (5e-7, 1e-3), (1e-3, 1e-5)])
def test_small_shares_keep_their_digits(mean, spread):
    """Far from 1 a beta distribution is a gamma distribution."""
    X = mean * (1.0 + spread * np.random.default_rng(0).normal(size=(300, 1)))
    beta = EMMixture(1, family=Beta()).fit(X)
    assert beta.score(X) == pytest.approx(EMMixture(1, family=Gamma()).fit(X).score(X), abs=1e-7)
    assert beta.params_.alphas[0, 0] == pytest.approx(1.0 / (X.std() / X.mean()) ** 2, rel=1e-2)
    two = np.concatenate([X, (1.0 + 20.0 * spread) * X])
    mixture = EMMixture(2, family=Beta(), random_state=0).fit(two)
    assert mixture.weights_ == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_large_counts_that_hardly_differ(family):
    """Counts of 1e12, three deviations apart: their fit is that of the normals they tend to."""
    size, rng = 1e12, np.random.default_rng(0)
    noise = rng.normal(size=400) + np.repeat([0.0, 5.0], 200)
    counts = np.round(size + np.sqrt(size) * noise)[:, None]
    own = family if family == "poisson" else Binomial(int(1e18))
    mixture = EMMixture(2, family=own, random_state=0).fit(counts)
    assert_allclose(mixture.lower_bound_, mixture.score(counts), rtol=1e-11)
    units = (counts - size) / np.sqrt(size)
    means = mixture.component_means() - size
    density = stats.norm.pdf(units, means.T / np.sqrt(size)) @ mixture.weights_
    expected = np.log(density).mean() - 0.5 * np.log(size)
    assert_allclose(mixture.lower_bound_, expected, atol=1e-5)
    assert_allclose(np.sort(means[:, 0]) / np.sqrt(size), [0.0, 5.0], atol=0.25)


def test_a_component_of_ones_own_without_rows_is_fitted_to_all():
    family = CustomFamily(
        lambda X, theta: norm.logpdf(X[:, 0], *theta),
        lambda theta: theta[:1],
        2,
        weighted_mle=lambda X, w: [np.average(X[:, 0], weights=w), 1.0],
    )
    X = np.arange(6.0)[:, None]
    resp = np.column_stack([np.ones(6), np.zeros(6)])
    found = family.m_step(family.suffstats(X, resp)).theta
    assert_allclose(found, [[2.5, 1.0], [2.5, 1.0]])


def test_draws_of_small_shapes_are_above_0():
    params = GammaParams(np.full((1, 1), 1e-3), np.ones((1, 1)))
    mixture = EMMixture.from_params("gamma", [1.0], params)
    X, _ = mixture.sample(2000, random_state=0)
    assert X.min() > 0.0
    assert np.isfinite(mixture.score_samples(X)).all()
