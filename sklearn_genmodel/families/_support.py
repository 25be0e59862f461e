"""The support of a family as data: what values a column may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANGLES",
    "BINARY",
    "COUNTS",
    "NON_NEGATIVE",
    "POSITIVE",
    "REALS",
    "SHARES",
    "UNIT_VECTORS",
    "Support",
    "intersection",
    "listed",
]

MOST_LISTED = 6


@dataclass(frozen=True)
class Support:
    """The set of values on which a family has a density or a mass.

    The boundary of the library checks data against it and names the column and the value that
    lie outside; a family itself never checks.

    Parameters
    ----------
    description : str
        The set in words, as it stands in an error message: "a non-negative integer".
    low : float, default=-inf
        Smallest value, included.
    high : float, default=inf
        Largest value, included.
    integer : bool, default=False
        Whether only whole numbers belong to the set.
    varies : bool, default=False
        Whether a column must hold at least two values. True for densities whose likelihood is
        unbounded on a constant column.
    period : float, optional
        Values that differ by it are one: 2 pi for angles.
    levels : tuple, optional
        Labels of a column that holds no numbers; the family sees their positions.
    unseen : bool, default=False
        Whether labels that are none of the levels are taken too, as one level more.
    scale : tuple of float, default=(0, inf)
        Between what the largest value of a column to be fitted must lie, unless all are 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Support
    >>> percent = Support("a percentage", low=0.0, high=100.0)
    >>> percent.contains(np.array([-1.0, 50.0]))
    array([False,  True])
    """

    description: str
    low: float = -np.inf
    high: float = np.inf
    integer: bool = False
    varies: bool = False
    period: float | None = None
    levels: tuple[Any, ...] | None = None
    unseen: bool = False
    scale: tuple[float, float] = (0.0, np.inf)

    def contains(self, X: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which entries of an array lie in the set.

        Parameters
        ----------
        X : ndarray
            Values of any shape.

        Returns
        -------
        inside : ndarray of bool, of the shape of X
        """
        # Single precision would round the limits: 0 is not above 0, nor is 1 below 1.
        inside = (np.float64(self.low) <= X) & (np.float64(self.high) >= X)
        return inside & (np.floor(X) == X) if self.integer else inside


REALS = Support("a real number", varies=True)
COUNTS = Support("a non-negative integer", low=0.0, integer=True)
BINARY = Support("0 or 1", low=0.0, high=1.0, integer=True)
NON_NEGATIVE = Support("a non-negative number", low=0.0)
# An open interval starts at the smallest normal float: the inverses of others are infinite.
POSITIVE = Support("a number above 0", low=float(np.finfo(np.float64).tiny), varies=True)
SHARES = Support(
    "a number between 0 and 1, both left out",
    low=float(np.finfo(np.float64).tiny),
    high=float(np.nextafter(1.0, 0.0)),
    varies=True,
)
ANGLES = Support("an angle in radians", varies=True, period=2.0 * np.pi)
UNIT_VECTORS = Support("a coordinate of a vector of length 1", low=-1.0 - 1e-6, high=1.0 + 1e-6)


def listed(labels: tuple[Any, ...]) -> str:
    """A set of labels in words, as a support describes it.

    Parameters
    ----------
    labels : tuple

    Returns
    -------
    description : str
    """
    first = ", ".join(map(repr, labels[:MOST_LISTED]))
    return f"one of {first}{', ...' if len(labels) > MOST_LISTED else ''}"


def intersection(*supports: Support) -> Support:
    """What lies in all of these sets.

    Parameters
    ----------
    *supports : Support

    Returns
    -------
    support : Support

    Raises
    ------
    ValueError
        If some sets are of labels that the others do not have.
    """
    first, *others = dict.fromkeys(supports)
    if not others:
        return first
    if any(support.levels is not None for support in supports):
        raise ValueError("Components of one column must all take labels, and the same ones.")
    return Support(
        " and ".join(dict.fromkeys(s.description for s in _narrowest(supports))),
        low=max(support.low for support in supports),
        high=min(support.high for support in supports),
        integer=any(support.integer for support in supports),
        varies=any(support.varies for support in supports),
        scale=(max(s.scale[0] for s in supports), min(s.scale[1] for s in supports)),
    )


def _narrowest(supports: Sequence[Support]) -> list[Support]:
    """Those that hold no other of them and more."""

    def holds(one: Support, other: Support) -> bool:
        whole = other.integer or not one.integer
        return one.low <= other.low and other.high <= one.high and whole

    return [
        one
        for one in supports
        if not any(holds(one, other) and not holds(other, one) for other in supports)
    ]
