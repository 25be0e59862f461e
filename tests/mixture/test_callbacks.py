"""The callback protocol of scikit-learn 1.9, and what is left of it on older versions."""

import builtins
import importlib.util
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_genmodel import EMMixture, _compat

callback = pytest.importorskip("sklearn.callback")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(60, 2)), rng.normal(2.0, 1.0, size=(60, 2))])


class Recorder:
    """Counts hooks, keeps what it is shown, and stops after a number of passes."""

    def __init__(self, stop_after=np.inf, error=None):
        self.stop_after, self.error = stop_after, error
        self.hooks, self.scores, self.metadata = [], [], None

    def setup(self, estimator, context):
        self.hooks.append("setup")

    def teardown(self, estimator, context):
        self.hooks.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.hooks.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, metadata, fitted_estimator):
        self.hooks.append(f"end {context.task_name}")
        self.metadata, self.last = metadata, fitted_estimator
        if context.parent is not None:
            self.scores.append(fitted_estimator.score(X, **(metadata or {})))
            if self.error is not None and self.n_passes == 2:
                raise self.error
        return self.n_passes >= self.stop_after

    @property
    def n_passes(self):
        return self.hooks.count("end em-pass")


def test_every_pass_is_told_and_can_be_scored(X):
    recorder = Recorder()
    mixture = EMMixture(2, n_init=2, random_state=0).set_callbacks(recorder).fit(X)
    assert recorder.hooks[:2] == ["setup", "begin fit"]
    assert recorder.hooks[-2:] == ["end fit", "teardown"]
    assert recorder.n_passes == mixture.n_iter_
    assert recorder.metadata is None
    assert_array_equal(recorder.last.weights_, mixture.weights_)
    # The estimator handed over holds the parameters after the pass, whose bound comes next.
    assert_allclose(recorder.scores, mixture.lower_bounds_[1:], rtol=0, atol=1e-12)


def test_weights_are_told(X):
    weight = np.arange(1.0, len(X) + 1.0)
    recorder = Recorder()
    mixture = EMMixture(2, n_init=2, random_state=0).set_callbacks(recorder)
    mixture.fit(X, sample_weight=weight)
    assert recorder.metadata["sample_weight"] is weight
    assert_allclose(recorder.scores[-1], mixture.lower_bound_, atol=1e-12)


def test_a_callback_stops_the_run_without_a_warning(X):
    recorder = Recorder(stop_after=3)
    mixture = EMMixture(3, init="random", n_init=1, tol=1e-12, random_state=0)
    mixture.set_callbacks(recorder).fit(X)
    assert mixture.n_iter_ == recorder.n_passes == 3
    assert not mixture.converged_
    assert_allclose(mixture.lower_bound_, mixture.score(X), atol=1e-12)


def test_results_of_an_earlier_fit_are_not_shown(X):
    class Looker(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            assert context.parent is None or not hasattr(fitted_estimator, "lower_bound_")

    mixture = EMMixture(2, n_init=2, random_state=0).fit(X)
    mixture.set_callbacks(Looker()).fit(X)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken callback")], ids=type)
@pytest.mark.parametrize("fitted", [False, True])
def test_an_interrupt_leaves_everything_as_it_was(X, error, fitted):
    mixture = EMMixture(2, n_init=2, random_state=0)
    if fitted:
        mixture.fit(X[:, :1])
    recorder = Recorder(error=error)
    mixture.set_callbacks(recorder)
    before = dict(vars(mixture))
    with pytest.raises(type(error)):
        mixture.fit(X)
    assert vars(mixture) == before
    assert recorder.hooks[-1] == "teardown"


def test_progress_bar(X, capsys):
    pytest.importorskip("rich")
    EMMixture(2, n_init=2, random_state=0).set_callbacks(callback.ProgressBar()).fit(X)
    assert "EMMixture - fit" in capsys.readouterr().out


def test_progress_bar_of_a_search_over_pipelines(X, capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(StandardScaler(), EMMixture(n_init=2, random_state=0))
    search = GridSearchCV(pipeline, {"emmixture__n_components": [1, 2]}, cv=2)
    bar = callback.ProgressBar(max_propagation_depth=None)
    search.set_callbacks(bar).fit(X)
    assert "EMMixture" in capsys.readouterr().out


def test_scoring_monitor(X):
    scoring = {"density": lambda estimator, X, y: estimator.score(X)}
    monitor = callback.ScoringMonitor(scoring=scoring)
    mixture = EMMixture(2, n_init=2, random_state=0).set_callbacks(monitor)
    mixture.fit(X, np.zeros(len(X)))
    scores = [row["density"] for row in monitor.get_logs().data if row["task_name"] == "em-pass"]
    assert_allclose(scores, mixture.lower_bounds_[1:], rtol=0, atol=1e-12)


def test_without_callbacks_in_scikit_learn(monkeypatch):
    """On scikit-learn < 1.9 an estimator works, and says what callbacks need."""
    real_import = builtins.__import__

    def no_callbacks(name, *args, **kwargs):
        if name == "sklearn.callback":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_callbacks)
    monkeypatch.delitem(sys.modules, "sklearn.callback", raising=False)
    spec = importlib.util.spec_from_file_location("old_compat", _compat.__file__)
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)

    class Old(old.CallbackSupportMixin):
        @old.with_callbacks
        def fit(self):
            task = old.FitTask(self, None, None, None)
            stop = task.iteration(dict)
            task.end({})
            return stop

    assert Old().set_callbacks().fit() is False
    with pytest.raises(NotImplementedError, match=r"scikit-learn 1\.9"):
        Old().set_callbacks(Recorder())


def test_a_fit_that_a_callback_stops_is_not_told_to_go_on():
    pytest.importorskip("sklearn.callback")

    class Stop:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            return True

    X = np.random.default_rng(0).normal(size=(60, 2))
    mixture = EMMixture(2, random_state=0).set_callbacks(Stop()).fit(X)
    assert not mixture.converged_
