"""Encoder and decoder networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_genmodel.families._numerics._blas import has_small_kernels

__all__ = [
    "ACTIVATIONS",
    "Dense",
    "Workspace",
    "build_network",
    "is_dense_on_cpu",
    "widest_layer",
]

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
CELLS_IN_CACHE = 2**17
# Products are quickest where rows are a multiple of so many numbers long.
ALIGNED = 16
# A layer is computed in parts of so many columns, more with AVX-512, if that leaves out this share
# of its products.
NARROW_PART, WIDE_PART, LEAST_SAVED = 16, 64, 0.1


class Dense(nn.Module):
    """Affine maps with an activation between each two; no hidden layer is one affine map.

    Parameters
    ----------
    layers : iterable of torch.nn.Linear
    activation : str
        A name of `ACTIVATIONS`.
    """

    def __init__(self, layers: Iterable[nn.Linear], activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.activate = ACTIVATIONS[activation]()
        self.layers = nn.ModuleList(layers)

    def forward(self, values: Any) -> Any:
        """Map rows (n_rows, n_inputs) to (n_rows, n_outputs)."""
        *hidden, last = self.layers
        for layer in hidden:
            values = self.activate(layer(values))
        return last(values)


class Workspace:
    """A network on so many rows at a time, in memory that every call uses again.

    Fresh memory would cost as much as the products that fill it, and adding constants a tenth of
    that: the products of dense networks have a last column of ones, for biases. On the CPU they
    are numpy's, whose library is as quick as torch's on processors of Intel, and twice as quick on
    those of AMD, and there is one for every row: how BLAS rounds depends on the place in a product,
    and so would what a row becomes. Networks of other kinds are called as they are.

    Parameters
    ----------
    network : torch.nn.Module
    n_rows, n_draws : int
        A row has so many latent vectors.
    n_inputs : int
    like : tensor
        Of the dtype and device of a network without parameters.

    Attributes
    ----------
    inputs : tensor of shape (n_rows, n_draws, n_inputs)
        To be written to before a call, whose outputs are overwritten by the next.
    """

    def __init__(self, network: Any, n_rows: int, n_draws: int, n_inputs: int, like: Any) -> None:
        self._network, self._is_dense = network, type(network) is Dense
        if not self._is_dense:
            like = next(network.parameters(), like)
            shape = n_rows, n_draws, n_inputs
            self.inputs = torch.empty(shape, dtype=like.dtype, device=like.device)
            return
        weights = [_with_bias(layer) for layer in network.layers]
        sources = [_ones_last(weight, n_rows, n_draws) for weight in weights]
        self.inputs, *self._hidden = (
            source[..., : layer.in_features]
            for source, layer in zip(sources, network.layers, strict=True)
        )
        self._outputs = weights[-1].new_empty(n_rows, n_draws, weights[-1].shape[1])
        targets = [*self._hidden, self._outputs]
        self._layers = [
            list(_products(*factors)) for factors in zip(sources, weights, targets, strict=True)
        ]

    @staticmethod
    def n_in_cache(network: Any, n_rows: int) -> int | None:
        """How many times so many rows fit into the cache, at least 1; None if that is no matter."""
        if not is_dense_on_cpu(network):
            return None
        return max(1, CELLS_IN_CACHE // (n_rows * _widest(network)))

    def __call__(self) -> Any:
        """Outputs of the network, (n_rows, n_draws, n_outputs)."""
        if not self._is_dense:
            n_rows, n_draws, _ = self.inputs.shape
            return self._network(self.inputs.flatten(0, 1)).reshape(n_rows, n_draws, -1)
        for products, hidden in zip_longest(self._layers, self._hidden):
            for product in products:
                product()
            if hidden is not None:
                hidden.copy_(self._network.activate(hidden))
        return self._outputs


def is_dense_on_cpu(network: Any) -> bool:
    """Whether all that the network computes is known, and computed by the CPU."""
    return type(network) is Dense and network.layers[0].weight.device.type == "cpu"


def widest_layer(module: Any) -> int:
    """Most numbers that a layer of a module's networks makes of a row or takes; 0 if unknown."""
    networks = module.encoder, module.decoder
    return max(_widest(network) if type(network) is Dense else 0 for network in networks)


def _widest(network: Dense) -> int:
    return max(max(layer.weight.shape) for layer in network.layers)


def _with_bias(layer: nn.Linear) -> Any:
    """The weights of inputs, and behind them those of the constant 1, if there are any."""
    return layer.weight.T if layer.bias is None else torch.cat([layer.weight.T, layer.bias[None]])


def _ones_last(weight: Any, n_rows: int, n_draws: int) -> Any:
    """Memory for the rows that a product takes, the last column of ones if there are constants."""
    width = -(-len(weight) // ALIGNED) * ALIGNED
    return weight.new_ones(n_rows, n_draws, width)[..., : len(weight)]


def _products(rows: Any, weight: Any, out: Any) -> Iterator[Callable[[], Any]]:
    """Products that make a layer: on the CPU, without what zeros above a diagonal would add."""
    if out.device.type != "cpu":
        yield partial(torch.matmul, rows, weight, out=out)
        return
    first = np.argmax(weight.numpy() != 0.0, axis=0)
    width = WIDE_PART if has_small_kernels() else NARROW_PART
    parts = [slice(start, start + width) for start in range(0, len(first), width)]
    used = [slice(int(first[part].min()), None) for part in parts]
    if np.mean([rest.start for rest in used]) < LEAST_SAVED * len(weight):
        parts, used = [slice(None)], [slice(None)]
    for part, rest in zip(parts, used, strict=True):
        factors = rows[..., rest].numpy(), weight[rest, part].contiguous().numpy()
        yield partial(np.matmul, *factors, out=out[..., part].numpy())


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
        sizes = pairwise([n_inputs, *network, n_outputs])
        # In single precision, whatever the default: a seed draws the same weights.
        return Dense((nn.Linear(*size, dtype=torch.float32) for size in sizes), activation)
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
            outputs = module.eval()(torch.zeros(2, n_inputs, dtype=_dtype(module)))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(f"The {name} cannot take its inputs: {asked}, but {error}") from error
    module.train(training)
    if not isinstance(outputs, torch.Tensor):
        kind = type(outputs).__name__
        raise ValueError(f"The {name} maps 2 rows to a {kind}, not to a tensor: {asked}.")
    if outputs.shape != (2, n_outputs):
        raise ValueError(f"The {name} maps 2 rows to shape {tuple(outputs.shape)}: {asked}.")


def _dtype(module: nn.Module) -> torch.dtype:
    """Of its parameters, the default of torch if it has none."""
    return next((p.dtype for p in module.parameters()), torch.get_default_dtype())
