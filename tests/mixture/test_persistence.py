"""Saved mixtures: the same numbers afterwards, nothing executed, nothing unknown accepted."""

import importlib.util
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import stats
from sklearn.datasets import load_iris

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_pima
from sklearn_genmodel.families import (
    Categorical,
    Columns,
    Gaussian,
    NormalInverseWishart,
    Poisson,
    PoissonParams,
    ScipyFamily,
    StudentT,
    Uniform,
    ZeroInflated,
)

IRIS = load_iris().data
COUNTS = np.random.default_rng(0).poisson([[2.0, 9.0]] * 80 + [[7.0, 1.0]] * 40)
LABELS = pd.DataFrame(
    {"drink": ["tea", "tea", "coffee", None] * 10, "sugar": [True, False, False, False] * 10}
)
MIXED = Columns(
    [
        ("counts", Poisson(prior=1.0), ["npreg"]),
        ("type", Categorical(prior=1.0), ["type"]),
        ("sizes", Gaussian("diag"), slice("glu", "bmi")),
    ],
    remainder="drop",
)
CASES = {
    "gaussian": ("gaussian", IRIS),
    "gaussian with a prior": (Gaussian(prior=NormalInverseWishart()), IRIS),
    "VEE": (Gaussian("VEE"), IRIS),
    "factor": (Gaussian("factor", n_factors=1), IRIS),
    "student_t": (StudentT(), IRIS),
    "poisson": ("poisson", COUNTS),
    "poisson with a prior": (Poisson(prior=2.0), COUNTS),
    "zero-inflated": (ZeroInflated(Poisson()), COUNTS),
    "categorical": (Categorical(), LABELS),
    "columns": (MIXED, load_pima(as_frame=True).data),
    "list": ([Gaussian("spherical"), "gaussian", Uniform()], IRIS),
}


@pytest.fixture(params=[True, False], ids=["safetensors", "npz"])
def format_(request, monkeypatch):
    """Both kinds of file, whatever is installed."""
    if request.param:
        pytest.importorskip("safetensors")
    else:
        found = importlib.util.find_spec
        hidden = lambda name: None if name == "safetensors" else found(name)  # noqa: E731
        monkeypatch.setattr(importlib.util, "find_spec", hidden)
    return request.param


@pytest.mark.parametrize("name", list(CASES))
def test_a_saved_mixture_is_the_same(name, format_, tmp_path):
    family, X = CASES[name]
    n_components = 3 if name == "list" else 2
    mixture = EMMixture(n_components, family=family, n_init=2, max_iter=20, tol=0.0, random_state=0)
    mixture.fit(X)
    path = tmp_path / "mixture"
    mixture.save(path)
    assert (path.read_bytes()[:2] == b"PK") is not format_
    loaded = EMMixture.load(path)
    assert repr(loaded) == repr(mixture)
    assert repr(loaded.family_) == repr(mixture.family_)
    assert_array_equal(loaded.score_samples(X), mixture.score_samples(X))
    assert_array_equal(loaded.predict_proba(X), mixture.predict_proba(X))
    rows, labels = mixture.sample(5, random_state=1)
    found, found_labels = loaded.sample(5, random_state=1)
    assert_array_equal(found_labels, labels)
    if not isinstance(X, pd.DataFrame):
        assert_array_equal(found, rows)
    assert loaded.summary() == mixture.summary()
    assert loaded.bic(X) == mixture.bic(X)
    assert str(loaded.init_results_) == str(mixture.init_results_)
    assert (loaded.n_iter_, loaded.converged_) == (mixture.n_iter_, mixture.converged_)


def test_names_and_labels_of_a_frame_come_back(tmp_path):
    mixture = EMMixture(2, family="categorical", random_state=0).fit(LABELS)
    mixture.save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture")
    assert_array_equal(loaded.feature_names_in_, ["drink", "sugar"])
    assert loaded.family_.levels == (("coffee", "tea"), (False, True))
    assert set(loaded.sample(50)[0][:, 0]) == {"coffee", "tea"}
    with pytest.raises(ValueError, match="feature names"):
        loaded.score(LABELS[["sugar", "drink"]])
    assert loaded.fit(LABELS).score(LABELS) == mixture.score(LABELS)


def test_arguments_that_hold_arrays(tmp_path):
    start = np.arange(len(IRIS)) % 2
    fixed = {"weights": np.array([0.3, 0.7])}
    mixture = EMMixture(2, init=start, fixed=fixed, random_state=np.random.default_rng(0))
    mixture.fit(IRIS).save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture")
    assert loaded.random_state is None
    assert_array_equal(loaded.init, start)
    assert_array_equal(loaded.fixed["weights"], fixed["weights"])
    assert loaded.bic(IRIS) == mixture.bic(IRIS)
    assert loaded.partial_fit(IRIS).n_batches_ == 1


