"""Which fits owe their likelihood to a degenerate component; nothing of the package is used."""

import numpy as np
from _record_parameters import expand_covariances

LOG_SCALE = ("gamma", "lognormal", "weibull")


def is_admissible(weights, covariances, covariance_type, X, sample_weight=None):
    """Whether a Gaussian mixture has no degenerate component.

    The filter under which the reference maxima compete: n times the smallest weight exceeds
    d + 1.5 and, unless the covariance is tied, the smallest eigenvalue of any component exceeds
    1e-3 of the smallest eigenvalue of the total covariance.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
    covariances : array-like
        In the shape that `compact_covariances` gives.
    covariance_type : {"full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"}
    X : ndarray of shape (n_rows, n_features)
    sample_weight : ndarray of shape (n_rows,) or None, default=None

    Returns
    -------
    admissible : bool
    """
    if covariance_type.startswith("tied"):
        return _fills_rows(weights, X, sample_weight)
    matrices = expand_covariances(covariances, covariance_type, len(weights), X.shape[1])
    return _fills_rows(weights, X, sample_weight) and _is_thick(matrices, X, sample_weight)


def is_admissible_partition(record, X, resp, sample_weight=None):
    """Whether responsibilities leave every component as much room as `is_admissible` asks for.

    The same filter for the other families whose likelihood has no bound: Student's t as it is,
    gamma, log-normal and Weibull on the scale of log x, mixed tables in their Gaussian columns.
    What the rows of a component vary takes the place of its covariance.

    Parameters
    ----------
    record : dict
    X : ndarray of shape (n_rows, n_features)
    resp : ndarray of shape (n_rows, n_components)
    sample_weight : ndarray of shape (n_rows,) or None, default=None

    Returns
    -------
    admissible : bool
        True for the families whose likelihood is bounded.
    """
    Z = _coordinates(record, X)
    if Z.shape[1] == 0:
        return True
    rows = resp if sample_weight is None else resp * sample_weight[:, None]
    matrices = np.stack([_covariance(Z, weight) for weight in rows.T])
    weights = rows.sum(axis=0) / rows.sum()
    return _fills_rows(weights, Z, sample_weight) and _is_thick(matrices, Z, sample_weight)


def _coordinates(record, X):
    """The columns in which a component can collapse, on the scale on which it does."""
    if record["family"] == "mixed":
        return X[:, np.array(record["column_families"]) == "gaussian"]
    if record["family"] in LOG_SCALE:
        return np.log(X)
    return X if record["family"] == "student_t" else X[:, :0]


def _fills_rows(weights, X, sample_weight):
    n_rows = len(X) if sample_weight is None else np.sum(sample_weight)
    return bool(n_rows * np.min(weights) > X.shape[1] + 1.5)


def _is_thick(matrices, X, sample_weight):
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    total = np.linalg.eigvalsh(_covariance(X, weight)).min()
    return bool(np.linalg.eigvalsh(matrices).min() > 1e-3 * total)


def _covariance(X, weight):
    """Weighted covariance; where cells are missing, the variances of the cells seen."""
    if not np.isnan(X).any():
        return np.cov(X, rowvar=False, bias=True, aweights=weight).reshape(2 * [X.shape[1]])
    weights = np.where(np.isnan(X), 0.0, weight[:, None])
    values = np.nan_to_num(X)
    means = (weights * values).sum(axis=0) / weights.sum(axis=0)
    return np.diag((weights * (values - means) ** 2).sum(axis=0) / weights.sum(axis=0))
