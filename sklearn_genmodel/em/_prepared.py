"""Blocks of rows as a family reads them: made once for all passes, where memory allows."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_genmodel.em._rows import MOST_KEPT, Block, Rows
from sklearn_genmodel.families import Family

__all__ = ["Memory", "kept", "prepared_chunks"]

# Rows of so few columns are laid out column by column, as passes read them fastest.
FEW_COLUMNS = 64

Prepare = Callable[[Any], Any]


class Kept(NamedTuple):
    """All blocks, chunk by chunk, and whether they are prepared or only laid out."""

    chunks: list[list[Block]]
    prepared: bool


class Memory:
    """Blocks that passes over some rows have made, by their size, for families that read alike."""

    def __init__(self) -> None:
        self.clear()

    def clear(self, prepare: Prepare | None = None) -> None:
        """Forget everything, and begin with what this makes of a block."""
        self.prepare = prepare
        self.known: dict[int, Kept | None] = {}
        self.n_bytes = 0.0

    def blocks(self, family: Family, rows: Rows, slices: list[list[slice]]) -> Kept | None:
        """All blocks as they are kept, made if need be; None if they are too large.

        Parameters
        ----------
        family : Family
        rows : Rows
        slices : list of list of slice
            Those of the blocks, chunk by chunk.
        """
        if family.prepare != self.prepare:
            self.clear(family.prepare)
        size = slices[0][0].stop
        if size not in self.known:
            kept = self._made(rows, slices, family.prepare)
            self.known[size] = kept or self._made(rows, slices, None)
        return self.known[size]

    def _made(self, rows: Rows, slices: list[list[slice]], prepare: Prepare | None) -> Kept | None:
        """Make all blocks if, going by the first, they fit; older ones make room for them."""
        first = next(_laid_out(rows, slices[0][:1], prepare))
        n_bytes = _n_bytes(first[1:]) * len(rows) / first.n_rows
        if n_bytes > MOST_KEPT:
            return None
        if self.n_bytes + n_bytes > MOST_KEPT:
            self.clear(self.prepare)
        self.n_bytes += n_bytes
        made = rows.map(lambda chunk: list(_laid_out(rows, chunk, prepare)), slices)
        return Kept(list(made), prepare is not None)


def kept(rows: Rows) -> Rows:
    """The same rows for many passes, which keep what they make of rows in memory.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    rows : Rows
    """
    return replace(rows, memory=Memory()) if type(rows.X) is np.ndarray else rows


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
    found = rows.memory.blocks(family, rows, slices) if rows.memory and slices else None
    if found is None:
        return [_prepared(rows.blocks(chunk), family.prepare) for chunk in slices]
    if found.prepared:
        return list(found.chunks)
    return [_prepared(chunk, family.prepare) for chunk in found.chunks]


def _prepared(blocks: Iterable[Block], prepare: Prepare | None) -> Iterator[Block]:
    return (block._replace(X=prepare(block.X)) if prepare else block for block in blocks)


def _laid_out(rows: Rows, chunk: list[slice], prepare: Prepare | None) -> Iterator[Block]:
    """Blocks of rows whose columns, if these are few, follow each other."""
    blocks = rows.blocks(chunk)
    if rows.X.shape[1] <= FEW_COLUMNS:
        blocks = (block._replace(X=np.asfortranarray(block.X)) for block in blocks)
    return _prepared(blocks, prepare)


def _n_bytes(prepared: Any) -> float:
    """Size of all arrays in nested tuples and lists; infinite if something cannot be measured."""
    return sum({id(part): size for part, size in _sizes(prepared)}.values())


def _sizes(prepared: Any) -> Iterator[tuple[Any, float]]:
    if isinstance(prepared, (tuple, list)):
        for part in prepared:
            yield from _sizes(part)
    elif prepared is not None and not isinstance(prepared, numbers.Number):
        yield prepared, getattr(prepared, "nbytes", np.inf)
