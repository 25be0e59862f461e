"""The model itself: encoder, decoder, likelihood and prior as one torch module."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import nn

from sklearn_genmodel.vae._components import Components
from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._networks import Dense
from sklearn_genmodel.vae._scale import bounded

__all__ = ["LOG_2PI", "LogTerms", "VAEModule", "expected_log_prior", "gaussian_entropy"]

LOG_2PI = math.log(2.0 * math.pi)


class LogTerms(NamedTuple):
    """What a bound is made of, one value per draw and row, in nats: (n_draws, n_rows)."""

    log_likelihood: Any
    log_prior: Any
    log_q: Any


class VAEModule(nn.Module):
    """p(z) p(x | z) with q(z | x).

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
    likelihood : Likelihood
    prior : torch.nn.Module
    encoder_scale : float or None
        Standard deviation of q(z | x); None if the encoder gives it.
    n_latent : int
    arguments : dict
        Those of the estimator that the module was made from; these may be set anew later.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        prior: nn.Module,
        encoder_scale: float | None,
        n_latent: int,
        arguments: dict[str, Any],
    ) -> None:
        super().__init__()
        self.arguments = arguments
        self.n_latent = n_latent
        self.encoder, self.decoder = encoder, decoder
        self.likelihood, self.prior = likelihood, prior
        self.encoder_scale = encoder_scale

    @property
    def like(self) -> Any:
        """A parameter, for its dtype and device."""
        return next(self.parameters())

    def posterior(self, inputs: Any) -> tuple[Any, Any]:
        """Means and log-deviations of q(z | x): (n_rows, n_latent) each."""
        outputs = self.encoder(_own(self.encoder, inputs))
        if self.encoder_scale is not None:
            return outputs, torch.full_like(outputs, math.log(self.encoder_scale))
        means, raw = outputs.chunk(2, dim=-1)
        return means, bounded(raw)

    def decode(self, z: Any) -> Any:
        """Outputs of the decoder for latents of shape (..., n_latent)."""
        latents = _own(self.decoder, z.reshape(-1, z.shape[-1]))
        return self.decoder(latents).reshape(*z.shape[:-1], -1)

    def log_likelihood(self, rows: Rows, z: Any) -> Any:
        """log p(x | z) of the cells that were seen, for z of shape (n_draws, n_rows, n_latent)."""
        return self.likelihood.row_log_prob(rows.cells, self.decode(z), rows.mask)

    def components(self) -> Components:
        """Gaussian components of the prior."""
        components: Components = self.prior.components(self.posterior)
        return components

    def log_terms(self, rows: Rows, noise: Any) -> LogTerms:
        """Terms at z = mean + scale noise, noise broadcast to (n_draws, n_rows, n_latent) (L12)."""
        means, log_scales = self.posterior(rows.inputs)
        z = means + torch.exp(log_scales) * noise
        log_prior = self.components().log_prob(z)
        # (z - mean) / scale is the noise, so that log q needs no array of its own.
        log_q = -0.5 * (noise.square() + LOG_2PI).sum(-1) - log_scales.sum(-1)
        return LogTerms(self.log_likelihood(rows, z), log_prior, log_q)


def _own(network: nn.Module, values: Any) -> Any:
    """What a network may write to: those of the users work in place at will."""
    return values if isinstance(network, Dense) else values.clone()


def gaussian_entropy(log_scales: Any) -> Any:
    """H(q) of every latent unit, in nats: log s + (1 + log 2 pi) / 2."""
    return log_scales + 0.5 * (1.0 + LOG_2PI)


def expected_log_prior(means: Any, log_scales: Any, components: Components) -> Any:
    """E_q[log p(z)] of every latent unit for a prior of one component.

    Parameters
    ----------
    means, log_scales : tensors of shape (n_rows, n_latent)
        Of q.
    components : Components
        Exactly one.

    Returns
    -------
    expectation : tensor of shape (n_rows, n_latent)
    """
    inverse = torch.exp(-2.0 * components.log_scales)
    squares = (means - components.means).square() + torch.exp(2.0 * log_scales)
    return -0.5 * squares * inverse - components.log_scales - 0.5 * LOG_2PI
