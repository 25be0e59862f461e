"""Blocks of rows as a family reads them: made once for all passes, where memory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from sklearn_genmodel.em._rows import MOST_KEPT, Block, Rows
from sklearn_genmodel.families import Family

__all__ = ["prepared_chunks"]

# Rows of so few columns are laid out column by column.
FEW_COLUMNS = 64

Chunks = list[list[Block]]


class Memory:
    """Blocks that a family has prepared, by their size.

    Parameters
    ----------
    family : Family
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self.known: dict[int, Chunks | None] = {}
        self.n_bytes = 0

    def chunks(self, rows: Rows, slices: list[list[slice]]) -> Chunks | None:
        """All blocks, prepared; None if they are too large to be kept.

        Parameters
        ----------
        rows : Rows
        slices : list of list of slice
            Those of the blocks, chunk by chunk.
        """
        size = slices[0][0].stop
        if size not in self.known:
            first = next(_laid_out(self.family, rows, slices[0][:1]))
            n_bytes = _n_bytes(first) * len(rows) // size
            if n_bytes > MOST_KEPT:
                self.known[size] = None
                return None
            if self.n_bytes + n_bytes > MOST_KEPT:
                self.known, self.n_bytes = {}, 0
            self.n_bytes += n_bytes
            self.known[size] = list(
                rows.map(lambda chunk: list(_laid_out(self.family, rows, chunk)), slices)
            )
        return self.known[size]


def prepared_chunks(family: Family, rows: Rows, width: int) -> list[Iterable[Block]]:
    """Chunks of blocks whose values are what `Family.prepare` makes of them.

    Parameters
    ----------
    family : Family
    rows : Rows
    width : int
        Number of floats that a row takes in a pass.

    Returns
    -------
    chunks : list of iterable of Block
        Of rows that are not kept, each can be gone through once.
    """
    slices = rows.chunks(width)
    if rows.memory is not None and slices:
        memory = rows.memory.get("prepared")
        if memory is None or memory.family is not family:
            memory = rows.memory["prepared"] = Memory(family)
        kept = memory.chunks(rows, slices)
        if kept is not None:
            return list(kept)
    return [_prepared(family, rows.blocks(chunk)) for chunk in slices]


def _prepared(family: Family, blocks: Iterable[Block]) -> Iterator[Block]:
    return (block._replace(X=family.prepare(block.X)) for block in blocks)


def _laid_out(family: Family, rows: Rows, chunk: list[slice]) -> Iterator[Block]:
    """Prepared blocks of rows whose columns, if these are few, follow each other."""
    blocks = rows.blocks(chunk)
    if rows.X.shape[1] <= FEW_COLUMNS:
        blocks = (block._replace(X=np.asfortranarray(block.X)) for block in blocks)
    return _prepared(family, blocks)


def _n_bytes(prepared: Any) -> int:
    """Size of all arrays in nested tuples."""
    if isinstance(prepared, tuple):
        return sum(map(_n_bytes, prepared))
    return int(getattr(prepared, "nbytes", 0))
