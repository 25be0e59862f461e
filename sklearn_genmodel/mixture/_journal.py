"""The journal of a fit whose callbacks keep checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._identity import describe_fit
from sklearn_genmodel.callbacks import Checkpoints
from sklearn_genmodel.em import FitState, Journal, Rows, fingerprint
from sklearn_genmodel.families import Family

__all__ = ["CheckpointJournal"]


class CheckpointJournal(Journal):
    """Passes states of a fit on to the checkpoints among an estimator's callbacks.

    Parameters
    ----------
    mixture : EMMixture
    family : Family
        Knows the levels of the columns.
    rows : Rows
    rng : Generator
        Not drawn from yet.
    init : Theta, array or str
        Where the fit starts.
    """

    def __init__(
        self, mixture: Any, family: Family, rows: Rows, rng: np.random.Generator, init: Any
    ) -> None:
        def told() -> str:
            levels = [support.levels for support in family.column_supports(rows.X.shape[1])]
            return f"{describe_fit(mixture, rng, _arrays(init))} {levels} {fingerprint(rows)}"

        self._checkpoints = Checkpoints(mixture, told)

    def load(self) -> FitState | None:
        """The state that the first checkpoint with one has."""
        state: FitState | None = self._checkpoints.load()
        return state

    def save(self, state: FitState) -> None:
        """Let every checkpoint save the state when it is time."""
        self._checkpoints.save(lambda: state)

    def finish(self) -> None:
        """Remove what only an unfinished fit needs."""
        self._checkpoints.finish()


def _arrays(value: Any) -> list[NDArray[Any]]:
    """All arrays in nested tuples."""
    if isinstance(value, tuple):
        return [array for part in value for array in _arrays(part)]
    return [np.asarray(value)] if isinstance(value, (np.ndarray, float)) else []
