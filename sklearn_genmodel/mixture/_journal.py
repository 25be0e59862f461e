"""The journal of a fit whose callbacks keep checkpoints."""

from __future__ import annotations

from typing import Any

from sklearn_genmodel._compat import full_repr
from sklearn_genmodel.callbacks import Checkpoints
from sklearn_genmodel.em import FitState, Journal, Rows, fingerprint

__all__ = ["CheckpointJournal"]


class CheckpointJournal(Journal):
    """Passes states of a fit on to the checkpoints among an estimator's callbacks.

    Parameters
    ----------
    mixture : EMMixture
    rows : Rows
    """

    def __init__(self, mixture: Any, rows: Rows) -> None:
        self._kept = Checkpoints(mixture, lambda: f"{full_repr(mixture)} {fingerprint(rows)}")

    def load(self) -> FitState | None:
        """The state that the first checkpoint with one has."""
        state: FitState | None = self._kept.load()
        return state

    def save(self, state: FitState) -> None:
        """Let every checkpoint save the state when it is time."""
        self._kept.save(lambda: state)

    def finish(self) -> None:
        """Remove what only an unfinished fit needs."""
        self._kept.finish()
