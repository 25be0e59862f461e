"""The parameters of the reference fits as arrays; no code of the package is used here."""

import numpy as np
from _records import n_components

# Families of one column: the package's name of every parameter, and the record's.
FIELDS = {
    "poisson": {"rates": "rate"},
    "exponential": {"rates": "rate"},
    "gamma": {"shapes": "shape", "scales": "scale"},
    "lognormal": {"locations": "meanlog", "scales": "sdlog"},
    "weibull": {"shapes": "shape", "scales": "scale"},
    "negative_binomial": {"sizes": "size", "means": "mu"},
    "von_mises": {"locations": "mu", "concentrations": "kappa"},
}


def has_parameters(record):
    """Whether a maximum comes with its parameters, not with its value alone."""
    return record["family"] not in ("ppca", "factor_analysis")


def load_parameters(record):
    """Return the parameters of a maximum as arrays whose first axis is the component.

    Parameters
    ----------
    record : dict
        One of `mixture_fits` that `has_parameters`.

    Returns
    -------
    parameters : dict of ndarray
        ``weights`` (K,) and, for a Gaussian, ``means`` (K, d) and ``covariances``: full
        (K, d, d), tied (d, d), diag (K, d), spherical (K,), tied_diag (d,), tied_spherical ();
        for Student's t, ``locations`` (K, d), ``scales`` (K, d, d), the scale matrices, and
        ``dof`` (K,); for a Bernoulli, ``probs`` (K, d), the probabilities of a 1; for labels,
        ``probs`` (K, d, L), 0 beyond a column's last level; for families of one column, arrays
        (K, 1) by the names in `FIELDS`; for a mixed table, ``columns``, a list of such
        dictionaries without weights, one for each column.
    """
    weights = np.array(record.get("weights", [1.0]), dtype=float).reshape(n_components(record))
    read = _READERS.get(record["family"], _one_column)
    return {"weights": weights, **read(record)}


def _gaussian(record):
    n_components, n_features = record["K"], record["d"]
    matrices = np.reshape(record["covariances"], (n_components, n_features, n_features))
    return {
        "means": np.reshape(record["means"], (n_components, n_features)).astype(float),
        "covariances": compact_covariances(matrices.astype(float), record["covariance"]),
    }


def _student_t(record):
    if "locs" not in record:
        fields = {"locations": "loc", "scales": "scale", "dof": "df"}
        params = _columns_of_one(record, fields)
        return params | {"scales": params["scales"][:, :, None] ** 2, "dof": params["dof"][:, 0]}
    n_components, n_features = record["K"], record["d"]
    shape = (n_components, n_features, n_features)
    return {
        "locations": np.reshape(record["locs"], shape[:2]).astype(float),
        "scales": np.reshape(record["scales"], shape).astype(float),
        "dof": np.reshape(record["df"], n_components).astype(float),
    }


def _one_column(record):
    return _columns_of_one(record, FIELDS[record["family"]])


def _columns_of_one(record, fields):
    components = record["params"]
    components = [components] if isinstance(components, dict) else components
    return {
        ours: np.array([[component[theirs]] for component in components], dtype=float)
        for ours, theirs in fields.items()
    }


def _bernoulli(record):
    return {"probs": _categorical(record)["probs"][:, :, 1]}


def _categorical(record):
    columns = [np.reshape(record["probs"][name], (record["K"], -1)) for name in record["columns"]]
    n_levels = max(column.shape[1] for column in columns)
    padded = [np.pad(column, ((0, 0), (0, n_levels - column.shape[1]))) for column in columns]
    return {"probs": np.stack(padded, axis=1).astype(float)}


def _mixed(record):
    columns = zip(record["column_families"], record["params"], strict=True)
    return {"columns": [_mixed_column(family, np.array(values)) for family, values in columns]}


def _mixed_column(family, values):
    """Parameters of one column from the values of every component, (K, n_values)."""
    if family == "gaussian":
        return {"means": values[:, :1], "covariances": values[:, 1:]}
    if family == "poisson":
        return {"rates": values}
    return {"probs": values[:, 1:] if family == "bernoulli" else values[:, None, :]}


_READERS = {
    "gaussian": _gaussian,
    "student_t": _student_t,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
    "mixed": _mixed,
}


def compact_covariances(matrices, covariance_type):
    """Keep of (K, d, d) matrices what the covariance type stores.

    Parameters
    ----------
    matrices : ndarray of shape (n_components, n_features, n_features)
    covariance_type : {"full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"}

    Returns
    -------
    covariances : ndarray
        Of shape (K, d, d), (d, d), (K, d), (K,), (d,) or ().
    """
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    return {
        "full": matrices,
        "tied": matrices[0],
        "diag": diagonals,
        "spherical": diagonals.mean(axis=1),
        "tied_diag": diagonals[0],
        "tied_spherical": diagonals[0].mean(),
    }[covariance_type]


def expand_covariances(covariances, covariance_type, n_components, n_features):
    """Undo `compact_covariances`: one (d, d) matrix for each component.

    Parameters
    ----------
    covariances : ndarray of shape (K, d, d), (d, d), (K, d), (K,), (d,) or ()
    covariance_type : {"full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"}
    n_components, n_features : int

    Returns
    -------
    matrices : ndarray of shape (n_components, n_features, n_features)
    """
    shape = (n_components, n_features, n_features)
    covariances = np.asarray(covariances, dtype=float)
    if covariance_type in ("full", "tied"):
        return np.broadcast_to(covariances, shape)
    if covariance_type == "spherical":
        covariances = covariances[:, None]
    diagonals = np.broadcast_to(covariances, shape[:2])
    return diagonals[:, :, None] * np.eye(n_features)


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
