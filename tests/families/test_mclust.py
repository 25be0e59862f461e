"""Covariance structures against mclust: counts of parameters, BIC, fits of R as fixed points."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families._gaussian import Gaussian, GaussianParams

REFERENCES = Path(__file__).parents[1] / "references"
FILES = {
    "iris": ("iris.csv", ["Sepal_Length", "Sepal_Width", "Petal_Length", "Petal_Width"]),
    "thyroid": ("mclust_thyroid.csv", ["RT3U", "T4", "T3", "TSH", "DTSH"]),
    "crabs": ("mass_crabs.csv", ["FL", "RW", "CL", "CW", "BD"]),
}


def load(file, columns):
    """Columns of a file of the references."""
    with (REFERENCES / "data" / file).open(newline="") as lines:
        return np.array([[float(row[name]) for name in columns] for row in csv.DictReader(lines)])


# nMclustParams(modelName, d = 4, G = 3) of mclust: mixing weights and means included.
N_PARAMETERS = {
    "EII": 15,
    "VII": 17,
    "EEI": 18,
    "VEI": 20,
    "EVI": 24,
    "VVI": 26,
    "EEE": 24,
    "VEE": 26,
    "EVE": 30,
    "VVE": 32,
    "EEV": 36,
    "VEV": 38,
    "EVV": 42,
    "VVV": 44,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("code", N_PARAMETERS)
def test_em_never_lowers_the_bound(code, name):
    X, family = load(*FILES[name]), Gaussian(code)
    resp = np.random.default_rng(0).dirichlet(np.ones(3), size=len(X))
    theta = Theta(np.full(3, 1.0 / 3.0), family.weighted_mle(X, resp))
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(30):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() >= -1e-11 * abs(bounds[-1])
    assert bounds[-1] > bounds[0]


@pytest.mark.parametrize("code", N_PARAMETERS)
def test_n_parameters_is_mclusts(code):
    assert Gaussian(code).n_parameters(3, 4) + 2 == N_PARAMETERS[code]


# BIC of mclust for iris with two components; VVE stops short of its maximum there.
MCLUST_BIC = {
    "EII": -1123.4117,
    "VII": -1012.2352,
    "EEI": -1042.9679,
    "VEI": -956.2823,
    "EVI": -1007.3082,
    "VVI": -857.5515,
    "EEE": -688.0972,
    "VEE": -656.3270,
    "EVE": -657.2263,
    "EEV": -644.5997,
    "VEV": -561.7285,
    "EVV": -658.3306,
    "VVV": -574.0178,
}


@pytest.mark.parametrize("code", MCLUST_BIC)
def test_iris_has_mclusts_bic(code):
    X, family = load(*FILES["iris"]), Gaussian(code)
    resp = np.eye(2)[np.repeat([0, 1, 1], 50)]
    theta = Theta(np.array([1.0, 2.0]) / 3.0, family.weighted_mle(X, resp))
    step = blocked_step(family, Rows(X))
    for _ in range(30):
        theta, bound = step(theta)
    # The bound of a pass is the mean log-likelihood at the parameters it started from.
    n_parameters = family.n_parameters(2, 4) + 1
    bic = 2.0 * len(X) * bound - n_parameters * np.log(len(X))
    # mclust stops at a relative change of 1e-5.
    assert bic == pytest.approx(MCLUST_BIC[code], abs=1e-3)


def records():
    """Reference fits of the tied structures and of univariate data."""
    every = json.loads((REFERENCES / "reference_fits.json").read_text())
    names = ("EEI", "EII", "E", "V")
    return [record for record in every if record.get("mclust_model") in names and record["K"] < 4]


@pytest.mark.parametrize("record", records(), ids=lambda record: record["id"])
def test_reference_fits_are_fixed_points(record):
    """The log-likelihood of R's optimum, where a pass of EM gains nothing."""
    X = load(record["file"], record["columns"]) / record["divide_by"]
    code, K = record["mclust_model"], record["K"]
    family, dense = Gaussian(code, reg_covar=0.0), np.reshape(record["covariances"], (K, -1))
    dense = dense.reshape(K, X.shape[1], X.shape[1])
    packed = {"EEI": np.diag(dense[0]), "EII": dense[0, 0, 0], "E": dense[0], "V": dense}[code]
    means = np.reshape(record["means"], (K, -1))
    theta = Theta(np.array(record["weights"]), GaussianParams(means, packed))
    step = blocked_step(family, Rows(X))
    theta, bound = step(theta)
    _, after = step(theta)
    assert len(X) * bound == pytest.approx(record["loglik"], rel=1e-9)
    assert len(X) * after == pytest.approx(record["loglik"], rel=1e-9)
    assert family.n_parameters(K, X.shape[1]) + K - 1 == record["n_params"]
