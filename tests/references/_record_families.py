"""The package's family of every reference fit, by default settings."""

import numpy as np

from sklearn_genmodel import families

NAMES = {
    "gaussian": "Gaussian",
    "student_t": "StudentT",
    "poisson": "Poisson",
    "bernoulli": "Bernoulli",
    "categorical": "Categorical",
    "exponential": "Exponential",
    "gamma": "Gamma",
    "lognormal": "LogNormal",
    "weibull": "Weibull",
    "negative_binomial": "NegativeBinomial",
    "von_mises": "VonMises",
}


def make_family(record):
    """Return the family that a record names, with its default settings.

    Parameters
    ----------
    record : dict
        One of `_records.mixture_fits`.

    Returns
    -------
    family : Family
    """
    make = MAKERS.get(record["family"])
    return getattr(families, NAMES[record["family"]])() if make is None else make(record)


def make_params(record, parameters):
    """Return the package's parameters of a record that `has_parameters`, mixed tables aside.

    Parameters
    ----------
    record : dict
    parameters : dict of ndarray
        From `load_parameters`.

    Returns
    -------
    params : NamedTuple
    """
    fields = {name: values for name, values in parameters.items() if name != "weights"}
    return getattr(families, NAMES[record["family"]] + "Params")(**fields)


def _gaussian(record):
    return families.Gaussian(record["covariance"])


def _student_t(record):
    dof = record.get("fixed_df", "estimated")
    return families.StudentT(record.get("covariance", "full"), dof=dof)


def _factors(record):
    options = {} if record["family"] == "factor_analysis" else {"noise": "spherical"}
    return families.Gaussian("factor", n_factors=record["n_components"], **options)


def _mixed(record):
    """Columns of one kind together, as one group."""
    kinds = np.array(record["column_families"])
    groups = {kind: np.flatnonzero(kinds == kind).tolist() for kind in dict.fromkeys(kinds)}
    options = {"gaussian": {"covariance_type": "diag"}}
    return families.Columns(
        [
            (kind, getattr(families, NAMES[kind])(**options.get(kind, {})), columns)
            for kind, columns in groups.items()
        ]
    )


# Families whose default needs nothing of the record are not listed.
MAKERS = {
    "gaussian": _gaussian,
    "student_t": _student_t,
    "factor_analysis": _factors,
    "ppca": _factors,
    "mixed": _mixed,
}
