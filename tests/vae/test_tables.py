"""Tables of mixed columns and labels: densities, levels, frames, missing cells."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit, log_softmax
from sklearn.base import clone
from sklearn.compose import make_column_selector

torch = pytest.importorskip("torch")

from sklearn_genmodel.datasets import load_pima  # noqa: E402
from sklearn_genmodel.families import Columns, Gaussian  # noqa: E402
from sklearn_genmodel.vae import VAEEstimator  # noqa: E402

PIMA = load_pima(as_frame=True).data
GROUPS = Columns(
    [
        ("pregnancies", "negative_binomial", ["npreg"]),
        ("type", "categorical", ["type"]),
        ("sizes", "gaussian", ["glu", "bp", "skin", "bmi", "age"]),
    ],
    remainder="drop",
)
WITHOUT_PEDIGREE = [name for name in PIMA.columns if name != "ped"]


@pytest.fixture(scope="module")
def pima():
    arguments = {"max_epochs": 60, "learning_rate": 5e-3, "random_state": 1}
    return VAEEstimator(2, likelihood=GROUPS, **arguments).fit(PIMA)


def test_densities_are_those_of_the_columns():
    """log p(x | z) is the sum of scipy's log-densities over the columns that were seen."""
    columns = Columns(
        [
            ("label", "categorical", [1]),
            ("counts", "poisson", [3]),
            ("number", "gaussian", [0, 4]),
            ("yes", "bernoulli", [2]),
        ]
    )
    rng = np.random.default_rng(0)
    X = np.empty((60, 5), dtype=object)
    X[:, 0], X[:, 4] = rng.normal(size=60), rng.normal(5.0, 3.0, size=60)
    X[:, 1] = rng.choice(["a", "b", "c"], size=60)
    X[:, 2], X[:, 3] = rng.integers(2, size=60), rng.poisson(4.0, size=60)
    X[0, 1] = X[1, 4] = None
    vae = VAEEstimator(1, likelihood=columns, decoder_scale=0.7, max_epochs=2, random_state=0)
    vae.set_params(dtype="float64").fit(X)
    module, scaling, rows = vae.module_, vae._scaling, vae._rows(X)[1]
    z = torch.as_tensor(rng.normal(size=(1, 60, 1)))
    with torch.no_grad():
        found = module.log_likelihood(rows, z)[0].numpy()
        outputs = module.decode(z)[0].numpy()
    found += scaling.log_jacobian(vae._rows(X)[2])
    codes = [{"a": 0, "b": 1, "c": 2, None: 0}[label] for label in X[:, 1]]
    numbers = X[:, [0, 4]].astype(float)
    means = scaling.offset[[0, 4]] + scaling.scale[[0, 4]] * outputs[:, 4:6]
    normal = stats.norm(means, 0.7 * scaling.scale[[0, 4]]).logpdf(numbers)
    expected = (
        np.where(X[:, 1] == None, 0.0, log_softmax(outputs[:, :3], 1)[range(60), codes])  # noqa: E711
        + stats.poisson(np.exp(outputs[:, 3])).logpmf(X[:, 3].astype(float))
        + np.nansum(normal, axis=1)
        + stats.bernoulli(expit(outputs[:, 6])).logpmf(X[:, 2].astype(int))
    )
    assert_allclose(found, expected, rtol=1e-9)


def test_one_kind_of_column_is_the_plain_likelihood():
    X = PIMA[["glu", "bmi", "age"]]
    vae = VAEEstimator(likelihood="gaussian", max_epochs=5, random_state=0, dtype="float64").fit(X)
    grouped = Columns([("all", "gaussian", ["glu", "bmi", "age"])])
    mixed = clone(vae).set_params(likelihood=grouped).fit(X)
    assert_allclose(mixed.score_samples(X), vae.score_samples(X), rtol=1e-9)
    assert_allclose(mixed.sample(5), vae.sample(5), rtol=1e-9)


def test_samples_are_frames_like_the_one_fitted(pima):
    drawn = pima.sample(400, random_state=0)
    assert list(drawn.columns) == WITHOUT_PEDIGREE
    assert drawn.dtypes.to_dict() == PIMA[WITHOUT_PEDIGREE].dtypes.to_dict()
    assert set(drawn["type"]) == {"No", "Yes"}
    share = (PIMA["type"] == "Yes").mean()
    assert abs((drawn["type"] == "Yes").mean() - share) < 0.12
    assert abs(drawn["glu"].mean() - PIMA["glu"].mean()) < 0.2 * PIMA["glu"].std()


def test_imputation_keeps_what_was_seen(pima):
    filled = pima.impute(PIMA)
    assert not filled.isna().any().any()
    for name in WITHOUT_PEDIGREE:
        seen = PIMA[name].notna()
        assert_array_equal(filled[name][seen], PIMA[name][seen])
    missing = PIMA["bmi"].isna()
    assert filled["bmi"][missing].between(15, 60).all()


