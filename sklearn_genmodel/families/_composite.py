"""Families that are made of families."""

from __future__ import annotations

from sklearn_genmodel.families._base import Family

__all__ = ["Composite"]


class Composite(Family):
    """What is so of a family made of others if it is so of all of them, or of any."""

    def members(self) -> list[Family]:
        """The families that it is made of.

        Returns
        -------
        members : list of Family
        """
        raise NotImplementedError

    @property
    def allow_nan(self) -> bool:  # type: ignore[override]
        """Whether every member deals with missing values."""
        return all(member.allow_nan for member in self.members())

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
