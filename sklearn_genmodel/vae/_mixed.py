"""Tables of mixed columns: a likelihood for every group of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sklearn_genmodel.families import Support
from sklearn_genmodel.vae._likelihood import Likelihood, to_array

__all__ = ["Mixed"]

Array = NDArray[np.float64]

ANYTHING = Support("anything")


class Mixed(Likelihood):
    """Groups of columns that are independent given z; columns in no group are left out.

    Parameters
    ----------
    parts : list of Likelihood
    columns : list of sequence of int
        Positions of the columns of every part.
    n_features : int
        Columns of the table.
    """

    support = ANYTHING

    def __init__(self, parts: list[Likelihood], columns: list[Any], n_features: int) -> None:
        super().__init__(n_features, "unit")
        self.parts = nn.ModuleList(parts)
        self.columns = [np.asarray(positions, dtype=np.intp) for positions in columns]
        self.n_outputs = sum(part.n_outputs for part in parts)
        self.rescaled = self._by_column("rescaled")
        self.has_outliers = self._by_column("has_outliers")

    @property
    def inputs_with_outliers(self) -> NDArray[np.bool_]:
        """Those of the parts, one after the other."""
        return np.concatenate([part.inputs_with_outliers for part, _ in self._placed()])

    @property
    def supports(self) -> list[Support]:
        """Those of the parts."""
        supports = [ANYTHING] * self.n_features
        for part, positions in self._placed():
            for position, support in zip(positions, part.supports, strict=True):
                supports[position] = support
        return supports

    def features(self, X: Array) -> Array:
        """Those of the parts, one after the other."""
        return np.concatenate([part.features(X[:, cols]) for part, cols in self._placed()], axis=1)

    def to_cells(self, X: Array) -> Array:
        """Those of the parts, in the places of their columns."""
        cells = X.copy()
        for part, positions in self._placed():
            cells[:, positions] = part.to_cells(X[:, positions])
        return cells

    def spread(self, features: Array, weights: Array | None) -> Array:
        """As every part divides its own."""
        widths = [part.n_inputs for part, _ in self._placed()]
        own = np.split(features, np.cumsum(widths)[:-1], axis=1)
        return np.concatenate(
            [
                part.spread(block, weights)
                for (part, _), block in zip(self._placed(), own, strict=True)
            ]
        )

    def start(self, X: Array, weights: Array | None) -> Array:
        """Every part at its own start."""
        return np.concatenate([part.start(X[:, cols], weights) for part, cols in self._placed()])

    def log_prob(self, X: Any, outputs: Any) -> Any:
        """Log-density of every cell; 0 in columns that are left out."""
        shape = torch.broadcast_shapes(X.shape[:-1], outputs.shape[:-1])
        log_prob = outputs.new_zeros(*shape, self.n_features)
        for part, positions, own in self._split(outputs):
            log_prob[..., positions] = part.log_prob(X[..., positions], own)
        return log_prob

    def row_log_prob(self, X: Any, outputs: Any, mask: Any) -> Any:
        """Sum over the parts."""
        total: Any = 0.0
        for part, positions, own in self._split(outputs):
            seen = None if mask is None else mask[..., positions]
            total = total + part.row_log_prob(X[..., positions], own, seen)
        return total

    def mean(self, outputs: Any) -> Any:
        """Means, or the most probable codes; NaN in columns that are left out."""
        means = outputs.new_full((*outputs.shape[:-1], self.n_features), torch.nan)
        for part, positions, own in self._split(outputs):
            means[..., positions] = part.mean(own)
        return means

    def sample(self, outputs: Any, rng: np.random.Generator) -> Array:
        """Draw every part; NaN in columns that are left out."""
        draws = np.full((*outputs.shape[:-1], self.n_features), np.nan)
        for part, positions, own in self._split(outputs):
            draws[..., positions] = part.sample(own, rng)
        return draws

    def expectation(self, outputs: Any) -> Any:
        """Those of the parts, one after the other."""
        return torch.cat([part.expectation(own) for part, _, own in self._split(outputs)], -1)

    def cells(self, expectation: Any) -> Any:
        """Cells that stand for an average over z."""
        widths = [part.n_expected for part, _ in self._placed()]
        cells = np.full((*expectation.shape[:-1], self.n_features), np.nan)
        own = expectation.split(widths, dim=-1)
        for (part, positions), block in zip(self._placed(), own, strict=True):
            cells[..., positions] = to_array(part.cells(block))
        return torch.as_tensor(cells)

    def _placed(self) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Every part with the positions of its columns."""
        return zip(self.parts, self.columns, strict=True)

    def _split(self, outputs: Any) -> Iterator[tuple[Any, NDArray[np.intp], Any]]:
        """Every part with the positions of its columns and its outputs of the decoder."""
        own = outputs.split([part.n_outputs for part, _ in self._placed()], dim=-1)
        for (part, positions), block in zip(self._placed(), own, strict=True):
            yield part, positions, block

    def _by_column(self, name: str) -> NDArray[np.bool_]:
        values = np.zeros(self.n_features, dtype=bool)
        for part, positions in self._placed():
            values[positions] = getattr(part, name)
        return values
