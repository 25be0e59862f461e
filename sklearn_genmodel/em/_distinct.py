"""Which rows are distinct, of all or of a sample, and in what order passes go through them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._rows import MOST_KEPT, Rows

__all__ = ["by_gaps", "canonical_rows", "distinct_rows", "fingerprint", "row_sample"]

Array = NDArray[np.float64]

# Up to this many values, data are always sorted and merged.
SMALL_DATA = 2**19
# In more rows than so many, those with the same gaps are brought together.
SCATTERED = 2**13
# A 16th of all hashes are below; so many rows tell how often rows repeat.
SMALL_HASH, ENOUGH_TO_TELL = np.uint64(2**60), 10_000
HASH_SEED = np.uint64(0x9E3779B97F4A7C15)
HASH_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def canonical_rows(rows: Rows) -> Rows:
    """Return the same data with repeated rows merged, where that pays; zero weights left out.

    Small data always come out as distinct rows in lexicographic order, so that fits do not depend
    on the order of rows, and a weight of 2 equals a repeated row. Large data are merged if that
    halves them.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    rows : Rows
    """
    stored = not isinstance(rows.X, np.ndarray)
    if rows.X.size > SMALL_DATA and (stored or not _halved(_hashes(rows))):
        return rows
    return _distinct_rows_of(rows)


def by_gaps(rows: Rows) -> Rows:
    """Return the same rows, those whose missing values are in the same columns side by side.

    What a pass computes for a pattern of missing values it computes in every block anew. Rows that
    are too many to be copied stay as they are.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    rows : Rows
    """
    if type(rows.X) is not np.ndarray or len(rows) <= SCATTERED or rows.X.nbytes > MOST_KEPT:
        return rows
    gaps = np.packbits(np.isnan(rows.X), axis=1)
    return rows.take(np.lexsort(gaps.T)) if gaps.any() else rows


def _halved(hashes: NDArray[np.uint64]) -> bool:
    """Whether merging halves the rows: those with small hashes tell, if they are many."""
    some = hashes[hashes < SMALL_HASH]
    hashes = some if len(some) > ENOUGH_TO_TELL else hashes
    return 2 * len(_distinct(hashes)) <= len(hashes)


def row_sample(rows: Rows, n_rows: int) -> Rows:
    """A sample of distinct rows, each with all its weight, for finding starts.

    Rows are chosen by a hash of their values, so that neither order nor weight matters.

    Parameters
    ----------
    rows : Rows
    n_rows : int
        Largest number of distinct rows.

    Returns
    -------
    rows : Rows
    """
    if len(rows) > n_rows:
        rows = rows.take(_with_smallest_hashes(rows, n_rows))
    return _distinct_rows_of(rows)


def _with_smallest_hashes(rows: Rows, n_distinct: int) -> NDArray[np.bool_]:
    """Which rows have one of so many smallest hashes, in one pass."""
    kept, places, waiting = np.empty(0, np.uint64), np.empty(0, np.intp), []
    largest = np.uint64(2**64 - 1)
    n_waiting = 0
    for block, hashes in _hashed_blocks(rows):
        own = np.flatnonzero(hashes <= largest)
        waiting.append((hashes[own], own + block.start))
        n_waiting += len(own)
        if n_waiting >= max(n_distinct, len(kept)) or block.stop == len(rows):
            kept = np.concatenate([kept, *(found for found, _ in waiting)])
            places = np.concatenate([places, *(place for _, place in waiting)])
            waiting, n_waiting = [], 0
            smallest = _distinct(kept.copy())
            if len(smallest) >= n_distinct:
                largest = smallest[n_distinct - 1]
                kept, places = kept[kept <= largest], places[kept <= largest]
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[places] = True
    return chosen


def _distinct_rows_of(rows: Rows) -> Rows:
    """Merge rows that are equal in their values and in their prior over the components."""
    if rows.resp_prior is None:
        return Rows(*distinct_rows(rows.X, rows.sample_weight), rows.map)
    d = rows.X.shape[1]
    joint = np.concatenate([rows.X[:], rows.resp_prior], axis=1)
    merged, weights = distinct_rows(joint, rows.sample_weight)
    return Rows(merged[:, :d].copy(), weights, rows.map, merged[:, d:].copy())


def fingerprint(rows: Rows) -> str:
    """A few digits that tell these rows and weights from others.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    fingerprint : str
    """
    ordered = _hashes(rows) * np.arange(1, len(rows) + 1, dtype=np.uint64)
    told = hashlib.sha256(np.ascontiguousarray(rows.weights).data)
    if rows.resp_prior is not None:
        told.update(np.ascontiguousarray(rows.resp_prior).data)
    return f"{rows.X.shape} {ordered.sum(dtype=np.uint64):016x} {told.hexdigest()[:32]}"


def distinct_rows(X: Array, sample_weight: Array | None) -> tuple[Array, Array]:
    """Distinct rows in lexicographic order and the weight of each, zero weights left out.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    rows : ndarray of shape (n_distinct, n_features)
    weights : ndarray of shape (n_distinct,)
    """
    X = np.asarray(X[:])
    weights = Rows(X, sample_weight).weights
    seen = weights > 0
    if not seen.all():
        X, weights = X[seen], weights[seen]
    # Adding 0.0 makes -0.0 and 0.0 one value.
    X = np.asarray(X, dtype=np.float64) + 0.0
    order = _lexicographic(X)
    X, weights = X[order], weights[order]
    first = np.ones(len(X), dtype=bool)
    alike = 1 + np.flatnonzero(_equal(X[1:, 0], X[:-1, 0]))
    first[alike] = ~_equal(X[alike], X[alike - 1]).all(axis=1)
    if first.all():
        return X, weights
    return X[first], np.add.reduceat(weights, np.flatnonzero(first))


def _lexicographic(X: Array) -> NDArray[np.intp]:
    """The order of rows; columns after the first are read where that leaves it open."""
    order = np.argsort(X[:, 0], kind="stable")
    leading = X[order, 0]
    tied = _equal(leading[1:], leading[:-1])
    if X.shape[1] == 1 or not tied.any():
        return order
    if 2 * np.count_nonzero(tied) > len(X):
        return np.lexsort(X.T[::-1])
    group = np.append(0, np.cumsum(~tied))
    places = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
    some = order[places]
    order[places] = some[np.lexsort([*X[some, 1:].T[::-1], group[places]])]
    return order


def _equal(X: Array, Y: Array) -> NDArray[np.bool_]:
    """Which entries are equal, missing ones (NaN) among them."""
    return (X == Y) | (np.isnan(X) & np.isnan(Y))


def _hashes(rows: Rows) -> NDArray[np.uint64]:
    """A hash of every row."""
    return np.concatenate([hashes for _, hashes in _hashed_blocks(rows)])


def _hashed_blocks(rows: Rows) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    """A 64-bit hash of the values of every row (multiply-xorshift, Steele et al. 2014)."""
    for chunk in rows.chunks(2 * rows.X.shape[1]):
        for block in rows.blocks(chunk):
            values = np.where(np.isnan(block.X), np.nan, block.X + 0.0)
            bits = np.ascontiguousarray(values).view(np.uint64)
            mixed = np.full(len(bits), HASH_SEED)
            for column in bits.T:
                mixed = (mixed ^ column) * HASH_FACTORS[0]
                mixed = (mixed ^ (mixed >> np.uint64(29))) * HASH_FACTORS[1]
                mixed ^= mixed >> np.uint64(32)
            yield block.rows, mixed


def _distinct(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Distinct values in ascending order; sorts the array it is given."""
    hashes.sort()
    return hashes[np.append(True, hashes[1:] != hashes[:-1])]
