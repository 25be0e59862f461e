"""The reference records, their data and the loader agree; nothing of the package is used."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.decomposition import FactorAnalysis

sys.path.insert(0, str(Path(__file__).parent))
import _record_parameters
import _record_spikes
import _records
from _direct_evaluation import (
    gaussian_maximum,
    log_density,
    log_joint,
    ppca_maximum,
    total_loglik,
)

RECORDS = _records.load_records()
FITS = _records.mixture_fits(RECORDS)
AT_PARAMETERS = [record for record in FITS if _record_parameters.has_parameters(record)]
TRAJECTORIES = _records.trajectories(RECORDS)

# A tied covariance cannot collapse: the best known maxima of these have a component of one to
# five rows.
SMALL_TIED_COMPONENTS = {
    "gaussian-galaxies-E-5",
    "gaussian-galaxies-E-6",
    "gaussian-acidity-E-4",
    "gaussian-acidity-E-5",
    "gaussian-thyroid-EEE-2",
    "gaussian-thyroid-EEE-3",
    "gaussian-thyroid-EEE-4",
    "gaussian-thyroid-EEI-4",
}

# The noise variance of a column goes to 0, and thousands of iterations do not settle it.
VANISHING_NOISE = {"fa-iris-1", "fa-iris-2", "fa-wine_std-5", "fa-breast_cancer_std-5"}


def by_id(records):
    return pytest.mark.parametrize("record", records, ids=lambda record: record["id"])


def of(*families):
    return _records.mixture_fits(FITS, families)


def direct_loglik(record, folder=_records.FOLDER):
    """Total log-likelihood in nats of a record's data at the record's parameters."""
    X, sample_weight = _records.load_data(record, folder)
    params = _record_parameters.load_parameters(record)
    return total_loglik(log_density(X, params, record), sample_weight)


@by_id(AT_PARAMETERS)
def test_loglik_at_the_parameters(record):
    assert direct_loglik(record) == pytest.approx(record["loglik"], rel=1e-9, abs=0)


@by_id(FITS)
def test_size(record):
    X, sample_weight = _records.load_data(record)
    is_frequency = bool(record.get("freq_column"))
    assert (sample_weight.sum() if is_frequency else len(X)) == record["n"]
    assert X.shape[1] == record["d"] if "d" in record else len(record["columns"])
    assert np.isnan(X).sum() == record.get("missing_cells", 0)


@by_id(of("gaussian"))
def test_references_are_admissible(record):
    X, sample_weight = _records.load_data(record)
    params = _record_parameters.load_parameters(record)
    admissible = _record_spikes.is_admissible(
        params["weights"], params["covariances"], record["covariance"], X, sample_weight
    )
    assert admissible == (record["id"] not in SMALL_TIED_COMPONENTS)


@by_id(of("student_t", "gamma", "lognormal", "weibull", "mixed"))
def test_references_leave_every_component_room(record):
    X, sample_weight = _records.load_data(record)
    joint = log_joint(X, _record_parameters.load_parameters(record), record)
    resp = softmax(joint, axis=1)
    assert _record_spikes.is_admissible_partition(record, X, resp, sample_weight)


@by_id(of("ppca"))
def test_probabilistic_pca_in_closed_form(record):
    X, _ = _records.load_data(record)
    noise, loglik = ppca_maximum(X, record["n_components"])
    assert loglik == pytest.approx(record["loglik"], rel=1e-9)
    assert noise == pytest.approx(record["noise_variance"], rel=1e-9)


@by_id(of("factor_analysis"))
def test_factor_analysis_lies_between_its_neighbours(record):
    """Isotropic noise is a case of it, and it is a case of a free covariance."""
    X, _ = _records.load_data(record)
    assert record["loglik"] > ppca_maximum(X, record["n_components"])[1]
    assert record["loglik"] < gaussian_maximum(X)


@by_id([record for record in of("factor_analysis") if record["id"] not in VANISHING_NOISE])
def test_factor_analysis_of_scikit_learn(record):
    X, _ = _records.load_data(record)
    model = FactorAnalysis(record["n_components"], tol=1e-6, max_iter=5000, svd_method="lapack")
    loglik = model.fit(X).score(X) * len(X)
    assert loglik == pytest.approx(record["loglik"], rel=1e-6)


@by_id(TRAJECTORIES)
def test_trajectory_start(record):
    X, _ = _records.load_data(record)
    start = log_density(X, _record_parameters.trajectory_start(record, X), record)
    assert start.mean() == pytest.approx(record["steps"][0]["lower_bound"], rel=1e-12)


@pytest.mark.parametrize("covariance_type", _records.COVARIANCE_TYPES)
def test_degenerate_components_are_not_admissible(covariance_type):
    X = np.random.default_rng(0).normal(size=(100, 2))
    matrices = np.stack([np.eye(2)] * 2)
    good = _record_parameters.compact_covariances(matrices, covariance_type)
    narrow = _record_parameters.compact_covariances(matrices * 1e-4, covariance_type)
    assert _record_spikes.is_admissible([0.5, 0.5], good, covariance_type, X)
    assert not _record_spikes.is_admissible([0.97, 0.03], good, covariance_type, X)
    assert _record_spikes.is_admissible([0.5, 0.5], narrow, covariance_type, X) == (
        covariance_type.startswith("tied")
    )


@pytest.mark.parametrize("family", ["student_t", "gamma", "lognormal", "weibull", "mixed"])
def test_components_on_one_place_are_not_admissible(family):
    X = np.random.default_rng(0).gamma(2.0, size=(100, 1))
    X[:10] = 1.0 + 1e-4 * X[:10]
    record = {"family": family, "column_families": ["gaussian"]}
    spike, halves = np.zeros((2, 100, 2))
    spike[:10, 0] = spike[10:, 1] = halves[:50, 0] = halves[50:, 1] = 1.0
    few = np.where(np.arange(100)[:, None] < 98, [1.0, 0.0], [0.0, 1.0])
    assert _record_spikes.is_admissible_partition(record, X, halves)
    assert not _record_spikes.is_admissible_partition(record, X, spike)
    assert not _record_spikes.is_admissible_partition(record, X, few)
    X[60] = np.nan  # the other cells of its component decide
    assert _record_spikes.is_admissible_partition(record, X, halves)
    assert not _record_spikes.is_admissible_partition(record, X, spike)


def test_weight_rules_count_rows_from_one():
    rules = {name: rule(np.arange(1, 4)) for name, rule in _records.WEIGHT_RULES.items()}
    assert rules["1"].tolist() == [1, 1, 1]
    assert rules["1+(i*7)%%4, i=1..n"].tolist() == [4, 3, 2]
    assert rules["0.05+0.95*sin(1.7*i)^2, i=1..n"][0] == pytest.approx(0.984230, abs=1e-6)


def test_codes_become_zero_and_one_and_incomplete_rows_go(tmp_path):
    (tmp_path / "codes.csv").write_text('"A","B"\n1,2\n2,\n2,2\n')
    record = {"id": "x", "family": "bernoulli", "file": "codes.csv", "columns": ["A", "B"]}
    skipped, _ = _records.load_data(record | {"recode": "codes 1/2; missing skipped"}, tmp_path)
    np.testing.assert_array_equal(skipped, [[0, 1], [1, np.nan], [1, 1]])
    dropped, _ = _records.load_data(record | {"recode": "codes 1/2; missing dropped"}, tmp_path)
    np.testing.assert_array_equal(dropped, [[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="other than the two codes"):
        _records.load_data(record | {"recode": "0/1"}, tmp_path)


def test_words_become_their_places_and_degrees_radians(tmp_path):
    (tmp_path / "table.csv").write_text('"w","a"\n"No",180\n"Yes",\n"",90\n')
    record = {"id": "x", "family": "mixed", "file": "table.csv", "columns": ["w", "a (deg)"]}
    X, _ = _records.load_data(record | {"levels": [["Yes", "No"], None]}, tmp_path)
    np.testing.assert_array_equal(X, [[1, np.pi], [0, np.nan], [np.nan, np.pi / 2]])


def test_folder_without_the_data(tmp_path):
    assert not _records.has_data({"file": "faithful.csv"}, tmp_path)
    assert _records.has_data({"file": "faithful.csv"})
    assert not _records.has_data({"data": "images/frey_faces.npz / 255"})
    assert all(_records.has_data(record) for record in FITS)
