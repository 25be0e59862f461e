"""What a mixture goes on from: the model of its last fit, or, where another is asked for, less."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import (
    Binomial,
    BinomialParams,
    Columns,
    Gaussian,
    Poisson,
    StudentT,
    Uniform,
)

X = load_old_faithful().data
FRAME = pd.DataFrame(X, columns=["eruptions", "waiting"])
COUNTS = np.random.default_rng(0).poisson(np.repeat([2.0, 9.0], 100))[:, None]
LABELS = pd.DataFrame({"c": list("abbaabcc") * 5, "x": np.arange(40.0) % 7})
LABELLED = Columns([("c", "categorical", ["c"]), ("x", "gaussian", ["x"])])


def fitted(**arguments):
    return EMMixture(2, n_init=2, random_state=0, **arguments).fit(X)


def shapes(covariances):
    """Eigenvalues of every component, over their geometric mean."""
    values = np.linalg.eigvalsh(covariances)
    return values / np.exp(np.log(values).mean(axis=1, keepdims=True))


CHANGES = {
    # Components of one shape, of one volume, and of one orientation.
    "VEV": lambda params: np.ptp(shapes(params.covariances), axis=0),
    "EVV": lambda params: np.ptp(np.linalg.det(params.covariances)),
    "VVE": lambda params: np.subtract(*np.matmul(*params.covariances[[[0, 1], [1, 0]]])),
    "diag": lambda params: params.covariances.ndim - 2,
    "tied": lambda params: params.covariances.ndim - 2,
}


@pytest.mark.parametrize("covariance_type", CHANGES)
def test_a_warm_start_of_another_structure_is_a_point_of_it(covariance_type):
    family = Gaussian(covariance_type)
    warm = fitted(warm_start=True).set_params(family=family).fit(X)
    assert_allclose(CHANGES[covariance_type](warm.params_), 0.0, atol=1e-5)
    cold = fitted(family=family)
    assert_allclose(warm.lower_bound_, cold.lower_bound_, rtol=1e-6)
    assert_allclose(warm.bic(X), cold.bic(X), rtol=1e-6)


def test_a_warm_start_of_another_model_makes_an_m_step_first():
    warm = fitted(warm_start=True)
    resp = warm.weights_ * np.column_stack(
        [multivariate_normal(*pair).pdf(X) for pair in zip(*warm.params_, strict=True)]
    )
    resp /= resp.sum(axis=1, keepdims=True)
    warm.set_params(family=Gaussian("diag"), max_iter=1, tol=0, acceleration=None).fit(X)
    means = resp.T @ X / resp.sum(axis=0)[:, None]
    variances = resp.T @ X**2 / resp.sum(axis=0)[:, None] - means**2
    first = resp.mean(axis=0) * np.exp(-0.5 * (X[:, None] - means) ** 2 / variances).prod(axis=2)
    first /= 2.0 * np.pi * np.sqrt(variances.prod(axis=1))
    assert_allclose(warm.lower_bounds_[0], np.log(first.sum(axis=1)).mean(), rtol=1e-10)


def test_a_warm_start_holds_what_is_held_now():
    warm = fitted(warm_start=True)
    means = np.array([[4.0, 80.0], [2.0, 55.0]])
    assert_array_equal(warm.set_params(fixed={"means": means}).fit(X).params_.means, means)
    thin = EMMixture(2, family=StudentT(), n_init=2, warm_start=True, random_state=0).fit(X)
    assert_array_equal(thin.set_params(family__dof=3.0).fit(X).params_.dof, 3.0)
    rates = EMMixture(2, family="poisson", warm_start=True, random_state=0).fit(COUNTS)
    rates.set_params(tied={"rates": "all"}).fit(COUNTS)
    assert_allclose(rates.params_.rates, COUNTS.mean(), rtol=1e-12)


def test_a_warm_start_of_other_bounds():
    warm = EMMixture(1, family=Uniform(), warm_start=True).fit(X)
    warm.set_params(family=Uniform(low=0.0, high=100.0)).fit(X)
    assert_array_equal(warm.params_.lows, [[0.0, 0.0]])
    assert_array_equal(warm.params_.highs, [[100.0, 100.0]])


def test_the_same_values_of_other_types_ask_for_the_same_model():
    warm = fitted(warm_start=True, family=StudentT(dof=3))
    warm.set_params(family=StudentT(dof=3.0)).fit(X)
    assert warm.init_results_[0].start == "given parameters"


@pytest.mark.parametrize("names", [["waiting", "eruptions"], ["eruptions", "pause"]])
def test_a_warm_start_of_other_columns(names):
    warm = EMMixture(2, n_init=2, warm_start=True, random_state=0).fit(FRAME)
    before = dict(vars(warm))
    other = FRAME[names] if set(names) == set(FRAME) else FRAME.set_axis(names, axis=1)
    with pytest.raises(ValueError, match=r"last fit were .*'eruptions', 'waiting'.* these are"):
        warm.fit(other)
    with pytest.raises(ValueError, match=r"last fit were .*'eruptions', 'waiting'.* these are"):
        warm.fit([other[:100], other[100:]])
    assert vars(warm) == before
    assert warm.fit(FRAME).converged_


def test_a_warm_start_of_other_levels():
    warm = EMMixture(2, family=LABELLED, n_init=2, warm_start=True, random_state=0).fit(LABELS)
    with pytest.raises(ValueError, match="warm_start=True, but the last fit had"):
        warm.fit(LABELS.replace({"c": {"c": "d"}}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"family__covariance_type": "diag"}, "family__covariance_type='diag', .* with 'full'"),
        ({"family": Gaussian(reg_covar=0.1)}, r"family__reg_covar=0\.1, .* with 1e-06"),
        ({"family": "student_t"}, "family='student_t', .* components of Gaussian"),
        ({"fixed": {"weights": [0.5, 0.5]}}, r"fixed=.*weights.* with None: call fit"),
        ({"tied": {"means": "all"}}, r"tied=.*means.* with None: call fit"),
        ({"weight_concentration": 2.0}, r"weight_concentration=2\.0, .* with 1\.0: call fit"),
    ],
)
def test_batches_after_another_model_was_asked_for(changes, match):
    mixture = EMMixture(2, n_init=2, random_state=0).partial_fit(X).set_params(**changes)
    before = dict(vars(mixture))
    with pytest.raises(ValueError, match=match):
        mixture.partial_fit(X)
    assert vars(mixture) == before


def test_batches_after_a_group_changed():
    columns = Columns([("c", "categorical", ["c"]), ("x", Gaussian(), ["x"])])
    mixture = EMMixture(2, family=columns, n_init=2, random_state=0).partial_fit(LABELS)
    mixture.set_params(family__x__covariance_type="spherical")
    with pytest.raises(ValueError, match=r"family__x__covariance_type='spherical', .* 'full'"):
        mixture.partial_fit(LABELS)


def test_arguments_of_a_fit_may_change_between_batches():
    mixture = EMMixture(2, family=Poisson(), random_state=0).partial_fit(COUNTS)
    mixture.set_params(family="poisson", max_iter=3, tol=0.1, n_init=1).partial_fit(COUNTS)
    assert mixture.n_batches_ == 2


def test_the_same_values_held_in_an_array():
    held = {"weights": [0.5, 0.5]}
    mixture = EMMixture(2, family="poisson", fixed=held, random_state=0).partial_fit(COUNTS)
    mixture.set_params(fixed={"weights": np.array([0.5, 0.5])}).partial_fit(COUNTS)
    assert mixture.n_batches_ == 2


def test_pickles_of_earlier_versions_go_on():
    mixture = EMMixture(2, family="poisson", warm_start=True, random_state=0).fit(COUNTS)
    del mixture._model_arguments
    old = pickle.loads(pickle.dumps(mixture))
    assert old.partial_fit(COUNTS).n_batches_ == 1
    assert old.fit(COUNTS).init_results_[0].start == "given parameters"


def test_what_is_held_is_held_after_loading(tmp_path):
    fixed = {"weights": [0.5, 0.5], "rates": [[2.0], [np.nan]]}
    EMMixture(2, family="poisson", fixed=fixed, random_state=0).fit(COUNTS).save(tmp_path / "m")
    loaded = EMMixture.load(tmp_path / "m").partial_fit(COUNTS)
    assert_array_equal(loaded.weights_, [0.5, 0.5])
    assert loaded.params_.rates[0, 0] == 2.0


def test_given_parameters_are_gone_on_from():
    given = EMMixture.from_params(Binomial(10), [1.0], BinomialParams([[0.3]]))
    assert_allclose(given.partial_fit([[5.0], [7.0]]).params_.probs, 0.6, rtol=1e-12)


NAMES = {
    "integers": [5, 7],
    "positions": [1, 0],
    "missing": [np.nan, 1.0],
    "pairs": pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]),
    "dates": pd.to_datetime(["2020-01-01", "2020-01-02"]),
}


@pytest.mark.parametrize("family", ["gaussian", Columns([("all", "gaussian", [0, 1])])])
@pytest.mark.parametrize("names", NAMES)
def test_names_of_any_type_are_compared(names, family):
    frame = FRAME.set_axis(NAMES[names], axis=1)
    mixture = EMMixture(2, family=family, n_init=2, random_state=0).fit(frame)
    same = EMMixture(2, family=family, n_init=2, random_state=0).fit(X)
    assert_array_equal(mixture.score_samples(frame), same.score_samples(X))
    assert_array_equal(mixture.score_samples(frame.to_numpy()), same.score_samples(X))
    swapped = frame.iloc[:, ::-1]
    for method in ("score_samples", "predict", "partial_fit"):
        with pytest.raises(ValueError, match="feature names should match those that were passed"):
            getattr(mixture, method)(swapped)
    with warnings.catch_warnings():
        # scikit-learn's, on names where it knows of none.
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ValueError, match="feature names should match"):
            mixture.predict(frame.set_axis(["a", "b"], axis=1))
    assert mixture.set_params(warm_start=True).fit(frame).converged_
    mixture.set_params(warm_start=False)
    assert mixture.fit(swapped).score_samples(swapped).shape == (len(X),)
    for name in frame.columns:
        assert f"mean {name}"[:19] in mixture.summary()


@pytest.mark.parametrize("family", ["gaussian", Columns([("all", "gaussian", [0, 1])])])
def test_names_that_are_no_strings_in_tables_of_pyarrow(family):
    frame = FRAME.set_axis([5, 7], axis=1)
    mixture = EMMixture(2, family=family, n_init=2, random_state=0).fit(frame)
    with warnings.catch_warnings():
        # scikit-learn's, on names where it knows of none.
        warnings.simplefilter("ignore", UserWarning)
        same = mixture.predict(pa.Table.from_pandas(frame))
        with pytest.raises(ValueError, match=r"were \[5, 7\], got \['eruptions', 'waiting'\]"):
            mixture.predict(pa.Table.from_pandas(FRAME))
    assert_array_equal(same, mixture.predict(frame))


def test_streams_of_frames_with_names_of_any_type():
    frame = FRAME.set_axis([5, 7], axis=1)
    mixture = EMMixture(2, n_init=2, random_state=0).fit([frame[:100], frame[100:]])
    with pytest.raises(ValueError, match=r"Chunk 1 .* these were \[5, 7\], got \[7, 5\]"):
        mixture.score_samples([frame[:100], frame[100:][[7, 5]]])
    # Names of an earlier fit do not matter to the next.
    mixture.fit([frame[[7, 5]][:100], frame[[7, 5]][100:]])
    assert mixture.predict(frame[[7, 5]]).shape == (len(X),)


def test_columns_left_out_may_be_absent_under_names_of_any_type():
    columns = Columns([("x", "gaussian", [0, 1])], remainder="drop")
    frame = FRAME.assign(id=range(len(X))).set_axis([5, 7, 9], axis=1)
    mixture = EMMixture(2, family=columns, n_init=2, random_state=0).fit(frame)
    assert_array_equal(mixture.predict(frame[[5, 7]]), mixture.predict(frame))


def test_messages_name_columns_by_their_names():
    with pytest.raises(ValueError, match=r"Column 5 holds 3\.6 in row 0"):
        EMMixture(2, family="poisson").fit(FRAME.set_axis([5, 7], axis=1))


def test_the_summary_after_batches_tells_their_number():
    mixture = EMMixture(2, n_init=2, random_state=0).partial_fit(X)
    assert mixture.summary().splitlines()[0].endswith("11 parameters, after 1 batch")
    mixture.partial_fit(X[:50])
    assert mixture.summary().splitlines()[0].endswith("11 parameters, after 2 batches")
    assert "nats per row, converged" in mixture.fit(X).summary()


def test_a_warm_start_with_other_bounds_goes_by_responsibilities():
    """Levels and supports may change with the rows where the arguments do not."""
    counts = np.repeat([[1.0], [2.0], [8.0], [9.0]], 10, axis=0)
    mixture = EMMixture(2, family=Binomial("max"), warm_start=True, random_state=0).fit(counts)
    more = np.vstack([counts, [[40.0]]])
    warm = mixture.fit(more)
    assert warm.family_.n_trials == (40,)
    assert np.isfinite(warm.lower_bounds_[0])


def test_a_loaded_mixture_does_not_go_on_as_another_model(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    EMMixture(1).fit(X).save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture").set_params(family__reg_covar=0.5)
    with pytest.raises(ValueError, match="reg_covar"):
        loaded.partial_fit(X)
