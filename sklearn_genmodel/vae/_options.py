"""What the training loop needs to know of an estimator's arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["TrainingOptions"]


@dataclass(frozen=True)
class TrainingOptions:
    """Arguments of the estimator that training needs; see `VAEEstimator`.

    An epoch goes through few rows as often as it takes for ``least_steps``.
    """

    objective: str
    n_draws: int
    beta: float
    n_kl_warmup: int
    n_prior_warmup: int
    free_bits: float
    optimizer: Any
    learning_rate: float
    lr_schedule: str | None
    weight_decay: float
    batch_size: int
    max_epochs: int
    tol: float
    n_iter_no_change: int
    autocast: bool
    least_steps: int

    def kl_weight(self, epoch: int) -> float:
        """Weight of the KL term: rises to beta over the warm-up."""
        return self.beta * min(1.0, (epoch + 1) / (self.n_kl_warmup + 1))

    def lr(self, epoch: int) -> float:
        """Step size that the schedule sets."""
        if self.lr_schedule != "cosine":
            return self.learning_rate
        # Epochs beyond the last, of `partial_fit`, go on with its step.
        share = min(epoch, self.max_epochs - 1) / self.max_epochs
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
