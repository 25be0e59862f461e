"""Steps on CUDA: a step is captured as a graph once, and replayed for every batch.

Small networks on a GPU wait for the launch of their kernels; a graph launches all of a step at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._networks import Dense

__all__ = ["GraphedStep", "graphed"]

# Rows, noise and weight of the KL term to sums over the batch; the parameters are stepped.
Advance = Callable[[Rows, Any, Any], Any]

N_EAGER = 3


def graphed(advance: Advance, module: VAEModule, optimizer: Any) -> Advance:
    """Capture a step if it is known not to wait for the host: dense networks, Adam, CUDA.

    Parameters
    ----------
    advance : callable
        Works in place on tensors that stay where they are.
    module : VAEModule
    optimizer : torch.optim.Optimizer

    Returns
    -------
    advance : callable
    """
    networks = module.encoder, module.decoder
    dense = all(isinstance(network, Dense) for network in networks)
    capturable = all(group.get("capturable", False) for group in optimizer.param_groups)
    return GraphedStep(advance) if dense and capturable and module.like.is_cuda else advance


class GraphedStep:
    """A step that is run three times, then captured, then replayed.

    Parameters
    ----------
    advance : callable
        Works in place on tensors that stay where they are.
    """

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.n_run = 0
        self.graph: Any = None
        self.sums: Any = None

    def __call__(self, rows: Rows, noise: Any, kl_weight: float) -> Any:
        """Sums over the batch, which the next call overwrites."""
        if self.graph is None:
            self._hold(rows, noise)
        self._fill(rows, noise, kl_weight)
        if self.graph is not None:
            self.graph.replay()
            return self.sums
        self.n_run += 1
        if self.n_run <= N_EAGER:
            return self._run_beside()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.sums = self.advance(self.rows, self.noise, self.kl_weight)
        self.graph.replay()
        return self.sums

    def _hold(self, rows: Rows, noise: Any) -> None:
        """Make the tensors that a graph reads."""
        inputs = torch.empty_like(rows.inputs)
        cells = inputs if rows.cells is rows.inputs else torch.empty_like(rows.cells)
        mask = None if rows.mask is None else torch.empty_like(rows.mask)
        self.rows = Rows(inputs, cells, mask, torch.empty_like(rows.weights))
        self.noise, self.kl_weight = torch.empty_like(noise), noise.new_zeros(())

    def _fill(self, rows: Rows, noise: Any, kl_weight: float) -> None:
        self.rows.inputs.copy_(rows.inputs)
        if self.rows.cells is not self.rows.inputs:
            self.rows.cells.copy_(rows.cells)
        if rows.mask is not None:
            self.rows.mask.copy_(rows.mask)
        self.rows.weights.copy_(rows.weights)
        self.noise.copy_(noise)
        self.kl_weight.fill_(kl_weight)

    def _run_beside(self) -> Any:
        """One step on a stream beside the current one, as capturing later needs."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            sums = self.advance(self.rows, self.noise, self.kl_weight)
        current.wait_stream(stream)
        return sums
