"""Read the reference fits and their data; no code of the package is used here."""

import csv
import json
from pathlib import Path

import numpy as np
from sklearn import datasets

FOLDER = Path(__file__).parent
FAMILIES = (
    "gaussian",
    "poisson",
    "bernoulli",
    "categorical",
    "exponential",
    "gamma",
    "lognormal",
    "weibull",
    "negative_binomial",
    "von_mises",
    "student_t",
    "mixed",
    "ppca",
    "factor_analysis",
)
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")
LABELS = ("bernoulli", "categorical")

# The rules as the records spell them; `i` numbers the rows of the file from 1.
WEIGHT_RULES = {
    "1": lambda i: np.ones(len(i)),
    "1+(i*7)%%4, i=1..n": lambda i: 1.0 + (i * 7) % 4,
    "0.05+0.95*sin(1.7*i)^2, i=1..n": lambda i: 0.05 + 0.95 * np.sin(1.7 * i) ** 2,
}

# Data that scikit-learn has, as the records spell them.
SKLEARN_DATA = {
    "sklearn load_iris, raw": lambda: datasets.load_iris().data,
    "sklearn load_wine, standardised with population std": lambda: _standardised(
        datasets.load_wine().data
    ),
    "sklearn load_breast_cancer, standardised with population std": lambda: _standardised(
        datasets.load_breast_cancer().data
    ),
    "sklearn load_digits / 16": lambda: datasets.load_digits().data / 16.0,
}


def load_records(folder=FOLDER):
    """Return all records of ``folder / "reference_fits.json"``.

    Parameters
    ----------
    folder : path-like, default=the folder of this module

    Returns
    -------
    records : list of dict
    """
    return json.loads((Path(folder) / "reference_fits.json").read_text(encoding="utf-8"))


def mixture_fits(records, families=FAMILIES):
    """Return the maxima of the families named: all records but the trajectories.

    Parameters
    ----------
    records : list of dict
    families : collection of str, default=all families of the records

    Returns
    -------
    records : list of dict
    """
    return [
        record
        for record in records
        if not record["id"].startswith("trajectory-") and record["family"] in families
    ]


def trajectories(records):
    """Return the records that follow plain EM from a given start, pass by pass."""
    return [r for r in records if r["id"].startswith("trajectory-sklearn-")]


def n_components(record):
    """Number of mixture components; records of one component may leave it out."""
    return record.get("K", 1)


def has_data(record, folder=FOLDER):
    """Whether the rows of a record are in a folder, or in scikit-learn."""
    if "file" in record:
        return _find(Path(folder), record["file"]).exists()
    return record["data"] in SKLEARN_DATA


def load_data(record, folder=FOLDER):
    """Read the rows that a record was fitted to.

    Parameters
    ----------
    record : dict
    folder : path-like, default=the folder of this module
        Holds the CSV files, or has a subfolder ``data`` that does.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
        In the record's units, labels as their place in the order of the codes or of ``levels``
        from 0, angles in radians; missing cells are NaN.
    sample_weight : ndarray of shape (n_rows,) or None
        None where the record weighs all rows alike.
    """
    if "data" in record:
        return SKLEARN_DATA[record["data"]](), None
    table = _read_csv(_find(Path(folder), record["file"]))
    levels = record.get("levels") or [None] * len(record["columns"])
    columns = zip(record["columns"], levels, strict=True)
    X = np.column_stack([_column(table, name, words) for name, words in columns])
    X = _recode(X / record.get("divide_by", 1), record)
    sample_weight = _weights(record, table, len(X))
    if "dropped" in record.get("recode", ""):
        complete = ~np.isnan(X).any(axis=1)
        X, sample_weight = X[complete], None if sample_weight is None else sample_weight[complete]
    return X, sample_weight


def _standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _find(folder, name):
    nested = folder / "data" / name
    return nested if nested.exists() else folder / name


def _read_csv(path):
    """The cells of every column as text."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _column(table, name, levels):
    """Numbers of one column, NaN for empty cells; the place of its word in `levels`, if given."""
    name, _, unit = name.partition(" ")
    if levels is not None:
        places = {"": np.nan, **{word: float(place) for place, word in enumerate(levels)}}
        return np.array([places[cell] for cell in table[name]])
    values = np.array([float(cell) if cell.strip() else np.nan for cell in table[name]])
    return np.deg2rad(values) if unit == "(deg)" else values


def _recode(X, record):
    """Codes 1, 2, ... C become 0, 1, ... C - 1 in the order of the codes."""
    if record.get("family") not in LABELS:
        return X
    if not record["recode"].startswith("0/1"):
        X = X - 1.0
    if record["family"] == "bernoulli" and not np.isin(X[~np.isnan(X)], (0.0, 1.0)).all():
        raise ValueError(f"{record['id']}: {record['file']} holds values other than the two codes")
    return X


def _weights(record, table, n_rows):
    if record.get("freq_column"):
        return _column(table, record["freq_column"], None)
    if record.get("weight_rule"):
        return WEIGHT_RULES[record["weight_rule"]](np.arange(1, n_rows + 1))
    return None
