"""The journal of a fit whose callbacks keep checkpoints."""

from __future__ import annotations

from typing import Any

from sklearn_genmodel._compat import full_repr
from sklearn_genmodel.callbacks import Checkpoint
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
        callbacks = getattr(mixture, "_skl_callbacks", None) or []
        self.checkpoints = [own for own in callbacks if isinstance(own, Checkpoint)]
        self.fingerprint = ""
        if self.checkpoints:
            self.fingerprint = f"{full_repr(mixture)} {fingerprint(rows)}"

    def load(self) -> FitState | None:
        """The state that the first checkpoint with one has."""
        found = (checkpoint.load(self.fingerprint) for checkpoint in self.checkpoints)
        return next((state for state in found if state is not None), None)

    def save(self, state: FitState) -> None:
        """Let every checkpoint save the state when it is time."""
        for checkpoint in self.checkpoints:
            checkpoint.save(self.fingerprint, state)

    def finish(self) -> None:
        """Remove what only an unfinished fit needs."""
        for checkpoint in self.checkpoints:
            checkpoint.finish()
