"""Whether latent units can survive: fixed scales decide it before training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.vae._build import Model

__all__ = ["supported_units", "warn_of_collapse"]

Array = NDArray[np.float64]

# From `warn` to the caller of `fit`: past this module, `_train`, `fit` and its two decorators.
STACK_LEVEL = 6


def supported_units(X: Array, decoder_scale: float, encoder_scale: float, beta: float) -> int:
    """Number of latent units that the linear model with fixed scales uses at its optimum.

    A direction of the data is used if its variance exceeds beta s^2 t^2, with s and t the standard
    deviations of the decoder and the encoder (t = 1 if it is learned).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        In the units of the model; NaN where a cell is missing.
    decoder_scale, encoder_scale, beta : float

    Returns
    -------
    n_units : int

    References
    ----------
    Lucas, J. et al. (2019). Don't blame the ELBO! A linear VAE perspective on posterior collapse.
    Advances in Neural Information Processing Systems 32.
    """
    centred = np.nan_to_num(X - np.nanmean(X, axis=0))
    variances = np.linalg.svd(centred, compute_uv=False) ** 2 / len(X)
    return int(np.sum(variances > beta * (decoder_scale * encoder_scale) ** 2))


def warn_of_collapse(vae: Any, model: Model, X: Array) -> None:
    """Warn if no latent unit can be of use under a fixed scale of a Gaussian decoder.

    Parameters
    ----------
    vae : VAEEstimator
    model : Model
    X : ndarray of shape (n_samples, n_features)
        In the units of the data.
    """
    if vae.likelihood != "gaussian" or not model.module.likelihood.scale.fixed:
        return
    decoder_scale = 1.0 if vae.decoder_scale == "unit" else float(vae.decoder_scale)
    encoder_scale = model.module.encoder_scale or 1.0
    scaled = model.scaling.to_model(X)
    if supported_units(scaled, decoder_scale, encoder_scale, vae.beta) > 0:
        return
    largest = np.nanstd(scaled, axis=0).max()
    warnings.warn(
        f"No latent unit can be of use: with decoder_scale={vae.decoder_scale!r}, "
        f"encoder_scale={vae.encoder_scale!r} and beta={vae.beta:g}, every direction of the data "
        f"varies less than the noise (columns have standard deviations of up to {largest:.3g}), "
        "and a linear model would ignore z. Set decoder_scale='learned', or standardize=True, or "
        "a smaller number.",
        UserWarning,
        stacklevel=STACK_LEVEL,
    )
