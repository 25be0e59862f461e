"""Where the search for the parameters of a distribution of scipy begins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from numbers import Real
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = ["fitted_to_quantiles", "given_numbers", "grid_of_shapes"]

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
    if good := isinstance(values, Mapping):
        is_scalar = {name: isinstance(v, np.ndarray) and not v.ndim for name, v in values.items()}
        values = {name: v.item() if is_scalar[name] else v for name, v in values.items()}
        good = all(isinstance(v, Real) for v in values.values())
    if not good or not set(needed) <= set(values):
        wanted = f" for all of {', '.join(needed)}" if needed else " by the names of parameters"
        raise ValueError(f"{argument}={values!r}: pass a dict of numbers{wanted}.")
    return dict(values)


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
