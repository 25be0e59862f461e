"""Labels: levels, probabilities, priors, against closed forms and counts."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Categorical,
    CategoricalParams,
    Columns,
)
from sklearn_genmodel.families._packed_labels import MANY_ROWS, PackedLabels
from sklearn_genmodel.testing import check_family

LEVELS = (("a", "b", "c"), ("x", "y"))
PROBS = np.array([[[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]], [[0.6, 0.1, 0.3], [0.3, 0.7, 0.0]]])
DRINKS = [["tea", "yes"], ["tea", "no"], ["coffee", "no"], ["coffee", None], ["milk", "no"]]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("prior", [None, 2.0])
def test_contract(prior, seed):
    probs = PROBS
    if prior is not None:
        probs = np.zeros((2, 2, 4))
        probs[:, :, :3] = 0.98 * PROBS
        probs[:, 0, 3] = probs[:, 1, 2] = 0.02
    family = Categorical(prior, levels=LEVELS)
    check_family(family, CategoricalParams(probs), random_state=seed)


def test_two_levels_are_bernoulli():
    rng = np.random.default_rng(0)
    X = (rng.random((300, 5)) < np.repeat([[0.2], [0.7]], 150, axis=0)).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    ours = EMMixture(2, family="categorical", random_state=0).fit(X)
    other = EMMixture(2, family="bernoulli", random_state=0).fit(X)
    assert_allclose(ours.lower_bound_, other.lower_bound_, rtol=1e-9)
    assert ours.n_parameters() == other.n_parameters()
    probs = ours.params_.probs[:, :, 1]
    same = Bernoulli().log_prob(X, BernoulliParams(probs))
    assert_allclose(ours.family_.log_prob(X, ours.params_), same, rtol=1e-10)


def test_one_component_is_the_table_of_shares():
    mixture = EMMixture(1, family="categorical").fit(DRINKS)
    assert mixture.family_.levels == (("coffee", "milk", "tea"), ("no", "yes"))
    assert_allclose(mixture.params_.probs[0], [[0.4, 0.2, 0.4], [0.75, 0.25, 0.0]])
    expected = 4 * np.log(0.4) + np.log(0.2) + 3 * np.log(0.75) + np.log(0.25)
    assert_allclose(mixture.score(DRINKS) * 5, expected, rtol=1e-12)
    assert mixture.n_parameters() == 3


def test_a_level_that_was_not_seen_is_an_error_that_names_it():
    mixture = EMMixture(1, family="categorical").fit(DRINKS)
    with pytest.raises(ValueError, match=r"Column 0 holds 'water' in row 1, .*'coffee'.*prior"):
        mixture.predict([["tea", "no"], ["water", "no"]])


def test_a_prior_keeps_a_probability_for_levels_not_seen():
    mixture = EMMixture(1, family=Categorical(prior=4.0)).fit(DRINKS)
    # (count + prior / places) / (n + prior), places being the levels seen and one more.
    assert_allclose(mixture.params_.probs[0, 0], np.array([3.0, 2.0, 3.0, 1.0]) / 9.0)
    assert_allclose(mixture.score_samples([["water", None]]), np.log(1.0 / 9.0))
    assert set(mixture.sample(200, 0)[0][:, 0]) == {"coffee", "milk", "tea"}


ABSENT = pd.DataFrame({"drink": ["tea", "milk"] * 5, "sugar": [None] * 10})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (ABSENT, "'sugar'"),
        (ABSENT.astype("category"), "'sugar'"),
        (pl.DataFrame(ABSENT.to_dict("list")), "'sugar'"),
        (ABSENT.to_numpy(), "1"),
        (np.c_[np.arange(10) % 2, np.full(10, np.nan)], "1"),
        ([ABSENT[:4], ABSENT[4:]], "'sugar'"),
    ],
)
def test_a_column_without_a_label_is_refused(table, column):
    groups = [("first", Categorical(), [0]), ("second", Categorical(), [1])]
    for family in Categorical(), Categorical(prior=1.0), ["categorical"] * 2, Columns(groups):
        with pytest.raises(ValueError, match=f"Column {column} holds nothing but NaN: drop"):
            EMMixture(2, family=family, random_state=0).fit(table)


def test_a_label_in_a_later_chunk_is_enough():
    mixture = EMMixture(1, family="categorical").fit([ABSENT, ABSENT.assign(sugar="yes")])
    assert mixture.family_.levels[1] == ("yes",)


def test_levels_of_a_column_are_not_none():
    with pytest.raises(ValueError, match="a label of a column twice, or none"):
        EMMixture(1, family=Categorical(levels=[["tea", "milk"], []])).fit(ABSENT)


def test_labels_of_all_kinds():
    frame = pd.DataFrame(
        {
            "ordered": pd.Categorical(["lo", "hi", "lo", None], categories=["lo", "mid", "hi"]),
            "truth": [True, False, True, True],
            "number": pd.array([3, 1, None, 1], dtype="Int64"),
            "text": ["b", "a", None, "b"],
        }
    )
    mixture = EMMixture(1, family="categorical").fit(frame)
    assert mixture.family_.levels == (("lo", "hi"), (False, True), (1.0, 3.0), ("a", "b"))
    sampled, _ = mixture.sample(50, 0)
    assert sampled.dtypes.equals(frame.dtypes)
    objects = EMMixture(1, family="categorical").fit(frame.to_numpy(dtype=object))
    assert_allclose(objects.score(frame.to_numpy(dtype=object)), mixture.score(frame))
    polars = pl.DataFrame(
        {
            "ordered": pl.Series(["lo", "hi", "lo", None], dtype=pl.Enum(["lo", "mid", "hi"])),
            "truth": [True, False, True, True],
            "number": [3, 1, None, 1],
            "text": ["b", "a", None, "b"],
        }
    )
    same = EMMixture(1, family="categorical").fit(polars)
    assert same.family_.levels == mixture.family_.levels
    assert_array_equal(same.params_.probs, mixture.params_.probs)
    assert same.sample(50, 0)[0].schema == polars.schema


def test_draws_invert_the_distribution_in_memory_of_their_size():
    rng = np.random.default_rng(0)
    labels, probs = rng.integers(3, size=20_000), rng.dirichlet(np.ones(200), size=(3, 2))
    family, params = Categorical(levels=[range(200)] * 2), CategoricalParams(probs)
    tracemalloc.start()
    drawn = family.sample(params, labels, np.random.default_rng(1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * drawn.nbytes
    uniform = np.random.default_rng(1).random(drawn.shape)
    below = np.cumsum(probs, axis=2)[labels] < uniform[:, :, None]
    assert_array_equal(drawn, below.sum(axis=2).clip(max=199))


def test_levels_of_ones_own():
    family = Categorical(levels=[["no", "yes", "never asked"]])
    mixture = EMMixture(1, family=family).fit([["no"], ["yes"], ["no"]])
    assert mixture.params_.probs[0, 0, 2] < 1e-300
    with pytest.raises(ValueError, match="names 1 columns, the data have 2"):
        EMMixture(1, family=family).fit([["no", "a"], ["yes", "b"]])


@pytest.mark.parametrize("prior", [0, -1.0, np.inf, "much", True])
def test_a_prior_that_is_none(prior):
    with pytest.raises(ValueError, match="pseudo-observations above 0"):
        EMMixture(1, family=Categorical(prior)).fit(DRINKS)


def test_codes_need_not_be_consecutive():
    X = np.array([[10], [30], [10], [20]])
    mixture = EMMixture(1, family="categorical").fit(X)
    assert_allclose(mixture.params_.probs[0, 0], [0.5, 0.25, 0.25])
    drawn, _ = mixture.sample(100, 0)
    assert drawn.dtype == np.float64
    assert set(drawn[:, 0]) == {10.0, 20.0, 30.0}


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("prior", [None, 1.0])
@pytest.mark.parametrize("sizes", [(4,) * 20, (2,) * 40, (3000, 2, 1), (1, 7, 50, 3, 50)])
def test_codes_that_columns_share_give_what_indicators_give(sizes, prior, holes):
    rng = np.random.default_rng(0)
    X = rng.integers(0, sizes, size=(MANY_ROWS, len(sizes))).astype(float)
    if holes:
        X[rng.random(X.shape) < 0.1] = np.nan
        X[0] = np.nan
    family = Categorical(prior, levels=[list(range(size)) for size in sizes])
    resp = rng.dirichlet(np.ones(3), size=len(X))
    params = family.weighted_mle(X, resp)
    packed = family.prepare(X)
    assert isinstance(packed, PackedLabels)
    log_prob, accumulate = family.kernel(params)(packed)
    features = family.features(X)
    assert_allclose(log_prob, family.natural(params) @ features, rtol=1e-12, atol=1e-12)
    assert_allclose(accumulate(resp.T), resp.T @ features.T, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("sizes", [(900, 800), (700, 2, 3)])
def test_many_levels_are_codes_also_in_few_rows(sizes):
    rng = np.random.default_rng(0)
    X = rng.integers(0, sizes, size=(300, len(sizes))).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    family = Categorical(levels=[range(size) for size in sizes])
    assert isinstance(family.prepare(X), PackedLabels)
    resp = rng.dirichlet(np.ones(3), size=len(X))
    assert_allclose(family.suffstats(X, resp), resp.T @ family.features(X).T, atol=1e-12)
    params = family.m_step(family.suffstats(X, resp))
    expected = (family.natural(params) @ family.features(X)).T
    assert_allclose(family.log_prob(X, params), expected, rtol=1e-12)


def test_coordinates_of_many_levels_are_the_leading_directions_of_their_indicators():
    """Of rows of three groups that share no level, two directions, as a dense SVD finds them."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [200, 300, 400])
    X = 10.0 * groups[:, None] + rng.integers(10, size=(900, 20))
    family = Categorical(levels=[range(30)] * 20)
    Z = family.embed(X)
    assert Z.shape[1] < 50
    assert_allclose(Z.T @ Z, np.eye(Z.shape[1]), atol=1e-10)
    indicators = family.features(X)[1:]
    counts = indicators.sum(axis=1) + 900 / 30
    scaled = (indicators / np.sqrt(counts)[:, None]).T
    leading = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)[0][:, :2]
    assert_allclose(Z @ (Z.T @ leading), leading, atol=1e-6)
    X[rng.random(X.shape) < 0.1] = np.nan
    assert np.isfinite(family.embed(X)).all()


def test_a_fit_to_many_levels_finds_groups_in_memory_of_the_order_of_the_data():
    rng = np.random.default_rng(0)
    groups = rng.integers(3, size=10_000)
    X = 200 * groups[:, None] + rng.integers(200, size=(10_000, 3))
    tracemalloc.start()
    mixture = EMMixture(3, family="categorical", n_init=4, random_state=0).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert adjusted_rand_score(groups, mixture.predict(X)) > 0.99
    # The indicators of the rows on which starts compete would be 2500 x 1800 numbers.
    assert peak < 2500 * 1800 * 8


def test_few_rows_and_few_levels_are_indicators():
    family = Categorical(levels=[["a", "b", "c"]] * 20)
    few = family.prepare(np.zeros((MANY_ROWS - 1, 20)))
    assert few.shape == (61, MANY_ROWS - 1)
    narrow = Categorical(levels=[["a", "b", "c"]] * 5).prepare(np.zeros((MANY_ROWS, 5)))
    assert narrow.shape == (16, MANY_ROWS)
