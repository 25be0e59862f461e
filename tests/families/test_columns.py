"""Tables of mixed columns: the product of their families, and nothing else."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.model_selection import GridSearchCV

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Categorical,
    CategoricalParams,
    Columns,
    Dirichlet,
    Gaussian,
    PerComponent,
    Poisson,
    PoissonParams,
    ProductParams,
    StudentT,
    ZeroInflated,
)
from sklearn_genmodel.testing import check_family

RATES = np.array([[0.5, 3.0], [4.0, 20.0]])
PROBS = np.array([[0.1], [0.8]])
LABELS = np.array([[[0.2, 0.5, 0.3]], [[0.6, 0.1, 0.3]]])
MIXED = Columns(
    [
        ("counts", Poisson(), [0, 2]),
        ("bits", Bernoulli(), [3]),
        ("labels", Categorical(levels=[[0, 1, 2]]), [1]),
    ]
)
PARAMS = ProductParams(
    ("counts", "bits", "labels"),
    (PoissonParams(RATES), BernoulliParams(PROBS), CategoricalParams(LABELS)),
)


def people(n=300, seed=0):
    rng = np.random.default_rng(seed)
    old = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "age": np.where(old, 70.0, 30.0) + 6.0 * rng.standard_normal(n),
            "visits": rng.poisson(np.where(old, 8.0, 1.0)),
            "smoker": pd.Categorical(np.where(rng.random(n) < np.where(old, 0.8, 0.2), "y", "n")),
            "weight": np.where(old, 80.0, 65.0) + 9.0 * rng.standard_normal(n),
            "insured": rng.random(n) < np.where(old, 0.9, 0.3),
        }
    )


def groups():
    return [
        ("body", Gaussian(), ["age", "weight"]),
        ("visits", Poisson(), ["visits"]),
        ("smoker", "categorical", ["smoker"]),
        ("insured", "bernoulli", "insured"),
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_contract(seed):
    check_family(MIXED, PARAMS, random_state=seed)


def test_log_prob_is_a_sum_over_groups():
    rng = np.random.default_rng(0)
    X = MIXED.sample(PARAMS, rng.integers(2, size=50), rng)
    expected = stats.poisson(RATES[:, 0]).logpmf(X[:, [0]])
    expected = expected + stats.poisson(RATES[:, 1]).logpmf(X[:, [2]])
    expected += stats.bernoulli(PROBS[:, 0]).logpmf(X[:, [3]])
    expected += np.log(LABELS[:, 0, X[:, 1].astype(int)].T)
    assert_allclose(MIXED.log_prob(X, PARAMS), expected, rtol=1e-10)


def test_moments_are_those_of_samples():
    rng = np.random.default_rng(0)
    X = MIXED.sample(PARAMS, np.zeros(200_000, dtype=int), rng)
    assert_allclose(MIXED.mean(PARAMS)[0], X.mean(axis=0), atol=0.05)
    assert_allclose(MIXED.covariance(PARAMS)[0], np.cov(X.T), atol=0.05)


def test_order_of_groups_and_ways_to_name_columns_do_not_matter():
    X = people()
    by_name = EMMixture(2, family=Columns(groups()), random_state=0).fit(X)
    other = [
        ("insured", Bernoulli(), slice(4, 5)),
        ("smoker", Categorical(), make_column_selector(dtype_include="category")),
        ("body", Gaussian(), [True, False, False, True, False]),
    ]
    mixture = EMMixture(2, family=Columns(other, remainder=Poisson()), random_state=0).fit(X)
    assert_allclose(mixture.score(X), by_name.score(X), rtol=1e-10)
    assert_allclose(mixture.params_.remainder.rates, by_name.params_.visits.rates, rtol=1e-6)
    assert mixture.family_.groups[-1][0] == "remainder"


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_in_and_frames_out(frame):
    X = people()
    if frame is pl.DataFrame:
        columns = {name: X[name].tolist() for name in X}
        X = pl.DataFrame(columns, schema_overrides={"smoker": pl.Categorical})
    mixture = EMMixture(2, family=Columns(groups()), random_state=0).fit(X)
    sampled, labels = mixture.sample(100, 0)
    assert isinstance(sampled, frame)
    assert list(sampled.columns) == list(X.columns)
    assert list(sampled.dtypes) == list(X.dtypes)
    assert np.isfinite(mixture.score(sampled))
    assert_array_equal(labels, mixture.sample(100, 0)[1])
    assert_allclose(mixture.score(X), EMMixture.score(clone(mixture).fit(X), X))


def test_nested_grids():
    mixture = EMMixture(2, family=Columns(groups()), n_init=2, random_state=0)
    grid = {"family__visits__prior": [None, 5.0], "family__body__covariance_type": ["diag"]}
    search = GridSearchCV(mixture, grid, cv=2).fit(people())
    assert search.best_params_["family__body__covariance_type"] == "diag"
    changed = clone(mixture).set_params(family__insured="categorical", family__visits__prior=3.0)
    assert changed.family.groups[3][1] == "categorical"
    assert changed.family.groups[1][1].prior == 3.0
    assert mixture.family.groups[1][1].prior is None


def test_grids_over_groups_and_their_options():
    """Every point of a grid scores as the model that it names, fitted by itself."""
    X = people()[["age", "weight", "visits"]]
    both = [[("body", "gaussian", ["age", "weight"]), ("visits", "poisson", ["visits"])]]
    both += [[("body", "gaussian", ["age", "weight"]), ("visits", "geometric", ["visits"])]]
    grid = {"family__groups": both, "family__body__covariance_type": ["full", "spherical"]}
    mixture = EMMixture(1, family=Columns(both[0]))
    cv = [(np.arange(200), np.arange(200, 300))]
    found = GridSearchCV(mixture, grid, cv=cv).fit(X).cv_results_
    for params, score in zip(found["params"], found["mean_test_score"], strict=True):
        body = Gaussian(params["family__body__covariance_type"])
        columns = Columns([("body", body, [0, 1]), params["family__groups"][1]])
        alone = EMMixture(1, family=columns).fit(X[:200])
        assert_allclose(score, alone.score(X[200:]), rtol=1e-12)
    assert len(set(found["mean_test_score"])) == 4


def test_options_beside_the_names_that_they_belong_to():
    mixture = EMMixture(2, family=Columns([("body", "gaussian", [0])], remainder="categorical"))
    mixture.set_params(family__body="student_t", family__body__covariance_type="diag")
    mixture.set_params(family__remainder__prior=2.0)
    params = mixture.get_params()
    assert params["family__body__covariance_type"] == "diag"
    assert params["family__remainder__prior"] == 2.0
    assert isinstance(params["family__body"], StudentT)
    mixture.set_params(family__remainder="bernoulli", family__remainder__prior=3.0)
    assert isinstance(mixture.family.remainder, Bernoulli)
    inflated = EMMixture(2, family=ZeroInflated("poisson")).set_params(family__base__exposure=0)
    assert isinstance(inflated.family.base, Poisson)
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        mixture.set_params(family__body__rate=1.0)
    for none in ("drop", "error"):
        with pytest.raises(ValueError, match=f"remainder='{none}' has no options, got .*prior"):
            mixture.set_params(family__remainder=none, family__remainder__prior=1.0)


def test_what_a_family_raises_is_not_hidden():
    class Broken(Gaussian):
        def get_params(self, deep=True):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Columns([("a", Broken(), [0])]).get_params()
    assert "a" not in Columns([(["a"], Gaussian(), [0])]).get_params()


@pytest.mark.parametrize(
    "groups", [[("a", "gaussian")], {"a": "gaussian"}, None, "abc", [("a", "gaussian", [0]), 3]]
)
def test_groups_that_are_none(groups):
    mixture = EMMixture(1, family=Columns(groups))
    for use in (mixture.fit, mixture.partial_fit, lambda X: mixture.set_params(family__a__b=1)):
        with pytest.raises(TypeError, match=r"must be a list of \(name, family, columns\)"):
            use(np.eye(3))
    assert clone(mixture).get_params()["family__groups"] == groups
    assert mixture.set_params(family__groups=[("a", "gaussian", [0])]).family.members()


def test_columns_without_groups():
    with pytest.raises(ValueError, match="has no groups: give one, or a family as remainder"):
        EMMixture(1, family=Columns([], remainder="drop")).fit(np.eye(3))
    assert EMMixture(1, family=Columns([], remainder="bernoulli")).fit(np.eye(3)).converged_


def test_dropped_columns_have_no_part():
    X = people()
    X["note"] = [f"row {i}" for i in range(len(X))]
    some = groups()[1:]
    dropping = EMMixture(2, family=Columns(some, remainder="drop"), random_state=0).fit(X)
    without = X.drop(columns=["note", "age", "weight"])
    exact = EMMixture(2, family=Columns(some), random_state=0).fit(without)
    assert_allclose(dropping.score(X), exact.score(without), rtol=1e-9)
    assert dropping.n_parameters() == exact.n_parameters()
    assert list(dropping.sample(3, 0)[0].columns) == ["visits", "smoker", "insured"]
    assert dropping.score(X.assign(note=None)) == dropping.score(X)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(groups()[:2]), "'smoker', 'insured' belong to no group"),
        (Columns([*groups(), ("again", Poisson(), ["visits"])]), "'visits' is in groups 'visits'"),
        (Columns([("body", Gaussian(), ["height"])]), "'height'.*not all there"),
        (Columns([("a b", Gaussian(), ["age"])]), "Group name 'a b'"),
        (Columns([("count", Gaussian(), ["age"])]), "'count' is taken"),
        (Columns([("groups", Gaussian(), ["age"])]), "'groups' is taken"),
        (Columns([("none", Gaussian(), [])], remainder="drop"), "selects none"),
        (Columns([("age", "normal", ["age"])], remainder="drop"), "family='normal' is unknown"),
        (Columns([("age", Poisson(), ["age"])], remainder="drop"), "Column 'age' holds .* integer"),
        (Columns([("s", Poisson(), ["smoker"])], remainder="drop"), "'smoker' holds '[yn]'.*label"),
    ],
)
def test_mistakes_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        EMMixture(2, family=columns).fit(people())


def test_families_inferred_from_a_frame(capsys):
    X = people()
    X["share"] = np.linspace(0.1, 0.99, len(X)) ** 2
    X["income"] = np.exp(np.random.default_rng(0).normal(10, 1, len(X)))
    columns = Columns.from_frame(X)
    families = {name: family for _, family, names in columns.groups for name in names}
    assert families == {
        "age": "gaussian",
        "weight": "gaussian",
        "visits": "negative_binomial",
        "smoker": "categorical",
        "insured": "bernoulli",
        "share": "beta",
        "income": "gamma",
    }
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == list(X.columns)
    assert Columns.from_frame(X, verbose=0).set_params(remainder="drop") is not columns
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        ([f"id {i}" for i in range(300)], ValueError, "identifier"),
        ([1.0] * 300, ValueError, "one value only"),
        ([None] * 300, ValueError, "nothing but missing"),
        (pd.date_range("2026-01-01", periods=300), TypeError, "dates or times"),
        ([[1], [2]] * 150, TypeError, "'odd' holds lists"),
        ([1.0, 2.0, np.inf] * 100, ValueError, "'odd' holds inf in row 2"),
    ],
)
def test_columns_that_no_family_suits(column, error, message):
    with pytest.raises(error, match=message):
        Columns.from_frame(people().assign(odd=column))


def test_numbers_in_columns_of_objects_are_numbers():
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(
        {"age": rng.integers(18, 80, 200), "price": rng.gamma(2, 5, 200).round(2)}
    ).astype(float)
    numbers.iloc[::7] = np.nan
    objects = numbers.astype(object).where(numbers.notna(), None)
    exact = objects.map(lambda x: None if x is None else Decimal(str(x)))
    expected = Columns.from_frame(numbers, verbose=0).groups
    for frame in (objects, exact):
        assert Columns.from_frame(frame, verbose=0).groups == expected


def test_frames_that_cannot_be_read():
    twice = pd.DataFrame(np.ones((3, 2)), columns=["a", "a"])
    for use in (Columns.from_frame, EMMixture(1).fit, EMMixture(1, family="categorical").fit):
        with pytest.raises(ValueError, match="Column name 'a' is that of 2 columns"):
            use(twice)
    with pytest.raises(TypeError, match="lazy polars LazyFrame"):
        Columns.from_frame(pl.DataFrame({"a": [1, 2]}).lazy())
    with pytest.raises(TypeError, match="Only the family of a whole mixture may be a list"):
        EMMixture(2, family=Columns([("a", [Gaussian(), Gaussian()], [0])])).fit(np.ones((3, 1)))


def test_truth_values_with_gaps_come_back_as_truth_values():
    flags = np.array([True, False, None, True] * 50, dtype=object)
    frame = pd.DataFrame({"flag": flags, "x": np.random.default_rng(0).normal(size=200)})
    columns = Columns([("f", "bernoulli", ["flag"]), ("g", "gaussian", ["x"])])
    drawn = EMMixture(1, family=columns, random_state=0).fit(frame).sample(100)[0]
    assert drawn["flag"].dtype == bool
    assert 0 < drawn["flag"].sum() < 100


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_left_out_may_be_missing(frame):
    X = people()
    used = [("age", Gaussian(), ["age"]), ("visits", Poisson(), ["visits"])]
    mixture = EMMixture(2, family=Columns(used, remainder="drop"), random_state=0)
    mixture.fit(frame(X.to_dict("list")))
    scores = mixture.score_samples(frame(X.to_dict("list")))
    part = frame(X[["age", "visits"]].to_dict("list"))
    assert_array_equal(mixture.score_samples(part), scores)
    drawn = mixture.sample(5, random_state=0)[0]
    assert list(drawn.columns) == ["age", "visits"]
    assert np.isfinite(mixture.score(drawn))
    for columns in (["age"], ["visits", "age"]):
        with pytest.raises(ValueError, match="feature names"):
            mixture.score(frame(X[columns].to_dict("list")))
    with pytest.raises(ValueError, match="feature names"):
        mixture.score(frame(X[["age", "visits"]].assign(more=1).to_dict("list")))


def test_groups_that_are_kept_whole_need_no_marginal():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.dirichlet([6, 2, 2], 200), rng.poisson(3, 200), rng.gamma(2, 1, 200)])
    columns = [("d", Dirichlet(), [0, 1, 2]), ("c", Poisson(), [3]), ("g", "gamma", [4])]
    mixture = EMMixture(2, family=Columns(columns), random_state=0, n_init=2).fit(X)
    part = mixture.marginal([2, 0, 3, 1])
    shares = mixture.params_.d.concentrations
    logs = [stats.dirichlet(own).logpdf(X[:, :3].T) for own in shares]
    counts = [stats.poisson(own).logpmf(X[:, 3]) for own in mixture.params_.c.rates[:, 0]]
    joint = np.log(mixture.weights_)[:, None] + np.array(logs) + np.array(counts)
    assert_allclose(part.score_samples(X[:, [2, 0, 3, 1]]), np.logaddexp(*joint), rtol=1e-9)
    given = mixture.conditional({3: 2.0})
    weights = mixture.weights_ * stats.poisson(mixture.params_.c.rates[:, 0]).pmf(2.0)
    expected = weights / weights.sum() @ (shares / shares.sum(axis=1, keepdims=True))
    assert_allclose(given.mean()[:3], expected, rtol=1e-9)
    with pytest.raises(NotImplementedError, match="marginals"):
        mixture.marginal([0, 1])


def test_groups_know_no_components():
    own = PerComponent([Gaussian(), Gaussian()])
    with pytest.raises(ValueError, match="Group 'pc' has a family for every component"):
        EMMixture(2, family=Columns([("pc", own, [0, 1])])).fit(np.eye(2))
    with pytest.raises(ValueError, match="'weights' is taken"):
        EMMixture(2, family=Columns([("weights", Gaussian(), [0])])).fit(np.eye(1))


def test_marginal_and_conditional():
    X = people()
    mixture = EMMixture(2, family=Columns(groups()), random_state=0).fit(X)
    part = mixture.marginal(["smoker", "visits"])
    holed = X.assign(age=np.nan, weight=np.nan, insured=None)
    assert_allclose(part.score_samples(X[["smoker", "visits"]]), mixture.score_samples(holed))
    assert list(part.sample(2, 0)[0].columns) == ["smoker", "visits"]
    given = mixture.conditional({"smoker": "y", "visits": 9})
    assert given.weights_.max() > 0.99
    rows = X.iloc[:5].assign(smoker="y", visits=9)
    rows["smoker"] = rows["smoker"].astype(X["smoker"].dtype)
    joint = mixture.score_samples(rows)
    seen = mixture.score_samples(rows.assign(age=np.nan, weight=np.nan, insured=None))
    assert_allclose(given.score_samples(rows[["age", "weight", "insured"]]), joint - seen)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_samples_stay_within_the_types_of_their_columns(frame):
    rng = np.random.default_rng(0)
    data = {
        "tiny": rng.poisson(110, 200).clip(0, 127).astype(np.int8),
        "unsigned": rng.poisson(1, 200).astype(np.uint8),
        "truth": rng.random(200) < 0.2,
    }
    mixture = EMMixture(1).fit(frame(data))
    drawn, _ = mixture.sample(500, 0)
    assert list(drawn.dtypes)[:2] == list(frame(data).dtypes)[:2]
    assert 50 < drawn["tiny"].min() <= drawn["tiny"].max() <= 127
    assert drawn["unsigned"].min() == 0
    # A Gaussian draws no truth values: they stay numbers.
    assert abs(drawn["truth"].mean() - 0.2) < 0.1


def test_large_integers_are_labels_of_their_own():
    X = pd.DataFrame({"id": np.array([2**53, 2**53 + 1, 2**53 + 2] * 2)})
    mixture = EMMixture(1, family="categorical").fit(X)
    assert_allclose(mixture.params_.probs[0, 0], np.full(3, 1 / 3))


def test_a_list_of_frames_is_sampled_as_a_frame():
    X = people()
    mixture = EMMixture(2, family=Columns(groups()), random_state=0).fit([X[:150], X[150:]])
    assert list(mixture.sample(3, 0)[0].columns) == list(X.columns)
    assert mixture.conditional({"smoker": "y"}).n_features_in_ == 4
