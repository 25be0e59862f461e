"""Products of matrices that let other threads go on, where numpy's and scipy's own do not."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import (
    CFUNCTYPE,
    byref,
    c_char_p,
    c_double,
    c_int,
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

__all__ = ["thin_product", "triangular_product"]


def thin_product(a: Array, b: Array) -> Array:
    """a @ b, of long rows that leave little.

    numpy's matmul keeps the lock of the interpreter where fewer than 500 numbers come out.
    """
    product: Array = np.dot(a, b)
    return product


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
    name = capsule.signature
    pointer = pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = c_void_p, [py_object, c_char_p]
    address = pointer(capsule.function, name.encode())
    # ctypes releases the lock of the interpreter while such a function runs.
    arguments = [c_char_p] * 4 + [c_void_p] * 7
    return CFUNCTYPE(None, *arguments)(address), c_int if "int *" in name else c_int64
