"""The reference records, their data and the loader agree; nothing of the package is used."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp, xlog1py, xlogy
from scipy.stats import multivariate_normal, poisson

sys.path.insert(0, str(Path(__file__).parent))
import _records

RECORDS = _records.load_records()
FITS = _records.mixture_fits(RECORDS)
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
}


def by_id(records):
    return pytest.mark.parametrize("record", records, ids=lambda record: record["id"])


def gaussian_log_prob(X, params, record):
    matrices = _records.expand_covariances(
        params["covariances"], record["covariance"], record["K"], X.shape[1]
    )
    normals = zip(params["means"], matrices, strict=True)
    return np.stack([np.atleast_1d(multivariate_normal(*p).logpdf(X)) for p in normals], axis=1)


def poisson_log_prob(X, params, _record):
    return poisson.logpmf(X[:, None, :], params["rates"]).sum(axis=2)


def bernoulli_log_prob(X, params, _record):
    """Independent Bernoulli columns; a missing cell contributes nothing."""
    cells = X[:, None, :]
    log_prob = xlogy(cells, params["probs"]) + xlog1py(1.0 - cells, -params["probs"])
    return np.where(np.isnan(cells), 0.0, log_prob).sum(axis=2)


LOG_PROB = {
    "gaussian": gaussian_log_prob,
    "poisson": poisson_log_prob,
    "bernoulli": bernoulli_log_prob,
}


def log_density(X, params, record):
    """Log-density of each row in nats at the parameters given, evaluated with scipy."""
    log_prob = LOG_PROB[record.get("family", "gaussian")](X, params, record)
    with np.errstate(divide="ignore"):
        return logsumexp(log_prob + np.log(params["weights"]), axis=1)


def direct_loglik(record, folder=_records.FOLDER):
    """Total log-likelihood in nats of a record's data at the record's parameters."""
    X, sample_weight = _records.load_data(record, folder)
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    log_prob = log_density(X, _records.load_parameters(record), record)
    seen = weight > 0  # a pattern that nobody showed may have probability 0
    return float(weight[seen] @ log_prob[seen])


@by_id(FITS)
def test_loglik_at_the_parameters(record):
    assert direct_loglik(record) == pytest.approx(record["loglik"], rel=1e-9, abs=0)


@by_id(FITS)
def test_size(record):
    X, sample_weight = _records.load_data(record)
    is_frequency = bool(record.get("freq_column"))
    assert (sample_weight.sum() if is_frequency else len(X)) == record["n"]
    assert X.shape[1] == record.get("d", len(record["columns"]))
    assert np.isnan(X).sum() == record.get("missing_cells", 0)


@by_id([r for r in FITS if r["family"] == "gaussian"])
def test_references_are_admissible(record):
    X, sample_weight = _records.load_data(record)
    params = _records.load_parameters(record)
    admissible = _records.is_admissible(
        params["weights"], params["covariances"], record["covariance"], X, sample_weight
    )
    assert admissible == (record["id"] not in SMALL_TIED_COMPONENTS)


@by_id(TRAJECTORIES)
def test_trajectory_start(record):
    X, _ = _records.load_data(record)
    start = log_density(X, _records.trajectory_start(record, X), record)
    assert start.mean() == pytest.approx(record["steps"][0]["lower_bound"], rel=1e-12)


@pytest.mark.parametrize("covariance_type", _records.COVARIANCE_TYPES)
def test_degenerate_components_are_not_admissible(covariance_type):
    X = np.random.default_rng(0).normal(size=(100, 2))
    matrices = np.stack([np.eye(2)] * 2)
    good = _records.compact_covariances(matrices, covariance_type)
    narrow = _records.compact_covariances(matrices * 1e-4, covariance_type)
    assert _records.is_admissible([0.5, 0.5], good, covariance_type, X)
    assert not _records.is_admissible([0.97, 0.03], good, covariance_type, X)
    assert _records.is_admissible([0.5, 0.5], narrow, covariance_type, X) == (
        covariance_type == "tied"
    )


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
