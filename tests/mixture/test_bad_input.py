"""Bad input gets a clear error, and leaves the estimator exactly as it was."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Binomial,
    Categorical,
    CategoricalParams,
    Gaussian,
    GaussianParams,
    Multinomial,
    MultinomialParams,
    Poisson,
    PoissonParams,
    ScipyFamily,
    StudentT,
    Uniform,
    VonMisesFisherParams,
    ZeroInflated,
    ZeroInflatedParams,
)

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(30, 2)), RNG.normal(5.0, 1.0, size=(30, 2))])
COUNTS = pd.DataFrame({"visits": [0, 1, 4, 2], "orders": [3, 0, 5, 1]})
DATES = pd.date_range("2026-01-01", periods=4)


def with_entry(row, column, value):
    table = X.copy()
    table[row, column] = value
    return table


def refused(error, match, X, y=None, sample_weight=None, **arguments):
    """Check that `fit` raises and changes nothing, in a fresh estimator and in a fitted one."""
    arguments = {"random_state": 0, "n_init": 2, **arguments}
    with pytest.raises(error, match=match):
        EMMixture(**arguments).fit(X, sample_weight=sample_weight)
    mixture = EMMixture(2, n_init=2, random_state=0).fit(COUNTS[["orders"]])
    mixture.set_params(**arguments)
    before = dict(vars(mixture))
    with pytest.raises(error, match=match):
        mixture.fit(X, sample_weight=sample_weight)
    assert vars(mixture) == before


pytestmark = pytest.mark.filterwarnings("ignore:Every start ended with a degenerate component")


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        (np.c_[X, np.full(60, np.nan)], ValueError, "Column 2 holds nothing but NaN: drop"),
        (with_entry(3, 1, -np.inf), ValueError, r"-inf \(infinity\) in column 1, row 3"),
        (
            pd.DataFrame(with_entry(7, 0, np.inf), columns=["a", "b"]),
            ValueError,
            "column 'a', row 7",
        ),
        (
            pd.DataFrame({"a": pd.array([1, None, 1], dtype="Int64")}),
            ValueError,
            r"Column 'a' is constant \(1\)",
        ),
        (np.array([[1.0, None], [2.0, 3.0]], dtype=object), ValueError, "Column 1 is constant"),
        (np.zeros((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\)"),
        ([1.0, 2.0, 3.0], ValueError, "Expected 2D array, got 1D array"),
        (3.0, ValueError, "Expected 2D array, got scalar"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        ("a text", TypeError, "X is the path 'a text': pass what the file holds"),
        (Path("rows.parquet"), TypeError, "X is the path 'rows.parquet'"),
        ({"a": [1.0, 2.0]}, TypeError, r"X is a dict: pass pandas\.DataFrame\(X\)"),
        ([[1.0, 2.0], [3.0]], ValueError, "inhomogeneous"),
        (X + 1j, ValueError, "Complex data not supported"),
        ([[1.0, "x"], [2.0, "y"]], ValueError, "Column 1 holds 'x': encode or drop"),
        (np.array([["1", "x"], ["2", "y"]]), ValueError, r"Column 1 holds .*'x'"),
        (np.array([[1, "x"], [2, "y"]], dtype=object), ValueError, "Column 1 holds 'x'"),
        (np.array([[1, {}], [2, 3]], dtype=object), TypeError, "Column 1 holds {}"),
        (COUNTS.assign(shop=list("abcd")), ValueError, "Column 'shop' holds 'a'"),
        (COUNTS.assign(shop=pd.Categorical(list("abcd"))), ValueError, "Column 'shop' holds 'a'"),
        (pl.DataFrame({"n": [1, 2], "shop": ["a", "b"]}), ValueError, "Column 'shop' holds 'a'"),
        (COUNTS.assign(day=DATES), TypeError, "Column 'day' holds dates or times"),
        (pl.DataFrame({"day": list(DATES)}), TypeError, "Column 'day' holds dates or times"),
        (DATES.to_numpy()[:, None], TypeError, "Column 0 holds dates or times"),
        (sparse.csr_array(X), TypeError, r"Sparse data .* Use '\.toarray\(\)'"),
        (pl.LazyFrame({"a": [1.0, 2.0]}), TypeError, r"lazy polars LazyFrame.*\.collect\(\)"),
        (np.c_[X, np.full(60, 2.5)], ValueError, r"Column 2 is constant \(2.5\)"),
        (X[:1], ValueError, r"1 sample \(n_samples=1\): no column varies"),
        (X * 1e170, ValueError, "Column 1 reaches .* square is beyond double precision: rescale"),
        (X * 1e-170, ValueError, "Column . varies by only .*: rescale"),
    ],
)
def test_tables(table, error, match):
    refused(error, match, table)


def test_dask_is_never_loaded():
    array = pytest.importorskip("dask.array")
    loaded = []
    lazy = array.from_array(X).map_blocks(lambda block: loaded.append(1) or block, dtype=float)
    loaded.clear()
    refused(TypeError, r"X is a lazy dask Array.*\.compute\(\)", lazy)
    refused(TypeError, "sample_weight is a lazy dask Array", X, sample_weight=lazy[:, 0])
    refused(TypeError, "init is a lazy dask Array", X, init=lazy, n_components=2)
    mixture = EMMixture().fit(X)
    with pytest.raises(TypeError, match="lazy"):
        mixture.predict(lazy)
    assert not loaded


@pytest.mark.parametrize(
    ("family", "column", "value", "match"),
    [
        ("poisson", "orders", -1, r"Negative values in data\. Column 'orders' holds -1 in row 2"),
        ("poisson", "orders", 0.5, "Column 'orders' holds 0.5 in row 2, .* a non-negative integer"),
        ("bernoulli", "visits", 2, "Column 'visits' holds 2 in row 2, which is not 0 or 1"),
        ("bernoulli", "visits", -1, "Column 'visits' holds -1 in row 2, which is not 0 or 1"),
    ],
)
def test_support(family, column, value, match):
    good = (COUNTS > 0).astype(float)
    bad = good.copy()
    bad.loc[2, column] = value
    refused(ValueError, match, bad, family=family)
    mixture = EMMixture(family=family).fit(good)
    for method in (mixture.predict, mixture.score, mixture.elbo, mixture.bic):
        with pytest.raises(ValueError, match=match):
            method(bad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("family", "value"), [("gamma", 0), ("weibull", 0), ("beta", 0), ("beta", 1)]
)
def test_the_ends_of_an_open_interval_are_left_out_in_either_precision(family, value, dtype):
    table = np.random.default_rng(0).uniform(0.1, 0.9, (20, 2)).astype(dtype)
    table[7, 1] = value
    refused(ValueError, f"Column 1 holds {value} in row 7", table, family=family)


def test_more_components_than_distinct_rows():
    rows = np.repeat(X[:3], 5, axis=0)
    refused(ValueError, r"n_components=4 but X has only 3 distinct row\(s\)", rows, n_components=4)
    weight = np.repeat([1.0, 1.0, 0.0], 5)
    match = r"n_components=3 but X has only 2 distinct row\(s\)"
    refused(ValueError, match, rows, n_components=3, sample_weight=weight)
    refused(ValueError, "n_components=2 but X has only 1", [[3]], n_components=2, family="poisson")


def test_rows_without_weight_do_not_count():
    table = np.c_[X, np.r_[np.full(59, 2.0), 3.0]]
    weight = np.r_[np.ones(59), 0.0]
    refused(ValueError, r"Column 2 is constant \(2\)", table, sample_weight=weight)


@pytest.mark.parametrize(
    ("weight", "error", "match"),
    [
        (np.r_[1.0, -2.0, np.ones(58)], ValueError, r"sample_weight\[1\] is -2: .* not negative"),
        (np.r_[1.0, np.nan, np.ones(58)], ValueError, r"sample_weight\[1\] is nan"),
        (np.r_[1.0, np.inf, np.ones(58)], ValueError, r"sample_weight\[1\] is inf"),
        (np.zeros(60), ValueError, "sample_weight is zero for every row"),
        (np.ones(59), ValueError, "sample_weight has 59 entries .* X has 60 rows"),
        (np.ones((60, 2)), ValueError, r"must be 1D, got an array of shape \(60, 2\)"),
        (["a"] * 60, ValueError, "sample_weight must hold real numbers"),
        ([None] * 60, ValueError, r"sample_weight\[0\] is nan"),
        ([{}] * 60, ValueError, "sample_weight must hold real numbers"),
        (np.full(60, 1j), ValueError, "sample_weight must hold real numbers"),
        (np.full(60, 1e308), ValueError, "sample_weight sums to inf: rescale"),
        (np.full(60, 1e-310), ValueError, "sample_weight sums to .*: rescale"),
    ],
)
def test_weights(weight, error, match):
    refused(error, match, X, sample_weight=weight)
    mixture = EMMixture().fit(X)
    for method in (mixture.score, mixture.aic, mixture.bic, mixture.icl):
        with pytest.raises(error, match=match):
            method(X, sample_weight=weight)


ARGUMENTS = [
    ({"n_components": 0}, "n_components must be an integer of at least 1, got 0"),
    ({"n_components": 1.5}, "n_components must be an integer .* got 1.5"),
    ({"n_components": "2"}, "n_components must be an integer .* got '2'"),
    ({"n_components": True}, "n_components must be an integer .* got True"),
    ({"n_init": 0}, "n_init must be an integer of at least 1 or 'auto', got 0"),
    ({"n_init": "many"}, "n_init must be an integer .* got 'many'"),
    ({"max_iter": 0}, "max_iter must be an integer of at least 1, got 0"),
    ({"tol": -1e-3}, "tol must be a number of at least 0, got -0.001"),
    ({"tol": np.nan}, "tol must be a number of at least 0, got nan"),
    ({"tol": None}, "tol must be a number of at least 0, got None"),
    ({"n_init": "x"}, "n_init must be an integer of at least 1 or 'auto', got 'x'"),
    ({"weight_concentration": np.inf}, "weight_concentration must be a finite number, got inf"),
    (
        {"learning_decay": 0.5},
        r"must be a number above 0\.5 and at most 1, got 0\.5",
    ),
    ({"learning_decay": 2}, r"learning_decay must be above 0\.5 and at most 1, got 2"),
    ({"init": [["a", "b"]] * 60}, "init must hold real numbers"),
    ({"acceleration": "fast"}, "acceleration='fast': choose one of 'auto', 'anderson'"),
    ({"acceleration": np.ones(2)}, "acceleration=array.*: choose one of"),
    ({"warm_start": "yes"}, "warm_start must be True or False, got 'yes'"),
    ({"verbose": "yes"}, "verbose must be an integer of at least 0, got 'yes'"),
    ({"n_jobs": 0}, "n_jobs must be None or an integer other than 0, got 0"),
    ({"n_jobs": 1.5}, "n_jobs must be None or an integer other than 0, got 1.5"),
    ({"n_jobs": True}, "n_jobs must be None or an integer other than 0, got True"),
    ({"random_state": -1}, "random_state must be .* got -1"),
    ({"random_state": "a"}, "random_state must be .* got 'a'"),
    ({"family": "normal"}, "family='normal' is unknown: choose one of 'bernoulli'"),
    ({"family": Gaussian("round")}, "covariance_type='round' is unknown: choose one of 'full'"),
    ({"family": Gaussian(reg_covar=-1e-6)}, "reg_covar must be .* at least 0 .* got -1e-06"),
    ({"family": Gaussian(reg_covar=np.nan)}, "reg_covar must be .* got nan"),
    ({"family": Gaussian(reg_covar="a")}, "reg_covar must be .* got 'a'"),
    ({"init": "best"}, "init='best': choose one of 'auto', 'kmeans', 'k-means\\+\\+', 'random'"),
    ({"init": None}, r"init must be a name, labels .* shape \(\)"),
    ({"init": np.zeros(59)}, "init holds 59 labels for 60 rows"),
    ({"init": np.full(60, 2)}, r"one of 0 \.\.\. 1 for each; 2 is not one"),
    ({"init": np.full(60, 0.5)}, r"0\.5 is not one"),
    ({"init": ["a"] * 60}, "'a' is not one"),
    ({"init": np.full((60, 3), 1 / 3)}, r"shape \(60, 3\), expected .* \(60, 2\)"),
    ({"init": np.full((60, 2), 0.7)}, r"row 0 are \[0\.7 0\.7\]: .* sum to 1"),
    ({"init": np.tile([-0.5, 1.5], (60, 1))}, "must be at least 0"),
    ({"init": np.full((60, 2), np.nan)}, "row 0 are .nan nan."),
]


@pytest.mark.parametrize(("arguments", "match"), ARGUMENTS, ids=lambda value: str(value)[:50])
def test_arguments(arguments, match):
    refused(ValueError, match, X, **{"n_components": 2, **arguments})


@pytest.mark.parametrize("family", [3, Gaussian, None])
def test_what_is_no_family(family):
    refused(TypeError, "family must be a name or an instance of", X, family=family)


def test_predicting_from_other_columns():
    mixture = EMMixture().fit(X)
    with pytest.raises(ValueError, match="X has 1 features, but EMMixture is expecting 2"):
        mixture.predict(X[:, :1])
    with pytest.raises(ValueError, match=r"Column 0 reaches 1e\+200"):
        mixture.predict_proba([[1e200, 0.0]])


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "transform", "score_samples", "score", "elbo", "bic"]
)
def test_before_fit(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(EMMixture(), method)(X)


@pytest.mark.parametrize(
    "method",
    [
        "sample",
        "summary",
        "n_parameters",
        "get_feature_names_out",
        "mean",
        "covariance",
        "component_means",
        "component_covariances",
    ],
)
def test_before_fit_without_data(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(EMMixture(), method)()


@pytest.mark.parametrize(("n_samples", "random_state"), [(0, 0), (2.5, 0), (3, "a")])
def test_sample_arguments(n_samples, random_state):
    with pytest.raises(ValueError, match=r"n_samples must be|random_state must be"):
        EMMixture().fit(X).sample(n_samples, random_state)


@pytest.mark.parametrize(
    ("resp", "match"),
    [
        (np.full((60, 3), 1 / 3), r"expected .* \(60, 2\)"),
        (np.full((60, 2), 0.6), "must be at least 0 and sum to 1"),
        (np.full((60, 2), np.nan), "must be at least 0 and sum to 1"),
        ("a", "resp must hold real numbers"),
    ],
)
def test_elbo_of_what_is_no_distribution(resp, match):
    with pytest.raises(ValueError, match=match):
        EMMixture(2, n_init=2, random_state=0).fit(X).elbo(X, resp)


@pytest.mark.parametrize(
    ("family", "weights", "params", "error", "match"),
    [
        (
            "poisson",
            [0.5, 0.6],
            PoissonParams([[1.0], [2.0]]),
            ValueError,
            "weights must .* sum to 1",
        ),
        ("poisson", [1.5, -0.5], PoissonParams([[1.0], [2.0]]), ValueError, "weights must be at"),
        (
            "poisson",
            [0.5, 0.5],
            PoissonParams([[1.0]]),
            ValueError,
            "2 weights, but parameters of 1",
        ),
        ("poisson", [1.0], PoissonParams([[-1.0]]), ValueError, r"no parameters of Poisson\(\)"),
        ("poisson", [1.0], PoissonParams([[np.nan]]), ValueError, r"no parameters of Poisson\(\)"),
        (Bernoulli(), [1.0], BernoulliParams([[2.0]]), ValueError, "no parameters of Bernoulli"),
        ("gaussian", [1.0], ([[0.0]], [[[1.0]]]), TypeError, "params must be a NamedTuple"),
        (
            "gaussian",
            [1.0],
            GaussianParams([[0.0, 0.0]], [[[1.0, 0.9], [0.0, 1.0]]]),
            ValueError,
            "covariances must be symmetric",
        ),
        (
            "gaussian",
            [1.0],
            GaussianParams([[0.0, 0.0]], 1e-10 * np.array([[[1.0, 0.9], [-0.9, 1.0]]])),
            ValueError,
            "covariances must be symmetric",
        ),
        (
            "multinomial",
            [1.0],
            MultinomialParams([[0.5, 0.1]]),
            ValueError,
            r"probs of component 0 sums to 0\.6: probabilities must sum to 1",
        ),
        (
            Categorical(levels=[["a", "b"]]),
            [1.0],
            CategoricalParams([[[0.5, 0.9]]]),
            ValueError,
            r"probs of component 0 sums to 1\.4",
        ),
        (
            "von_mises_fisher",
            [1.0],
            VonMisesFisherParams([[2.0, 0.0]], [1.0]),
            ValueError,
            "means of component 0 has length 2: directions have length 1",
        ),
        (
            ZeroInflated("poisson"),
            [1.0],
            ZeroInflatedParams([[-0.1]], PoissonParams([[1.0]])),
            ValueError,
            r"zero_probs of component 0 holds -0\.1: it must be between 0 and 1",
        ),
        ("gaussian", [1.0], PoissonParams([[1.0]]), ValueError, "cannot take these parameters"),
        (
            "gaussian",
            [1.0],
            GaussianParams([[0.0, 0.0]], -np.eye(2)[None]),
            ValueError,
            "not positive definite",
        ),
        (
            "gaussian",
            [1.0],
            GaussianParams([[0.0, 0.0]], np.eye(3)[None]),
            ValueError,
            "cannot take these parameters",
        ),
        (
            Gaussian("diag"),
            [1.0],
            GaussianParams([[0.0, 0.0]], np.eye(2)[None]),
            ValueError,
            "cannot take these parameters",
        ),
    ],
)
def test_from_params(family, weights, params, error, match):
    with pytest.raises(error, match=match):
        EMMixture.from_params(family, weights, params)


def test_warm_start_from_another_problem():
    mixture = EMMixture(2, n_init=2, warm_start=True, random_state=0).fit(X)
    for changed, table in [
        ({"n_components": 3}, X),
        ({}, X[:, :1]),
        ({"family": "poisson"}, np.arange(10.0).reshape(5, 2)),
    ]:
        mixture.set_params(n_components=2, family="gaussian").set_params(**changed)
        before = dict(vars(mixture))
        with pytest.raises(ValueError, match="warm_start=True, but the last fit had"):
            mixture.fit(table)
        assert vars(mixture) == before


def test_an_interrupt_within_a_pass_changes_nothing(monkeypatch):
    mixture = EMMixture(2, n_init=2, random_state=0).fit(X)
    before = dict(vars(mixture))
    passes = []

    def interrupted(self, stats):
        passes.append(1)
        if len(passes) == 5:
            raise KeyboardInterrupt
        return original(self, stats)

    original = Gaussian.m_step
    monkeypatch.setattr(Gaussian, "m_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X[:, ::-1] * 2.0)
    assert len(passes) == 5
    assert vars(mixture) == before


def test_what_goes_with_the_rows_is_dense_and_real():
    mixture, table = EMMixture(2, n_init=2, random_state=0), sparse.csr_array(np.ones((60, 2)))
    with pytest.raises(ValueError, match="resp_prior must hold real numbers, got an array of <U1"):
        mixture.fit(X, resp_prior="a")
    for use in (
        lambda: mixture.fit(X, resp_prior=table),
        lambda: mixture.fit(X).elbo(X, resp=table),
        lambda: mixture.fit(X, sample_weight=table),
    ):
        with pytest.raises(TypeError, match=r"is a sparse csr_array: pass its \.toarray\(\)"):
            use()


TOTALS = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 3.0], [3.0, 0.0]])
OPTIONS = [
    (Categorical(levels=3), TOTALS, "levels=3: pass the labels of every column"),
    (Categorical(levels=None), TOTALS, "levels=None: pass the labels of every column"),
    (Categorical(levels="x"), TOTALS, "levels='x': pass the labels of every column"),
    (Categorical(levels=[0, 1]), TOTALS, r"levels=\[0, 1\]: pass the labels of every column"),
    (Poisson(exposure=1.5), TOTALS, r"exposure=1\.5 is no position: count columns from 0"),
    (Poisson(exposure=[0]), TOTALS, r"exposure=\[0\] is no position: count columns from 0"),
    (Gaussian([1]), X, r"covariance_type=\[1\] is unknown: choose one of 'full'"),
    (StudentT({}), X, "covariance_type={} is unknown: choose one of 'full'"),
    (Uniform(low="x"), X, "low='x': pass a finite number"),
    (Uniform(high={}), X, "high={}: pass a finite number"),
    (ScipyFamily("norm", fixed=1), X, "fixed=1: pass a dict of numbers by the names"),
    (ScipyFamily("norm", fixed={"loc": "a"}), X, "fixed=.*'a'.*: pass a dict of numbers"),
    (ScipyFamily("norm", start=1), X, "start=1: pass a dict of numbers for all of loc, scale"),
    (ScipyFamily("norm", start={}), X, "start={}: pass a dict of numbers for all of loc, scale"),
    (Gaussian(n_factors=-1), X, "n_factors must be a whole number of at least 1, got -1"),
    (Gaussian(n_factors=True), X, "n_factors must be a whole number of at least 1, got True"),
    (Gaussian(loadings="x"), X, "loadings='x' is unknown: choose one of 'free'"),
    (StudentT(noise="x"), X, "noise='x' is unknown: choose one of 'diag'"),
    (Gaussian(reg_covar=True), X, "reg_covar must be .* got True"),
    (Uniform(low=True), X, "low=True: pass a finite number"),
    (Binomial(n_trials=np.inf), TOTALS, "n_trials=inf must be an integer of at least 1"),
    (ZeroInflated(base="poison"), TOTALS, "base='poison' is unknown"),
    (Multinomial(n_trials="x"), TOTALS, "n_trials='x' must be an integer of at least 1, or None"),
    (Multinomial(n_trials=-1), TOTALS, "n_trials=-1 must be an integer of at least 1, or None"),
    (Multinomial(n_trials=2.5), TOTALS, r"n_trials=2\.5 must be an integer of at least 1, or None"),
    (Multinomial(n_trials=np.inf), TOTALS, "n_trials=inf must be an integer of at least 1"),
    (Multinomial(n_trials=True), TOTALS, "n_trials=True must be an integer of at least 1, or None"),
]


@pytest.mark.parametrize(("family", "table", "match"), OPTIONS, ids=lambda value: str(value)[:50])
def test_options_of_families(family, table, match):
    refused(ValueError, match, table, family=family)
