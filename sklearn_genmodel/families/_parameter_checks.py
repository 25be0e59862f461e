"""What parameters that a user wrote down must be, besides of the right shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = [
    "check_distributions",
    "check_shares",
    "check_symmetric",
    "check_unit_length",
    "labels_of_columns",
]


# By how much of the deviations entries across may differ: rounding.
SYMMETRY = 1e-8


def check_distributions(name: str, probs: Array) -> None:
    """Raise unless the last axis holds probabilities that sum to 1.

    Parameters
    ----------
    name : str
        What the parameter is called.
    probs : ndarray of shape (n_components, ..., n_outcomes)
    """
    check_shares(name, probs)
    totals = probs.sum(axis=-1)
    _refuse(name, totals, ~np.isclose(totals, 1.0), "sums to", "probabilities must sum to 1")


def check_shares(name: str, shares: Array) -> None:
    """Raise unless all numbers are between 0 and 1.

    Parameters
    ----------
    name : str
    shares : ndarray of shape (n_components, ...)
    """
    outside = ~((shares >= 0.0) & (shares <= 1.0))
    _refuse(name, shares, outside, "holds", "it must be between 0 and 1")


def check_unit_length(name: str, vectors: Array) -> None:
    """Raise unless the last axis holds vectors of length 1.

    Parameters
    ----------
    name : str
    vectors : ndarray of shape (n_components, n_features)
    """
    lengths = np.linalg.norm(vectors, axis=-1)
    _refuse(name, lengths, ~np.isclose(lengths, 1.0), "has length", "directions have length 1")


def check_symmetric(name: str, matrices: Array) -> None:
    """Raise unless the last two axes hold symmetric matrices; NaN counts as equal to NaN.

    Parameters
    ----------
    name : str
    matrices : ndarray of shape (..., n_features, n_features)
    """
    deviations = np.sqrt(np.abs(np.einsum("...ii->...i", matrices)))
    units = deviations[..., None] * deviations[..., None, :]
    if (np.abs(matrices - matrices.swapaxes(-1, -2)) > SYMMETRY * units).any():
        raise ValueError(f"{name} must be symmetric: an entry differs from the one across.")


def _refuse(name: str, found: Any, bad: Any, what: str, rule: str) -> None:
    if bad.any():
        place = tuple(map(int, np.argwhere(bad)[0]))
        component = f" of component {place[0]}" if place else ""
        raise ValueError(f"{name}{component} {what} {found[place]:g}: {rule}.")


def labels_of_columns(levels: Any) -> tuple[tuple[Any, ...], ...]:
    """Labels of every column, as a user gives them.

    Parameters
    ----------
    levels : sequence of sequences

    Returns
    -------
    levels : tuple of tuples

    Raises
    ------
    ValueError
        If they are no sequence of sequences.
    """
    listed = np.iterable(levels) and not isinstance(levels, str)
    if not listed or not all(map(np.iterable, levels)):
        raise ValueError(
            f"levels={levels!r}: pass the labels of every column, such as [['a', 'b'], ['no', "
            "'yes']], or 'auto'."
        )
    return tuple(map(tuple, levels))
