"""What tells fits, functions and objects from others, in this process and in the next."""

from __future__ import annotations

import functools
import hashlib
import numbers
import re
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

__all__ = ["alike", "describe_fit", "identity"]

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# Arguments that change nothing, or that are told by the generator made of them.
UNTOLD = {"n_jobs", "random_state", "verbose"}


def identity(value: Any) -> str:
    """Digest of what a value is and holds: equal for values that do the same.

    Functions are told apart by their code and what it is closed over, objects by their parameters
    or attributes, arrays and tensors by their content. Addresses in memory, which differ from
    process to process, do not count.

    Parameters
    ----------
    value : object

    Returns
    -------
    identity : str
    """
    told = hashlib.sha256()
    for part in _told(value, ()):
        told.update(part)
    return told.hexdigest()


def alike(one: Any, other: Any) -> bool:
    """Whether two values of an argument ask for the same; values count, not their types.

    Parameters
    ----------
    one, other : object

    Returns
    -------
    alike : bool
    """
    one, other = (
        value.item() if isinstance(value, np.ndarray) and not value.ndim else value
        for value in (one, other)
    )
    if _are(Mapping, one, other):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if _are(np.ndarray, one, other) and {one.dtype.kind, other.dtype.kind} <= set("biufc"):
        return np.array_equal(one, other, equal_nan=True)
    if _are((list, tuple, np.ndarray), one, other):
        return len(one) == len(other) and all(map(alike, one, other))
    if _are((numbers.Number, np.bool_, str), one, other):
        both_nan = _are(numbers.Number, one, other) and str(one) == str(other) == "nan"
        return bool(one == other) or both_nan
    if hasattr(one, "get_params") and type(one) is type(other):
        params, others = one.get_params(deep=False), other.get_params(deep=False)
        return all(alike(value, others[name]) for name, value in params.items())
    return identity(one) == identity(other)


def describe_fit(estimator: Any, rng: np.random.Generator, start: Iterable[Any] = ()) -> str:
    """What the result of a fit depends on besides the rows.

    Parameters
    ----------
    estimator : estimator
    rng : Generator
        Made of its random_state, not drawn from yet.
    start : iterable of ndarray
        Parameters that it goes on from, if any.

    Returns
    -------
    text : str
    """
    params = estimator.get_params(deep=False)
    known = {name: identity(params[name]) for name in sorted(set(params) - UNTOLD)}
    drawn = "" if params["random_state"] is None else repr(rng.bit_generator.state)
    return f"{type(estimator).__name__} {known} {drawn} {identity(list(start))}"


def _are(kind: Any, *values: Any) -> bool:
    return all(isinstance(value, kind) for value in values)


def _told(value: Any, holders: tuple[Any, ...]) -> Iterator[bytes]:
    """Bytes that tell a value from others; one that holds itself is not gone through again."""
    yield f"({type(value).__module__}.{type(value).__qualname__} ".encode()
    if not any(value is holder for holder in holders):
        parts = _parts(value)
        if isinstance(parts, bytes):
            yield parts
        else:
            for part in parts:
                yield from _told(part, (*holders, value))
    yield b")"


@functools.singledispatch
def _parts(value: Any) -> list[Any] | bytes:
    """What a value is made of, or the bytes that it is."""
    if hasattr(value, "detach"):
        return _parts(value.detach().cpu().numpy())
    if hasattr(value, "get_params"):
        return sorted(value.get_params(deep=False).items())
    text = repr(value)
    if ADDRESS.search(text) and hasattr(value, "__dict__"):
        return sorted(vars(value).items())
    return ADDRESS.sub("", text).encode()


@_parts.register
def _(value: type) -> bytes:
    return f"{value.__module__}.{value.__qualname__}".encode()


@_parts.register
def _(value: np.ndarray) -> list[Any] | bytes:
    if value.dtype == object:
        return [value.shape, *value.ravel().tolist()]
    return f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes()


@_parts.register(list)
@_parts.register(tuple)
def _(value: Any) -> list[Any]:
    return list(value)


@_parts.register(set)
@_parts.register(frozenset)
def _(value: Any) -> list[Any]:
    return sorted(map(identity, value))


@_parts.register
def _(value: dict) -> list[Any]:  # type: ignore[type-arg]
    return list(value.items())


@_parts.register
def _(value: functools.partial) -> list[Any]:  # type: ignore[type-arg]
    return [value.func, value.args, value.keywords]


@_parts.register
def _(value: MethodType) -> list[Any]:
    return [value.__func__, value.__self__]


@_parts.register
def _(value: FunctionType) -> list[Any]:
    held = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
    return [value.__code__, value.__defaults__, value.__kwdefaults__, *held]


@_parts.register
def _(value: CodeType) -> list[Any]:
    return [value.co_code, value.co_consts, value.co_names]


def _is_filled(cell: Any) -> bool:
    """Whether a variable that a function is closed over has a value yet."""
    # There is no other way to ask.
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
