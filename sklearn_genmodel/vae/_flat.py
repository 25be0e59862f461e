"""All parameters of a module as one vector, and their gradients as another."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from sklearn_genmodel.vae._module import VAEModule

__all__ = ["FlatParameters"]


class _Run(NamedTuple):
    """Where a parameter that is trained lies in the vector."""

    start: int
    end: int
    decays: bool


class FlatParameters:
    """Two vectors of which a module's parameters and gradients become views.

    One vector is clipped, stepped, copied and zeroed in one call, whatever the network. Matrices
    come first, those of encoder and decoder before others, so that weight decay can spare what is
    behind: biases, scales, and all that a prior has. Parameters that are frozen have their place,
    and a gradient of zeros, but no optimiser sees them.

    Parameters
    ----------
    module : VAEModule
        Changed in place: its parameters keep their values and become views.
    """

    def __init__(self, module: VAEModule) -> None:
        networks = {id(p) for net in (module.encoder, module.decoder) for p in net.parameters()}
        parameters = sorted(module.parameters(), key=lambda parameter: parameter.ndim < 2)
        with torch.no_grad():
            self.vector = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
            self.gradient = torch.zeros_like(self.vector)
        self.runs: list[_Run] = []
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.data = self.vector[start:end].view(parameter.shape)
            parameter.grad = self.gradient[start:end].view(parameter.shape)
            if parameter.requires_grad and end > start:
                decays = parameter.ndim >= 2 and id(parameter) in networks
                self.runs.append(_Run(start, end, decays))
            start = end
        self.buffers = list(module.buffers())

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for an optimiser: with and without weight decay."""
        if not self.runs:
            raise ValueError(
                "All parameters of the model are frozen, and none is left to train: let some of "
                "encoder or decoder require gradients, or set decoder_scale='learned'."
            )
        if weight_decay == 0:
            return [self._group(self.runs, 0.0)]
        decayed, spared = ([r for r in self.runs if r.decays is kind] for kind in (True, False))
        groups = [self._group(decayed, weight_decay), self._group(spared, 0.0)]
        return [group for group in groups if group["params"]]

    @property
    def trained(self) -> list[tuple[int, int]]:
        """Ends of the parts of the vector that are not frozen."""
        return _joined(self.runs)

    def copy(self) -> list[Any]:
        """True copies of the parameters and of the module's buffers."""
        return [self.vector.clone(), *(buffer.clone() for buffer in self.buffers)]

    def restore(self, copied: list[Any]) -> None:
        """Set the parameters and buffers to what `copy` returned."""
        with torch.no_grad():
            for target, source in zip([self.vector, *self.buffers], copied, strict=True):
                target.copy_(source)

    def _group(self, runs: list[_Run], weight_decay: float) -> dict[str, Any]:
        parameters = []
        for start, end in _joined(runs):
            parameters.append(nn.Parameter(self.vector[start:end]))
            parameters[-1].grad = self.gradient[start:end]
        return {"params": parameters, "weight_decay": weight_decay}


def _joined(runs: list[_Run]) -> list[tuple[int, int]]:
    """Ends of runs, those that touch as one: an optimiser takes a call for each."""
    starts = {run.start for run in runs}
    ends = {run.end for run in runs}
    return list(zip(sorted(starts - ends), sorted(ends - starts), strict=True))
