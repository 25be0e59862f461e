"""The gradient of an objective on one batch: in closed form, or by autograd for any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._dense import dense_step, is_dense
from sklearn_genmodel.vae._flat import FlatParameters
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._objectives import OBJECTIVES

__all__ = ["Step", "autograd_step", "make_step"]

# Rows, noise and KL weight to the sums of (bound, reconstruction, KL); the gradient of the loss is
# left in the flat vector.
Step = Callable[[Rows, Any, float], Any]


def make_step(
    module: VAEModule, flat: FlatParameters, objective: str, free_bits: float, *, autocast: bool
) -> Step:
    """Choose how to differentiate.

    Parameters
    ----------
    module : VAEModule
    flat : FlatParameters
        Of the module.
    objective : str
    free_bits : float
    autocast : bool
        Whether the networks compute in bfloat16.

    Returns
    -------
    step : callable
    """
    if is_dense(module, objective, free_bits) and not autocast:
        return dense_step(module)
    return autograd_step(module, flat, objective, free_bits, autocast=autocast)


def autograd_step(
    module: VAEModule, flat: FlatParameters, objective: str, free_bits: float, *, autocast: bool
) -> Step:
    """Differentiate an objective automatically.

    Parameters
    ----------
    module : VAEModule
    flat : FlatParameters
        Of the module.
    objective : str
    free_bits : float
    autocast : bool
        Whether the networks compute in bfloat16.

    Returns
    -------
    step : callable
    """
    evaluate = OBJECTIVES[objective]
    device = module.like.device.type

    @torch.enable_grad()
    def step(rows: Rows, noise: Any, kl_weight: float) -> Any:
        flat.gradient.zero_()
        if autocast:
            with torch.autocast(device, torch.bfloat16):
                result = evaluate(module, rows, noise, kl_weight, free_bits)
        else:
            result = evaluate(module, rows, noise, kl_weight, free_bits)
        result.loss.backward()
        return result.sums

    return step
