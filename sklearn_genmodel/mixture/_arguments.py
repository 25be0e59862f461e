"""Checks of what the arguments of a mixture mean for the data at hand."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import check_number
from sklearn_genmodel.em import INITS

__all__ = ["check_arguments", "check_init", "check_resp"]

Array = NDArray[np.float64]

ACCELERATIONS = ("auto", "anderson", "squarem", None)


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
    check_number("verbose", int(mixture.verbose), numbers.Integral, low=0)
    if not isinstance(mixture.n_init, str) or mixture.n_init != "auto":
        check_number("n_init", mixture.n_init, numbers.Integral, low=1)
    if mixture.acceleration not in ACCELERATIONS:
        choices = ", ".join(map(repr, ACCELERATIONS))
        raise ValueError(f"acceleration={mixture.acceleration!r}: choose one of {choices}.")


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
        if init != "auto" and init not in INITS:
            choices = ", ".join(map(repr, ["auto", *INITS]))
            raise ValueError(f"init={init!r}: choose one of {choices}, or pass an array.")
        return init
    init = np.asarray(init)
    if init.ndim != 1:
        return check_resp(init, (n_samples, n_components))
    known = np.isin(init, np.arange(n_components))
    if len(init) != n_samples or not known.all():
        wrong = "" if known.all() else f"; {init[~known][0]!r} is not one"
        raise ValueError(
            f"init holds {len(init)} labels for {n_samples} rows: it must hold one of "
            f"0 ... {n_components - 1} for each{wrong}."
        )
    return np.eye(n_components)[init.astype(np.intp)]


def check_resp(resp: Any, shape: tuple[int, ...]) -> Array:
    """Check that every row is a distribution over the components.

    Parameters
    ----------
    resp : array-like of shape (n_samples, n_components)
    shape : tuple of int
        (n_samples, n_components)

    Returns
    -------
    resp : ndarray of shape (n_samples, n_components)

    Raises
    ------
    ValueError
        If the shape is another, or a row is not a distribution.
    """
    resp = np.asarray(resp, dtype=np.float64)
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
