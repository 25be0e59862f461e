"""Families of independent columns that are fitted to the distinct values of every column."""

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths, load_old_faithful
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Poisson, PoissonParams
from sklearn_genmodel.families._custom import CustomFamily, CustomParams
from sklearn_genmodel.families._laplace import Laplace, LaplaceParams
from sklearn_genmodel.families._negative_binomial import NegativeBinomial, NegativeBinomialParams
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
