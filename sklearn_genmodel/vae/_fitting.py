"""How an estimator is trained, stored, written to a file and read back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._validation import check_rows, check_supports, check_weights
from sklearn_genmodel.vae._adviser import warn_of_collapse
from sklearn_genmodel.vae._arguments import check_continued
from sklearn_genmodel.vae._build import Model, make_training, place
from sklearn_genmodel.vae._device import few_threads
from sklearn_genmodel.vae._generation import LatentGeneration
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS
from sklearn_genmodel.vae._persistence import load_fitted, on_cpu, save_fitted
from sklearn_genmodel.vae._progress import Progress
from sklearn_genmodel.vae._scoring import count_active
from sklearn_genmodel.vae._state import TrainingState
from sklearn_genmodel.vae._training import Training, run_epochs

__all__ = ["TrainedByGradients"]

Array = NDArray[np.float64]

DEVICE_BOUND = ("module_", "_training")


class TrainedByGradients(LatentGeneration):
    """Training and files of a variational autoencoder.

    Needs the arguments of `VAEEstimator`.
    """

    likelihood: Any
    early_stopping: bool
    max_epochs: int
    warm_start: bool

    def save(self, path: Any) -> None:
        """Write the fitted model to a file of numbers and JSON (safetensors).

        The state of the optimiser is not part of it: `partial_fit` starts that anew. Pickles hold
        everything.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        ValueError
            If an argument is a function of yours: a network or optimiser factory.
        """
        check_is_fitted(self, "module_")
        save_fitted(self, path)

    @classmethod
    def load(cls, path: Any) -> Any:
        """Read a model that `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        vae : VAEEstimator
            On the CPU.

        Raises
        ------
        ValueError
            If the file is of another kind or version.
        """
        return load_fitted(cls, path)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles load on machines without the device of the fit."""
        state: dict[str, Any] = super().__getstate__()
        return state | {name: on_cpu(state[name]) for name in DEVICE_BOUND if name in state}

    def _check_data(self, X: Any, sample_weight: Any, *, reset: bool) -> tuple[Array, Array | None]:
        """Rows of positive weight, in double precision, and their weights."""
        rows = check_rows(self, X, reset=reset, allow_nan=True).astype(np.float64, copy=False)
        weights = check_weights(sample_weight, len(rows))
        if weights is not None and not weights.all():
            rows, weights = rows[weights > 0], weights[weights > 0]
        supports = [LIKELIHOODS[self.likelihood].support] * rows.shape[1]
        check_supports(self, rows, supports, fitting=reset)
        if reset and len(rows) == 1:
            raise ValueError(
                "X has 1 sample (n_samples=1) of positive weight: nothing varies that could be "
                "learned. Pass more rows."
            )
        return rows, weights

    def _train(
        self,
        model: Model,
        rows: Array,
        weights: Array | None,
        state: TrainingState,
        progress: Progress,
        n_epochs: int | None = None,
    ) -> Any:
        """Run, store, and tell; a given number of epochs is run without validation."""
        validate = self.early_stopping and n_epochs is None
        progress.begin(model)
        warn_of_collapse(self, model, rows)
        with few_threads(sum(p.numel() for p in model.module.parameters())):
            training = make_training(self, model, rows, weights, state, validate=validate)
            run_epochs(training, n_epochs or self.max_epochs, progress)
        self._store(model, training)
        progress.end(training)
        return self

    def _store(self, model: Model, training: Training) -> None:
        self.module_, self._scaling = model
        self._training = training.state()
        self.history_ = list(training.now.history)
        self.n_iter_ = training.now.n_epochs
        self.active_units_ = count_active(model.module, training.rows)

    def _is_warm(self) -> bool:
        return self.warm_start and hasattr(self, "module_")

    def _continued(self, X: Array) -> Model:
        """A copy of the model of the last fit, if it fits these arguments and rows."""
        check_continued(self, X.shape[1])
        check_supports(self, X, self.module_.likelihood.supports, fitting=False)
        module = place(copy.deepcopy(self.module_), self)
        return Model(module.requires_grad_(requires_grad=True), self._scaling)

    def _forget(self) -> None:
        """Drop the results of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_") and "_in_" not in name]:
            delattr(self, name)
