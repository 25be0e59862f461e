"""Densities, responsibilities, bounds, samples and criteria against other software and algebra."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    BernoulliParams,
    Gaussian,
    GaussianParams,
    PoissonParams,
    Uniform,
    UniformParams,
)
from sklearn_genmodel.variational import log_normalize

RNG = np.random.default_rng(0)
WEIGHTS = np.array([0.5, 0.2, 0.3])
MEANS = np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 4.0]])
ROOTS = RNG.normal(size=(3, 2, 2))
COVARIANCES = ROOTS @ ROOTS.transpose(0, 2, 1) + 0.2 * np.eye(2)
RATES = np.array([[1.0, 0.5], [6.0, 2.0], [0.1, 9.0]])
PROBS = np.array([[0.1, 0.8], [0.9, 0.9], [0.5, 0.2]])

SHAPES = {
    "full": (COVARIANCES, COVARIANCES),
    "tied": (COVARIANCES[0], np.repeat(COVARIANCES[:1], 3, axis=0)),
    "diag": (ROOTS[:, 0] ** 2, np.eye(2) * (ROOTS[:, 0] ** 2)[:, None]),
    "spherical": (ROOTS[:, 0, 0] ** 2, np.eye(2) * (ROOTS[:, 0, 0] ** 2)[:, None, None]),
}


def gaussian(covariance_type):
    covariances, dense = SHAPES[covariance_type]
    mixture = EMMixture.from_params(
        Gaussian(covariance_type), WEIGHTS, GaussianParams(MEANS, covariances)
    )
    X = RNG.normal(1.0, 3.0, size=(50, 2))
    parts = [stats.multivariate_normal(m, c).logpdf(X) for m, c in zip(MEANS, dense, strict=True)]
    return mixture, X, np.column_stack(parts)


def poisson():
    X = RNG.poisson(3.0, size=(50, 2))
    log_prob = stats.poisson.logpmf(X[:, None], RATES).sum(axis=2)
    return EMMixture.from_params("poisson", WEIGHTS, PoissonParams(RATES)), X, log_prob


def bernoulli():
    X = RNG.integers(0, 2, size=(50, 2))
    log_prob = stats.bernoulli.logpmf(X[:, None], PROBS).sum(axis=2)
    return EMMixture.from_params("bernoulli", WEIGHTS, BernoulliParams(PROBS)), X, log_prob


CASES = {
    **{kind: lambda kind=kind: gaussian(kind) for kind in SHAPES},
    "poisson": poisson,
    "bernoulli": bernoulli,
}


@pytest.fixture(params=list(CASES))
def case(request):
    """A mixture made from parameters, rows, and log p(x | z = k) by scipy."""
    return CASES[request.param]()


def test_densities_are_those_of_scipy(case):
    mixture, X, log_prob = case
    log_joint = log_prob + np.log(WEIGHTS)
    log_density = logsumexp(log_joint, axis=1)
    assert_allclose(mixture.score_samples(X), log_density, rtol=1e-10)
    assert_allclose(mixture.score(X), log_density.mean(), rtol=1e-12)
    weight = RNG.random(50)
    assert_allclose(mixture.score(X, sample_weight=weight), np.average(log_density, weights=weight))
    resp = np.exp(log_joint - log_density[:, None])
    assert_allclose(mixture.predict_proba(X), resp, rtol=1e-9, atol=1e-300)
    assert_array_equal(mixture.transform(X), mixture.predict_proba(X))
    assert_array_equal(mixture.predict(X), resp.argmax(axis=1))


def test_rows_are_scored_one_by_one(case):
    mixture, X, _ = case
    alone = np.concatenate([mixture.score_samples(X[i : i + 1]) for i in range(len(X))])
    assert_allclose(mixture.score_samples(X), alone, rtol=1e-13)


def test_both_forms_of_the_bound(case):
    mixture, X, log_prob = case
    resp = RNG.dirichlet([0.3, 1.0, 1.0], size=50)
    resp[:3] = np.eye(3)
    terms = mixture.elbo(X, resp)
    log_density = mixture.score_samples(X)
    # L2 and L3
    assert_allclose(terms.elbo, terms.expected_log_joint + terms.entropy, rtol=0, atol=1e-10)
    assert_allclose(terms.elbo, terms.expected_log_likelihood - terms.kl_prior, rtol=0, atol=1e-10)
    assert_allclose(log_density, terms.elbo + terms.kl_posterior, rtol=0, atol=1e-10)
    # Each term by itself
    assert_allclose(terms.entropy, stats.entropy(resp, axis=1), atol=1e-12)
    assert_allclose(terms.kl_prior, stats.entropy(resp, WEIGHTS[None], axis=1), atol=1e-12)
    log_posterior = log_prob + np.log(WEIGHTS) - log_density[:, None]
    cross_entropy = -(resp * log_posterior).sum(axis=1)
    assert_allclose(terms.kl_posterior, cross_entropy - terms.entropy, rtol=0, atol=1e-10)
    assert_allclose(terms.expected_log_likelihood, (resp * log_prob).sum(axis=1), rtol=1e-10)


def test_the_bound_is_tight_at_the_posterior(case):
    mixture, X, _ = case
    for terms in (mixture.elbo(X), mixture.elbo(X, mixture.predict_proba(X))):
        assert_allclose(terms.elbo, mixture.score_samples(X), rtol=0, atol=1e-10)
        assert_allclose(terms.kl_posterior, 0.0, atol=1e-12)


def test_a_component_without_weight():
    params = PoissonParams([[1.0], [2.0]])
    mixture = EMMixture.from_params("poisson", [1.0, 0.0], params)
    X = np.array([[0], [3]])
    assert_allclose(mixture.score_samples(X), stats.poisson.logpmf(X[:, 0], 1.0))
    assert_allclose(mixture.predict_proba(X), [[1.0, 0.0], [1.0, 0.0]], atol=1e-300)
    assert_allclose(mixture.elbo(X).elbo, mixture.score_samples(X))
    outside = mixture.elbo(X, [[0.5, 0.5], [1.0, 0.0]])
    assert_array_equal(np.isinf(outside.kl_prior), [True, False])
    assert_array_equal(np.isneginf(outside.elbo), [True, False])
    assert (mixture.sample(100, random_state=0)[1] == 0).all()


def test_a_row_far_from_all_is_not_of_a_component_without_weight():
    params = GaussianParams([[0.0], [100.0]], [[[1.0]], [[1.0]]])
    mixture = EMMixture.from_params("gaussian", [1.0, 0.0], params)
    assert_array_equal(mixture.predict_proba([[100.0]]), [[1.0, 0.0]])
    assert_allclose(mixture.score_samples([[100.0]]), stats.norm.logpdf([100.0]))
    plane = GaussianParams([[0.0, 0.0], [100.0, 100.0]], [np.eye(2)] * 2)
    given = EMMixture.from_params("gaussian", [1.0, 0.0], plane).conditional({0: 100.0})
    assert_array_equal(given.weights_, [1.0, 0.0])


def test_sample_moments(case):
    mixture, _, _ = case
    X, labels = mixture.sample(40_000, random_state=0)
    assert X.shape == (40_000, 2)
    assert labels.shape == (40_000,)
    assert_allclose(np.bincount(labels) / 40_000, WEIGHTS, atol=4 * np.sqrt(0.25 / 40_000))
    for k in range(3):
        own = X[labels == k]
        error = own.std(axis=0) / np.sqrt(len(own))
        assert (
            np.abs(own.mean(axis=0) - mixture.family_.mean(mixture.params_)[k]) < 5 * error
        ).all()


def test_samples_score_as_the_entropy_says():
    # One Gaussian: the expected log-density is minus its entropy, d/2 (1 + log 2 pi) + log|S|/2.
    params = GaussianParams(MEANS[:1], COVARIANCES[:1])
    mixture = EMMixture.from_params("gaussian", [1.0], params)
    X, _ = mixture.sample(20_000, random_state=0)
    expected = -stats.multivariate_normal(MEANS[0], COVARIANCES[0]).entropy()
    assert_allclose(mixture.score(X), expected, atol=5 / np.sqrt(20_000))


def test_sample_seeds(case):
    mixture, _, _ = case
    assert mixture.sample()[0].shape == (1, 2)
    assert_array_equal(mixture.sample(5, 7)[0], mixture.sample(5, 7)[0])
    rng = np.random.default_rng(7)
    first, second = mixture.sample(5, rng)[0], mixture.sample(5, rng)[0]
    assert_array_equal(first, mixture.sample(5, np.random.default_rng(7))[0])
    assert not np.array_equal(first, second)
    own = mixture.set_params(random_state=7).sample(5)[0]
    assert_array_equal(own, mixture.sample(5, 7)[0])


@pytest.mark.parametrize(
    ("kind", "expected"),
    # Weights, means and covariances of 3 components in 2 dimensions, counted by hand.
    [
        ("full", 2 + 6 + 9),
        ("tied", 2 + 6 + 3),
        ("diag", 2 + 6 + 6),
        ("spherical", 2 + 6 + 3),
        ("poisson", 2 + 6),
        ("bernoulli", 2 + 6),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_criteria(kind, expected, weighted):
    mixture, X, log_prob = CASES[kind]()
    weight = RNG.random(50) * 3.0 if weighted else None
    w = np.ones(50) if weight is None else weight
    log_joint = log_prob + np.log(WEIGHTS)
    log_density = logsumexp(log_joint, axis=1)
    log_likelihood = w @ log_density
    entropy = w @ stats.entropy(np.exp(log_joint - log_density[:, None]), axis=1)
    bic = -2.0 * log_likelihood + expected * np.log(w.sum())
    assert mixture.n_parameters() == expected
    assert_allclose(mixture.aic(X, weight), -2.0 * log_likelihood + 2.0 * expected, rtol=1e-12)
    assert_allclose(mixture.bic(X, weight), bic, rtol=1e-12)
    assert_allclose(mixture.icl(X, weight), bic + 2.0 * entropy, rtol=1e-12)


def test_rows_of_weight_0_may_be_impossible():
    mixture = EMMixture.from_params("bernoulli", [1.0], BernoulliParams([[1.0]]))
    assert mixture.score([[1], [0]], sample_weight=[1, 0]) == pytest.approx(0.0, abs=1e-12)


def test_from_params_is_as_good_as_fitted(case):
    mixture, X, _ = case
    assert mixture.n_features_in_ == 2
    assert_array_equal(mixture.weights_, WEIGHTS)
    assert list(mixture.get_feature_names_out()) == ["emmixture0", "emmixture1", "emmixture2"]
    assert mixture.set_params(n_components=1).fit(X).n_features_in_ == 2


def test_from_params_copies_nothing_of_the_fit():
    fitted = EMMixture(2, n_init=2, random_state=0).fit(RNG.normal(size=(40, 2)))
    again = EMMixture.from_params(fitted.family_, fitted.weights_, fitted.params_)
    X = RNG.normal(size=(10, 2))
    assert_array_equal(again.score_samples(X), fitted.score_samples(X))
    assert not hasattr(again, "lower_bound_")


def test_from_params_copies_its_arrays():
    rates = np.array([[1.0], [2.0]])
    mixture = EMMixture.from_params("poisson", [0.5, 0.5], PoissonParams(rates))
    rates[:] = 9.0
    assert_array_equal(mixture.params_.rates, [[1.0], [2.0]])


def test_summary():
    frame = pd.DataFrame(RNG.normal(size=(60, 2)) + 4.0 * RNG.integers(0, 2, (60, 1)))
    frame.columns = ["height", "a very long name of a column"]
    mixture = EMMixture(2, n_init=2, random_state=0).fit(frame)
    facts, header, *body = mixture.summary().splitlines()
    assert facts.startswith("EMMixture: 2 Gaussian components, 11 parameters, ")
    assert f"{mixture.lower_bound_:.6g} nats per row" in facts
    assert f"converged in {mixture.init_results_[0].n_iter} passes" in facts
    assert header.split() == [
        "component",
        "weight",
        "mean",
        "height",
        "mean",
        "a",
        "very",
        "long",
        "na",
    ]
    table = np.array([line.split() for line in body], dtype=float)
    assert_array_equal(table[:, 0], [0, 1])
    assert_allclose(table[:, 1], mixture.weights_, atol=5e-5)
    assert_allclose(table[:, 2:], mixture.params_.means, rtol=1e-4)


def test_summary_of_a_fit_that_did_not_converge():
    X = RNG.normal(size=(200, 2))
    with pytest.warns(ConvergenceWarning, match="max_iter=3 passes"):
        mixture = EMMixture(2, tol=1e-12, max_iter=3, n_init=2, random_state=0).fit(X)
    total = mixture.init_results_[0].n_iter
    facts = f"not converged in {total} passes, {total - 3} of them in the search"
    assert facts in mixture.summary()
    with pytest.warns(ConvergenceWarning, match="max_iter=3 passes"):
        given = EMMixture(2, tol=1e-12, max_iter=3, init=np.arange(200) % 2).fit(X)
    assert "not converged in 3 passes\n" in given.summary()


def test_summary_of_many_columns_and_of_parameters_alone():
    params = PoissonParams(np.arange(1.0, 13.0)[None])
    summary = EMMixture.from_params("poisson", [1.0], params).summary()
    assert summary.startswith("EMMixture: 1 Poisson component, 12 parameters\n")
    assert summary.endswith("(and 4 more columns)")


def test_what_underflows_in_scores_is_no_error():
    mixture = EMMixture.from_params(
        "gaussian", [0.5, 0.5], GaussianParams([[0.0], [1.0]], [[[1.0]]] * 2)
    )
    with np.errstate(all="raise"):
        assert_allclose(mixture.predict_proba([[-720.0]]), [[1.0, 0.0]], atol=1e-300)


def test_infinite_weight_zero_scores():
    made = EMMixture.from_params(
        Uniform(0.0, 1.0), [1.0], UniformParams(np.zeros((1, 1)), np.ones((1, 1)))
    )
    X = np.array([[0.5], [7.0]])
    assert made.score(X, sample_weight=[1.0, 0.0]) == 0.0
    assert_allclose(made.bic(X, sample_weight=[3.0, 0.0]), 0.0)


def test_densities_that_no_number_holds():
    for level in (-2000.0, 0.0, 2000.0):
        joint = np.log([[0.25, 0.1], [0.75, 0.9]]) + level
        evidence, posterior = log_normalize(joint)
        assert_allclose(evidence, [level, level], atol=1e-12)
        assert_allclose(posterior, [[0.25, 0.1], [0.75, 0.9]], rtol=1e-9)
