"""Where the search for the parameters of a continuous distribution of scipy begins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = ["fitted_to_quantiles", "given_numbers"]

N_QUANTILES = 256


def fitted_to_quantiles(
    distribution: Any, values: Array, shares: Array, fixed: Mapping[str, float]
) -> tuple[float, ...]:
    """scipy's fit to as many values as it takes, spread like the data.

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


def given_numbers(argument: str, values: Any, needed: Sequence[str] = ()) -> dict[str, float]:
    """Numbers by the names of parameters, as a user gives them.

    Parameters
    ----------
    argument : str
    values : object
    needed : sequence of str
        Names that must be among them.

    Returns
    -------
    numbers : dict

    Raises
    ------
    ValueError
        If they are no mapping of names to numbers, or lack one that is needed.
    """
    good = isinstance(values, Mapping) and all(isinstance(v, Real) for v in values.values())
    if not good or not set(needed) <= set(values):
        wanted = f" for all of {', '.join(needed)}" if needed else " by the names of parameters"
        raise ValueError(f"{argument}={values!r}: pass a dict of numbers{wanted}.")
    return {name: float(value) for name, value in values.items()}
