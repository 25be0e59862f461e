"""Parameters held fixed or tied."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, poisson

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Binomial, Categorical, Columns, Gaussian, Poisson, StudentT

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
        ({"fixed": 1.5}, TypeError, r"fixed must map names of parameters to values, got 1\.5"),
        ({"fixed": True}, TypeError, "fixed must map names of parameters to values, got True"),
        ({"tied": -1}, TypeError, "tied must map names of parameters to values, got -1"),
        ({"fixed": {"weights": "a"}}, ValueError, r"fixed\['weights'\] must hold numbers.*'a'"),
        ({"fixed": {"rates": "a"}}, ValueError, r"fixed\['rates'\] must hold numbers.*'a'"),
        ({"tied": {"rates": "rows"}}, ValueError, "choose one of 'components'"),
        ({"fixed": {"rates": [[-1.0, np.nan]] * 2}}, ValueError, "are no parameters of Poisson"),
        ({"fixed": {"rates": 2.0}, "tied": {"rates": "all"}}, ValueError, "both fixed and tied"),
        ({"fixed": {"rates": 2.0}, "weight_concentration": 0.0}, ValueError, "may drop"),
    ],
)
def test_mistakes(arguments, error, message):
    with pytest.raises(error, match=message):
        EMMixture(2, family="poisson", **arguments).fit(COUNTS)


@pytest.mark.parametrize("name", ["fixed", "tied"])
def test_groups_map_names_to_values(name):
    columns = Columns([("counts", "poisson", [0, 1])])
    with pytest.raises(TypeError, match="names of parameters of group 'counts' to values, got 1"):
        EMMixture(2, family=columns, **{name: {"counts": 1}}).fit(COUNTS)


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


def test_binomial_columns_of_different_trials_pool_successes_and_trials():
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.binomial(5, 0.5, 400), rng.binomial(20, 0.45, 400)]).astype(float)
    X[::7, 0] = np.nan
    tied = {"probs": "columns"}
    mixture = EMMixture(1, family=Binomial([5, 20]), tied=tied).fit(X)
    trials = 5 * np.isfinite(X[:, 0]).sum() + 20 * len(X)
    assert_allclose(mixture.params_.probs, np.nansum(X) / trials, rtol=1e-12)
    two = EMMixture(2, family=Binomial([5, 20]), tied=tied, random_state=0).fit(X)
    assert_allclose(two.params_.probs[:, 0], two.params_.probs[:, 1], rtol=1e-12)
    assert two.n_parameters() == 3
    assert (np.diff(two.lower_bounds_) >= -1e-12).all()


def test_columns_of_labels_are_tied_if_they_have_as_many():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 3, 300), rng.integers(0, 2, 300)]).astype(float)
    for family in (Categorical(), Categorical(prior=1.0)):
        with pytest.raises(ValueError, match="ties columns of 2 and 3 levels"):
            EMMixture(1, family=family, tied={"probs": "columns"}).fit(X)


@pytest.mark.parametrize(("fixed", "expected"), [(1, 19), (2, 9)])
def test_a_fixed_covariance_counts_its_triangle(fixed, expected):
    X = np.random.default_rng(0).normal(size=(400, 4)) + 6.0 * (np.arange(400) % 2)[:, None]
    held = np.full((2, 4, 4), np.nan)
    held[:fixed] = np.eye(4)
    mixture = EMMixture(2, fixed={"covariances": held}, random_state=0, n_init=2).fit(X)
    # Two means, a weight, and the covariance that is free.
    assert mixture.n_parameters() == 2 * 4 + 1 + (2 - fixed) * 10 == expected
    whole = {"covariances": held, "means": [[0.0] * 4, [6.0] * 4], "weights": [0.5, 0.5]}
    if fixed == 2:
        assert EMMixture(2, fixed=whole).fit(X).n_parameters() == 0


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("gamma", ("shapes", "scales")),
        ("inverse_gaussian", ("means", "shapes")),
        ("log_normal", ("locations", "scales")),
    ],
)
def test_one_component_tied_to_itself_is_free(family, names):
    """Narrow columns a million times apart: no origin suits both."""
    rng = np.random.default_rng(0)
    X = np.array([1e-3, 1e3]) * (1.0 + 1e-6 * rng.normal(size=(300, 2)))
    free = EMMixture(1, family=family).fit(X)
    tied = EMMixture(1, family=family, tied=dict.fromkeys(names, "components")).fit(X)
    assert_allclose(tied.score(X), free.score(X), rtol=1e-9)
    for one, other in zip(tied.params_, free.params_, strict=True):
        assert_allclose(one, other, rtol=1e-6)


def test_rates_beside_an_exposure():
    rng = np.random.default_rng(0)
    exposure = rng.uniform(0.5, 5.0, 200)
    counts = rng.poisson(np.outer(exposure, [3.0, 3.0]))
    X = np.column_stack([exposure, counts])
    mixture = EMMixture(1, family=Poisson(exposure=0), fixed={"rates": [[3.0, np.nan]]}).fit(X)
    expected = counts.sum(axis=0) / exposure.sum()
    assert_allclose(mixture.params_.rates, [[3.0, expected[1]]], rtol=1e-12)
    assert mixture.n_parameters() == 1
    mixture = EMMixture(1, family=Poisson(exposure=0), tied={"rates": "columns"}).fit(X)
    assert_allclose(mixture.params_.rates, [[expected.mean()] * 2], rtol=1e-12)
    assert mixture.n_parameters() == 1


def test_some_weights_are_fixed_and_the_rest_is_maximal():
    rows = np.repeat(COUNTS, [1 + (i % 2) for i in range(len(COUNTS))], axis=0)
    fixed = {"weights": [0.2, np.nan, np.nan], "rates": [[9.0, 3.0], [2.0, 3.0], [4.0, 4.0]]}
    mixture = EMMixture(3, family="poisson", fixed=fixed, tol=1e-12, max_iter=5000).fit(rows)
    densities = np.exp(poisson(np.array(fixed["rates"])).logpmf(rows[:, None, :]).sum(axis=2))

    def loss(share):
        return -np.log(densities @ [0.2, share, 0.8 - share]).mean()

    best = minimize_scalar(loss, bounds=(0.0, 0.8), method="bounded", options={"xatol": 1e-10})
    assert_allclose(mixture.weights_, [0.2, best.x, 0.8 - best.x], atol=1e-5)
    assert_allclose(mixture.lower_bound_, -best.fun, rtol=1e-9)
    assert mixture.n_parameters() == 1


@pytest.mark.parametrize("weights", [[0.4, 0.6, np.nan], [0.0, np.nan, np.nan], [0.3, 0.3, 0.3]])
def test_weights_that_leave_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="or NaN where a weight is free and the others sum to"):
        EMMixture(3, family="poisson", fixed={"weights": weights}).fit(COUNTS)


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_background_that_is_known_may_stand_on_few_rows(covariance_type, grouped):
    rng, d = np.random.default_rng(0), 5
    labels = np.repeat([0, 1, 2], [200, 150, 4])
    X = np.array([0.0, 6.0, 0.0])[labels, None] + rng.standard_normal((354, d))
    X[labels == 2] = 60.0 * rng.standard_normal((4, d))
    known = {"full": 3600.0 * np.eye(d), "diag": np.full(d, 3600.0), "spherical": 3600.0}
    covariance = np.asarray(known[covariance_type])
    covariances = np.full((3, *covariance.shape), np.nan)
    covariances[2] = covariance
    means = np.full((3, d), np.nan)
    means[2] = 0.0
    fixed, family = {"means": means, "covariances": covariances}, Gaussian(covariance_type)
    if grouped:
        fixed, family = {"all": fixed}, Columns([("all", family, list(range(d)))])
    mixture = EMMixture(3, family=family, fixed=fixed, random_state=0).fit(X)
    assert_allclose(np.sort(mixture.weights_ * 354), [4, 150, 200], atol=1e-3)
    # What the true groups give is a point among those that the fit may choose from.
    normals = [multivariate_normal(np.full(d, mean), np.eye(d)) for mean in (0.0, 6.0)]
    normals.append(multivariate_normal(np.zeros(d), 3600.0 * np.eye(d)))
    logs = np.stack([normal.logpdf(X) for normal in normals], axis=1)
    feasible = logsumexp(logs + np.log(np.array([200, 150, 4]) / 354), axis=1).mean()
    assert mixture.score(X) >= feasible


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_known_gamma_component_may_stand_on_two_rows():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.gamma(3.0, 1.0, 300), rng.gamma(50.0, 2.0, 2)])[:, None]
    fixed = {"shapes": [[np.nan], [50.0]], "scales": [[np.nan], [2.0]]}
    mixture = EMMixture(2, family="gamma", fixed=fixed, random_state=0).fit(X)
    assert_allclose(mixture.weights_, [300 / 302, 2 / 302], rtol=1e-4)


def test_a_list_of_families_holds_the_weights_only():
    X = np.concatenate([np.zeros(20), np.ones(20)])[:, None] + RNG.normal(size=(40, 1))
    families = [Gaussian(), StudentT()]
    with pytest.raises(NotImplementedError, match="list of families"):
        EMMixture(2, family=families, fixed={"means": [[0.0], [1.0]]}).fit(X)
    mixture = EMMixture(2, family=families, fixed={"weights": [0.3, 0.7]}, n_init=2, random_state=0)
    assert_allclose(mixture.fit(X).weights_, [0.3, 0.7])


@pytest.mark.parametrize("family", ["gamma", "log_normal", "beta", "inverse_gaussian"])
def test_tied_columns_are_one_column_of_all_their_values(family):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.beta(2.0, 5.0, 200), rng.beta(8.0, 2.0, 200)])
    one = EMMixture(1, family=family).fit(X.reshape(-1, 1))
    names = one.params_._fields
    tied = EMMixture(1, family=family, tied=dict.fromkeys(names, "columns")).fit(X)
    for name in names:
        expected = np.broadcast_to(getattr(one.params_, name), (1, 2))
        assert_allclose(getattr(tied.params_, name), expected, rtol=1e-8)


def test_fixed_covariances_are_symmetric():
    X = np.random.default_rng(0).normal(size=(40, 2))
    fixed = {"covariances": [[[1.0, 0.5], [0.0, 1.0]]]}
    with pytest.raises(ValueError, match=r"fixed\['covariances'\] must be symmetric"):
        EMMixture(1, fixed=fixed).fit(X)
