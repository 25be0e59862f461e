"""Distributions of scipy as components: closed forms, supports, what is refused."""

import numpy as np
import pytest
from scipy import special, stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import Gaussian
from sklearn_genmodel.families._negative_binomial import NegativeBinomial
from sklearn_genmodel.families._scipy import ScipyFamily, ScipyParams


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
        (("norm", {"loc": np.nan}), "loc cannot be nan, pass a finite number"),
        (("norm", {"loc": np.inf}), "loc cannot be inf"),
        (("norm", {"loc": True}), "pass a dict of numbers"),
        (("norm", {"scale": 0.0}), "scale cannot be 0.0, a scale is above 0"),
        (("norm", {"scale": -1}), "scale cannot be -1"),
        (("norm", None, {"loc": 0.0, "scale": 1.0, "foo": 3}), "'foo' is none of them"),
        (("norm", None, {"loc": 0.0, "scale": np.nan}), "scale cannot be nan"),
        (
            ("binom", {"n": 3}),
            r"\(fixed={'loc': 0.0, 'n': 3}\).* from 1 to 4: .* from 0 to 3\. Fix",
        ),
        (("binom", {"n": 9.5}), r"'n': 9.5}\) are no parameters of scipy.stats.binom"),
    ],
)
def test_scipy_family_says_what_is_wrong(arguments, match):
    with pytest.raises(ValueError, match=match):
        ScipyFamily(*arguments).weighted_mle(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)))


def test_scipy_family_takes_numbers_in_arrays():
    x, ones = np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1))
    held = [ScipyFamily("norm", {"loc": loc}) for loc in (0.0, np.array(0.0))]
    found = [family.weighted_mle(x, ones).values for family in held]
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="pass a dict of numbers"):
        ScipyFamily("norm", {"loc": np.array([0.0])}).weighted_mle(x, ones)


def test_scipy_family_knows_its_support():
    assert ScipyFamily("gamma", {"loc": 2.0}).support.low == 2.0
    assert ScipyFamily("gamma").support.low == -np.inf
    beta = ScipyFamily("beta", {"loc": 1.0, "scale": 3.0}).support
    assert (beta.low, beta.high, beta.integer) == (1.0, 4.0, False)
    assert ScipyFamily("poisson").support.integer


def test_values_on_the_edge_of_a_density_stay_inside():
    """The maximum of a uniform density has values on both its ends."""
    for seed in range(12):
        x = np.random.default_rng(seed).random((300, 1))
        mixture = EMMixture(1, family=ScipyFamily("uniform"), random_state=0).fit(x)
        np.testing.assert_allclose(mixture.lower_bound_, -np.log(np.ptp(x)), rtol=1e-9)
