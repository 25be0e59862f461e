"""Types and constants that all families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GROWING",
    "TINY",
    "Accumulate",
    "Array",
    "JointStats",
    "Kernel",
    "KindStats",
    "Shortened",
    "WeightedRows",
    "map_params",
]

Array = NDArray[np.float64]
Accumulate = Callable[[Array], Any]
Kernel = Callable[[Any], tuple[Array, Accumulate]]

GROWING = (
    "The statistics of this family are the values themselves, all of which partial_fit would have "
    "to keep: fit a sample, or choose a family with statistics of fixed size."
)
TINY = float(np.finfo(np.float64).tiny)


def map_params(function: Callable[..., Any], *several: Any) -> Any:
    """Apply a function to every array of parameters, nested named tuples included.

    Parameters
    ----------
    function : callable
        Takes one array of each of `several`.
    *several : NamedTuple
        Parameters of the same family.

    Returns
    -------
    params : NamedTuple
        Of the type of the first.
    """
    first = several[0]
    if isinstance(first, str):
        return first
    if not isinstance(first, tuple):
        return function(*several)
    mapped = [map_params(function, *parts) for parts in zip(*several, strict=True)]
    return type(first)(*mapped) if hasattr(first, "_fields") else tuple(mapped)


class Shortened(NamedTuple):
    """A pass without what is the same in every pass; see `Family.constants`.

    ``kernel`` is for the rest, None if nothing is left; ``log_prob``, in nats, and ``stats`` are
    what it leaves out, summed over all rows; of mixtures side by side, ``log_prob`` is that of
    each, (n_mixtures,).
    """

    kernel: Kernel | None
    log_prob: float | Array
    stats: Any


@dataclass(frozen=True)
class WeightedRows:
    """Rows with their weights: the sufficient statistic of a family that has none smaller.

    Parameters
    ----------
    parts : tuple of pairs of ndarray
        Rows (n_samples, n_features) and weights (n_samples, n_components), block by block.
    """

    parts: tuple[tuple[Array, Array], ...]

    def __add__(self, other: WeightedRows) -> WeightedRows:
        return WeightedRows(self.parts + other.parts)

    def __mul__(self, factor: float) -> WeightedRows:
        raise TypeError(GROWING)

    @property
    def rows(self) -> Array:
        """All rows, (n_samples, n_features)."""
        return np.concatenate([X for X, _ in self.parts])

    @property
    def resp(self) -> Array:
        """Their weights, (n_samples, n_components)."""
        return np.concatenate([resp for _, resp in self.parts])


@dataclass(frozen=True)
class JointStats:
    """Statistics of several families side by side.

    Parameters
    ----------
    parts : tuple
    """

    parts: tuple[Any, ...]

    def __add__(self, other: JointStats) -> JointStats:
        return JointStats(tuple(a + b for a, b in zip(self.parts, other.parts, strict=True)))

    def __mul__(self, factor: float) -> JointStats:
        return JointStats(tuple(part * factor for part in self.parts))


@dataclass(frozen=True)
class KindStats:
    """Statistics of components of several kinds; ``kinds`` says which of them a component is.

    Parameters
    ----------
    kinds : ndarray of int, shape (n_components,)
    joint : JointStats
    """

    kinds: NDArray[np.intp]
    joint: JointStats

    def __add__(self, other: KindStats) -> KindStats:
        return KindStats(self.kinds, self.joint + other.joint)

    def __mul__(self, factor: float) -> KindStats:
        return KindStats(self.kinds, self.joint * factor)
