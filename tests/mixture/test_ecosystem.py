"""A mixture inside scikit-learn: pipelines, searches, routing, frames, clones, pickles."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns, Gaussian, resolve_family


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def two(iris):
    """Two well-separated clusters, as a frame."""
    return EMMixture(2, n_init=2, random_state=0).fit(iris)


def test_options_of_a_family_given_by_name(iris):
    pipeline = make_pipeline(StandardScaler(), EMMixture(2, n_init=2, random_state=0))
    grid = {"emmixture__family__covariance_type": ["diag", "full"]}
    by_name = GridSearchCV(pipeline, grid, cv=3).fit(iris)
    pipeline = clone(pipeline).set_params(emmixture__family=Gaussian())
    by_object = GridSearchCV(pipeline, grid, cv=3).fit(iris)
    assert_array_equal(
        by_name.cv_results_["mean_test_score"], by_object.cv_results_["mean_test_score"]
    )
    named = EMMixture(family="student_t").set_params(family="gaussian", family__prior=None)
    assert isinstance(named.family, Gaussian)
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        EMMixture().set_params(family__rate=1)
    with pytest.raises(ValueError, match="family='poison' is unknown"):
        EMMixture().set_params(family="poison", family__prior=1)
    with pytest.raises(ValueError, match="where family is a list"):
        EMMixture(2, family=["gaussian", "uniform"]).set_params(family__0__low=1.0)


def test_grid_search_over_components_and_covariances(iris):
    grid = {"n_components": [1, 2], "family__covariance_type": ["full", "diag"]}
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(EMMixture(family=Gaussian(), n_init=2, random_state=0), grid, cv=folds)
    search.fit(iris)
    peers = {"n_components": [1, 2], "covariance_type": ["full", "diag"]}
    peer = GridSearchCV(
        GaussianMixture(n_init=3, tol=1e-6, max_iter=500, random_state=0), peers, cv=folds
    )
    peer.fit(iris)
    assert search.best_estimator_.family_.covariance_type == "full"
    assert_allclose(search.best_score_, peer.best_score_, atol=1e-3)


def test_pipeline_scores_in_units_of_the_step_before(iris):
    pipeline = make_pipeline(StandardScaler(), EMMixture(2, n_init=2, random_state=0)).fit(iris)
    direct = EMMixture(2, n_init=2, random_state=0).fit(iris)
    # Scaling by s takes sum log s off the log-density, and full covariances follow any scaling.
    jacobian = np.log(pipeline[0].scale_).sum()
    assert_allclose(pipeline.score(iris) - jacobian, direct.score(iris), atol=1e-6)
    assert_array_equal(pipeline.predict(iris), direct.predict(iris))


@pytest.mark.parametrize("searched", [False, True])
def test_sample_weight_is_routed_through_pipeline_and_search(iris, searched):
    weight = np.random.default_rng(0).integers(0, 3, len(iris)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        mixture = EMMixture(2, n_init=2, random_state=0)
        mixture.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = make_pipeline(scaler, mixture)
        if searched:
            model = GridSearchCV(model, {"emmixture__tol": [1e-6]}, cv=3)
        model.fit(iris, sample_weight=weight)
        score = model.score(iris, sample_weight=weight)
    scaled = StandardScaler().fit_transform(iris)
    repeated = np.repeat(scaled, weight.astype(int), axis=0)
    expected = EMMixture(2, n_init=2, random_state=0).fit(repeated).score(repeated)
    assert_allclose(score, expected, atol=1e-7)


def test_weights_are_not_routed_unasked(iris):
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), EMMixture())
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            pipeline.fit(iris, sample_weight=np.ones(len(iris)))


def test_feature_names(two, iris):
    assert list(two.feature_names_in_) == list(iris.columns)
    assert two.n_features_in_ == 4
    assert list(two.get_feature_names_out()) == ["emmixture0", "emmixture1"]
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        two.predict(iris.to_numpy())
    with pytest.raises(ValueError, match="feature names should match"):
        two.predict(iris[iris.columns[::-1]])


@pytest.mark.parametrize("method", ["transform", "fit_transform"])
@pytest.mark.parametrize(("container", "frame"), [("pandas", pd), ("polars", pl)])
def test_set_output(two, iris, container, frame, method):
    mixture = clone(two).set_output(transform=container)
    if method == "transform":
        mixture.fit(iris)
    out = getattr(mixture, method)(iris)
    assert isinstance(out, frame.DataFrame)
    assert list(out.columns) == ["emmixture0", "emmixture1"]
    assert_allclose(out.to_numpy(), two.predict_proba(iris), atol=1e-12)
    assert isinstance(mixture.predict_proba(iris), np.ndarray)


def test_polars_and_pandas_frames_are_one(two, iris):
    frame = pl.DataFrame({name: iris[name].to_numpy() for name in iris})
    assert_array_equal(two.predict_proba(frame), two.predict_proba(iris))
    assert_array_equal(clone(two).fit(frame).weights_, two.weights_)


def test_clone_copies_arguments_and_nothing_fitted(two):
    copy = clone(two)
    assert repr(copy) == repr(two)
    assert not [name for name in vars(copy) if name.endswith("_")]


def test_pickle(two, iris):
    copy = pickle.loads(pickle.dumps(two))
    assert_array_equal(copy.predict_proba(iris), two.predict_proba(iris))
    assert copy.summary() == two.summary()


@pytest.mark.parametrize(
    "random_state", [0, np.random.RandomState(0), np.random.default_rng(0), None], ids=type
)
def test_every_kind_of_random_state_fits_clones_and_pickles(iris, random_state):
    mixture = EMMixture(2, n_init=2, random_state=random_state)
    for model in (mixture, clone(mixture), pickle.loads(pickle.dumps(mixture))):
        assert model.fit(iris).sample(5)[0].shape == (5, 4)


def test_the_fitted_family_is_a_copy(iris):
    mixture = EMMixture(family=Gaussian("full")).fit(iris)
    score = mixture.score(iris)
    mixture.set_params(family__covariance_type="diag")
    assert mixture.family_.covariance_type == "full"
    assert mixture.score(iris) == score


def test_html_repr(two):
    assert "n_components" in EMMixture(3)._repr_html_()
    assert "Gaussian" in clone(two).set_params(family=Gaussian("tied"))._repr_html_()
    assert "emmixture" in make_pipeline(StandardScaler(), two)._repr_html_().lower()
    assert "nonsense" in EMMixture(family="nonsense")._repr_html_()


@pytest.mark.parametrize(
    ("family", "positive"),
    [("gaussian", False), ("poisson", True), ("bernoulli", True), ("nonsense", False)],
)
def test_tags(family, positive):
    tags = get_tags(EMMixture(family=family))
    assert tags.estimator_type == "density_estimator"
    assert tags.transformer_tags is not None
    assert tags.input_tags.positive_only is positive
    known = family != "nonsense"
    assert tags.input_tags.allow_nan is (known and resolve_family(family).allow_nan)
    assert not tags.input_tags.sparse
    assert not tags.target_tags.required
    assert not tags.non_deterministic


@pytest.mark.parametrize("labels", [["full-time", "part-time"], ["candidate", "voter"]])
def test_labels_that_read_like_dates(labels):
    frame = pl.DataFrame({"job": pl.Series(labels * 20, dtype=pl.Enum(labels))})
    mixture = EMMixture(1, family="categorical").fit(frame)
    assert_allclose(mixture.score(frame), -np.log(2.0))


def test_columns_left_out_are_not_looked_at(iris):
    one = iris.iloc[:, :1]
    columns = Columns([("x", "gaussian", list(one.columns))], remainder="drop")
    expected = EMMixture(2, family=columns, n_init=2, random_state=0).fit(one).score(one)
    for other in (pd.date_range("2020", periods=150), [[1]] * 150, [1j] * 150):
        frame = one.assign(other=other)
        mixture = EMMixture(2, family=columns, n_init=2, random_state=0).fit(frame)
        assert mixture.score(frame) == expected
    both = Columns([("x", "gaussian", list(frame.columns))])
    with pytest.raises(TypeError, match="Column 'other' holds dates or times"):
        EMMixture(2, family=both).fit(one.assign(other=pd.date_range("2020", periods=150)))


def test_categories_that_are_numbers_stay_categories():
    frame = pd.DataFrame(
        {
            "size": pd.Categorical([10, 20, 20, 30] * 10),
            "share": pd.Categorical([0.5, 0.25] * 20, ordered=True),
            "yes": pd.Categorical([True, False] * 20),
        }
    )
    drawn, _ = EMMixture(1, family="categorical", random_state=0).fit(frame).sample(50)
    assert drawn.dtypes.to_dict() == frame.dtypes.to_dict()
    assert set(drawn["size"]) == {10, 20, 30}
    drawn, _ = EMMixture(1, family="bernoulli", random_state=0).fit(frame[["yes"]]).sample(50)
    assert drawn.dtypes["yes"] == frame.dtypes["yes"]


def test_columns_may_have_the_names_of_attributes():
    frame = pd.DataFrame({"column_names": [1.0, 1.0, 2.0, 3.0] * 5, "num_rows": np.arange(20.0)})
    whole, parts = EMMixture(1).fit(frame), EMMixture(1).fit([frame[:8], frame[8:]])
    assert_allclose(parts.lower_bound_, whole.lower_bound_)


def test_tensors_under_array_api_dispatch():
    """scikit-learn asks for a variable that is read when scipy is imported."""
    pytest.importorskip("torch")
    code = """
import numpy as np, sklearn, torch
from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns
X = np.random.default_rng(0).normal(size=(60, 2))
tensor = torch.from_numpy(X)
with sklearn.config_context(array_api_dispatch=True):
    for family in ("gaussian", Columns([("all", "gaussian", [0, 1])])):
        mixture = EMMixture(1, family=family).fit(tensor, sample_weight=torch.ones(60))
        assert np.allclose(mixture.component_means()[0], X.mean(axis=0), rtol=1e-12)
        assert type(mixture.partial_fit(tensor).score_samples(tensor)) is np.ndarray
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
