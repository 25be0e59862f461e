"""Rows with the noise of their latents: the batches of an epoch, and rows that are watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._distributed import Ranks
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._objectives import objective_sum
from sklearn_genmodel.vae._options import TrainingOptions
from sklearn_genmodel.vae._streaming import StreamedRows

__all__ = ["ROWS_AT_A_TIME", "WatchedRows", "batches", "n_passes"]

BATCHES_AT_A_TIME, ROWS_AT_A_TIME = 32, 4096


def n_passes(n_rows: int, options: TrainingOptions, ranks: Ranks) -> int:
    """How often an epoch goes through the rows.

    Parameters
    ----------
    n_rows : int
        This process's share.
    options : TrainingOptions
    ranks : Ranks

    Returns
    -------
    n_passes : int
    """
    n_batches = -(-n_rows // min(-(-options.batch_size // ranks.size), n_rows))
    return -(-options.least_steps // n_batches)


def batches(
    rows: Rows | StreamedRows,
    module: VAEModule,
    options: TrainingOptions,
    ranks: Ranks,
    generator: torch.Generator,
) -> Iterator[tuple[Rows, Any]]:
    """Batches of one size in an order drawn anew, the last filled up with rows of weight 0.

    Parameters
    ----------
    rows : Rows or StreamedRows
        This process's share.
    module : VAEModule
    options : TrainingOptions
        Size of a batch of all processes together, and draws of every row.
    ranks : Ranks
    generator : torch.Generator
        The same in every process.

    Yields
    ------
    rows : Rows
    noise : tensor of shape (n_draws, n_rows, n_latent)
    """
    n_rows = len(rows.weights)
    size = min(-(-options.batch_size // ranks.size), n_rows)
    n_batches = -(-n_rows // size)
    order = torch.randperm(n_rows, generator=generator, device=generator.device)
    n_fill = n_batches * size - n_rows
    order = torch.cat([order, order[:n_fill]])
    n_taken = 0
    for part in rows.takes(order.split(BATCHES_AT_A_TIME * size)):
        n_taken += len(part.weights)
        shape = len(part.weights) // size, options.n_draws, size * ranks.size
        noise = _noise(module, shape, generator)
        noise = noise[..., ranks.rank * size :, :][..., :size, :]
        if n_taken == len(order) and n_fill:
            part.weights[-n_fill:] = 0.0
        yield from zip(part.split(size), noise, strict=True)


class WatchedRows:
    """Rows whose bound is followed through a training, always with the same noise.

    Parameters
    ----------
    rows : Rows or StreamedRows
    module : VAEModule
    options : TrainingOptions
    seed : int
        Of the noise.
    """

    def __init__(
        self, rows: Rows | StreamedRows, module: VAEModule, options: TrainingOptions, seed: int
    ) -> None:
        self.rows, self.module, self.objective = rows, module, options.objective
        generator = torch.Generator(device=module.like.device)
        generator.manual_seed(seed)
        self.noise = _noise(module, (options.n_draws, len(rows.weights)), generator)

    def bound(self) -> Any:
        """Weighted sum of the bounds at the parameters as they are now, and the weight: (2,)."""
        total = self.module.like.new_zeros(2)
        with torch.no_grad():
            for start in range(0, len(self.rows.weights), ROWS_AT_A_TIME):
                block = slice(start, start + ROWS_AT_A_TIME)
                rows, noise = self.rows.block(block), self.noise[:, block]
                total += objective_sum(self.module, rows, noise, self.objective)
        return total


def _noise(module: VAEModule, shape: tuple[int, ...], generator: torch.Generator) -> Any:
    """Standard normal, (*shape, n_latent)."""
    shape, like = (*shape, module.n_latent), module.like
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
