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


class MissingFamilyError(LookupError):
    """The package does not have the family, or the covariance structure, of a record."""


def make_family(record):
    """Return the family that a record names, with its default settings.

    Parameters
    ----------
    record : dict
        One of `_records.mixture_fits`.

    Returns
    -------
    family : Family

    Raises
    ------
    MissingFamilyError
        If the package does not have it.
    """
    make = MAKERS.get(record["family"])
    return find(NAMES[record["family"]])() if make is None else make(record)


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
    return find(NAMES[record["family"]] + "Params")(**fields)


def find(name):
    """The class of this name in the package's families."""
    if not hasattr(families, name):
        raise MissingFamilyError(f"sklearn_genmodel.families has no {name}")
    return getattr(families, name)


def _gaussian(record):
    return _structured(find("Gaussian"), record["covariance"])


def _student_t(record):
    dof = record.get("fixed_df", "estimated")
    return _structured(find("StudentT"), record.get("covariance", "full"), dof=dof)


def _factors(record):
    options = {} if record["family"] == "factor_analysis" else {"noise": "spherical"}
    if record.get("heywood"):
        # The maximum is on the edge, where the noise of a column vanishes: the floor decides.
        options["reg_covar"] = 1e-9
    return _structured(find("Gaussian"), "factor", n_factors=record["n_components"], **options)


def _structured(family, covariance_type, **options):
    """A family with a covariance structure, if it knows that one."""
    if not set(options) <= set(family().get_params()):
        raise MissingFamilyError(f"{family.__name__} has no {', '.join(options)}")
    made = family(covariance_type=covariance_type, **options)
    try:
        made.n_parameters(1, 1 + options.get("n_factors", 1))
    except ValueError as error:
        raise MissingFamilyError(str(error)) from error
    return made


def _mixed(record):
    """Columns of one kind together, as one group."""
    kinds = np.array(record["column_families"])
    groups = {kind: np.flatnonzero(kinds == kind).tolist() for kind in dict.fromkeys(kinds)}
    options = {"gaussian": {"covariance_type": "diag"}}
    return find("Columns")(
        [
            (kind, find(NAMES[kind])(**options.get(kind, {})), columns)
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