def test_hidden_labels_are_filled_better_than_by_the_most_frequent(pima):
    hidden = PIMA.iloc[:200].assign(type=None)
    truth = PIMA["type"].iloc[:200].to_numpy()
    found = pima.impute(hidden)["type"].to_numpy()
    assert np.mean(found == truth) > 0.05 + np.mean(truth == "No")


def test_a_column_left_out_does_not_matter(pima):
    other = PIMA.assign(ped=-1e9)
    assert_array_equal(pima.score_samples(other), pima.score_samples(PIMA))
    assert_array_equal(pima.transform(other), pima.transform(PIMA))


def test_files_and_pickles_keep_levels_and_groups(pima, tmp_path):
    pytest.importorskip("safetensors")
    pima.save(tmp_path / "model")
    loaded = VAEEstimator.load(tmp_path / "model")
    assert repr(loaded) == repr(pima)
    assert_array_equal(loaded.score_samples(PIMA), pima.score_samples(PIMA))
    # A file does not say of what type the columns of a frame were.
    drawn = loaded.sample(5, random_state=1)
    expected = pima.sample(5, random_state=1)
    assert_array_equal(drawn[:, 7], expected["type"])
    assert drawn[:, 5].tolist() == [None] * 5
    copied = pickle.loads(pickle.dumps(pima))
    assert copied.sample(5, random_state=1).equals(expected)
    assert np.isfinite(copied.partial_fit(PIMA).score(PIMA))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, None])
def test_labels_of_any_type(frame):
    rng = np.random.default_rng(0)
    labels = {
        "drink": rng.choice(["tea", "coffee", "water"], size=40).tolist(),
        "sugar": rng.choice([True, False], size=40).tolist(),
        "cups": rng.choice([1, 2, 5], size=40).tolist(),
    }
    X = np.array(list(labels.values()), dtype=object).T if frame is None else frame(labels)
    vae = VAEEstimator(1, likelihood="categorical", max_epochs=2, random_state=0).fit(X)
    drawn = vae.sample(100)
    assert type(drawn) is type(X)
    drawn = drawn if frame is None else np.array([drawn[name].to_list() for name in labels]).T
    assert {str(label) for label in drawn[:, 0]} == {"tea", "coffee", "water"}
    assert {float(label) for label in drawn[:, 2]} == {1.0, 2.0, 5.0}
    assert set(vae.reconstruct(X)[:, 0]) <= {"tea", "coffee", "water"}
    other = {"drink": ["juice"], "sugar": [True], "cups": [1]}
    unseen = np.array(list(other.values()), dtype=object).T if frame is None else frame(other)
    with pytest.raises(ValueError, match="'juice' in row 0, which is none of the levels"):
        vae.score(unseen)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (Columns([("a", "gamma", [0])]), "Group 'a' of likelihood has 'gamma': .* one of"),
        (Columns([("a", Gaussian(), [0])]), r"Group 'a' of likelihood has Gaussian\(\)"),
        (Columns([("a", "gaussian", [0])], remainder="gamma"), "Group 'remainder' .* 'gamma'"),
        ("gamma", "likelihood='gamma': choose one of .* or Columns"),
    ],
)
def test_distributions_that_there_are_not(columns, match):
    with pytest.raises(ValueError, match=match):
        VAEEstimator(likelihood=columns).fit(np.arange(12.0).reshape(6, 2))


def test_a_remainder_has_a_likelihood():
    X = PIMA[["npreg", "glu", "age"]]
    columns = Columns([("glucose", "gaussian", ["glu"])], remainder="negative_binomial")
    vae = VAEEstimator(likelihood=columns, max_epochs=2, random_state=0).fit(X)
    assert vae.sample(20)["age"].ge(0).all()
    warm = clone(vae).set_params(warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"gaussian \[1\]; negative_binomial.* asked for is"):
        warm.set_params(likelihood="gaussian").fit(X)


def test_going_on_needs_the_same_columns():
    """By another name or in another order they are the same, and other columns are not."""
    X = np.random.default_rng(0).poisson(5.0, size=(60, 3))
    table = pd.DataFrame(X, columns=["a", "b", "c"])

    def columns(first, second, **arguments):
        groups = [("first", "gaussian", first), ("second", "poisson", second)]
        return Columns(groups, **arguments)

    vae = VAEEstimator(likelihood=columns([0], [1, 2]), max_epochs=1, warm_start=True).fit(table)
    swapped = Columns([("x", "poisson", ["c", "b"])], remainder="gaussian")
    for same in (columns(["a"], ["b", "c"]), columns([0], lambda table: [1, 2]), swapped):
        vae.set_params(likelihood=same).fit(table)
    for other in (columns([2], [1, 0]), columns([0, 1], [2]), columns([0], [1], remainder="drop")):
        vae.set_params(likelihood=other)
        for go_on in (vae.fit, vae.partial_fit, vae.resume):
            with pytest.raises(ValueError, match=r"has likelihood='gaussian \[0\]; poisson \[1, 2"):
                go_on(table)


