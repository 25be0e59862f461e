"""Missing values: the likelihood of what was observed, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Bernoulli, BernoulliParams, Gaussian, Poisson, PoissonParams

RATES = np.array([[0.5, 3.0, 7.0], [4.0, 20.0, 1.0]])
PROBS = np.array([[0.1, 0.7, 0.5], [0.9, 0.4, 0.2]])
CASES = {
    "poisson": (Poisson(), PoissonParams(RATES), stats.poisson(RATES)),
    "bernoulli": (Bernoulli(), BernoulliParams(PROBS), stats.bernoulli(PROBS)),
}


def with_holes(family, params, n_samples=400, share=0.3):
    """Rows of a family with cells missing at random, one row missing altogether."""
    rng = np.random.default_rng(0)
    X = family.sample(params, rng.integers(2, size=n_samples), rng)
    X[rng.random(X.shape) < share] = np.nan
    X[0] = np.nan
    return X


@pytest.mark.parametrize("name", CASES)
def test_log_prob_is_that_of_the_columns_observed(name):
    family, params, scipys = CASES[name]
    X = with_holes(family, params)
    terms = scipys.logpmf(np.nan_to_num(X)[:, None, :])
    expected = np.where(np.isnan(X)[:, None, :], 0.0, terms).sum(axis=2)
    np.testing.assert_allclose(family.log_prob(X, params), expected, rtol=1e-10, atol=1e-12)
    assert not family.log_prob(X, params)[0].any()


@pytest.mark.parametrize("name", CASES)
def test_estimates_are_means_of_the_values_observed(name):
    family, params, _ = CASES[name]
    X, rng = with_holes(family, params), np.random.default_rng(1)
    resp = rng.dirichlet(np.ones(2), len(X))
    ours = family.mean(family.weighted_mle(X, resp))
    for k in range(2):
        masked = np.ma.masked_invalid(X)
        np.testing.assert_allclose(ours[k], np.ma.average(masked, axis=0, weights=resp[:, k]))


@pytest.mark.parametrize("name", CASES)
def test_blocks_with_and_without_holes_add(name):
    family, params, _ = CASES[name]
    X = with_holes(family, params)
    X[:200] = np.nan_to_num(X[:200])
    resp = np.random.default_rng(1).dirichlet(np.ones(2), len(X))
    parts = family.suffstats(X[:200], resp[:200]) + family.suffstats(X[200:], resp[200:])
    np.testing.assert_allclose(parts, family.suffstats(X, resp))


def test_a_fit_with_holes_raises_the_observed_likelihood():
    family, params, _ = CASES["bernoulli"]
    X = with_holes(family, params, n_samples=1000)
    mixture = EMMixture(2, family=family, random_state=0).fit(X)
    terms = stats.bernoulli(mixture.params_.probs).logpmf(np.nan_to_num(X)[:, None, :])
    log_prob = np.where(np.isnan(X)[:, None, :], 0.0, terms).sum(axis=2)
    expected = np.log(np.exp(log_prob) @ mixture.weights_)
    np.testing.assert_allclose(mixture.score_samples(X), expected, atol=1e-10)
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    truth = EMMixture.from_params(family, [0.5, 0.5], params)
    assert mixture.score(X) >= truth.score(X)


def test_repetition_and_order_do_not_matter_with_holes():
    family, params, _ = CASES["poisson"]
    X = with_holes(family, params, n_samples=80)
    weights = np.random.default_rng(2).integers(1, 4, len(X))
    one = EMMixture(2, family=family, random_state=0).fit(X, sample_weight=weights)
    two = EMMixture(2, family=family, random_state=0).fit(np.repeat(X, weights, axis=0)[::-1])
    np.testing.assert_array_equal(one.params_.rates, two.params_.rates)


def test_pandas_na_is_missing():
    X = pd.DataFrame({"a": pd.array([1, 0, None, 1], dtype="Int64"), "b": [0.0, 1.0, 1.0, None]})
    mixture = EMMixture(1, family="bernoulli").fit(X)
    np.testing.assert_allclose(mixture.params_.probs, [[2 / 3, 2 / 3]])


def test_infinity_is_no_missing_value():
    with pytest.raises(ValueError, match="infinity"):
        EMMixture(1, family="poisson").fit([[1.0], [np.inf]])


def test_gaussians_take_missing_values():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 6.0], "b": [1.0, 5.0, None, None]})
    X["c"] = pd.array([4, 2, 1, None], dtype="Int64")
    mixture = EMMixture(1, family=Gaussian("diag", reg_covar=0.1)).fit(X)
    np.testing.assert_allclose(mixture.params_.means, [[3.0, 3.0, 7 / 3]])
