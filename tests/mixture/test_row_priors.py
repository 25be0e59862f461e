"""What is known of the rows: labels, forbidden components, soft labels; priors on the weights."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import norm, poisson
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.em import MStep
from sklearn_genmodel.families import Bernoulli, Gaussian, Poisson

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(np.repeat([2.0, 8.0, 20.0], 60))[:, None]
TRUTH = np.repeat([2, 0, 1], 60)
ERUPTIONS = load_old_faithful().data


def test_all_labels_known_is_one_fit_per_class():
    known = np.eye(3)[TRUTH]
    mixture = EMMixture(3, family="poisson", random_state=0).fit(COUNTS, resp_prior=known)
    for k in range(3):
        assert_allclose(mixture.params_.rates[k], COUNTS[TRUTH == k].mean(axis=0))
    assert_allclose(mixture.weights_, np.full(3, 1 / 3))
    own = mixture.family_.log_prob(COUNTS, mixture.params_)[np.arange(180), TRUTH]
    assert_allclose(mixture.lower_bound_, np.mean(own + np.log(1 / 3)))


def test_some_labels_number_the_components():
    known = np.ones((180, 3))
    known[::12] = np.eye(3)[TRUTH[::12]]
    mixture = EMMixture(3, family="poisson", random_state=0).fit(COUNTS, resp_prior=known)
    assert mixture.params_.rates[2] < mixture.params_.rates[0] < mixture.params_.rates[1]
    joint = mixture.family_.log_prob(COUNTS, mixture.params_) + np.log(mixture.weights_)
    with np.errstate(divide="ignore"):
        expected = logsumexp(joint + np.log(known), axis=1).mean()
    assert_allclose(mixture.lower_bound_, expected, rtol=1e-12)
    assert (np.diff(mixture.lower_bounds_) >= 0).all()


def test_labels_reach_a_mixture_that_transforms():
    known = np.eye(3)[TRUTH]
    alone = EMMixture(3, family="poisson", random_state=0).fit(COUNTS, resp_prior=known)
    mixture = clone(alone)
    assert_array_equal(mixture.fit_transform(COUNTS, resp_prior=known), alone.transform(COUNTS))
    assert_array_equal(mixture.fit_predict(COUNTS, resp_prior=known), alone.predict(COUNTS))
    pipeline = make_pipeline(mixture, LogisticRegression())
    pipeline.fit(COUNTS, TRUTH, emmixture__resp_prior=known)
    assert_allclose(pipeline[0].params_.rates, alone.params_.rates, rtol=1e-12)
    with sklearn.config_context(enable_metadata_routing=True):
        told = clone(alone).set_fit_request(resp_prior=True)
        pipeline = make_pipeline(told, LogisticRegression()).fit(COUNTS, TRUTH, resp_prior=known)
    assert_allclose(pipeline[0].params_.rates, alone.params_.rates, rtol=1e-12)


def test_equal_numbers_say_nothing():
    plain = EMMixture(2, random_state=0).fit(ERUPTIONS)
    told = EMMixture(2, random_state=0).fit(ERUPTIONS, resp_prior=np.full((272, 2), 1.0))
    assert_allclose(told.lower_bound_, plain.lower_bound_, rtol=1e-9)


def test_forbidden_components_and_weights_as_repetition():
    known = np.ones((180, 2))
    known[:60, 0] = 0.0
    weights = RNG.integers(1, 4, 180)
    weighted = EMMixture(2, family="poisson", random_state=0)
    weighted.fit(COUNTS, sample_weight=weights, resp_prior=known)
    repeated = EMMixture(2, family="poisson", random_state=0)
    repeated.fit(np.repeat(COUNTS, weights, axis=0), resp_prior=np.repeat(known, weights, axis=0))
    assert_allclose(repeated.params_.rates, weighted.params_.rates, rtol=1e-12)
    assert weighted.params_.rates[1] < weighted.params_.rates[0]


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.ones((180, 2)), r"shape \(180, 2\), expected .* = \(180, 3\)"),
        (np.zeros((180, 3)), "row 0 is"),
        (np.full((180, 3), np.nan), "row 0 is"),
        (np.full((180, 3), -1.0), "row 0 is"),
    ],
)
def test_mistakes(known, message):
    with pytest.raises(ValueError, match=message):
        EMMixture(3, family="poisson").fit(COUNTS, resp_prior=known)


def test_routed_as_metadata():
    known = np.eye(3)[TRUTH]
    with sklearn.config_context(enable_metadata_routing=True):
        mixture = EMMixture(3, family="poisson", random_state=0).set_fit_request(resp_prior=True)
        pipeline = make_pipeline(FunctionTransformer(), mixture)
        pipeline.fit(COUNTS, resp_prior=known)
    assert_allclose(pipeline[-1].params_.rates[2], COUNTS[:60].mean(axis=0))


def test_sparse_weights_leave_what_the_data_need():
    sparse = EMMixture(8, family="poisson", weight_concentration=0.0, random_state=0).fit(COUNTS)
    assert len(sparse.weights_) <= 4
    assert sparse.params_.rates.shape == (len(sparse.weights_), 1)
    assert_allclose(sparse.weights_.sum(), 1.0)
    assert (np.diff(sparse.lower_bounds_) >= 0).all()
    penalty = -np.log(sparse.weights_).sum()
    assert_allclose(sparse.lower_bound_, sparse.score(COUNTS) + penalty / 180)


@pytest.mark.parametrize("concentration", [-3.0, -5.0, -6.9])
@pytest.mark.parametrize("n_components", [2, 3, 4])
def test_where_all_components_weigh_too_little_the_largest_stays(concentration, n_components):
    X = np.array([[1.0], [2], [3], [7], [8], [9], [20], [30]])
    mixture = EMMixture(
        n_components, family="poisson", weight_concentration=concentration, random_state=0
    ).fit(X)
    assert_allclose(mixture.params_.rates, [[X.mean()]], rtol=1e-12)
    assert_allclose(mixture.lower_bound_, poisson.logpmf(X, X.mean()).mean(), rtol=1e-12)


def test_sparse_weights_are_the_highest_of_a_grid():
    steps = np.linspace(0.0, 1.0, 41)
    grid = np.array([[a, b, 1.0 - a - b] for a in steps for b in steps if a + b <= 1.0])
    smallest = np.finfo(float).tiny
    for counts in ([2.5, 2.9, 2.6], [1.0, 3.5, 3.5], [4.0, 5.0, 1.0], [8.0, 0.0, 0.0]):
        for concentration in (0.0, -1.5, -3.0, -6.9):
            weights = MStep(concentration).weights(np.array(counts))
            powers = np.array(counts) + concentration - 1.0
            highest = (np.log(np.maximum(grid, smallest)) @ powers).max()
            assert np.log(np.maximum(weights, smallest)) @ powers >= highest - 1e-9


def test_rows_that_weigh_too_little_for_any_component_are_refused():
    weights = np.full(len(COUNTS), 1.0 / len(COUNTS))
    mixture = EMMixture(2, family="poisson", weight_concentration=0.0)
    with pytest.raises(ValueError, match=r"weigh at most 1, .* together weigh 1: raise it above 0"):
        mixture.fit(COUNTS, sample_weight=weights)
    with pytest.raises(ValueError, match=r"at most 201, .* weigh 180: raise it above -179"):
        mixture.set_params(weight_concentration=-200.0).fit(COUNTS)
    assert mixture.set_params(n_components=1).fit(COUNTS, sample_weight=weights).converged_


def test_dirichlet_weights_are_the_posterior_mode():
    mixture = EMMixture(3, family="poisson", weight_concentration=31.0, random_state=0)
    mixture.fit(COUNTS)
    expected = mixture.predict_proba(COUNTS).sum(axis=0) + 30.0
    assert_allclose(mixture.weights_, expected / expected.sum(), atol=1e-4)


@pytest.mark.parametrize(
    "extra", [{"family": [Gaussian(), Gaussian()]}, {"prior": np.ones((272, 2))}]
)
def test_sparse_weights_drop_no_component_that_is_told_apart(extra):
    mixture = EMMixture(2, family=extra.get("family", "gaussian"), weight_concentration=0.5)
    with pytest.raises(ValueError, match="may drop components"):
        mixture.fit(ERUPTIONS, resp_prior=extra.get("prior"))


@pytest.mark.parametrize("strength", [0.5, 4.0])
def test_priors_are_pseudo_observations(strength):
    mixture = EMMixture(2, family=Poisson(prior=strength), random_state=0).fit(COUNTS)
    resp = mixture.predict_proba(COUNTS)
    expected = (resp.T @ COUNTS[:, 0] + strength * COUNTS.mean()) / (resp.sum(axis=0) + strength)
    assert_allclose(mixture.params_.rates[:, 0], expected, rtol=1e-3)
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    rates = mixture.params_.rates[:, 0]
    penalty = strength * (COUNTS.mean() * np.log(rates) - rates).sum()
    assert_allclose(mixture.lower_bound_, mixture.score(COUNTS) + penalty / 180, rtol=1e-10)


def test_a_beta_prior_keeps_probabilities_off_the_edge():
    X = np.array([[1, 0], [1, 1], [1, 0], [1, 1]])
    mixture = EMMixture(1, family=Bernoulli(prior=(2.0, 0.5))).fit(X)
    assert_allclose(mixture.params_.probs, [[5 / 6, 3 / 6]])
    assert_allclose(EMMixture(1, family=Bernoulli()).fit(X).params_.probs, [[1.0, 0.5]])


@pytest.mark.parametrize("prior", [0.0, -1.0, "strong", (1.0, [1.0, 2.0, 3.0]), True])
def test_priors_that_are_none(prior):
    with pytest.raises(ValueError, match="prior="):
        EMMixture(1, family=Poisson(prior=prior)).fit(COUNTS)


def test_one_component_that_rows_may_hardly_have():
    """Of one component the prior over the components is a factor of the likelihood."""
    X = np.random.default_rng(0).normal(size=(50, 1))
    mixture = EMMixture(1).fit(X, resp_prior=np.full((50, 1), 0.5))
    expected = norm(X.mean(), X.std()).logpdf(X).mean() + np.log(0.5)
    assert_allclose(mixture.lower_bound_, expected, rtol=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_known_of_the_rows_numbers_a_single_start(seed):
    """Clusters far apart never trade their numbers once EM runs."""
    rng = np.random.default_rng(seed)
    left = rng.random(200) < 0.5
    X = np.where(left, -20.0, 20.0)[:, None] + rng.normal(size=(200, 1))
    prior = np.where(left[:, None], [0.2, 0.8], [0.8, 0.2])
    mixture = EMMixture(2, init="kmeans", n_init=1, random_state=seed).fit(X, resp_prior=prior)
    assert_allclose(mixture.component_means()[1, 0], X[left].mean(), rtol=1e-6)


def test_labels_of_rows_of_no_weight_are_left_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1))
    known = np.eye(2)[rng.integers(2, size=80)]
    weights = np.where(np.arange(80) % 4, 1.0, 0.0)
    mixture = EMMixture(2).fit(X, sample_weight=weights, resp_prior=known)
    expected = [np.average(X[:, 0], weights=weights * known[:, k]) for k in range(2)]
    assert_allclose(mixture.mean(), weights @ X / weights.sum(), rtol=1e-10)
    assert_allclose(mixture.component_means().ravel(), expected, rtol=1e-10)


def test_without_a_sparse_prior_no_component_is_dropped():
    weights = np.array([1.0, 0.0])
    assert_array_equal(MStep().kept(weights), [0, 1])
    assert_array_equal(MStep(concentration=0.5).kept(weights), [0])
