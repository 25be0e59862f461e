"""The state of a training run as a value: what a checkpoint must hold to go on exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Epoch", "TrainingState"]


class Epoch(NamedTuple):
    """One epoch of a history: mean bounds per row in nats, in the units of the data.

    ``elbo`` is the bound that is trained, at KL weight 1, ``reconstruction`` and ``kl`` its terms,
    ``validation`` the same bound on the rows held out (NaN without them). ``rolled_back`` says
    that a value was not finite, or fell without bound, and that the parameters of the epoch before
    were restored and `lr` halved from here on.
    """

    elbo: float
    reconstruction: float
    kl: float
    validation: float
    seconds: float
    lr: float
    kl_weight: float
    rolled_back: bool = False


@dataclass
class TrainingState:
    """Everything that the next epoch depends on, besides the data and the arguments.

    ``seeds`` are those of the split, the validation noise and the batches; ``parameters`` are
    copies of the parameters and buffers, ``best`` those of the best validated epoch, ``trained``
    the parts that were not frozen; ``probe`` is the bound of some of the rows at the start;
    ``optimizer`` and ``generator`` are what these objects say of themselves.
    """

    seeds: NDArray[np.int64]
    n_epochs: int = 0
    lr_factor: float = 1.0
    n_stale: int = 0
    reference: float = -np.inf
    best_value: float = -np.inf
    is_over: bool = False
    history: list[Epoch] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    best: list[Any] | None = None
    optimizer: dict[str, Any] | None = None
    optimizer_name: str = ""
    trained: list[tuple[int, int]] = field(default_factory=list)
    generator: Any = None
    gradient_norm: Any = None
    probe: float | None = None
