"""From an estimator's arguments and a table to a model, and to a training run."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_genmodel.vae._arguments import resolve_prior
from sklearn_genmodel.vae._data import Rows, Scaling, find_scaling, make_rows
from sklearn_genmodel.vae._device import inference_dtype, private_seed, resolve_device
from sklearn_genmodel.vae._distributed import Ranks, current_ranks
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._networks import Dense, build_network
from sklearn_genmodel.vae._options import TrainingOptions
from sklearn_genmodel.vae._state import TrainingState
from sklearn_genmodel.vae._streaming import StreamedRows, place_rows
from sklearn_genmodel.vae._tables import make_likelihood
from sklearn_genmodel.vae._training import Training

__all__ = [
    "Model",
    "assemble",
    "build_model",
    "inference_model",
    "make_training",
    "n_warmup_epochs",
    "new_state",
]

Array = NDArray[np.float64]

# Arguments of an estimator that decide what a module is made of.
SHAPING = (
    "n_latent",
    "likelihood",
    "decoder_scale",
    "encoder_scale",
    "prior",
    "encoder",
    "decoder",
    "activation",
    "standardize",
)


class Model(NamedTuple):
    """A module, the maps between the units of the data and its own, and what reads a table.

    ``family`` knows the columns and levels of a table of labels; None if all columns are numbers.
    """

    module: VAEModule
    scaling: Scaling
    family: Any = None


def build_model(
    vae: Any, family: Any, X: Array, weights: Array | None, rng: np.random.Generator
) -> Model:
    """Make a model for a table, with weights drawn and scales set from the data.

    Parameters
    ----------
    vae : VAEEstimator
    family : Family or None
        What reads the table.
    X : ndarray of shape (n_samples, n_features)
        Checked rows, NaN where a cell is missing.
    weights : ndarray of shape (n_samples,) or None
    rng : Generator

    Returns
    -------
    model : Model
    """
    likelihood = make_likelihood(vae, family, X.shape[1])
    scaling = find_scaling(X, weights, likelihood, standardize=vae.standardize)
    outputs = likelihood.start(scaling.to_start(X), weights)
    with private_seed(int(rng.integers(2**63))), torch.device("cpu"):
        module = assemble(vae, likelihood, len(scaling.input_offset))
    if isinstance(module.decoder, Dense):
        with torch.no_grad():
            module.decoder.layers[-1].bias.copy_(torch.as_tensor(outputs))
    return Model(place(module, vae), scaling, family)


def inference_model(module: Any, scaling: Any) -> Model:
    """Copy a module for computing without training, in double precision where that is quick.

    Parameters
    ----------
    module : VAEModule
    scaling : Scaling

    Returns
    -------
    model : Model
    """
    like = module.like
    copied = copy.deepcopy(module).to(inference_dtype(like.device, like.dtype)).eval()
    return Model(copied.requires_grad_(requires_grad=False), scaling)


def assemble(vae: Any, likelihood: Likelihood, n_inputs: int) -> VAEModule:
    """Make the networks and the prior that a likelihood needs, with weights drawn at random.

    Parameters
    ----------
    vae : VAEEstimator
    likelihood : Likelihood
    n_inputs : int
        Inputs of the encoder.

    Returns
    -------
    module : VAEModule
    """
    # Copies: a grid search sets parameters of the priors it is given.
    own = {name: getattr(vae, name) for name in SHAPING if hasattr(vae, name)}
    arguments = {name: _copied(value) for name, value in own.items()}
    k, scale = vae.n_latent, _encoder_scale(vae.encoder_scale)
    n_codes = k * (2 if scale is None else 1)
    encoder = build_network("encoder", vae.encoder, n_inputs, n_codes, vae.activation)
    decoder = build_network("decoder", vae.decoder, k, likelihood.n_outputs, vae.activation)
    prior = resolve_prior(vae.prior).build(k, n_inputs)
    return VAEModule(encoder, decoder, likelihood, prior, scale, k, arguments)


def place(module: VAEModule, vae: Any) -> VAEModule:
    """Move a module to the device and precision that an estimator asks for."""
    dtype = torch.float64 if vae.dtype == "float64" else torch.float32
    placed: VAEModule = module.to(resolve_device(vae.device), dtype)
    return placed


def new_state(rng: np.random.Generator) -> TrainingState:
    """State of a run that has not begun."""
    return TrainingState(seeds=rng.integers(2**63, size=3))


def n_warmup_epochs(share: float, max_epochs: int) -> int:
    """Epochs of a warm-up; at least one epoch comes after it."""
    return min(int(share * max_epochs), max_epochs - 1)


def make_training(
    vae: Any,
    model: Model,
    X: Array,
    weights: Array | None,
    state: TrainingState,
    *,
    validate: bool,
    least_steps: int,
) -> Training:
    """Put rows on the device, hold some out, and make a run of them.

    Parameters
    ----------
    vae : VAEEstimator
    model : Model
    X : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,) or None
    state : TrainingState
    validate : bool
        Whether rows are held out for early stopping, if there are two at least.
    least_steps : int
        Of an epoch, which goes through few rows several times.

    Returns
    -------
    training : Training
    """
    ranks = current_ranks()
    ranks.check_same(X, weights)
    state = replace(state, seeds=ranks.told_by_first(state.seeds))
    train = np.arange(len(X))
    held_out, offset = None, 0.0
    if validate and len(X) > 1:
        order = np.random.default_rng(state.seeds[0]).permutation(len(X))
        n_held_out = min(math.ceil(vae.validation_fraction * len(X)), len(X) - 1)
        train, kept = np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
        held_out, offset = _part(model, X, weights, kept, ranks)
    rows, train_offset = _part(model, X, weights, train, ranks)
    options = _options(vae, least_steps)
    offsets = train_offset, offset
    return Training(model.module, rows, held_out, options, state, offsets, ranks)


def _part(
    model: Model, X: Array, weights: Array | None, index: Any, ranks: Ranks
) -> tuple[Rows | StreamedRows, float]:
    """A process's share of rows of some positions, and the mean log-Jacobian of all of these."""
    part, weight = X[index], None if weights is None else weights[index]
    like = model.module.like
    on_host = like.new_empty(0, device="cpu")
    rows = make_rows(part, weight, model.module.likelihood, model.scaling, on_host)
    return place_rows(ranks.shard(rows), like.device), float(
        np.average(model.scaling.log_jacobian(part), weights=weight)
    )


def _options(vae: Any, least_steps: int) -> TrainingOptions:
    return TrainingOptions(
        objective=vae.objective,
        n_draws=vae.n_draws,
        beta=vae.beta,
        n_kl_warmup=n_warmup_epochs(vae.kl_warmup, vae.max_epochs),
        n_prior_warmup=n_warmup_epochs(resolve_prior(vae.prior).warmup, vae.max_epochs),
        free_bits=vae.free_bits,
        optimizer=vae.optimizer,
        learning_rate=vae.learning_rate,
        lr_schedule=vae.lr_schedule,
        weight_decay=vae.weight_decay,
        batch_size=int(vae.batch_size),
        max_epochs=vae.max_epochs,
        tol=vae.tol,
        n_iter_no_change=vae.n_iter_no_change,
        autocast=vae.dtype == "bfloat16",
        least_steps=least_steps,
    )


def _copied(value: Any) -> Any:
    """A copy of a prior or of columns; networks of the users may be no copyable factories."""
    copyable = hasattr(value, "get_params") and not isinstance(value, type)
    return clone(value) if copyable else value


def _encoder_scale(scale: str | float) -> float | None:
    if isinstance(scale, str):
        return 1.0 if scale == "unit" else None
    return float(scale)
