"""What callbacks and the terminal are told of a fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn_genmodel._compat import FitTask
from sklearn_genmodel.callbacks import Checkpoints
from sklearn_genmodel.vae._build import Model
from sklearn_genmodel.vae._distributed import current_ranks
from sklearn_genmodel.vae._plain import with_tensors, without_tensors
from sklearn_genmodel.vae._state import TrainingState
from sklearn_genmodel.vae._training import Training

__all__ = ["Progress"]


class Progress:
    """Told of every epoch; tells callbacks and the reader of the terminal.

    Of several processes the first one does so.

    Parameters
    ----------
    vae : VAEEstimator
    X, y, sample_weight : object
        The data, as the user passed them.
    callbacks : bool, default=True
    fit : callable or None, default=None
        Tells this fit from others, for its checkpoints; None keeps none.
    """

    def __init__(
        self,
        vae: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        callbacks: bool = True,
        fit: Callable[[], str] | None = None,
    ) -> None:
        self.vae, self.is_first = vae, current_ranks().rank == 0
        is_told = callbacks and self.is_first
        self.task = FitTask(vae, X, y, sample_weight) if is_told else None
        self.verbose = vae.verbose if self.is_first else 0
        self.kept = None if fit is None else Checkpoints(vae, fit)

    def go_on(self, model: Model, state: TrainingState) -> TrainingState:
        """The state in which a checkpoint found the same fit of this model, or the one given."""
        saved = self.kept.load() if self.kept is not None else None
        if saved is None:
            return state
        model.module.prior.started = saved["prior_started"]
        found: TrainingState = with_tensors(saved["training"])
        return found

    def begin(self, model: Model) -> None:
        """Take the model that will be trained."""
        self.model = model
        if self.verbose:
            n_parameters = sum(p.numel() for p in model.module.parameters())
            device = model.module.like.device
            print(f"VAEEstimator: {n_parameters} parameters on device {device}")

    def __call__(self, training: Training) -> bool:
        """Take the training after an epoch; True stops it."""
        if self.verbose > 1 or (self.verbose and training.now.n_epochs % 10 == 0):
            print(f"VAEEstimator: epoch {training.now.n_epochs}, {_line(training.now.history[-1])}")
        if self.kept is not None and self.is_first:
            self.kept.save(lambda: self._checkpoint(training))
        return self.task is not None and self.task.iteration(lambda: self._attributes(training))

    def end(self, training: Training) -> None:
        """Tell that the fit is over."""
        if self.task is not None:
            self.task.end(self._attributes(training))
        if self.kept is not None and self.is_first:
            self.kept.finish()
        if self.verbose:
            epoch = training.now.history[-1]
            print(f"VAEEstimator: {training.now.n_epochs} epochs, {_line(epoch)}")

    def _checkpoint(self, training: Training) -> dict[str, Any]:
        """What a fit of the same model needs to go on: numbers only, whatever the networks are."""
        started = self.model.module.prior.started
        return {"training": without_tensors(training.state()), "prior_started": started}

    def _attributes(self, training: Training) -> dict[str, Any]:
        """What an estimator needs to predict, and to resume."""
        return {
            "module_": copy.deepcopy(self.model.module),
            "_scaling": self.model.scaling,
            "_family": self.model.family,
            "_schema": self.vae._schema,
            "_training": training.state(),
            "history_": list(training.now.history),
            "n_iter_": training.now.n_epochs,
        }


def _line(epoch: Any) -> str:
    validation = (
        f", validation {epoch.validation:.6g}" if epoch.validation == epoch.validation else ""
    )
    rolled_back = "; lost: rolled back, step halved" if epoch.rolled_back else ""
    return f"bound {epoch.elbo:.6g} nats per row{validation}{rolled_back}"
