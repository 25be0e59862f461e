"""The scale of a decoder's distribution: fixed, learned, or an output of the network."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

__all__ = ["LOG_BOUND", "RATE", "Scale", "bounded"]

# Standard deviations stay within a factor of e^7, about 1,100, of their unit: an unbounded density
# on a constant column, or on rows that a network learns by heart, is worth nothing.
LOG_BOUND = 7.0
# A scale moves by this many steps of the optimiser at once: networks come closer to the rows sooner
# than steps of 0.001 take logarithms of deviations after them.
RATE = 3.0


def bounded(raw: Any) -> Any:
    """Squash to (-7, 7), smoothly, with slope 1 at 0."""
    return LOG_BOUND * torch.tanh(raw / LOG_BOUND)


class Scale(nn.Module):
    """Logarithm of a positive parameter for every column.

    Parameters
    ----------
    kind : {"unit", "learned", "learned_scalar", "network"} or float
        1, one number per column, one number, an output of the network per row and column, or a
        fixed number.
    n_features : int
    """

    def __init__(self, kind: str | float, n_features: int) -> None:
        super().__init__()
        self.from_network = kind == "network"
        self.fixed = not isinstance(kind, str) or kind == "unit"
        self.shared = kind == "learned_scalar"
        width = 1 if self.shared else n_features
        start = math.log(kind) if not isinstance(kind, str) else 0.0
        self.register_buffer("log_unit", torch.full((width,), start, dtype=torch.float64))
        if kind in {"learned", "learned_scalar"}:
            self.raw = nn.Parameter(torch.zeros(width))

    def start(self, log_values: Any) -> None:
        """Take values to start from; fixed scales stay as they are.

        Parameters
        ----------
        log_values : tensor of shape (n_features,)
        """
        if not self.fixed:
            values = log_values.mean() if self.shared else log_values
            self.log_unit.copy_(values.expand_as(self.log_unit))

    def forward(self, outputs: Any = None) -> Any:
        """Log-scale: (n_features,) or (1,), or of the shape of the network's outputs."""
        if self.fixed:
            return self.log_unit
        return self.log_unit + bounded(outputs if self.from_network else RATE * self.raw)
