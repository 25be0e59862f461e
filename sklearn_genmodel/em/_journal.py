"""States of a fit, and where they are kept to go on from."""

from __future__ import annotations

from typing import NamedTuple

from sklearn_genmodel.em._contender import Contender
from sklearn_genmodel.em._loop import Run

__all__ = ["NO_JOURNAL", "FitState", "Journal"]


class FitState(NamedTuple):
    """A fit in its last stage: the starts in their order, whose turn it is, and how far it is."""

    contenders: list[Contender]
    position: int
    run: Run


class Journal:
    """Where states of a fit are kept; this one keeps none.

    `Search` needs no states: it is repeated, as a seed makes it come out the same.
    """

    def load(self) -> FitState | None:
        """The state from which to go on, if there is one."""
        return None

    def save(self, state: FitState) -> None:
        """Take the state after a pass."""


NO_JOURNAL = Journal()
