"""Optimisers by name, fused where torch can."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from sklearn_genmodel.vae._flat import FlatParameters

__all__ = ["OPTIMIZERS", "load_state", "make_optimizer", "set_step_size"]

OPTIONS = {"capturable", "foreach", "fused", "lr", "weight_decay"}


def _adam(groups: Any, lr: float) -> Any:
    device = groups[0]["params"][0].device
    on_cuda = device.type == "cuda"
    # A captured step reads its size from the device.
    size: Any = torch.tensor(lr, dtype=torch.float32, device=device) if on_cuda else lr
    fused = _can_fuse(groups)
    return torch.optim.AdamW(groups, lr=size, weight_decay=0.0, fused=fused, capturable=on_cuda)


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
        Of the matrices of encoder and decoder; decoupled from the gradient in Adam.
    flat : FlatParameters

    Returns
    -------
    optimizer : torch.optim.Optimizer
    """
    factory = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    return factory(flat.groups(weight_decay), lr)


def set_step_size(optimizer: Any, lr: float) -> None:
    """Set the step size of all groups, in place where it is a tensor."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def load_state(optimizer: Any, state: Any) -> None:
    """Load a state that may come from another device or decay, whose options stay behind."""
    own = [{key: group[key] for key in OPTIONS & set(group)} for group in optimizer.param_groups]
    optimizer.load_state_dict(_regrouped(copy.deepcopy(state), optimizer))
    for group, options in zip(optimizer.param_groups, own, strict=True):
        group.update(options)


def _regrouped(state: Any, optimizer: Any) -> Any:
    """A state for groups of the same parameters, which are those of another weight decay."""
    groups = optimizer.state_dict()["param_groups"]
    if [g["params"] for g in groups] == [g["params"] for g in state["param_groups"]]:
        return state
    sizes = [p.numel() for group in optimizer.param_groups for p in group["params"]]
    known = list(state["state"].values())
    moments: dict[int, dict[str, Any]] = {part: {} for part in range(len(sizes))}
    for name, first in known[0].items() if known else ():
        # Moments have one number per parameter, in one order; what counts steps has no axis.
        is_moment = isinstance(first, torch.Tensor) and first.ndim == 1
        joined = torch.cat([part[name] for part in known]).split(sizes) if is_moment else None
        for part, own in moments.items():
            own[name] = joined[part].clone() if joined else copy.deepcopy(first)
    options = state["param_groups"][0]
    own_groups = [{**options, "params": group["params"]} for group in groups]
    return {"state": moments if known else {}, "param_groups": own_groups}


def _can_fuse(groups: Any) -> bool:
    return bool(groups[0]["params"][0].device.type in {"cpu", "cuda"})