def rewrite(path, **changes):
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    own = json.loads(header["__metadata__"]["sklearn_genmodel"])
    own["params"] |= changes.pop("params", {})
    header["__metadata__"]["sklearn_genmodel"] = json.dumps(own | changes)
    packed = json.dumps(header).encode()
    path.write_bytes(len(packed).to_bytes(8, "little") + packed + content[end:])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"version": 2}, "is of version 2; this version of the library reads version 1"),
        ({"format": "sklearn_genmodel.VAEEstimator"}, r"not a sklearn_genmodel\.EMMixture"),
        ({"params": {"charm": 1}}, "arguments that EMMixture does not know: charm"),
        ({"params": {"family": {"class": "os.system", "fields": {}}}}, r"names 'os\.system'"),
        ({"params": {"family": {"class": "CustomFamily", "fields": {}}}}, "names 'CustomFamily'"),
        ({"params": {"family": {"class": "Poisson", "fields": {"x": 1}}}}, "does not take"),
        ({"params": {"family": {"eval": []}}}, "holds a 'eval'"),
    ],
)
def test_what_is_not_known_is_refused(changes, match, tmp_path):
    pytest.importorskip("safetensors")
    EMMixture(2, random_state=0).fit(IRIS).save(tmp_path / "mixture")
    rewrite(tmp_path / "mixture", **changes)
    with pytest.raises(ValueError, match=match):
        EMMixture.load(tmp_path / "mixture")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "mixture"
    with (tmp_path / "objects").open("wb") as file:
        np.savez(file, sklearn_genmodel=np.array([print], dtype=object))
    contents = [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00not json", pickle.dumps({})]
    for content in [*contents, (tmp_path / "objects").read_bytes()]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is no file that EMMixture\.save wrote"):
            EMMixture.load(path)


class Own(Poisson):
    """A family of a user's."""


@pytest.mark.parametrize("family", [Own(), ScipyFamily(stats.expon)], ids=["own", "scipy"])
def test_objects_of_the_user_are_not_saved(family, tmp_path):
    mixture = EMMixture(1, family=family).fit(COUNTS + 1.0)
    with pytest.raises(ValueError, match=r"family holds .* cannot be saved.* Use pickle"):
        mixture.save(tmp_path / "mixture")
    assert not list(tmp_path.iterdir())


def test_distributions_of_scipy_are_saved_by_name(tmp_path):
    family = ScipyFamily("gumbel_r", fixed={"scale": 2.0}, start={"loc": 1.0})
    mixture = EMMixture(2, family=family, random_state=0).fit(COUNTS + 1.0)
    mixture.save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture")
    locations = loaded.params_.values[..., 0]
    terms = stats.gumbel_r.logpdf(COUNTS[:, None] + 1.0, locations, 2.0).sum(axis=2)
    expected = np.log(np.exp(terms) @ loaded.weights_)
    np.testing.assert_allclose(loaded.score_samples(COUNTS + 1.0), expected, rtol=1e-10)
    assert_array_equal(loaded.score_samples(COUNTS), mixture.score_samples(COUNTS))


def test_mixtures_that_were_not_fitted_are_saved(tmp_path):
    mixture = EMMixture(2, random_state=0).fit(IRIS)
    made = EMMixture.from_params("poisson", [0.5, 0.5], PoissonParams([[1.0], [2.0]]))
    for own in (mixture.marginal([0]), mixture.conditional([np.nan, 3.0, 1.5, 0.2]), made):
        own.save(tmp_path / "derived")
        again = EMMixture.load(tmp_path / "derived")
        assert again.score([[3.0]]) == own.score([[3.0]])
        assert not hasattr(again, "lower_bound_")


def test_damaged_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    path = tmp_path / "mixture"
    EMMixture(2, random_state=0).fit(IRIS).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays["sklearn_genmodel"]))

    def write(header, arrays):
        with path.open("wb") as file:
            np.savez(file, **arrays | {"sklearn_genmodel": np.array(json.dumps(header))})

    write(header | {"fitted": {}}, arrays)
    with pytest.raises(ValueError, match="lacks 'family_': it is damaged"):
        EMMixture.load(path)
    write(header, {name: values for name, values in arrays.items() if name != "array_1"})
    with pytest.raises(ValueError, match="holds a 'array', 'array_1'"):
        EMMixture.load(path)
    means = header["fitted"]["params_"]["fields"]["means"]["array"]
    write(header, arrays | {means: np.full_like(arrays[means], np.nan)})
    with pytest.raises(ValueError, match="are no parameters of"):
        EMMixture.load(path)


def test_batches_do_not_go_on_from_a_file(tmp_path):
    mixture = EMMixture(2, n_init=2, random_state=0).partial_fit(IRIS)
    mixture.save(tmp_path / "mixture")
    loaded = EMMixture.load(tmp_path / "mixture")
    with pytest.raises(ValueError, match=r"none of the statistics of its 1 batch\(es\): pickle"):
        loaded.partial_fit(IRIS)
    assert loaded.score(IRIS) == mixture.score(IRIS)
    assert loaded.fit(IRIS).partial_fit(IRIS).n_batches_ == 1


def test_components_without_a_finite_mean_are_loaded(tmp_path):
    x = np.exp(40.0 * np.random.default_rng(0).normal(size=(500, 1)))
    mixture = EMMixture(1, family="log_normal").fit(x)
    assert np.isinf(mixture.mean()).all()
    mixture.save(tmp_path / "wide")
    assert EMMixture.load(tmp_path / "wide").score(x) == mixture.score(x)
