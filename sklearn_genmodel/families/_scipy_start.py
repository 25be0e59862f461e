"""Where the search for the parameters of a distribution of scipy begins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from numbers import Real
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = ["fitted_to_quantiles", "given_numbers", "grid_of_shapes", "why_undefined"]

N_QUANTILES = 256
# Where a search for the shapes of counts may start, beside their mean.
FIRST_SHAPES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.5, 4.0)


def fitted_to_quantiles(
    distribution: Any, values: Array, shares: Array, fixed: Mapping[str, float]
) -> tuple[float, ...]:
    """scipy's fit of a continuous distribution to a few values that are spread like the data.

    Parameters
    ----------
    distribution : rv_continuous
    values : ndarray of shape (n_values,)
        In ascending order.
    shares : ndarray of shape (n_values,)
        Their weights.
    fixed : dict
        Parameters that are known.

    Returns
    -------
    parameters : tuple of float
        All of them, in scipy's order.
    """
    levels = np.linspace(0.0, 1.0, N_QUANTILES)
    places = np.searchsorted(np.cumsum(shares), levels * shares.sum())
    sample = values[np.minimum(places, len(values) - 1)]
    known = {f"f{name}": value for name, value in fixed.items()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fitted: tuple[float, ...] = distribution.fit(sample, **known)
    return fitted


def given_numbers(
    argument: str, values: Any, known: Sequence[str], needed: Sequence[str] = ()
) -> dict[str, float]:
    """Numbers by the names of parameters, as a user gives them.

    Parameters
    ----------
    argument : str
    values : object
    known : sequence of str
        Names that there are.
    needed : sequence of str
        Names that must be among them.

    Returns
    -------
    numbers : dict

    Raises
    ------
    ValueError
        If they are no mapping of known names to finite numbers, lack one that is needed, or have
        a scale that is not positive.
    """
    if good := isinstance(values, Mapping):
        is_scalar = {name: isinstance(v, np.ndarray) and not v.ndim for name, v in values.items()}
        values = {name: v.item() if is_scalar[name] else v for name, v in values.items()}
        good = all(isinstance(v, Real) and not isinstance(v, bool) for v in values.values())
    if not good or not set(needed) <= set(values):
        wanted = f" for all of {', '.join(needed)}" if needed else " by the names of parameters"
        raise ValueError(f"{argument}={values!r}: pass a dict of numbers{wanted}.")
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"{argument}={values!r}: the distribution has the parameters {', '.join(known)}; "
                f"{name!r} is none of them."
            )
        if not np.isfinite(value) or (name == "scale" and value <= 0):
            rule = "a scale is above 0" if name == "scale" else "pass a finite number"
            raise ValueError(f"{argument}={values!r}: {name} cannot be {value!r}, {rule}.")
    return dict(values)


def why_undefined(
    distribution: Any, fixed: Mapping[str, float], tried: Mapping[str, float], values: Array
) -> str:
    """Why a distribution has no density at all values of a column, and what to do.

    Parameters
    ----------
    distribution : rv_continuous or rv_discrete
    fixed, tried : dict
        Parameters that are known, and those from which a search was to start.
    values : ndarray of shape (n_values,)

    Returns
    -------
    reason : str
    """
    name, known = f"scipy.stats.{distribution.name}", f" (fixed={dict(fixed)!r})" if fixed else ""
    low, high = distribution.support(**fixed, **tried)
    if np.isnan(low):
        return f"{dict(tried)}{known} are no parameters of {name}: fix or `start` at others."
    return (
        f"Under {dict(tried)}{known} {name} is not defined on all values of a column, which go "
        f"from {values.min():g} to {values.max():g}: its support goes from {low:g} to {high:g}. "
        "Fix other parameters, or pass `start` with those under which it is."
    )


def grid_of_shapes(mean: float, n_free: int) -> Array:
    """Parameters of a discrete distribution to choose from, coarse.

    Parameters
    ----------
    mean : float
        Of the counts, which is the size of some parameter of many a distribution.
    n_free : int
        Number of parameters that are estimated.

    Returns
    -------
    grid : ndarray of shape (n_points, n_free)
    """
    candidates = (*FIRST_SHAPES, mean, 1.0 / (1.0 + mean))
    return np.array(list(product(candidates, repeat=n_free)))
