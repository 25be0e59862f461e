"""Parameters held fixed or tied."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import poisson

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Categorical, Columns, Gaussian, Poisson

RNG = np.random.default_rng(0)
FIELDS = {"gamma": ("shapes", "scales"), "log_normal": ("locations", "scales")}
COUNTS = RNG.poisson(np.repeat([[2.0, 3.0], [9.0, 3.0]], 150, axis=0))


def test_fixed_rates_and_weights_stay_and_the_rest_is_maximal():
    fixed = {"weights": [0.3, 0.7], "rates": [[8.0, np.nan], [np.nan, np.nan]]}
    mixture = EMMixture(2, family="poisson", fixed=fixed, random_state=0).fit(COUNTS)
    assert_allclose(mixture.weights_, [0.3, 0.7])
    assert mixture.params_.rates[0, 0] == 8.0
    assert mixture.n_parameters() == 3
    assert (np.diff(mixture.lower_bounds_) >= 0).all()

    def loss(free):
        rates = np.array([[8.0, free[0]], [free[1], free[2]]])
        logs = poisson(rates).logpmf(COUNTS[:, None, :]).sum(axis=2)
        return -logsumexp(logs + np.log([0.3, 0.7]), axis=1).mean()

    start = mixture.params_.rates.ravel()[1:]
    best = minimize(loss, start, bounds=[(0.1, 30)] * 3, tol=1e-12)
    assert_allclose(mixture.score(COUNTS), -best.fun, atol=1e-6)


def test_rates_tied_across_components():
    tied = {"rates": [[0, 1], [2, 1]]}
    mixture = EMMixture(2, family="poisson", tied=tied, random_state=0).fit(COUNTS)
    assert_allclose(mixture.params_.rates[:, 1], COUNTS[:, 1].mean(), rtol=1e-12)
    assert mixture.params_.rates[0, 0] != mixture.params_.rates[1, 0]
    assert mixture.n_parameters() == 4
    assert (np.diff(mixture.lower_bounds_) >= 0).all()


def test_rates_tied_across_columns():
    mixture = EMMixture(2, family="poisson", tied={"rates": "columns"}, random_state=0).fit(COUNTS)
    resp = mixture.predict_proba(COUNTS)
    expected = resp.T @ COUNTS.mean(axis=1) / resp.sum(axis=0)
    assert_allclose(mixture.params_.rates, np.repeat(expected[:, None], 2, axis=1), rtol=1e-3)
    assert mixture.n_parameters() == 3


def test_all_components_tied_is_one_component():
    mixture = EMMixture(2, family="poisson", tied={"rates": "components"}).fit(COUNTS)
    one = EMMixture(1, family="poisson").fit(COUNTS)
    assert_allclose(mixture.score(COUNTS), one.score(COUNTS))


def test_groups_of_columns_have_their_own():
    X = pd.DataFrame({"n": COUNTS[:, 0], "m": COUNTS[:, 1], "s": np.repeat(["a", "b", "c"], 100)})
    family = Columns([("counts", Poisson(), ["n", "m"]), ("label", Categorical(), ["s"])])
    mixture = EMMixture(
        2,
        family=family,
        fixed={"counts": {"rates": [[np.nan, 3.0], [np.nan, 3.0]]}},
        tied={"label": {"probs": "components"}},
        random_state=0,
    ).fit(X)
    assert_allclose(mixture.params_.counts.rates[:, 1], 3.0)
    assert_allclose(mixture.params_.label.probs, np.full((2, 1, 3), 1 / 3))
    assert mixture.n_parameters() == 1 + 2 + 2


def test_fixed_probabilities_of_labels():
    X = [["a"], ["b"], ["a"], ["a"]] * 5
    fixed = {"probs": [[[0.5, 0.5]], [[np.nan, np.nan]]]}
    mixture = EMMixture(2, family="categorical", fixed=fixed, random_state=0).fit(X)
    assert_allclose(mixture.params_.probs[0], [[0.5, 0.5]])
    assert mixture.n_parameters() == 2
    assert_allclose(mixture.score(X), 0.75 * np.log(0.75) + 0.25 * np.log(0.25), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fixed": {"rate": 1.0}}, ValueError, "'rate', which is none of 'rates'"),
        ({"fixed": {"rates": [1.0, 2.0, 3.0]}}, ValueError, r"shape \(2, 2\)"),
        ({"fixed": {"weights": [0.5, 0.6]}}, ValueError, "sum to 1"),
        ({"fixed": [1.0]}, TypeError, "must map names"),
        ({"tied": {"rates": "rows"}}, ValueError, "choose one of 'components'"),
        ({"fixed": {"rates": [[-1.0, np.nan]] * 2}}, ValueError, "are no parameters of Poisson"),
        ({"fixed": {"rates": 2.0}, "tied": {"rates": "all"}}, ValueError, "both fixed and tied"),
        ({"fixed": {"rates": 2.0}, "weight_concentration": 0.0}, ValueError, "may drop"),
    ],
)
def test_mistakes(arguments, error, message):
    with pytest.raises(error, match=message):
        EMMixture(2, family="poisson", **arguments).fit(COUNTS)


@pytest.mark.parametrize("probs", [[0.6, 0.6], [0.6, np.nan], [-0.1, 1.1]])
def test_fixed_probabilities_are_a_distribution(probs):
    with pytest.raises(ValueError, match="fixed together"):
        EMMixture(1, family="categorical", fixed={"probs": [[probs]]}).fit([["a"], ["b"]])


def test_fixed_columns_of_unequal_levels_count_their_own():
    X = [["a", "x"], ["b", "y"], ["a", "z"], ["a", "x"]] * 5
    fixed = {"probs": [[[0.9, 0.1, np.nan], [np.nan] * 3]]}
    assert EMMixture(1, family="categorical", fixed=fixed).fit(X).n_parameters() == 2


@pytest.mark.parametrize("family", ["gamma", "log_normal"])
def test_distributions_of_two_parameters_are_tied_and_fixed_whole(family):
    X = RNG.gamma(np.repeat([2.0, 9.0], 150), 1.0)[:, None]
    tied = EMMixture(2, family=family, tied=dict.fromkeys(FIELDS[family], "components")).fit(X)
    one = EMMixture(1, family=family).fit(X)
    assert_allclose(tied.score(X), one.score(X), rtol=1e-9)
    fixed = {name: [[1.0], [np.nan]] for name in FIELDS[family]}
    held = EMMixture(2, family=family, fixed=fixed, random_state=0).fit(X)
    assert all(getattr(held.params_, name)[0, 0] == 1.0 for name in fixed)
    assert (np.diff(held.lower_bounds_) >= 0).all()
    with pytest.raises(NotImplementedError, match="2 parameters per component and column"):
        EMMixture(2, family=family, fixed={FIELDS[family][0]: 1.0}).fit(X)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_gaussian_means_and_covariances_held_fixed(covariance_type):
    X = RNG.normal(np.repeat([[0.0, 0.0], [4.0, 3.0]], 150, axis=0), 1.0)
    fixed = {"means": [[0.5, -0.5], [np.nan, np.nan]]}
    mixture = EMMixture(2, family=Gaussian(covariance_type), fixed=fixed, random_state=0).fit(X)
    assert_allclose(mixture.params_.means[0], [0.5, -0.5])
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    resp = mixture.predict_proba(X)[:, 0]
    scatter = (X - [0.5, -0.5]).T * resp @ (X - [0.5, -0.5]) / resp.sum()
    expected = {
        "full": scatter,
        "diag": np.diag(np.diag(scatter)),
        "spherical": np.eye(2) * np.trace(scatter) / 2,
    }[covariance_type]
    assert_allclose(mixture.component_covariances()[0], expected, atol=1e-3)
    free = EMMixture(2, family=Gaussian(covariance_type), random_state=0).fit(X)
    assert mixture.n_parameters() == free.n_parameters() - 2
    held = {"covariances": free.params_.covariances}
    same = EMMixture(2, family=Gaussian(covariance_type), fixed=held, random_state=0).fit(X)
    assert_allclose(same.params_.covariances, free.params_.covariances)


def test_families_that_cannot_say_so():
    with pytest.raises(NotImplementedError, match="Laplace cannot hold locations"):
        EMMixture(2, family="laplace", fixed={"locations": 0.0}).fit(COUNTS.astype(float))
    with pytest.raises(NotImplementedError, match="choose a covariance_type"):
        EMMixture(2, tied={"means": "components"}).fit(COUNTS + RNG.random((300, 2)))
    with pytest.raises(NotImplementedError, match="of a component whole"):
        EMMixture(2, fixed={"means": [[1.0, np.nan]] * 2}).fit(COUNTS + RNG.random((300, 2)))
