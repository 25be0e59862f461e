"""What callbacks and the terminal are told of a fit."""

from __future__ import annotations

import copy
from typing import Any

from sklearn_genmodel._compat import FitTask, stable_repr
from sklearn_genmodel.callbacks import Checkpoints
from sklearn_genmodel.em import Rows, fingerprint
from sklearn_genmodel.vae._build import Model, place
from sklearn_genmodel.vae._distributed import current_ranks
from sklearn_genmodel.vae._persistence import packed_state, unpacked_state
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
    rows : Rows or None, default=None
        What is read of them, to tell the fit from others; None if no callback is told.
    """

    def __init__(
        self, vae: Any, X: Any, y: Any, sample_weight: Any, rows: Rows | None = None
    ) -> None:
        self.vae, self.is_first = vae, current_ranks().rank == 0
        is_told = rows is not None and self.is_first
        self.task = FitTask(vae, X, y, sample_weight) if is_told else None
        self.verbose = vae.verbose if self.is_first else 0
        self.kept: Checkpoints | None = None
        if rows is not None:
            self.kept = Checkpoints(vae, lambda: f"{stable_repr(vae)} {fingerprint(rows)}")

    def found(self) -> tuple[Model, TrainingState] | None:
        """Where a fit of the same rows and arguments was when a checkpoint was saved."""
        saved = self.kept.load() if self.kept is not None else None
        if saved is None:
            return None
        known = unpacked_state(saved)
        module = place(known["module_"], self.vae).requires_grad_(requires_grad=True)
        return Model(module, known["_scaling"], known["_family"]), known["_training"]

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
            self.kept.save(lambda: packed_state(self._attributes(training)))
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
