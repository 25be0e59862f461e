"""How an estimator is trained, stored, written to a file and read back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._compat import as_generator, with_callbacks
from sklearn_genmodel._identity import describe_fit
from sklearn_genmodel._validation import (
    check_supports,
    check_weights,
    unchanged_on_error,
)
from sklearn_genmodel.em import Rows, fingerprint
from sklearn_genmodel.families import Family
from sklearn_genmodel.vae._adviser import warn_of_collapse
from sklearn_genmodel.vae._arguments import check_arguments, check_continued
from sklearn_genmodel.vae._build import Model, build_model, make_training, new_state, place
from sklearn_genmodel.vae._device import few_threads
from sklearn_genmodel.vae._generation import LatentGeneration
from sklearn_genmodel.vae._onnx import export_graph
from sklearn_genmodel.vae._persistence import (
    VERSION,
    load_fitted,
    packed_state,
    save_fitted,
    unpacked_state,
)
from sklearn_genmodel.vae._progress import Progress
from sklearn_genmodel.vae._scoring import count_active
from sklearn_genmodel.vae._state import TrainingState
from sklearn_genmodel.vae._tables import make_likelihood, read_rows, read_training_rows
from sklearn_genmodel.vae._training import Training, run_epochs

__all__ = ["TrainedByGradients"]

Array = NDArray[np.float64]

# Fewer steps an epoch do not tell whether a bound still rises, and some hundred epochs of them do
# not take parameters where they belong.
LEAST_STEPS = 10


class TrainedByGradients(LatentGeneration):
    """Training and files of a variational autoencoder.

    Needs the arguments of `VAEEstimator`.
    """

    likelihood: Any
    early_stopping: bool
    max_epochs: int

    @unchanged_on_error
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Train for one epoch on these rows, going on from what was learned before.

        The first call makes the model, and sets the scaling for good. The optimiser's state and
        the warm-up of the KL term carry over from call to call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : VAEEstimator
        """
        check_arguments(self)
        is_new = not hasattr(self, "module_")
        family, rows, weights = self._check_training_data(X, sample_weight, is_new=is_new)
        if is_new:
            rng = as_generator(self.random_state)
            model, state = build_model(self, family, rows, weights, rng), new_state(rng)
            self._forget()
        else:
            state = getattr(self, "_training", None) or self._state_after_loading()
            # These rows may lie elsewhere: what their bound may fall to is found anew.
            model, state = self._continued(rows), replace(state, is_over=False, probe=None)
        progress = Progress(self, X, y, sample_weight, callbacks=False)
        return self._train(model, rows, weights, state, progress, n_epochs=state.n_epochs + 1)

    @unchanged_on_error
    @with_callbacks
    def resume(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Go on with a fit that was interrupted, from the estimator that a callback saved.

        With the same rows and weights the result is that of a fit without interruption, bit for
        bit on the same machine. Callbacks are told, and a `Checkpoint` among them keeps nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : VAEEstimator

        Raises
        ------
        ValueError
            If there is no state of training to go on from.
        """
        check_is_fitted(self, "module_")
        check_arguments(self)
        _, rows, weights = self._check_training_data(X, sample_weight, is_new=False)
        if getattr(self, "_training", None) is None:
            raise ValueError(
                "There is no state of training to go on from: files that save wrote hold none, "
                "pickles do. Call partial_fit, or fit with warm_start=True."
            )
        model, state = self._continued(rows), self._training
        return self._train(model, rows, weights, state, Progress(self, X, y, sample_weight))

    def _state_after_loading(self) -> TrainingState:
        """Epochs go on where they were; the optimiser and the random numbers begin anew."""
        begun = new_state(as_generator(self.random_state))
        return replace(begun, n_epochs=self.n_iter_, history=list(self.history_))

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

    def to_onnx(self, part: str, path: Any) -> None:
        """Write the encoder or the decoder to an ONNX file, in single precision.

        The encoder maps rows ``X`` (n_samples, n_features) to the ``means`` and ``scales`` of
        q(z | x), as `posterior` does; the decoder maps latents ``Z`` to means ``X``, as
        `inverse_transform` does. Scaling and missing values (NaN) are part of the graph; labels are
        given and returned as positions among their levels.

        Parameters
        ----------
        part : {"encoder", "decoder"}
        path : str or path

        Raises
        ------
        ImportError
            If onnx or onnxscript are not installed.
        """
        check_is_fitted(self, "module_")
        module = copy.deepcopy(self.module_).cpu().float().eval()
        export_graph(Model(module, self._scaling), part, path)

    def __getstate__(self) -> dict[str, Any]:
        """Arrays for tensors: pickles load on machines without the device of the fit."""
        return packed_state(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Tensors for arrays."""
        super().__setstate__(unpacked_state(state))

    def _check_training_data(
        self, X: Any, sample_weight: Any, *, is_new: bool
    ) -> tuple[Family | None, Array, Array | None]:
        """What reads the table, its rows of positive weight as numbers, and their weights."""
        if is_new:
            family, rows = read_training_rows(self, X)
        else:
            check_continued(self, X)
            family, rows = self._family, read_rows(self, X, self._family, None)
        weights = check_weights(sample_weight, len(rows))
        if weights is not None and not weights.all():
            rows, weights = rows[weights > 0], weights[weights > 0]
        supports = make_likelihood(self, family, rows.shape[1]).supports
        check_supports(self, rows, supports, fitting=is_new)
        if is_new and len(rows) == 1:
            raise ValueError(
                "X has 1 sample (n_samples=1) of positive weight: nothing varies that could be "
                "learned. Pass more rows."
            )
        return family, rows, weights

    def _train(
        self,
        model: Model,
        rows: Array,
        weights: Array | None,
        state: TrainingState,
        progress: Progress,
        n_epochs: int | None = None,
    ) -> Any:
        """Run, store, and tell; a given number of epochs sees every row once, and no validation."""
        validate = self.early_stopping and n_epochs is None
        least_steps = LEAST_STEPS if n_epochs is None else 1
        progress.begin(model)
        warn_of_collapse(self, model, rows)
        with few_threads(sum(p.numel() for p in model.module.parameters())):
            training = make_training(
                self, model, rows, weights, state, validate=validate, least_steps=least_steps
            )
            run_epochs(training, n_epochs or self.max_epochs, progress)
        self._store(model, training)
        progress.end(training)
        return self

    def _store(self, model: Model, training: Training) -> None:
        self.module_, self._scaling, self._family = model
        self._training = training.state()
        self.history_ = list(training.now.history)
        self.n_iter_ = training.now.n_epochs
        n_active = count_active(model.module, training.rows)
        self.active_units_ = training.ranks.told_by_first(n_active)

    def _description(
        self, family: Family | None, rows: Rows, rng: np.random.Generator, *, is_warm: bool
    ) -> Callable[[], str]:
        """What tells a fit from others, for its checkpoints; the generator is as it is now."""
        rng = copy.deepcopy(rng)
        start = [p.detach().cpu().numpy() for p in self.module_.parameters()] if is_warm else []

        def told() -> str:
            n = rows.X.shape[1]
            levels = [s.levels for s in family.column_supports(n)] if family is not None else []
            return f"{VERSION} {describe_fit(self, rng, start)} {levels} {fingerprint(rows)}"

        return told

    def _continued(self, X: Array) -> Model:
        """A copy of the model of the last fit, if it fits these arguments and rows."""
        check_supports(self, X, self.module_.likelihood.supports, fitting=False)
        module = place(copy.deepcopy(self.module_), self)
        return Model(module, self._scaling, self._family)

    def _forget(self) -> None:
        """Drop the results of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_") and "_in_" not in name]:
            delattr(self, name)
