"""Read the reference fits and their data; no code of the package is used here."""

import csv
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
FAMILIES = ("gaussian", "poisson", "bernoulli")
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")

# The rules as the records spell them; `i` numbers the rows of the file from 1.
WEIGHT_RULES = {
    "1": lambda i: np.ones(len(i)),
    "1+(i*7)%%4, i=1..n": lambda i: 1.0 + (i * 7) % 4,
    "0.05+0.95*sin(1.7*i)^2, i=1..n": lambda i: 0.05 + 0.95 * np.sin(1.7 * i) ** 2,
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


def is_mixture_fit(record):
    """Whether ``record`` is a maximum of a family and covariance that this suite compares."""
    if record["id"].startswith("trajectory-") or record.get("family") not in FAMILIES:
        return False
    return record["family"] != "gaussian" or record["covariance"] in COVARIANCE_TYPES


def mixture_fits(records, families=FAMILIES):
    """Return the Gaussian (four covariance types), Poisson and Bernoulli maxima.

    Parameters
    ----------
    records : list of dict
    families : collection of str, default=("gaussian", "poisson", "bernoulli")

    Returns
    -------
    records : list of dict
    """
    return [r for r in records if is_mixture_fit(r) and r["family"] in families]


def trajectories(records):
    """Return the records that follow plain EM from a given start, pass by pass."""
    return [r for r in records if r["id"].startswith("trajectory-sklearn-")]


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
        In the record's units; missing cells are NaN.
    sample_weight : ndarray of shape (n_rows,) or None
        None where the record weighs all rows alike.
    """
    table = _read_csv(_find(Path(folder), record["file"]))
    X = np.column_stack([table[name] for name in record["columns"]])
    X = _recode(X / record.get("divide_by", 1), record)
    sample_weight = _weights(record, table, len(X))
    if "dropped" in record.get("recode", ""):
        complete = ~np.isnan(X).any(axis=1)
        X, sample_weight = X[complete], None if sample_weight is None else sample_weight[complete]
    return X, sample_weight


def _find(folder, name):
    nested = folder / "data" / name
    return nested if nested.exists() else folder / name


def _read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True)
    return {name: _floats(cells) for name, cells in zip(header, columns, strict=True)}


def _floats(cells):
    """Numbers of one column, NaN for empty cells; None for a column of words."""
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError:
        return None


def _recode(X, record):
    """Latent-class codes 1/2 become 0/1 in the order of the codes."""
    if record.get("recode", "").startswith(("codes 1/2", "as in the CSV")):
        X = X - 1.0
    if record.get("family") == "bernoulli" and not np.isin(X[~np.isnan(X)], (0.0, 1.0)).all():
        raise ValueError(f"{record['id']}: {record['file']} holds values other than the two codes")
    return X


def _weights(record, table, n_rows):
    if record.get("freq_column"):
        return table[record["freq_column"]]
    if record.get("weight_rule"):
        return WEIGHT_RULES[record["weight_rule"]](np.arange(1, n_rows + 1))
    return None


def load_parameters(record):
    """Return the parameters of a maximum as arrays whose first axis is the component.

    Parameters
    ----------
    record : dict
        One of `mixture_fits`.

    Returns
    -------
    parameters : dict of ndarray
        ``weights`` (K,) and, for a Gaussian, ``means`` (K, d) and ``covariances``: full
        (K, d, d), tied (d, d), diag (K, d), spherical (K,); for a Poisson, ``rates`` (K, d);
        for a Bernoulli, ``probs`` (K, d), the probabilities of a 1.
    """
    weights = np.array(record.get("weights", [1.0]), dtype=float).reshape(record["K"])
    return {"weights": weights, **_READERS[record["family"]](record)}


def _gaussian(record):
    n_components, n_features = record["K"], record["d"]
    matrices = np.reshape(record["covariances"], (n_components, n_features, n_features))
    return {
        "means": np.reshape(record["means"], (n_components, n_features)).astype(float),
        "covariances": compact_covariances(matrices.astype(float), record["covariance"]),
    }


def _poisson(record):
    components = record["params"]
    components = [components] if isinstance(components, dict) else components
    return {"rates": np.array([[component["rate"]] for component in components])}


def _bernoulli(record):
    n_components = record["K"]
    columns = [np.reshape(record["probs"][name], (n_components, 2)) for name in record["columns"]]
    return {"probs": np.stack(columns, axis=1)[:, :, 1].astype(float)}


_READERS = {"gaussian": _gaussian, "poisson": _poisson, "bernoulli": _bernoulli}


def compact_covariances(matrices, covariance_type):
    """Keep of (K, d, d) matrices what the covariance type stores.

    Parameters
    ----------
    matrices : ndarray of shape (n_components, n_features, n_features)
    covariance_type : {"full", "tied", "diag", "spherical"}

    Returns
    -------
    covariances : ndarray
        Of shape (K, d, d), (d, d), (K, d) or (K,).
    """
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    return {
        "full": matrices,
        "tied": matrices[0],
        "diag": diagonals,
        "spherical": diagonals.mean(axis=1),
    }[covariance_type]


def expand_covariances(covariances, covariance_type, n_components, n_features):
    """Undo `compact_covariances`: one (d, d) matrix for each component.

    Parameters
    ----------
    covariances : ndarray of shape (K, d, d), (d, d), (K, d) or (K,)
    covariance_type : {"full", "tied", "diag", "spherical"}
    n_components, n_features : int

    Returns
    -------
    matrices : ndarray of shape (n_components, n_features, n_features)
    """
    shape = (n_components, n_features, n_features)
    covariances = np.asarray(covariances, dtype=float)
    if covariance_type in ("full", "tied"):
        return np.broadcast_to(covariances, shape)
    diagonals = covariances.reshape(n_components, -1)
    return diagonals[:, :, None] * np.eye(n_features)


def is_admissible(weights, covariances, covariance_type, X, sample_weight=None):
    """Whether a Gaussian mixture has no degenerate component.

    The filter under which the reference maxima compete: n times the smallest weight exceeds
    d + 1.5 and, unless the covariance is tied, the smallest eigenvalue of any component exceeds
    1e-3 of the smallest eigenvalue of the total covariance.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
    covariances : array-like of shape (K, d, d), (d, d), (K, d) or (K,)
    covariance_type : {"full", "tied", "diag", "spherical"}
    X : ndarray of shape (n_rows, n_features)
    sample_weight : ndarray of shape (n_rows,) or None, default=None

    Returns
    -------
    admissible : bool
    """
    n_features = X.shape[1]
    n_rows = len(X) if sample_weight is None else np.sum(sample_weight)
    if not n_rows * np.min(weights) > n_features + 1.5:
        return False
    if covariance_type == "tied":
        return True
    matrices = expand_covariances(covariances, covariance_type, len(weights), n_features)
    total = np.cov(X, rowvar=False, bias=True, aweights=sample_weight).reshape(2 * [n_features])
    smallest = np.linalg.eigvalsh(matrices).min()
    return bool(smallest > 1e-3 * np.linalg.eigvalsh(total).min())


def trajectory_start(record, X):
    """Return the parameters from which a trajectory starts.

    Parameters
    ----------
    record : dict
        One of `trajectories`.
    X : ndarray of shape (n_rows, n_features)

    Returns
    -------
    parameters : dict of ndarray
        ``weights``, ``means`` and ``covariances``, in the shapes of `load_parameters`.
    """
    n_components = record["K"]
    total = np.cov(X, rowvar=False, bias=True).reshape(2 * [X.shape[1]])
    matrices = np.broadcast_to(total, (n_components, *total.shape))
    return {
        "weights": np.full(n_components, 1.0 / n_components),
        "means": X[record["start"]["mean_rows_0based"]],
        "covariances": compact_covariances(matrices, record["covariance"]),
    }
