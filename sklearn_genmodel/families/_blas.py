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

from sklearn_genmodel.families._arrays import Array

__all__ = ["thin_product", "triangular_product", "wide_product"]


# OpenBLAS computes products of up to so many terms from where the factors lie, which is up to twice
# as fast where one of them is small; sums of long rows only if no more than so many come out.
FEW_TERMS, FEW_SUMS = 1_000_000, 1200
# Calls cost more than is gained where parts would be shorter.
SHORTEST = 200


def wide_product(a: Array, b: Array) -> Array:
    """a @ b of a small matrix and one of long rows, cut where that is faster."""
    n = b.shape[1]
    length = max(FEW_TERMS // max(a.size, 1), SHORTEST)
    if length >= n or a.size > FEW_TERMS // SHORTEST:
        return np.asarray(a @ b)
    out = np.empty((len(a), n))
    for start in range(0, n, length):
        part = slice(start, start + length)
        np.matmul(a, b[:, part], out=out[:, part])
    return out


def thin_product(a: Array, b: Array) -> Array:
    """a @ b of long rows that leave little, cut where that is faster.

    np.dot lets other threads go on. matmul, which cuts need, does not where fewer than 500 numbers
    come out: it keeps the lock of the interpreter.
    """
    size = len(a) * (b.shape[1] if b.ndim == 2 else 1)
    if size > FEW_SUMS or size * len(b) <= FEW_TERMS:
        return np.asarray(np.dot(a, b))
    length = FEW_TERMS // size
    parts = (slice(start, start + length) for start in range(0, len(b), length))
    return np.asarray(sum(a[:, part] @ b[part] for part in parts))


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
