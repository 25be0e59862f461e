"""All parameters of a module as one vector, and their gradients as another."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["FlatParameters"]


class FlatParameters:
    """Two vectors of which a module's parameters and gradients become views.

    One vector is clipped, stepped, copied and zeroed in one call, whatever the network. Matrices
    come first, so that weight decay can spare biases and scales.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place: its parameters keep their values and become views.
    """

    def __init__(self, module: nn.Module) -> None:
        parameters = sorted(module.parameters(), key=lambda parameter: parameter.ndim < 2)
        with torch.no_grad():
            self.vector = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
            self.gradient = torch.zeros_like(self.vector)
        self.n_decayed = sum(p.numel() for p in parameters if p.ndim >= 2)
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.data = self.vector[start:end].view(parameter.shape)
            parameter.grad = self.gradient[start:end].view(parameter.shape)
            start = end
        self.buffers = list(module.buffers())

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for an optimiser: with and without weight decay."""
        if weight_decay == 0:
            return [self._group(0, len(self.vector), 0.0)]
        n = self.n_decayed
        groups = [self._group(0, n, weight_decay), self._group(n, len(self.vector), 0.0)]
        return [group for group in groups if group["params"][0].numel()]

    def copy(self) -> list[Any]:
        """True copies of the parameters and of the module's buffers."""
        return [self.vector.clone(), *(buffer.clone() for buffer in self.buffers)]

    def restore(self, copied: list[Any]) -> None:
        """Set the parameters and buffers to what `copy` returned."""
        with torch.no_grad():
            for target, source in zip([self.vector, *self.buffers], copied, strict=True):
                target.copy_(source)

    def _group(self, start: int, end: int, weight_decay: float) -> dict[str, Any]:
        parameter = nn.Parameter(self.vector[start:end])
        parameter.grad = self.gradient[start:end]
        return {"params": [parameter], "weight_decay": weight_decay}
