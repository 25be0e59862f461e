"""Optimisers by name, fused where torch can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from sklearn_genmodel.vae._flat import FlatParameters

__all__ = ["OPTIMIZERS", "make_optimizer"]


def _adam(groups: Any, lr: float) -> Any:
    return torch.optim.AdamW(groups, lr=lr, weight_decay=0.0, fused=_can_fuse(groups))


def _sgd(groups: Any, lr: float) -> Any:
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, fused=_can_fuse(groups))


OPTIMIZERS: dict[str, Callable[[Any, float], Any]] = {"adam": _adam, "sgd": _sgd}


def make_optimizer(optimizer: Any, lr: float, weight_decay: float, flat: FlatParameters) -> Any:
    """Make an optimiser of the flat parameters.

    Parameters
    ----------
    optimizer : str or callable
        A name of `OPTIMIZERS`, or a factory ``(parameter_groups, lr) -> optimizer``.
    lr : float
    weight_decay : float
        Of the matrices; decoupled from the gradient in Adam.
    flat : FlatParameters

    Returns
    -------
    optimizer : torch.optim.Optimizer
    """
    factory = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    return factory(flat.groups(weight_decay), lr)


def _can_fuse(groups: Any) -> bool:
    return bool(groups[0]["params"][0].device.type in {"cpu", "cuda"})
