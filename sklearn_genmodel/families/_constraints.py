"""Parameters that are held fixed, or tied across components and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = ["Constraints", "overwritten", "tie_labels", "tied_sums"]

# What moves a component and does not make it narrower.
LOCATIONS = frozenset({"means", "locations"})


@dataclass(frozen=True)
class Constraints:
    """What an M-step may not choose freely.

    Parameters
    ----------
    fixed : mapping
        From the name of a parameter to an array of its shape, NaN where it is free.
    tied : mapping
        From the name of a parameter to integers, (n_components, n_features): where these are equal
        so is the parameter.
    groups : mapping
        From the name of a group of `Columns` to the constraints of its family.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Constraints, Poisson
    >>> X, resp = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    >>> held = Constraints(fixed={"rates": np.array([[np.nan], [5.0]])})
    >>> Poisson().constrained_m_step(Poisson().suffstats(X, resp), held)
    PoissonParams(rates=array([[1.5],
           [5. ]]))
    >>> held.n_lost()
    1
    """

    fixed: Mapping[str, Array] = field(default_factory=dict)
    tied: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    groups: Mapping[str, Constraints] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Parameters that are fixed or tied."""
        return list(dict.fromkeys([*self.fixed, *self.tied, *self.groups]))

    def n_lost(self) -> int:
        """How many free parameters fewer there are."""
        held = sum(int(np.isfinite(values).sum()) for values in self.fixed.values())
        tied = sum(labels.size - len(np.unique(labels)) for labels in self.tied.values())
        return held + tied + sum(group.n_lost() for group in self.groups.values())

    def shapes_held(self, n_components: int, shared: frozenset[str]) -> NDArray[np.bool_]:
        """Which components cannot become narrow, for more than their location is fixed.

        Parameters
        ----------
        n_components : int
        shared : frozenset of str
            Names of the parameters that all components share.

        Returns
        -------
        held : ndarray of bool, shape (n_components,)
        """
        held = np.zeros(n_components, dtype=bool)
        for name in self.fixed.keys() - LOCATIONS:
            known = np.isfinite(self.fixed[name])
            held |= known.all() if name in shared else known.reshape(n_components, -1).all(axis=1)
        return held


def overwritten(params: Any, constraints: Constraints) -> Any:
    """Parameters with the fixed ones in their places.

    Parameters
    ----------
    params : NamedTuple
    constraints : Constraints

    Returns
    -------
    params : NamedTuple
    """
    held = {
        name: np.where(np.isnan(values), getattr(params, name), values)
        for name, values in constraints.fixed.items()
    }
    return params._replace(**held)


def tied_sums(stats: Array, labels: NDArray[np.intp]) -> Array:
    """Statistics of components and columns, summed over those that are tied.

    Parameters
    ----------
    stats : ndarray of shape (n_components, n_statistics, n_features)
    labels : ndarray of int, shape (n_components, n_features)

    Returns
    -------
    stats : ndarray of shape (n_components, n_statistics, n_features)
    """
    _, places = np.unique(labels, return_inverse=True)
    places = places.reshape(labels.shape)
    sums = np.zeros((places.max() + 1, stats.shape[1]))
    np.add.at(sums, places, stats.swapaxes(1, 2))
    return np.asarray(sums[places].swapaxes(1, 2))


def tie_labels(how: Any, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Which components and columns are tied.

    Parameters
    ----------
    how : {"components", "columns", "all"} or array-like of int
    shape : tuple of int
        (n_components, n_features)

    Returns
    -------
    labels : ndarray of int, of that shape
        Equal where tied.

    Raises
    ------
    ValueError
        If it is neither a known word nor an array that broadcasts to the shape.

    Examples
    --------
    >>> from sklearn_genmodel.families import tie_labels
    >>> tie_labels("components", (3, 2))
    array([[0, 1],
           [0, 1],
           [0, 1]])
    """
    components, columns = np.indices(shape)
    words = {"components": columns, "columns": components, "all": np.zeros(shape, dtype=np.intp)}
    if isinstance(how, str):
        if how not in words:
            known = ", ".join(map(repr, words))
            raise ValueError(f"tied={how!r}: choose one of {known}, or pass an array of labels.")
        return words[how]
    try:
        labels = np.broadcast_to(np.asarray(how), shape)
    except ValueError as error:
        raise ValueError(
            f"tied={how!r}: labels must have shape (n_components, n_features) = {shape}, or "
            "broadcast to it."
        ) from error
    return np.unique(labels, return_inverse=True)[1].reshape(shape)
