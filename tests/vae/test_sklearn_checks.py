"""scikit-learn's own checks of estimators, and the tools that wrap estimators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a weight of 2 has the expectation of a repeated row, not its random numbers: minibatches "
        "are drawn by row"
    )
}


@parametrize_with_checks(
    [
        VAEEstimator(max_epochs=10),
        VAEEstimator(max_epochs=5, objective="iwae", n_draws=3, prior=VampPrior(3)),
    ],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def X():
    return load_wine().data


def test_grid_search_through_a_pipeline_in_two_processes(X):
    vae = VAEEstimator(max_epochs=3, prior=MixturePrior(2), random_state=0)
    grid = {
        "vaeestimator__n_latent": [1, 2],
        "vaeestimator__beta": [1.0, 0.5],
        "vaeestimator__learning_rate": [1e-3],
        "vaeestimator__prior__n_components": [2],
    }
    search = GridSearchCV(make_pipeline(MinMaxScaler(), vae), grid, cv=2, n_jobs=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    alone = make_pipeline(MinMaxScaler(), clone(vae)).set_params(**search.best_params_).fit(X)
    assert_allclose(search.best_estimator_.score(X), alone.score(X))


def test_pandas_in_and_out(X):
    frame = pd.DataFrame(X, columns=load_wine().feature_names)
    vae = VAEEstimator(3, max_epochs=2, random_state=0).set_output(transform="pandas").fit(frame)
    Z = vae.transform(frame)
    assert list(Z.columns) == ["vaeestimator0", "vaeestimator1", "vaeestimator2"]
    assert_array_equal(vae.get_feature_names_out(), Z.columns)
    assert_array_equal(vae.feature_names_in_, frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        vae.score(frame[frame.columns[::-1]])


def test_clone_and_pickle_of_a_fitted_estimator(X):
    vae = VAEEstimator(max_epochs=3, prior=VampPrior(5), random_state=0).fit(X)
    copied = clone(vae)
    assert not hasattr(copied, "module_")
    assert_array_equal(copied.fit(X).score_samples(X), vae.score_samples(X))
    loaded = pickle.loads(pickle.dumps(vae))
    assert_array_equal(loaded.score_samples(X), vae.score_samples(X))
    assert_array_equal(loaded.partial_fit(X).score_samples(X), vae.partial_fit(X).score_samples(X))


def test_weights_are_routed_and_count(X):
    """Rows of weight 0 are as good as absent; a weighted score is a weighted mean."""
    weight = np.repeat([0.0, 1.0, 2.5], [50, 100, 28])
    vae = VAEEstimator(max_epochs=3, random_state=0)
    with_zeros = vae.fit(X, sample_weight=weight).score_samples(X)
    without = clone(vae).fit(X[50:], sample_weight=weight[50:]).score_samples(X)
    assert_array_equal(with_zeros, without)
    expected = np.average(with_zeros, weights=weight)
    assert_allclose(vae.score(X, sample_weight=weight), expected)
    tripled = clone(vae).fit(X, sample_weight=3.0 * weight).score_samples(X)
    assert_allclose(tripled, with_zeros, rtol=1e-4)


def test_a_weight_equals_repetition_in_expectation():
    """Full batches and many draws: the optimum of weighted rows is that of repeated ones."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3))
    weight = rng.integers(1, 9, size=30)
    # Probabilistic PCA has one optimum, up to a rotation.
    arguments = {"encoder": (), "decoder": (), "decoder_scale": "learned_scalar"}
    vae = VAEEstimator(1, **arguments, max_epochs=400, n_draws=8, learning_rate=2e-2)
    vae.set_params(lr_schedule="cosine", random_state=0, early_stopping=False, standardize=False)
    weighted = vae.fit(X, sample_weight=weight).score(X)
    repeated = clone(vae).fit(np.repeat(X, weight, axis=0)).score(X)
    plain = clone(vae).fit(X).score(X)
    assert abs(weighted - repeated) < 5e-3
    assert abs(weighted - repeated) < 0.2 * abs(weighted - plain)
