"""Encoder and decoder networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

__all__ = ["ACTIVATIONS", "Dense", "build_network", "reusing_memory"]

ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "relu": partial(nn.ReLU, inplace=True),
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}

# Cells of a layer that fit into the cache beside those of the next.
CELLS_IN_CACHE = 2**18
# Products are quickest where rows are a multiple of so many numbers long.
ALIGNED = 16


class Dense(nn.Module):
    """Affine maps with an activation between each two; no hidden layer is one affine map.

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden : tuple of int
        Sizes of the hidden layers.
    activation : str
        A name of `ACTIVATIONS`.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, hidden: tuple[int, ...], activation: str
    ) -> None:
        super().__init__()
        sizes = [n_inputs, *hidden, n_outputs]
        self.activation = activation
        self.activate = ACTIVATIONS[activation]()
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))

    def forward(self, values: Any) -> Any:
        """Map rows (n_rows, n_inputs) to (n_rows, n_outputs)."""
        *hidden, last = self.layers
        for layer in hidden:
            values = self.activate(layer(values))
        return last(values)


def reusing_memory(network: Any, n_rows: int) -> Callable[[Any], Any]:
    """The network as a function of so many rows that writes to the same memory in every call.

    Fresh memory of this size would cost as much as the products that fill it, and adding constants
    a tenth of that: they are products with a last column of ones. Hidden layers are computed part
    by part, which stay in the cache; the parts are of one size, so that every row is rounded alike.
    Other networks than dense ones are called as they are.

    Parameters
    ----------
    network : torch.nn.Module
    n_rows : int

    Returns
    -------
    function : callable
        What it returns is the caller's to write to, and is overwritten by the next call.
    """
    if type(network) is not Dense:
        return lambda values: network(values).clone()
    weights = [torch.cat([layer.weight, layer.bias[:, None]], 1).T for layer in network.layers]
    on_cpu = weights[0].device.type == "cpu"
    n_parts = -(-n_rows * max(map(len, weights)) // CELLS_IN_CACHE) if on_cpu else 1
    size = -(-n_rows // n_parts)
    inputs = _ones_last(weights[0], size * n_parts)
    outputs = weights[-1].new_empty(size * n_parts, weights[-1].shape[1])
    hidden = [_ones_last(weight, size) for weight in weights[1:]]
    parts = [
        ([rows, *hidden], [*(layer[:, :-1] for layer in hidden), out])
        for rows, out in zip(inputs.split(size), outputs.split(size), strict=True)
    ]

    def function(values: Any) -> Any:
        inputs[:n_rows, :-1] = values
        for sources, targets in parts:
            for i, (source, weight, target) in enumerate(
                zip(sources, weights, targets, strict=True)
            ):
                if i:
                    targets[i - 1].copy_(network.activate(targets[i - 1]))
                torch.mm(source, weight, out=target)
        return outputs[:n_rows]

    return function


def _ones_last(weight: Any, n_rows: int) -> Any:
    """Memory for the rows that a product takes, whose last column is for the constants."""
    width = -(-len(weight) // ALIGNED) * ALIGNED
    return weight.new_ones(n_rows, width)[:, : len(weight)]


def build_network(
    name: str, network: Any, n_inputs: int, n_outputs: int, activation: str
) -> nn.Module:
    """Make an encoder or decoder, and check that it maps what it must to what it must.

    Parameters
    ----------
    name : str
        "encoder" or "decoder", for messages.
    network : sequence of int or callable
        Hidden sizes, or a factory ``(n_inputs, n_outputs) -> torch.nn.Module``.
    n_inputs, n_outputs : int
    activation : str
        Of a dense network.

    Returns
    -------
    module : torch.nn.Module

    Raises
    ------
    TypeError
        If the factory returns no module.
    ValueError
        If the module cannot take n_inputs columns, or returns another number than n_outputs.
    """
    if not callable(network):
        return Dense(n_inputs, n_outputs, tuple(network), activation)
    module = network(n_inputs, n_outputs)
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"The factory {name} returned {type(module).__name__}: it must return a "
            "torch.nn.Module that maps (n_rows, n_inputs) to (n_rows, n_outputs)."
        )
    _check_shapes(name, module, n_inputs, n_outputs)
    return module


def _check_shapes(name: str, module: nn.Module, n_inputs: int, n_outputs: int) -> None:
    asked = f"it must map (n_rows, {n_inputs}) to (n_rows, {n_outputs})"
    training = module.training
    try:
        with torch.no_grad():
            shape = tuple(module.eval()(torch.zeros(2, n_inputs)).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(f"The {name} cannot take its inputs: {asked}, but {error}") from error
    module.train(training)
    if shape != (2, n_outputs):
        raise ValueError(f"The {name} maps 2 rows to shape {shape}: {asked}.")
