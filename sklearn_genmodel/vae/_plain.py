"""States with arrays in place of tensors, which any machine can read."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import torch

__all__ = ["PlainTensor", "with_tensors", "without_tensors"]


class PlainTensor(NamedTuple):
    """A tensor as an array."""

    array: Any


def without_tensors(value: Any) -> Any:
    """Copy of a state or container with arrays for tensors.

    Parameters
    ----------
    value : object

    Returns
    -------
    plain : object
    """
    if isinstance(value, torch.Tensor):
        return PlainTensor(value.detach().cpu().numpy())
    return _mapped(without_tensors, value)


def with_tensors(value: Any) -> Any:
    """Inverse of `without_tensors`.

    Parameters
    ----------
    value : object

    Returns
    -------
    value : object
    """
    if isinstance(value, PlainTensor):
        return torch.as_tensor(value.array)
    return _mapped(with_tensors, value)


def _mapped(function: Any, value: Any) -> Any:
    """Copy of a state or container with a function applied to all that it holds."""
    if isinstance(value, dict):
        return {key: function(part) for key, part in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(function(part) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: function(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value
