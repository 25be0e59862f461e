"""The training loop: stochastic gradients of the bound, epoch by epoch (L13).

Rows stay on the device if they fit there. An epoch is one permutation in batches of one size, the
last filled up with rows of weight 0, and ends with the one synchronisation that reads its sums.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from sklearn_genmodel.vae._batches import ROWS_AT_A_TIME, WatchedRows, batches
from sklearn_genmodel.vae._components import Components
from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._device import private_seed, resume_generator
from sklearn_genmodel.vae._distributed import ALONE, Ranks
from sklearn_genmodel.vae._flat import FlatParameters
from sklearn_genmodel.vae._graph import Advance, graphed
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._networks import Dense
from sklearn_genmodel.vae._optimizers import load_state, make_optimizer, set_step_size
from sklearn_genmodel.vae._options import TrainingOptions
from sklearn_genmodel.vae._state import Epoch, TrainingState
from sklearn_genmodel.vae._steps import make_step
from sklearn_genmodel.vae._streaming import StreamedRows

__all__ = ["Training", "run_epochs"]

# A gradient is shortened to this many times the running mean of the norms before it.
LONGEST_STEP, NORM_MEMORY = 10.0, 0.02
# A bound that is lower than at the start by so many times was lost by a step that was too long.
FALL, PROBED_ROWS = 1e2, 256
MOST_ROLLBACKS = 40


class Training:
    """A run: the model with its optimiser and generator, made from a state and saved as one.

    Parameters
    ----------
    module : VAEModule
        Trained in place.
    rows : Rows or StreamedRows
        This process's share of them.
    held_out : Rows, StreamedRows or None
        For validation; likewise.
    options : TrainingOptions
    state : TrainingState
        A new one, or one of an earlier run to go on with.
    offsets : tuple of float
        Mean log-Jacobian of the rows and of those held out.
    ranks : Ranks
        Who trains this model, each on rows of its own.
    """

    def __init__(
        self,
        module: VAEModule,
        rows: Rows | StreamedRows,
        held_out: Rows | StreamedRows | None,
        options: TrainingOptions,
        state: TrainingState,
        offsets: tuple[float, float] = (0.0, 0.0),
        ranks: Ranks = ALONE,
    ) -> None:
        self.module, self.rows = module.eval(), rows
        self.options, self.now, self.offsets = options, copy.deepcopy(state), offsets
        self.ranks, self.flat = ranks, FlatParameters(module)
        ranks.copy_first([self.flat.vector, *self.flat.buffers])
        self.optimizer = make_optimizer(
            options.optimizer, options.learning_rate, options.weight_decay, self.flat
        )
        self.step = make_step(
            module, self.flat, options.objective, options.free_bits, autocast=options.autocast
        )
        self.generator = torch.Generator(device=module.like.device)
        self._resume(state)
        self.advance = self._new_advance()
        # Bounds of a few rows tell whether the last step has spoilt the parameters.
        seed, few = int(state.seeds[1]), rows.block(slice(PROBED_ROWS))
        self.probe = WatchedRows(few, module, options, seed)
        self.held_out = None
        if held_out is not None:
            self.held_out = WatchedRows(held_out, module, options, seed)
        total, weight = ranks.add(self.probe.bound()).tolist()
        self.bound = total / weight
        # What falls too low is rolled back: a run that goes on from there is on other rows.
        if self.now.probe is None or not self.bound > self._lowest:
            self.now.probe = self.bound

    def state(self) -> TrainingState:
        """The state as a value that nothing here will change."""
        state = copy.deepcopy(self.now)
        state.parameters = self.flat.copy()
        state.optimizer = copy.deepcopy(self.optimizer.state_dict())
        state.optimizer_name = type(self.optimizer).__name__
        state.trained = self.flat.trained
        state.generator = self.generator.get_state()
        return state

    def run_epoch(self) -> None:
        """Train for one epoch, and find out whether the bound still rises."""
        start, options, now = time.perf_counter(), self.options, self.now
        lr, kl_weight = now.lr_factor * options.lr(now.n_epochs), options.kl_weight(now.n_epochs)
        set_step_size(self.optimizer, lr)
        if not self.module.prior.started and now.n_epochs >= options.n_prior_warmup:
            self._start_prior()
            self.advance = self._new_advance()
        norm = None if now.gradient_norm is None else now.gradient_norm.clone()
        before = self.flat.copy(), copy.deepcopy(self.optimizer.state_dict()), norm
        values = self._pass_over_rows(kl_weight)
        good = all(map(math.isfinite, values)) and values[-1] > self._lowest
        elbo, reconstruction, kl, validation = self._in_data_units(values)
        seconds = time.perf_counter() - start
        now.history.append(
            Epoch(elbo, reconstruction, kl, validation, seconds, lr, kl_weight, not good)
        )
        now.n_epochs += 1
        if not good:
            self._roll_back(*before)
        else:
            self.bound = values[-1]
            now.is_over = self._is_over(validation if self.held_out is not None else elbo)

    def finish(self) -> None:
        """Leave the best validated parameters in the module, if its bound is a number."""
        if not math.isfinite(self.bound):
            raise self._lost()
        if self.held_out is not None and self.now.best is not None:
            self.flat.restore(self.now.best)

    @property
    def _lowest(self) -> float:
        return -FALL * (abs(self.now.probe or 0.0) + self.rows.cells.shape[1])

    def _resume(self, state: TrainingState) -> None:
        if state.generator is None:
            self.generator.manual_seed(int(state.seeds[2]))
            return
        self.flat.restore(state.parameters)
        if state.gradient_norm is not None:
            self.now.gradient_norm = state.gradient_norm.clone().to(self.flat.vector)
        known = state.optimizer_name, state.trained
        if known == (type(self.optimizer).__name__, self.flat.trained):
            load_state(self.optimizer, state.optimizer)
        resume_generator(self.generator, state.generator, int(state.seeds[2]) ^ state.n_epochs)

    def _start_prior(self) -> None:
        """Let the prior see where the rows lie in the latent space."""
        rng = np.random.default_rng(self.now.seeds[1])
        with torch.no_grad():
            parts = [
                self.module.posterior(block.inputs) for block in self.rows.split(ROWS_AT_A_TIME)
            ]
            means, log_scales = map(torch.cat, zip(*parts, strict=True))
            posteriors = Components(means.new_zeros(len(means)), means, log_scales)
            self.module.prior.start(posteriors, self.rows.inputs, self.rows.weights, rng)
        self.ranks.copy_first([self.flat.vector])

    def _pass_over_rows(self, kl_weight: float) -> list[float]:
        """Step through all batches; the mean bound, its terms, and its value on validation rows."""
        total = self.module.like.new_zeros(3)
        self.module.train()
        epoch = batches(self.rows, self.module, self.options, self.ranks, self.generator)
        for position, (rows, noise) in enumerate(epoch):
            with self._own_randomness(position):
                total += self.advance(rows, noise, kl_weight)
        self.module.eval()
        # Layers that keep averages of their inputs, such as batch normalisation.
        self.ranks.copy_first(self.flat.buffers)
        weight = self.rows.weights.sum()[None]
        held_out = total.new_zeros(2) if self.held_out is None else self.held_out.bound()
        sums = torch.cat([total, weight, held_out, self.probe.bound()])
        # The one synchronisation of an epoch.
        *total, weight, validation, validated, probe, probed = self.ranks.add(sums).tolist()
        validation = validation / validated if validated else 0.0
        return [*(value / weight for value in total), validation, probe / probed]

    def _own_randomness(self, batch: int) -> AbstractContextManager[None]:
        """Networks of the users may drop units at random; ours draw from the generator of a run."""
        if all(isinstance(net, Dense) for net in (self.module.encoder, self.module.decoder)):
            return nullcontext()
        place = int(self.now.seeds[1]), self.now.n_epochs, batch, self.ranks.rank
        (seed,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        return private_seed(int(seed >> np.uint64(1)), self.module.like.device)

    def _new_advance(self) -> Advance:
        # Sums over processes are not captured.
        if self.ranks.size > 1:
            return self._advance
        return graphed(self._advance, self.module, self.optimizer)

    def _advance(self, rows: Rows, noise: Any, kl_weight: Any) -> Any:
        sums = self.step(rows, noise, kl_weight)
        if self.ranks.size > 1:
            self.ranks.add(self.flat.gradient).div_(self.ranks.size)
        self._clip()
        self.optimizer.step()
        return sums

    def _clip(self) -> None:
        gradient, longest = self.flat.gradient, self.now.gradient_norm
        norm = torch.linalg.vector_norm(gradient)
        if longest is None:
            self.now.gradient_norm = norm
            return
        shorter = (LONGEST_STEP * longest / norm.clamp(min=1e-30)).clamp(max=1.0)
        gradient *= shorter
        longest.lerp_(norm * shorter, NORM_MEMORY)

    def _in_data_units(self, values: list[float]) -> tuple[float, float, float, float]:
        elbo, reconstruction, kl, validation, _ = values
        train, held_out = self.offsets
        validation = math.nan if self.held_out is None else validation + held_out
        return elbo + train, reconstruction + train, kl, validation

    def _roll_back(self, parameters: list[Any], optimizer: dict[str, Any], norm: Any) -> None:
        self.flat.restore(parameters)
        load_state(self.optimizer, optimizer)
        self.advance = self._new_advance()
        self.now.gradient_norm = norm
        self.now.lr_factor *= 0.5
        if self._n_lost > MOST_ROLLBACKS:
            raise self._lost()

    @property
    def _n_lost(self) -> int:
        return sum(epoch.rolled_back for epoch in self.now.history)

    def _lost(self) -> FloatingPointError:
        return FloatingPointError(
            f"The bound was lost in {self._n_lost} epochs, although the step was halved each time, "
            f"to {self.now.lr_factor * self.options.learning_rate:.3g}. Look for extreme values in "
            "X, set standardize=True, use dtype='float64', or look at what networks of your own "
            "return."
        )

    def _is_over(self, value: float) -> bool:
        """Keep the best parameters; True if the bound has not risen for long."""
        now, options = self.now, self.options
        if now.n_epochs <= max(options.n_kl_warmup, options.n_prior_warmup):
            return False
        if value > now.best_value:
            now.best_value = value
            now.best = self.flat.copy() if self.held_out is not None else None
        rose = value > now.reference + options.tol
        now.reference = max(value, now.reference) if rose else now.reference
        now.n_stale = 0 if rose else now.n_stale + 1
        patience = max(1, options.n_iter_no_change // 2)
        if options.lr_schedule == "plateau" and now.n_stale and now.n_stale % patience == 0:
            now.lr_factor *= 0.5
        return self.held_out is not None and now.n_stale >= options.n_iter_no_change


def run_epochs(training: Training, n_epochs: int, after_epoch: Callable[[Training], bool]) -> None:
    """Train until the bound on held-out rows stops rising, a monitor says so, or for `n_epochs`.

    Parameters
    ----------
    training : Training
    n_epochs : int
        Of the run, those before a checkpoint included.
    after_epoch : callable
        Told of the training after every epoch; True stops.
    """
    stopped = False
    while training.now.n_epochs < n_epochs and not training.now.is_over and not stopped:
        training.run_epoch()
        stopped = training.ranks.agree(lambda: after_epoch(training))
    training.finish()
