"""A table of twelve columns of seven kinds, with holes and weights, all the way through."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    Beta,
    Categorical,
    Columns,
    Gamma,
    Gaussian,
    LogNormal,
    NegativeBinomial,
    Poisson,
    StudentT,
    VonMises,
    ZeroInflated,
)

N_ROWS, MISSING = 400, 0.15
KINDS = [
    ("body", Gaussian(), ["height", "weight"]),
    ("bill", Gamma(), ["bill"]),
    ("income", LogNormal(), ["income"]),
    ("visits", Poisson(), ["visits"]),
    ("claims", NegativeBinomial(), ["claims"]),
    ("defects", ZeroInflated(Poisson()), ["defects"]),
    ("labels", Categorical(), ["region", "diet"]),
    ("smoker", Bernoulli(), ["smoker"]),
    ("direction", VonMises(), ["direction"]),
    ("share", Beta(), ["share"]),
]
POLARS_TYPES = {"region": pl.Enum(["north", "east", "south"]), "visits": pl.Int32}


def values(labels, rng):
    """Columns of three components that overlap in each of them."""
    n = len(labels)
    body = np.array([[160.0, 55.0], [175.0, 80.0], [180.0, 65.0]])[labels]
    height = rng.normal(0.0, 6.0, n)
    regions = np.array(["north", "east", "south"])
    likely = np.where(rng.random(n) < 0.7, labels, rng.integers(3, size=n))
    defects = np.where(rng.random(n) < 0.4, 0, rng.poisson(np.array([1.0, 3.0, 7.0])[labels]))
    sizes, means = 2.0, np.array([2.0, 9.0, 4.0])[labels]
    return {
        "height": body[:, 0] + height,
        "weight": body[:, 1] + 0.8 * height + rng.normal(0.0, 5.0, n),
        "bill": rng.gamma(np.array([2.0, 4.0, 8.0])[labels], 10.0),
        "income": rng.lognormal(np.array([7.0, 7.5, 8.3])[labels], 0.4),
        "visits": rng.poisson(np.array([1.0, 4.0, 2.0])[labels]),
        "claims": rng.negative_binomial(sizes, sizes / (sizes + means)),
        "defects": defects,
        "region": regions[likely],
        "diet": np.where(rng.random(n) < np.array([0.2, 0.5, 0.9])[labels], "meat", "plants"),
        "smoker": rng.random(n) < np.array([0.8, 0.3, 0.2])[labels],
        "direction": rng.vonmises(np.array([0.0, 2.0, -2.0])[labels], 2.0),
        "share": rng.beta(np.array([2.0, 5.0, 3.0])[labels], np.array([5.0, 2.0, 3.0])[labels]),
    }


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(0).choice(3, size=N_ROWS, p=[0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def table(truth):
    """A frame of pandas with nullable types, and holes everywhere."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(values(truth, rng))
    frame["region"] = pd.Categorical(frame["region"], ["north", "east", "south"])
    frame = frame.astype(
        {"visits": "Int32", "claims": "Int64", "defects": "Int64", "smoker": "boolean"}
    ).astype({"diet": "string", "bill": "float32"})
    return frame.mask(rng.random(frame.shape) < MISSING)


@pytest.fixture(scope="module")
def sample_weight():
    return np.random.default_rng(2).integers(1, 4, size=N_ROWS)


def mixture_of(n_components, **options):
    columns = Columns(KINDS)
    return EMMixture(n_components, family=columns, n_init=3, random_state=0, **options)


@pytest.fixture(scope="module")
def fits(table, sample_weight):
    return {k: mixture_of(k).fit(table, sample_weight=sample_weight) for k in (1, 2, 3, 4)}


@pytest.fixture(scope="module")
def mixture(fits):
    return fits[3]


def as_polars(frame):
    """The same table in polars, with its own types."""
    columns = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in frame}
    made = pl.DataFrame({name: column.tolist() for name, column in columns.items()}, strict=False)
    return made.with_columns(pl.col(name).cast(dtype) for name, dtype in POLARS_TYPES.items())


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint64", "int8"])
def test_draws_beyond_the_integers_of_a_column_are_its_last(dtype):
    """Draws with 0.1 degrees of freedom go beyond 64 bits, the last of which are no doubles."""
    frame = pd.DataFrame({"x": np.arange(100)}).astype(dtype)
    mixture = EMMixture(1, family=StudentT(dof=0.1), random_state=0).fit(frame)
    with np.errstate(all="raise"):
        drawn, _ = mixture.sample(2000, random_state=0)
    range_of = np.iinfo(dtype.lower())
    assert (drawn.dtypes == dtype).all()
    assert int(drawn["x"].max()) == pytest.approx(range_of.max, rel=1e-15)
    assert int(drawn["x"].min()) == range_of.min


def test_the_table_is_what_it_should_be(table):
    assert table.shape[1] == 12
    assert table.isna().to_numpy().mean() == pytest.approx(MISSING, abs=0.02)
    assert len({str(dtype) for dtype in table.dtypes}) == 7


def test_bic_selects_the_true_number_of_components(fits, table, truth, sample_weight):
    bics = {k: fit.bic(table, sample_weight=sample_weight) for k, fit in fits.items()}
    assert min(bics, key=bics.get) == 3
    assert adjusted_rand_score(truth, fits[3].predict(table)) > 0.9
    # By hand: 2 + 2 of body, region and diet, ... of each component, and the mixing weights.
    assert fits[3].n_parameters() == 3 * (5 + 2 + 2 + 1 + 2 + 2 + 2 + 1 + 1 + 2 + 2) + 2


def test_the_bound_rises_and_is_the_score(mixture, table, sample_weight):
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    assert mixture.score(table, sample_weight=sample_weight) == pytest.approx(
        mixture.lower_bound_, rel=1e-12
    )


