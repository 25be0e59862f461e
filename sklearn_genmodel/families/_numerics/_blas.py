"""Products of matrices in the way that BLAS is fastest at, and that lets other threads go on."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import (
    CFUNCTYPE,
    PYFUNCTYPE,
    byref,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_void_p,
    py_object,
    pythonapi,
)
from functools import cache
from typing import Any

import numpy as np
from scipy import LowLevelCallable
from scipy.linalg import cython_blas
from threadpoolctl import threadpool_info

from sklearn_genmodel.families._arrays import Array

__all__ = ["LEAST_TERMS", "has_small_kernels", "thin_product", "triangular_product", "wide_product"]


# OpenBLAS computes products of up to so many terms from where the factors lie, which is up to twice
# as fast where one of them is small; sums of long rows only if no more than so many come out.
FEW_TERMS, FEW_SUMS = 1_000_000, 1200
# Nothing is gained where parts would be shorter.
SHORTEST = 200
# matmul keeps the lock of the interpreter where all its results are fewer.
FEWEST_FREE = 500
# The kernels with such products, and by how many rows these are quickest; more sums than so many
# are not worth being cut by rows.
SMALL_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}
ROWS, MOST_SUMS = 4, 5000
# Rows as they lie are multiplied fastest as columns are from so many terms on; up to so many
# results of each, by kernels for small products.
LEAST_TERMS, MOST_RESULTS = 40, 12


def wide_product(a: Array, b: Array) -> Array:
    """a @ b of a small matrix and one of long rows, cut where that is faster."""
    if len(b) == 1:
        return np.asarray(a * b)
    n = b.shape[1]
    n_parts = -(-a.size * n // FEW_TERMS)
    if b.strides[0] == b.itemsize and _is_quick_in_small(a):
        # The terms of every result lie next to each other: sums, as in `thin_product`.
        n_parts = max(n_parts, -(-len(a) * n // FEW_SUMS))
    if n_parts < 2 or a.size > FEW_TERMS // SHORTEST:
        return np.asarray(a @ b)
    length = n // n_parts
    cut, out = n_parts * length, np.empty((len(a), n))
    np.matmul(a, _parts(b[:, :cut], length), out=_parts(out[:, :cut], length))
    if cut < n:
        np.matmul(a, b[:, cut:], out=out[:, cut:])
    return out


def thin_product(a: Array, b: Array) -> Array:
    """a @ b of long rows that leave little, cut where that is faster.

    np.dot lets other threads go on whatever comes out, but copies what is cut.
    """
    n, width = len(b), b.shape[1] if b.ndim == 2 else 1
    size, n_rows = len(a) * width, FEW_SUMS // max(width, 1) // ROWS * ROWS
    if FEW_SUMS < size <= MOST_SUMS and has_small_kernels():
        if len(a) < width:
            # Every part reads all of b, the larger one.
            return thin_product(b.T, a.T).T
        rows = (slice(start, start + n_rows) for start in range(0, len(a), n_rows))
        return np.concatenate([thin_product(a[part], b) for part in rows])
    if size > FEW_SUMS or size * n <= FEW_TERMS or b.ndim < 2:
        return np.asarray(np.dot(a, b))
    n_parts = -(-max(size * n, FEWEST_FREE * FEW_TERMS // size) // FEW_TERMS)
    length = n // n_parts
    cut = n_parts * length
    sums = _parts(a[:, :cut], length) @ _parts(b[:cut].T, length).transpose(0, 2, 1)
    total: Array = sums.sum(axis=0)
    return total + a[:, cut:] @ b[cut:] if cut < n else total


def _parts(matrix: Array, length: int) -> Array:
    """Columns of a matrix, so many at a time: (n_parts, n_rows, length), without a copy."""
    return matrix.reshape(len(matrix), -1, length).transpose(1, 0, 2)


def triangular_product(lower: Array, y: Array) -> Array:
    """Product of a lower-triangular matrix (d, d) and columns y (d, n), laid out as these are.

    scipy's wrapper of BLAS keeps the lock of the interpreter.
    """
    # BLAS stores matrices by columns, so that it takes `lower` for an upper triangle.
    by_columns = y.flags.f_contiguous
    side, transposed = (b"L", b"T") if by_columns else (b"R", b"N")
    out = np.array(y, dtype=np.float64, order="F" if by_columns else "C")
    shape = out.shape if by_columns else out.shape[::-1]
    dtrmm, integer = _dtrmm()
    n_rows, n_columns = map(integer, shape)
    d, rows_apart = integer(len(lower)), integer(max(shape[0], 1))
    lower = np.ascontiguousarray(lower, dtype=np.float64)
    sizes = byref(n_rows), byref(n_columns), byref(c_double(1.0))
    matrices = lower.ctypes.data, byref(d), out.ctypes.data, byref(rows_apart)
    dtrmm(side, b"U", transposed, b"N", *sizes, *matrices)
    return out


def _is_quick_in_small(a: Array) -> bool:
    """Whether few rows of a small matrix are long enough for kernels for small products."""
    return len(a) <= MOST_RESULTS and a.shape[1] >= LEAST_TERMS and has_small_kernels()


@cache
def has_small_kernels() -> bool:
    """Whether the BLAS of numpy has kernels for small products."""
    libraries = threadpool_info()
    return any(library.get("architecture") in SMALL_KERNELS for library in libraries)


@cache
def _dtrmm() -> tuple[Callable[..., None], Any]:
    """The routine, and the type of its integers."""
    capsule = LowLevelCallable.from_cython(cython_blas, "dtrmm")
    pointer = PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", pythonapi))
    address = pointer(capsule.function, capsule.signature.encode())
    # From scipy 1.18 on integers may have 8 bytes, and a function says how many they have.
    size = getattr(cython_blas, "_blas_int_size", lambda: 4)()
    # ctypes releases the lock of the interpreter while such a function runs.
    arguments = [c_char_p] * 4 + [c_void_p] * 7
    return CFUNCTYPE(None, *arguments)(address), c_int32 if size == 4 else c_int64
