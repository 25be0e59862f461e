"""The column of a table of counts that says how long, or how widely, was counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Exposure"]

EXPOSURE = Support("an exposure, a number above 0", low=float(np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class Exposure:
    """The position of an exposure among the columns of a table.

    Parameters
    ----------
    position : int
    """

    position: int

    def of(self, X: Array) -> Array:
        """Exposure of every row, (n_samples, 1)."""
        return X[:, self.position, None]

    def counts(self, X: Any) -> Any:
        """The other columns."""
        return np.delete(X, self.position, axis=1)

    def with_column(self, counted: Array, value: float) -> Array:
        """A value in place of the exposure among arrays for the other columns."""
        return np.insert(counted, self.position, value, axis=1)

    def supports(self, n_features: int) -> tuple[Support, ...]:
        """Counts, and a positive number."""
        if self.position >= n_features or n_features == 1:
            raise ValueError(
                f"exposure={self.position} is to be one of {n_features} column(s), with counts in "
                "the others: pass the position or the name of a column."
            )
        return tuple(EXPOSURE if j == self.position else COUNTS for j in range(n_features))

    def check_known(self, X: Array) -> None:
        """Refuse rows with counts of unknown exposure."""
        unknown = np.isnan(X[:, self.position]) & ~np.isnan(self.counts(X)).all(axis=1)
        if unknown.any():
            raise ValueError(
                f"Row {int(np.argmax(unknown))} has counts, but its exposure (column "
                f"{self.position}) is missing (NaN): drop such rows, or fill the exposure in."
            )

    def counted(self, columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """Positions of columns of the table among those of the parameters."""
        others = columns[columns != self.position]
        return others - (others > self.position)
