"""Several processes that train one model, each on its share of the rows (torch.distributed).

Each process draws the same permutation and the same noise for a whole batch and takes its own part;
gradients are added up before they are clipped and stepped. So all processes hold the same
parameters, without being told more than sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed

from sklearn_genmodel.vae._data import Rows

__all__ = ["ALONE", "Ranks", "current_ranks"]


class Ranks:
    """A process among those that train together.

    Parameters
    ----------
    rank, size : int
        Its number, and how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def local_rank(self) -> int:
        """The number of this process on its machine, as torchrun tells it."""
        return int(os.environ.get("LOCAL_RANK", self.rank))

    def shard(self, rows: Rows) -> Rows:
        """Every `size`-th row, as many for all: the last may be one of weight 0."""
        if self.size == 1:
            return rows
        n_rows = len(rows.weights)
        index = torch.arange(self.rank, -(-n_rows // self.size) * self.size, self.size)
        own = rows.take(index.clamp(max=n_rows - 1))
        own.weights[index >= n_rows] = 0.0
        return own

    def add(self, values: Any) -> Any:
        """Replace a tensor by its sum over the processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def copy_first(self, tensors: list[Any]) -> None:
        """Replace tensors by those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def told_by_first(self, value: Any) -> Any:
        """The value that the first process has."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, 0, device=self._device)
        return values[0]

    def agree(self, decide: Callable[[], Any]) -> Any:
        """What a function returns in the first process; an error there ends all of them."""
        if self.size == 1:
            return decide()
        value, error = None, None
        if self.rank == 0:
            try:
                value = decide()
            except BaseException as raised:
                error = raised
        value, told = self.told_by_first((value, None if error is None else repr(error)))
        if error is not None:
            raise error
        if told is not None:
            raise RuntimeError(f"The first of {self.size} processes stopped with {told}.")
        return value

    def check_same(self, *arrays: NDArray[Any] | None) -> None:
        """Refuse rows that are not those of the first process, in all processes."""
        if self.size == 1:
            return
        digest = sha256(repr([None if a is None else a.shape for a in arrays]).encode())
        for array in arrays:
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        own = digest.hexdigest()
        n_alike = torch.tensor(float(own == self.told_by_first(own)), device=self._device)
        if self.add(n_alike) < self.size:
            raise ValueError(
                f"X or sample_weight differ between the {self.size} processes that train this "
                "model together: pass all rows in every process, which keeps its share of them."
            )

    @property
    def device(self) -> Any:
        """The GPU that belongs to this process."""
        return torch.device("cuda", self.local_rank % max(torch.cuda.device_count(), 1))

    @property
    def _device(self) -> Any:
        """Where objects are put on their way: NCCL takes them from a GPU only."""
        return self.device if distributed.get_backend() == "nccl" else torch.device("cpu")


ALONE = Ranks()


def current_ranks() -> Ranks:
    """Which process of the default process group this is; alone if none was made."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ALONE
    return Ranks(distributed.get_rank(), distributed.get_world_size())