def test_groups_are_those_of_the_first_table():
    """A column of counts is one of floats where a count is missing."""
    rng = np.random.default_rng(0)
    whole = pd.DataFrame({"k": rng.poisson(3.0, 60), "x": rng.normal(size=60)})
    holes = whole.assign(k=whole["k"].where(whole.index > 0))
    groups = [("numbers", "gaussian", make_column_selector(dtype_include=float))]
    vae = VAEEstimator(likelihood=Columns(groups), max_epochs=1, warm_start=True).fit(holes)
    for go_on in (vae.partial_fit, vae.resume, vae.fit):
        go_on(whole)
    with pytest.warns(UserWarning, match="valid feature names") as told:
        vae.partial_fit(whole.to_numpy())
    assert len(told) == 1


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "visits": rng.poisson(3, 200),
            "height": rng.normal(170, 10, 200),
            "kind": rng.choice(list("abc"), 200),
            "known": rng.random(200) < 0.4,
        },
        index=np.arange(1000, 1200),
    )
    groups = [("n", "poisson", ["visits"]), ("x", "gaussian", ["height"])]
    groups += [("k", "categorical", ["kind"]), ("b", "bernoulli", ["known"])]
    return table, VAEEstimator(likelihood=Columns(groups), max_epochs=2, random_state=0).fit(table)


def test_what_is_filled_has_the_index_and_the_types(mixed):
    table, vae = mixed
    holes = table.astype(object).mask(np.random.default_rng(0).random(table.shape) < 0.3)
    filled = vae.impute(holes.iloc[5:50])
    assert filled.index.equals(holes.index[5:50])
    assert filled.dtypes.to_dict() == table.dtypes.to_dict()
    assert not holes.iloc[5:50].fillna(filled).isna().any().any()


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_paths_between_rows_as_users_have_them(mixed, frame):
    table, _ = mixed
    own = frame(table.to_dict("list"))
    vae = clone(mixed[1]).fit(own)
    rows = [table.iloc[0].tolist(), own[:1], table.iloc[0]]
    paths = [vae.interpolate(row, table.iloc[1].tolist(), 3) for row in rows]
    for path in paths:
        assert_array_equal(path, paths[0])
    ends = paths[0][0], np.asarray(vae.reconstruct(own[:1]))[0]
    assert ends[0][2] == ends[1][2]
    assert_allclose(*[end[[0, 1, 3]].astype(float) for end in ends], rtol=1e-12)
    moved = vae.traverse(0, values=1.0, row=table.iloc[0][::-1])
    assert_array_equal(moved, vae.traverse(0, values=[1.0], row=rows[0]))
    part = table.iloc[0].drop("kind")
    whole = own[:1].with_columns(kind=pl.lit(None)) if frame is pl.DataFrame else None
    whole = own[:1].assign(kind=None) if whole is None else whole
    ends = vae.traverse(0, values=0.0, row=part), vae.traverse(0, values=0.0, row=dict(part))
    assert_array_equal(*ends)
    assert_array_equal(ends[0], vae.traverse(0, values=0.0, row=whole))
    with pytest.raises(ValueError, match="'age' is no column of the fit"):
        vae.traverse(0, row={"age": 1.0})


def test_frames_of_numbers_are_imputed_as_frames():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "n": rng.poisson(3.0, 60)}, index=range(5, 65))
    frame.loc[::3, "a"] = np.nan
    vae = VAEEstimator(n_latent=1, max_epochs=3, random_state=0).fit(frame)
    filled = vae.impute(frame)
    assert filled.dtypes.to_dict() == frame.dtypes.to_dict()
    assert filled.index.equals(frame.index)
    with pytest.warns(UserWarning, match="valid feature names"):
        array = vae.impute(frame.to_numpy())
    assert_array_equal(filled.to_numpy(), array)
    assert_array_equal(filled["n"], frame["n"])


def test_imputed_frames_keep_what_was_seen(tmp_path):
    pytest.importorskip("safetensors")
    rng = np.random.default_rng(0)
    whole = pd.DataFrame({"a": np.arange(60), "b": rng.normal(size=60)})
    vae = VAEEstimator(n_latent=1, max_epochs=3, random_state=0).fit(whole)
    vae.save(tmp_path / "vae")
    given = pd.DataFrame({"a": [2.5, np.nan], "b": [np.nan, 1.5]})
    for own in (vae, VAEEstimator.load(tmp_path / "vae")):
        filled = own.impute(given)
        assert (filled.loc[0, "a"], filled.loc[1, "b"]) == (2.5, 1.5)
        assert not filled.isna().any(axis=None)


@pytest.mark.parametrize("likelihood", ["gaussian", Columns([("all", "gaussian", [0, 1])])])
def test_names_of_any_type_are_compared(likelihood):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=[5, 7])
    vae = VAEEstimator(likelihood=likelihood, max_epochs=1, random_state=0).fit(frame)
    assert vae.transform(frame).shape == (40, 2)
    for method in ("transform", "score_samples", "partial_fit"):
        with pytest.raises(ValueError, match=r"these were \[5, 7\], got \[7, 5\]"):
            getattr(vae, method)(frame[[7, 5]])
    assert vae.fit(frame[[7, 5]]).transform(frame[[7, 5]]).shape == (40, 2)