def test_weights_are_repetitions(mixture, table, sample_weight):
    repeated = table.iloc[np.repeat(np.arange(N_ROWS), sample_weight)]
    other = mixture_of(3).fit(repeated)
    assert other.lower_bound_ == pytest.approx(mixture.lower_bound_, rel=1e-9)
    assert_allclose(other.weights_, mixture.weights_, rtol=1e-5)
    assert_allclose(other.component_means(), mixture.component_means(), rtol=1e-5)


def test_samples_are_frames_of_the_same_types(mixture, table):
    X, labels = mixture.sample(20_000, random_state=0)
    assert X.dtypes.equals(table.dtypes)
    assert not X.isna().to_numpy().any()
    assert set(X["diet"]) == {"meat", "plants"}
    assert X["visits"].min() == 0
    shares = np.bincount(labels) / len(labels)
    assert_allclose(shares, mixture.weights_, atol=0.02)
    # Where samples come back they are drawn from the density that they are scored by.
    assert adjusted_rand_score(labels, mixture.predict(X)) > 0.9
    numbers = ["height", "weight", "bill", "income", "visits", "claims", "defects", "share"]
    places = [list(table.columns).index(name) for name in numbers]
    errors = 5.0 * np.sqrt(np.diag(mixture.covariance())[places] / len(X))
    means = X[numbers].to_numpy(dtype=float).mean(axis=0)
    assert (np.abs(means - mixture.mean()[places]) < errors).all()


def test_polars_is_pandas(mixture, table, sample_weight):
    frame = as_polars(table)
    assert frame.null_count().sum_horizontal().item() == table.isna().to_numpy().sum()
    other = mixture_of(3).fit(frame, sample_weight=sample_weight)
    # Single precision of pandas is a column of polars' doubles.
    assert_allclose(other.score_samples(frame), mixture.score_samples(table), rtol=1e-9)
    X, _ = other.sample(50, random_state=0)
    assert X.schema == frame.schema
    assert_array_equal(X["diet"].to_numpy(), mixture.sample(50, random_state=0)[0]["diet"])


def test_rows_with_holes_have_the_density_of_what_is_there(mixture, table):
    log_density, resp = mixture.score_samples(table), mixture.predict_proba(table)
    assert_allclose(resp.sum(axis=1), 1.0)
    assert_array_equal(mixture.predict(table), resp.argmax(axis=1))
    for row in range(40):
        one = table.iloc[[row]]
        seen = one.columns[one.notna().to_numpy()[0]].tolist()
        alone = mixture.marginal(seen)
        assert_allclose(alone.score_samples(one[seen]), log_density[row], rtol=1e-10)
        assert_allclose(alone.predict_proba(one[seen])[0], resp[row], atol=1e-10)
    nothing = table.iloc[[0]].mask(np.ones((1, 12), dtype=bool))
    assert mixture.score_samples(nothing)[0] == pytest.approx(0.0, abs=1e-12)
    assert_allclose(mixture.predict_proba(nothing)[0], mixture.weights_)


def test_marginal_times_conditional_is_joint(mixture, table):
    """log p(given) + log p(rest | given) = log p(row), cutting through a group of columns."""
    given = ["height", "visits", "region", "smoker", "direction"]
    rest = [name for name in table if name not in given]
    complete = table.dropna().iloc[:15]
    joint = mixture.score_samples(complete)
    ahead = mixture.marginal(given).score_samples(complete[given])
    for row in range(len(complete)):
        one = complete.iloc[[row]]
        conditional = mixture.conditional(one[given].iloc[0].to_dict())
        assert conditional.feature_names_in_.tolist() == rest
        behind = conditional.score_samples(one[rest])[0]
        assert ahead[row] + behind == pytest.approx(joint[row], rel=1e-9)


def test_conditional_means_are_regressions(mixture, table):
    """E[weight | height] by the formula of the bivariate normal in every component."""
    means, matrices = mixture.params_.body
    conditional = mixture.conditional({"height": 170.0})
    slope = matrices[:, 0, 1] / matrices[:, 0, 0]
    expected = means[:, 1] + slope * (170.0 - means[:, 0])
    assert_allclose(conditional.component_means()[:, 0], expected)


def test_clones_and_pickles(mixture, table):
    copy = clone(mixture)
    assert not hasattr(copy, "params_")
    assert repr(copy.family) == repr(mixture.family)
    back = pickle.loads(pickle.dumps(mixture))
    assert_array_equal(back.score_samples(table), mixture.score_samples(table))
    pd.testing.assert_frame_equal(back.sample(5)[0], mixture.sample(5)[0])


def test_grid_search_reaches_into_groups(table, sample_weight):
    grid = {"n_components": [1, 3], "family__visits__prior": [None, 5.0]}
    search = GridSearchCV(mixture_of(1).set_params(n_init=1), grid, cv=2)
    search.fit(table, sample_weight=sample_weight)
    assert search.best_params_["n_components"] == 3
    # A prior at the mean of the data says nothing to one component, which has that mean.
    assert len(set(search.cv_results_["mean_test_score"].round(9))) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_families_may_be_chosen_by_the_table_itself(table, truth):
    columns = Columns.from_frame(table, verbose=0)
    chosen = {name: family for name, family, names in columns.groups for name in names}
    assert chosen["diet"] == chosen["region"] == "categorical"
    assert chosen["smoker"] == "bernoulli"
    assert chosen["claims"] == "negative_binomial"
    assert chosen["share"] == "beta"
    found = EMMixture(3, family=columns, n_init=2, random_state=0).fit_predict(table)
    assert adjusted_rand_score(truth, found) > 0.8
