"""What a fit promises: passes, bounds, weights, starts, threads, seeds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import Gaussian, Poisson

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(80, 2)), RNG.normal(2.5, 1.0, size=(70, 2))])
COUNTS = RNG.poisson(np.repeat([[2.0, 9.0], [7.0, 3.0]], 75, axis=0))
BITS = (RNG.random((150, 6)) < np.repeat([[0.2], [0.7]], 75, axis=0)).astype(int)
WEIGHT = RNG.integers(0, 4, 150)
DATA = {"gaussian": X, "poisson": COUNTS, "bernoulli": BITS}
ACCELERATIONS = ["auto", "anderson", "squarem", None]


@pytest.fixture(params=list(DATA))
def family(request):
    return request.param


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("max_iter", [1, 2, 37])
def test_tol_0_runs_exactly_max_iter_passes(family, max_iter, acceleration):
    mixture = EMMixture(
        2, family=family, n_init=2, tol=0, max_iter=max_iter, acceleration=acceleration
    )
    mixture.set_params(random_state=0).fit(DATA[family])
    assert mixture.n_iter_ == max_iter
    assert len(mixture.lower_bounds_) == max_iter + 1
    assert not mixture.converged_


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_bounds(family, acceleration):
    data, weight = DATA[family], WEIGHT
    mixture = EMMixture(2, family=family, n_init=4, acceleration=acceleration, random_state=0)
    mixture.fit(data, sample_weight=weight)
    assert mixture.converged_
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    assert mixture.lower_bounds_[-1] == mixture.lower_bound_
    assert len(mixture.lower_bounds_) == mixture.n_iter_ + 1
    assert_allclose(mixture.lower_bound_, mixture.score(data, sample_weight=weight), rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_old_faithful_as_scikit_learn(covariance_type):
    data = load_old_faithful().data
    mixture = EMMixture(2, family=Gaussian(covariance_type), random_state=0).fit(data)
    peer = GaussianMixture(
        2, covariance_type=covariance_type, n_init=5, tol=1e-9, max_iter=5000, random_state=0
    )
    # The peer regularises absolutely; without that both maximise the same likelihood.
    peer.set_params(reg_covar=0.0).fit(data)
    order = np.argsort(-peer.weights_)
    assert_allclose(mixture.lower_bound_, peer.score(data), atol=1e-6)
    assert_allclose(mixture.weights_, peer.weights_[order], atol=2e-3)
    assert_allclose(mixture.params_.means, peer.means_[order], rtol=2e-3)
    covariances = peer.covariances_
    expected = covariances if covariance_type == "tied" else covariances[order]
    assert_allclose(mixture.params_.covariances, expected, rtol=2e-2)


def test_one_component_has_the_closed_form():
    weight = WEIGHT / 3.0
    mixture = EMMixture().fit(X, sample_weight=weight)
    assert_allclose(mixture.params_.means[0], np.average(X, axis=0, weights=weight), rtol=1e-12)
    expected = np.cov(X.T, aweights=weight, ddof=0)
    assert_allclose(mixture.params_.covariances[0], expected, rtol=1e-10)
    for family in ("poisson", "bernoulli"):
        fitted = EMMixture(family=family).fit(DATA[family])
        assert_allclose(fitted.family_.mean(fitted.params_)[0], DATA[family].mean(axis=0))


def test_weights_are_repetitions(family):
    data, weight = DATA[family], WEIGHT
    arguments = {"family": family, "n_init": 4, "random_state": 0}
    weighted = EMMixture(2, **arguments).fit(data, sample_weight=weight)
    repeated = EMMixture(2, **arguments).fit(np.repeat(data, weight, axis=0))
    assert_allclose(weighted.lower_bound_, repeated.lower_bound_, rtol=1e-12)
    assert_allclose(weighted.weights_, repeated.weights_, rtol=1e-9)
    assert_array_equal(weighted.predict(data), repeated.predict(data))


def test_only_ratios_of_weights_matter():
    weight = WEIGHT / 3.0
    one = EMMixture(2, n_init=4, random_state=0).fit(X, sample_weight=weight)
    other = EMMixture(2, n_init=4, random_state=0).fit(X, sample_weight=1e100 * weight)
    assert_allclose(other.weights_, one.weights_, rtol=1e-6)
    assert_allclose(other.lower_bound_, one.lower_bound_, rtol=1e-10)


def test_row_order_does_not_matter(family):
    data = DATA[family]
    arguments = {"family": family, "n_init": 4, "random_state": 0}
    order = np.random.default_rng(1).permutation(150)
    one = EMMixture(2, **arguments).fit(data)
    other = EMMixture(2, **arguments).fit(data[order])
    assert one.lower_bound_ == other.lower_bound_
    assert_array_equal(one.predict(data)[order], other.predict(data[order]))


def test_y_is_ignored():
    one = EMMixture(2, n_init=2, random_state=0).fit(X)
    other = EMMixture(2, n_init=2, random_state=0).fit(X, ["anything"])
    assert_array_equal(one.weights_, other.weights_)
    assert other.score(X, ["anything"]) == one.score(X)


def test_fit_predict_and_fit_transform(family):
    data, weight = DATA[family], WEIGHT
    mixture = EMMixture(2, family=family, n_init=2, random_state=0)
    fitted = EMMixture(2, family=family, n_init=2, random_state=0)
    fitted.fit(data, sample_weight=weight)
    assert_array_equal(mixture.fit_predict(data, sample_weight=weight), fitted.predict(data))
    assert_array_equal(mixture.fit_transform(data, sample_weight=weight), fitted.transform(data))


def test_components_are_ordered_by_weight(family):
    mixture = EMMixture(3, family=family, n_init=4, random_state=0).fit(DATA[family])
    assert (np.diff(mixture.weights_) <= 0).all()
    assert_allclose(mixture.weights_.sum(), 1.0, rtol=1e-14)


@pytest.fixture(scope="module")
def peer():
    return GaussianMixture(2, n_init=3, tol=1e-8, max_iter=5000, random_state=0).fit(X)


@pytest.mark.parametrize("init", ["auto", "kmeans", "k-means++", "random"])
def test_named_starts(init, peer):
    mixture = EMMixture(2, init=init, n_init=3, random_state=0).fit(X)
    assert len(mixture.init_results_) == 3
    chosen, *others = mixture.init_results_
    assert chosen.dropped is None
    assert chosen.lower_bound == mixture.lower_bound_
    assert all(start.dropped and start.n_iter > 0 for start in others)
    assert_allclose(mixture.lower_bound_, peer.score(X), atol=1e-5)


@pytest.mark.parametrize("kind", ["labels", "resp"])
def test_given_starts_keep_their_numbering(family, kind):
    labels = np.repeat([1, 0], 75)
    init = labels if kind == "labels" else 0.8 * np.eye(2)[labels] + 0.1
    mixture = EMMixture(2, family=family, init=init).fit(DATA[family])
    found = mixture.predict(DATA[family])
    assert np.mean(found == labels) > 0.75
    flipped = EMMixture(2, family=family, init=init[..., ::-1] if kind == "resp" else 1 - labels)
    assert_array_equal(flipped.fit(DATA[family]).predict(DATA[family]), 1 - found)


def test_the_first_pass_from_labels_is_the_fit_of_each_class():
    labels = np.repeat([0, 1], [80, 70])
    with pytest.warns(ConvergenceWarning):
        mixture = EMMixture(2, init=labels, max_iter=1, acceleration=None).fit(X)
    # One more step from the class moments, written out: responsibilities, then moments again.
    moments = [(X[labels == k].mean(axis=0), np.cov(X[labels == k].T, ddof=0)) for k in (0, 1)]
    density = np.column_stack([multivariate_normal(*moment).pdf(X) for moment in moments])
    joint = density * [80 / 150, 70 / 150]
    resp = joint / joint.sum(axis=1, keepdims=True)
    assert_allclose(mixture.lower_bounds_[0], np.log(joint.sum(axis=1)).mean(), rtol=1e-12)
    assert_allclose(mixture.weights_, resp.mean(axis=0), rtol=1e-10)
    assert_allclose(mixture.params_.means, resp.T @ X / resp.sum(axis=0)[:, None], rtol=1e-9)


@pytest.mark.parametrize("acceleration", ["auto", "anderson", "squarem"])
@pytest.mark.parametrize("seed", range(5))
def test_accelerated_is_never_lower_than_plain_em(family, acceleration, seed):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(150) < 0.5, rng.integers(0, 2, 150), np.repeat([0, 1], 75))
    arguments = {"family": family, "init": labels, "max_iter": 3000, "tol": 1e-9}
    plain = EMMixture(2, acceleration=None, **arguments).fit(DATA[family])
    fast = EMMixture(2, acceleration=acceleration, **arguments).fit(DATA[family])
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-8
    assert (np.diff(fast.lower_bounds_) >= 0).all()


def test_warm_start_goes_on_where_the_last_fit_ended():
    cold = EMMixture(2, init="random", n_init=1, acceleration=None, random_state=0, tol=0)
    in_one = cold.set_params(max_iter=12).fit(X).lower_bounds_
    warm = EMMixture(2, init="random", n_init=1, acceleration=None, random_state=0, tol=0)
    warm.set_params(max_iter=7).fit(X)
    first = warm.lower_bounds_
    second = warm.set_params(max_iter=5, warm_start=True).fit(X).lower_bounds_
    assert_allclose(first[-1], second[0], rtol=1e-13)
    assert_allclose(np.r_[first, second[1:]], in_one, rtol=1e-12)
    assert warm.init_results_[0].start == "given parameters"


def test_warm_start_of_the_first_fit_is_a_cold_one():
    warm = EMMixture(2, n_init=2, warm_start=True, random_state=0).fit(X)
    assert warm.lower_bound_ == EMMixture(2, n_init=2, random_state=0).fit(X).lower_bound_


def test_too_few_passes_warn_once():
    with pytest.warns(ConvergenceWarning, match="did not converge in max_iter=3 .* max_iter") as w:
        EMMixture(2, n_init=2, tol=1e-12, max_iter=3, random_state=0).fit(X)
    assert len(w) == 1
    assert w[0].filename == __file__


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_threads_change_no_bit(n_jobs):
    rng = np.random.default_rng(1)
    data = rng.normal(size=(40_000, 3)) + 3.0 * rng.integers(0, 2, size=(40_000, 1))
    one = EMMixture(2, n_init=2, random_state=0).fit(data)
    other = EMMixture(2, n_init=2, random_state=0, n_jobs=n_jobs).fit(data)
    assert_array_equal(other.lower_bounds_, one.lower_bounds_)
    assert_array_equal(other.params_.covariances, one.params_.covariances)
    assert_array_equal(other.predict_proba(data), one.predict_proba(data))


def test_seeds():
    def fitted(random_state):
        return EMMixture(3, init="random", n_init=2, tol=1e-4, random_state=random_state).fit(X)

    def legacy():
        return np.random.RandomState(3)

    assert_array_equal(fitted(3).params_.means, fitted(3).params_.means)
    assert_array_equal(fitted(legacy()).params_.means, fitted(legacy()).params_.means)
    rng = np.random.default_rng(3)
    first, second = fitted(rng), fitted(rng)
    assert_array_equal(first.params_.means, fitted(np.random.default_rng(3)).params_.means)
    assert_array_equal(first.params_.means, fitted(3).params_.means)
    assert [r.lower_bound for r in first.init_results_] != [
        r.lower_bound for r in second.init_results_
    ]


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    EMMixture(2, n_init=2).fit(X).sample(3)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_verbose(capsys):
    quiet = EMMixture(2, n_init=2, random_state=0).fit(X)
    assert capsys.readouterr().out == ""
    EMMixture(2, n_init=2, random_state=0, verbose=1).fit(X)
    assert capsys.readouterr().out == quiet.summary() + "\n"
    mixture = EMMixture(2, n_init=2, random_state=0, verbose=2).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("EMMixture: pass 1, lower bound -3.")
    assert sum("pass" in line and "lower bound" in line for line in lines) == mixture.n_iter_


@pytest.mark.parametrize("family", [Gaussian(), Gaussian("diag"), Poisson()], ids=str)
def test_the_layout_of_the_data_changes_no_bit(family):
    """Fits copy few columns one after the other; nothing is written into the user's array."""
    data = np.random.default_rng(2).poisson(4.0, size=(30_000, 6)).astype(float)
    data += 0.0 if isinstance(family, Poisson) else 0.5 * data[:, ::-1]
    by_rows, by_columns = np.ascontiguousarray(data), np.asfortranarray(data)
    by_columns.flags.writeable = False
    one, other = (EMMixture(2, family=family, random_state=0) for _ in range(2))
    one.fit(by_rows), other.fit(by_columns)
    assert_array_equal(one.lower_bounds_, other.lower_bounds_)
    assert_array_equal(one.score_samples(by_columns), other.score_samples(by_rows))
    assert_array_equal(by_rows, by_columns)


def test_components_go_as_given_responsibilities_number_them():
    X = np.repeat([[0.0], [0.5], [9.0], [9.5]], [5, 5, 40, 40], axis=0)
    small_first = np.repeat([0, 1], [10, 80])
    for init in (small_first, np.eye(2)[small_first]):
        mixture = EMMixture(2, init=init).fit(X)
        assert_allclose(mixture.component_means().ravel(), [0.25, 9.25], atol=1e-6)


def test_a_fit_keeps_a_family_of_its_own():
    X = np.random.default_rng(0).normal(size=(60, 2))
    family = Gaussian()
    fitted = EMMixture(1, family=family).fit(X)
    made = EMMixture.from_params(family, [1.0], fitted.params_)
    before = fitted.score(X)
    family.set_params(covariance_type="diag", reg_covar=0.3)
    for mixture in (fitted, made):
        assert mixture.family_.covariance_type == "full"
        assert mixture.score(X) == before
