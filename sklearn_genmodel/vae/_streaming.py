"""Where the rows of a training lie: on the device, or in the host's memory if they do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from sklearn_genmodel.vae._data import Rows

__all__ = ["StreamedRows", "place_rows"]

# Resident rows leave at least half of the free memory to networks, gradients and activations.
LARGEST_SHARE = 0.5


def place_rows(rows: Rows, device: Any) -> Rows | StreamedRows:
    """Move rows to the device of a training, or stream them if they would fill it.

    Parameters
    ----------
    rows : Rows
        In the host's memory.
    device : torch.device

    Returns
    -------
    rows : Rows or StreamedRows
    """
    if device.type == "cuda":
        n_free, _ = torch.cuda.mem_get_info(device)
        if rows.n_bytes > LARGEST_SHARE * n_free:
            return StreamedRows(rows, device)
    return rows.map(lambda values: values.to(device))


class StreamedRows:
    """Rows that stay in the host's memory and are copied when they are taken.

    Has the methods of `Rows` that training needs; what they return lies on the device. On CUDA
    taken rows are gathered in pinned memory and copied on a stream beside the current one.

    Parameters
    ----------
    host : Rows
    device : torch.device
    """

    def __init__(self, host: Rows, device: Any) -> None:
        self.host, self.device = host, device
        self.inputs, self.cells, self.weights = host.inputs, host.cells, host.weights
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def takes(self, indices: Iterable[Any]) -> Iterator[Rows]:
        """Rows by their positions, part by part; the next part is copied while one is used."""
        ahead: Any = None
        for index in indices:
            coming = self._begin(self._gathered(index.cpu()))
            if ahead is not None:
                yield self._arrived(*ahead)
            ahead = coming
        if ahead is not None:
            yield self._arrived(*ahead)

    def block(self, block: slice) -> Rows:
        """Rows of a slice."""
        return self.host.block(block).map(lambda values: values.to(self.device))

    def split(self, size: int) -> Iterator[Rows]:
        """Batches of one size, copied one by one."""
        for start in range(0, len(self.weights), size):
            yield self.block(slice(start, start + size))

    def _gathered(self, index: Any) -> Rows:
        def gather(values: Any) -> Any:
            shape = (len(index), *values.shape[1:])
            # torch keeps a pinned buffer from being used again until its copy is over.
            out = torch.empty(shape, dtype=values.dtype, pin_memory=self.stream is not None)
            return torch.index_select(values, 0, index, out=out)

        return self.host.map(gather)

    def _begin(self, gathered: Rows) -> tuple[Rows, Any]:
        """Rows on their way to the device, and the event of their arrival."""
        if self.stream is None:
            return gathered, None
        with torch.cuda.stream(self.stream):
            copied = gathered.map(lambda values: values.to(self.device, non_blocking=True))
        return copied, self.stream.record_event()

    def _arrived(self, rows: Rows, event: Any) -> Rows:
        if event is None:
            return rows
        current = torch.cuda.current_stream(self.device)
        current.wait_event(event)
        for values in rows:
            if values is not None:
                values.record_stream(current)
        return rows
