"""Families that are made of families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._base import Family

__all__ = ["Composite"]


class Composite(Family):
    """A family made of others: what is so of it if it is so of all of them, or of any.

    Its parameters have a field ``groups``, those of every member.
    """

    def members(self) -> list[Family]:
        """The families that it is made of, in the order of ``groups``.

        Returns
        -------
        members : list of Family
        """
        raise NotImplementedError

    def places(
        self, n_components: int, n_features: int
    ) -> Iterator[tuple[Family, NDArray[np.intp], NDArray[np.intp]]]:
        """Of which components and columns every member has a say.

        Parameters
        ----------
        n_components, n_features : int

        Returns
        -------
        places : iterator of (family, components, columns)
        """
        raise NotImplementedError

    def boxes(self, n_components: int, n_features: int) -> tuple[Array, Array]:
        """Those of the members."""
        lows, highs = super().boxes(n_components, n_features)
        for family, components, columns in self.places(n_components, n_features):
            where = np.ix_(components, columns)
            lows[where], highs[where] = family.boxes(len(components), len(columns))
        return lows, highs

    @property
    def allow_nan(self) -> bool:  # type: ignore[override]
        """Whether every member deals with missing values."""
        return all(member.allow_nan for member in self.members())

    @property
    def reads_sources(self) -> bool:
        """Whether every member takes rows that are not in memory."""
        return all(member.reads_sources for member in self.members())

    @property
    def by_pattern(self) -> bool:  # type: ignore[override]
        """Whether some member computes something for every pattern of missing values."""
        return any(member.by_pattern for member in self.members())

    @property
    def grows(self) -> bool:
        """Whether the statistics of some member grow with the data."""
        return any(member.grows for member in self.members())

    @property
    def coupled(self) -> bool:
        """Whether components share something in some member."""
        return any(member.coupled for member in self.members())

    @property
    def has_coordinates(self) -> bool:
        """Whether every member has unconstrained coordinates."""
        return all(member.has_coordinates for member in self.members())

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down, as arrays."""
        pairs = zip(self.members(), params.groups, strict=True)
        return params._replace(groups=tuple(family.floats(own) for family, own in pairs))

    def to_vector(self, params: Any, like: Any) -> Array:
        """Coordinates of all members."""
        triples = zip(self.members(), params.groups, like.groups, strict=True)
        return np.concatenate([family.to_vector(own, near) for family, own, near in triples])

    def from_vector(self, vector: Array, like: Any) -> Any:
        """Inverse of `to_vector`."""
        pairs = list(zip(self.members(), like.groups, strict=True))
        sizes = [family.to_vector(near, near).size for family, near in pairs]
        vectors = np.split(vector, np.cumsum(sizes)[:-1])
        parts = zip(pairs, vectors, strict=True)
        return like._replace(groups=tuple(f.from_vector(own, near) for (f, near), own in parts))
