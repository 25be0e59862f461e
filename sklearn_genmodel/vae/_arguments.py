"""Checks of the arguments of `VAEEstimator`."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import torch

from sklearn_genmodel._identity import alike
from sklearn_genmodel._validation import check_choice, check_number
from sklearn_genmodel.vae._networks import ACTIVATIONS
from sklearn_genmodel.vae._objectives import OBJECTIVES
from sklearn_genmodel.vae._optimizers import OPTIMIZERS
from sklearn_genmodel.vae._priors import MixturePrior, Prior, StandardNormal
from sklearn_genmodel.vae._tables import check_likelihood, kinds_asked_for, kinds_of_columns

__all__ = ["check_arguments", "check_continued", "resolve_prior"]

SCALES = ("unit", "learned", "learned_scalar", "network")
SCHEDULES = (None, "cosine", "plateau")
DTYPES = ("float32", "float64", "bfloat16")
INTEGERS = ("n_latent", "n_draws", "batch_size", "max_epochs", "n_iter_no_change", "n_score_draws")
NUMBERS = ("beta", "free_bits", "weight_decay", "tol", "kl_warmup")
FLAGS = ("early_stopping", "standardize", "warm_start")


def check_arguments(vae: Any) -> None:
    """Check the arguments of a `VAEEstimator` that do not depend on data.

    Parameters
    ----------
    vae : VAEEstimator

    Raises
    ------
    ValueError
        Names the argument, its value, and what it may be.
    """
    for name in INTEGERS:
        check_number(name, getattr(vae, name), numbers.Integral, low=1)
    for name in NUMBERS:
        check_number(name, getattr(vae, name), numbers.Real, low=0)
    for name in FLAGS:
        if not isinstance(getattr(vae, name), (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False, got {getattr(vae, name)!r}.")
    if not isinstance(vae.verbose, bool):
        check_number("verbose", vae.verbose, numbers.Integral, low=0)
    _check_shares(vae)
    _check_choices(vae)
    _check_scale("decoder_scale", vae.decoder_scale, SCALES)
    _check_scale("encoder_scale", vae.encoder_scale, ("unit", "learned"))
    _check_hidden("encoder", vae.encoder)
    _check_hidden("decoder", vae.decoder)


def check_continued(vae: Any, X: Any) -> None:
    """Check that training can go on from the model of the last fit.

    Parameters
    ----------
    vae : VAEEstimator
        Fitted before.
    X : array-like or frame of shape (n_samples, n_features)
        What the columns of a `Columns` that changed are looked up in.

    Raises
    ------
    ValueError
        If arguments that shape the model changed.
    """
    last = dict(vae.module_.arguments)
    now = {name: getattr(vae, name) for name in last}
    # Groups that are chosen by what is in a table may be others in each batch.
    if not alike(last["likelihood"], now["likelihood"]):
        last["likelihood"] = kinds_of_columns(vae.module_.likelihood)
        now["likelihood"] = kinds_asked_for(vae, X)
    for name, value in last.items():
        if not alike(value, now[name]):
            raise ValueError(
                f"The model to go on with has {name}={value!r}, asked for is {now[name]!r}: set "
                "warm_start=False and call fit for a new model."
            )


def resolve_prior(prior: Any) -> Prior:
    """Turn "standard_normal" into its object; pass priors through.

    Parameters
    ----------
    prior : str or Prior

    Returns
    -------
    prior : Prior

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(prior, str) and prior == "standard_normal":
        return StandardNormal()
    if not isinstance(prior, Prior):
        raise ValueError(
            f"prior={prior!r}: choose 'standard_normal', MixturePrior(n_components) or "
            "VampPrior(n_pseudo_inputs) of sklearn_genmodel.vae."
        )
    for name, low in (("n_components", 1), ("n_pseudo_inputs", 1)):
        if hasattr(prior, name):
            check_number(name, getattr(prior, name), numbers.Integral, low=low)
    check_number("warmup", prior.warmup, numbers.Real, low=0)
    if prior.warmup > 1:
        raise ValueError(
            f"warmup={prior.warmup!r} is a share of max_epochs: choose a number from 0 to 1."
        )
    if isinstance(prior, MixturePrior):
        check_choice("covariance_type", prior.covariance_type, ("full", "diag"))
    return prior


def _check_shares(vae: Any) -> None:
    check_number("learning_rate", vae.learning_rate, numbers.Real, low=0, above=True)
    if vae.kl_warmup > 1:
        raise ValueError(
            f"kl_warmup={vae.kl_warmup!r} is a share of max_epochs: choose a number from 0 to 1."
        )
    more, fraction = " and below 1", vae.validation_fraction
    check_number("validation_fraction", fraction, numbers.Real, low=0, above=True, more=more)
    if vae.validation_fraction >= 1:
        raise ValueError(
            f"validation_fraction={vae.validation_fraction!r} must lie between 0 and 1."
        )


def _check_choices(vae: Any) -> None:
    check_choice("activation", vae.activation, tuple(ACTIVATIONS))
    check_choice("objective", vae.objective, tuple(OBJECTIVES))
    if vae.free_bits > 0 and vae.objective != "elbo":
        raise ValueError(
            f"free_bits={vae.free_bits!r} is for objective='elbo', whose KL has a term for every "
            f"latent unit, got objective={vae.objective!r}: set free_bits=0 or objective='elbo'."
        )
    check_choice("lr_schedule", vae.lr_schedule, SCHEDULES)
    check_choice("dtype", vae.dtype, DTYPES)
    if not callable(vae.optimizer):
        more = ", or pass a factory (parameter_groups, lr) -> optimizer"
        check_choice("optimizer", vae.optimizer, tuple(OPTIMIZERS), more)
    check_likelihood(vae.likelihood)


def _check_scale(name: str, scale: Any, choices: tuple[str, ...]) -> None:
    is_flag = isinstance(scale, bool)
    if isinstance(scale, numbers.Real) and not is_flag:
        check_number(name, scale, numbers.Real, low=0, above=True)
    else:
        check_choice(name, scale, choices, ", or a positive number")


def _check_hidden(name: str, hidden: Any) -> None:
    if isinstance(hidden, torch.nn.Module):
        raise ValueError(
            f"{name} is a network, {hidden!r}, which every fit would train on: pass a factory that "
            "makes one, such as lambda n_inputs, n_outputs: ..., or hidden sizes."
        )
    if callable(hidden):
        return
    good = isinstance(hidden, (tuple, list)) and all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 1
        for size in hidden
    )
    if not good:
        raise ValueError(
            f"{name} must be a tuple of hidden sizes, () for an affine map, or a factory "
            f"(n_inputs, n_outputs) -> torch.nn.Module, got {hidden!r}."
        )
