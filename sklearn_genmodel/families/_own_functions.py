"""What functions of a user are given, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sklearn_genmodel._validation import real_numbers
from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._numerics._numerical_mle import maximize

__all__ = ["check_functions", "check_log_prob", "most_likely", "read_only", "returned"]


def check_functions(**functions: Any) -> None:
    """Raise unless all arguments can be called.

    Parameters
    ----------
    **functions : object
        By the names of the arguments.

    Raises
    ------
    ValueError
        Names the argument that cannot.
    """
    for name, function in functions.items():
        if not callable(function):
            raise ValueError(f"{name} must be a function, got {function!r}.")


def check_log_prob(log_prob: Array, X: Array, theta: Array) -> None:
    """Raise for what is no log-density.

    Parameters
    ----------
    log_prob : ndarray of shape (n_samples, n_components)
    X : ndarray of shape (n_samples, n_features)
    theta : ndarray of shape (n_components, n_theta)

    Raises
    ------
    FloatingPointError
        For NaN and infinity, by row and parameters: a run of EM breaks there, and others go on.
    """
    bad = np.argwhere(np.isnan(log_prob) | np.isposinf(log_prob))
    if len(bad):
        row, k = bad[0]
        raise FloatingPointError(
            f"log_prob returned {log_prob[row, k]} for the row {X[row].tolist()} at theta="
            f"{theta[k].tolist()}: a log-density is a number or minus infinity"
        )


def most_likely(
    log_prob: Callable[[Array, Array], Array],
    groups: list[tuple[Array, ...]],
    first: Array,
    n_steps: int,
) -> Array:
    """Numerical maxima of the weighted mean log-density, one for every component.

    Parameters
    ----------
    log_prob : callable
    groups : list of (ndarray, ndarray)
        Rows and weights of every component.
    first : ndarray of shape (n_components, n_theta)
        From where to search.
    n_steps : int

    Returns
    -------
    theta : ndarray of shape (n_components, n_theta)
    """

    def objective(points: Array) -> Array:
        found = np.empty(points.shape[:2])
        for k, (rows, weights) in enumerate(groups):
            shares = weights / weights.sum()
            found[:, k] = [log_prob(rows, theta) @ shares for theta in read_only(*points[:, k])]
        return found

    return maximize(objective, first, n_steps)


def read_only(*arrays: Array) -> Iterator[Array]:
    """Views that a function cannot change: NumPy names the line that tries.

    Parameters
    ----------
    *arrays : ndarray

    Yields
    ------
    view : ndarray
    """
    for array in arrays:
        view = array.view()
        view.flags.writeable = False
        yield view


def returned(name: str, value: Any, shape: tuple[int, ...], expected: str) -> Array:
    """What a function returned, as numbers.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        What it returned.
    shape : tuple of int
        What shape it must have.
    expected : str
        The same in words.

    Returns
    -------
    numbers : ndarray

    Raises
    ------
    ValueError
        If it holds anything else than real numbers, or has another shape.
    """
    numbers = real_numbers(f"What {name} returns", value)
    if numbers.shape != shape:
        raise ValueError(
            f"{name} returned an array of shape {numbers.shape}, expected {expected} = {shape}."
        )
    return numbers
