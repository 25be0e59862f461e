"""Checks of what the arguments of a mixture mean for the data at hand."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import check_choice, check_number, real_numbers, refuse_lazy
from sklearn_genmodel.em import INIT_NAMES
from sklearn_genmodel.families import Family

__all__ = [
    "check_arguments",
    "check_init",
    "check_learning_decay",
    "check_params",
    "check_resp",
    "check_resp_prior",
]

Array = NDArray[np.float64]

ACCELERATIONS = ("auto", "anderson", "squarem", None)
ROUNDING = 1e-14


def check_arguments(mixture: Any) -> None:
    """Check the scalar arguments of an `EMMixture`.

    Parameters
    ----------
    mixture : EMMixture

    Raises
    ------
    ValueError
        Names the argument, its value, and what it may be.
    """
    check_number("n_components", mixture.n_components, numbers.Integral, low=1)
    check_number("max_iter", mixture.max_iter, numbers.Integral, low=1)
    check_number("tol", mixture.tol, numbers.Real, low=0)
    check_number("weight_concentration", mixture.weight_concentration, numbers.Real, low=-np.inf)
    if not isinstance(mixture.verbose, bool):
        check_number("verbose", mixture.verbose, numbers.Integral, low=0)
    if not isinstance(mixture.n_init, str) or mixture.n_init != "auto":
        check_number("n_init", mixture.n_init, numbers.Integral, low=1, more=" or 'auto'")
    check_learning_decay(mixture.learning_decay)
    check_choice("acceleration", mixture.acceleration, ACCELERATIONS)
    if not isinstance(mixture.warm_start, (bool, np.bool_)):
        raise ValueError(f"warm_start must be True or False, got {mixture.warm_start!r}.")
    n_jobs = mixture.n_jobs
    whole = isinstance(n_jobs, numbers.Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not whole or n_jobs == 0):
        raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}.")


def check_learning_decay(decay: Any) -> None:
    """Check how fast `partial_fit` is to settle.

    Parameters
    ----------
    decay : object

    Raises
    ------
    ValueError
        If it is no number above 0.5 and at most 1.
    """
    check_number("learning_decay", decay, numbers.Real, low=0.5, above=True, more=" and at most 1")
    if decay > 1:
        raise ValueError(f"learning_decay must be above 0.5 and at most 1, got {decay!r}.")


def check_init(init: Any, n_samples: int, n_components: int) -> str | Array:
    """Return the name of a kind of start, or responsibilities.

    Parameters
    ----------
    init : str or array-like
        Labels (n_samples,) become responsibilities.
    n_samples, n_components : int

    Returns
    -------
    init : str or ndarray of shape (n_samples, n_components)

    Raises
    ------
    ValueError
        If the name is unknown, or the array is neither responsibilities nor labels.
    """
    if isinstance(init, str):
        check_choice("init", init, INIT_NAMES, ", or pass responsibilities or labels")
        return init
    refuse_lazy("init", init)
    init = np.asarray(init)
    if init.ndim == 2:
        return check_resp(init, (n_samples, n_components), "init")
    if init.ndim != 1:
        raise ValueError(
            f"init must be a name, labels (n_samples,) or responsibilities (n_samples, "
            f"n_components), got an array of shape {init.shape}: {init!r}."
        )
    known = np.isin(init, np.arange(n_components))
    if len(init) != n_samples or not known.all():
        wrong = "" if known.all() else f"; {init[~known][0].item()!r} is not one"
        raise ValueError(
            f"init holds {len(init)} labels for {n_samples} rows: it must hold one of "
            f"0 ... {n_components - 1} for each{wrong}."
        )
    empty = np.setdiff1d(np.arange(n_components), init)
    if len(empty):
        raise ValueError(f"init gives component {empty[0]} no row: each needs at least one.")
    return np.eye(n_components)[init.astype(np.intp)]


def check_resp(resp: Any, shape: tuple[int, ...], name: str = "resp") -> Array:
    """Check that every row is a distribution over the components.

    Parameters
    ----------
    resp : array-like of shape (n_samples, n_components)
    shape : tuple of int
        (n_samples, n_components)
    name : str, default="resp"
        What the argument is called.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_components)

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, the shape is another, or a row is not a distribution.
    """
    resp = real_numbers(name, resp)
    if resp.shape != shape:
        raise ValueError(
            f"Responsibilities have shape {resp.shape}, expected (n_samples, n_components) = "
            f"{shape}."
        )
    bad = ~((resp >= 0).all(axis=1) & np.isclose(resp.sum(axis=1), 1.0, rtol=0, atol=1e-6))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"Responsibilities of row {row} are {resp[row]}: they must be at least 0 and sum to 1."
        )
    return resp


def check_resp_prior(mixture: Any, family: Family, resp_prior: Any, n_samples: int) -> Array | None:
    """Check what is known of the components of the rows, if anything.

    Parameters
    ----------
    mixture : EMMixture
    family : Family
    resp_prior : array-like of shape (n_samples, n_components) or None
    n_samples : int

    Returns
    -------
    resp_prior : ndarray of shape (n_samples, n_components) or None

    Raises
    ------
    ValueError
        If it has another shape, a row allows no component, a component is allowed in no row, or
        components may be dropped.
    """
    sparse = mixture.weight_concentration < 1
    numbered = family.ordered or resp_prior is not None or mixture.fixed or mixture.tied
    if sparse and numbered:
        raise ValueError(
            f"weight_concentration={mixture.weight_concentration:g} is below 1 and may drop "
            "components, but these are told apart by a list of families, resp_prior, fixed or "
            "tied: set it to 1 or above."
        )
    if resp_prior is None:
        return None
    prior = real_numbers("resp_prior", resp_prior)
    expected = n_samples, mixture.n_components
    if prior.shape != expected:
        raise ValueError(
            f"resp_prior has shape {prior.shape}, expected (n_samples, n_components) = {expected}."
        )
    bad = ~(np.isfinite(prior) & (prior >= 0)).all(axis=1) | ~(prior > 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"resp_prior of row {row} is {prior[row]}: numbers must be finite and at least 0, and "
            "one of them above 0; equal numbers where nothing is known."
        )
    empty = np.flatnonzero(~prior.any(axis=0))
    if len(empty):
        raise ValueError(
            f"resp_prior forbids component {empty[0]} in every row: allow it in some, or leave its "
            "column out and lower n_components."
        )
    return prior


def check_params(family: Family, weights: Any, params: Any) -> tuple[Array, Any]:
    """Check that mixing weights and parameters make a mixture.

    Parameters
    ----------
    family : Family
    weights : array-like of shape (n_components,)
    params : NamedTuple

    Returns
    -------
    weights : ndarray of shape (n_components,)
    params : NamedTuple of ndarrays

    Raises
    ------
    TypeError
        If `params` is no NamedTuple.
    ValueError
        If the weights are no distribution, or the parameters do not fit them or the family.
    """
    weights = np.array(weights, dtype=np.float64)
    if weights.ndim != 1 or not (weights >= 0).all() or not np.isclose(weights.sum(), 1.0):
        raise ValueError(f"weights must be at least 0 and sum to 1, got {weights!r}.")
    if not hasattr(params, "_fields"):
        raise TypeError(
            f"params must be a NamedTuple of {type(family).__name__}, such as that family's "
            f"Params class, got {type(params).__name__}."
        )
    try:
        params = family.floats(params)
    except AttributeError as error:
        raise ValueError(f"{family!r} cannot take these parameters: {error}. {params!r}") from error
    _check_component_means(family, len(weights), params)
    # Those of a fit sum to 1 but for rounding, and stay as they are.
    total = weights.sum()
    return weights if abs(total - 1.0) < ROUNDING else weights / total, params


def _check_component_means(family: Family, n_components: int, params: Any) -> None:
    """The family must take the parameters, and the means must lie where its support does."""
    try:
        with np.errstate(all="ignore"):
            means = family.mean(params)
            own = np.diagonal(family.log_prob(means, params))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{family!r} cannot take these parameters: {error}. {params!r}") from error
    if len(means) != n_components:
        raise ValueError(f"{n_components} weights, but parameters of {len(means)} components.")
    supports = family.column_supports(means.shape[1])
    low, high = ([getattr(s, end) for s in supports] for end in ("low", "high"))
    outside = (means < low) | (means > high) | np.isinf(means)
    if outside.any() or not np.isfinite(own).all():
        described = " or ".join(dict.fromkeys(support.description for support in supports))
        raise ValueError(
            f"{params!r} are no parameters of {family!r}: the means must be finite, and each "
            f"column's mean no less or more than {described} can be."
        )
