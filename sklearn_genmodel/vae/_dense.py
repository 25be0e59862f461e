"""The gradient of the ELBO in closed form, for dense networks (L14).

For affine layers with simple activations, a Gaussian, Bernoulli or Poisson likelihood and a
standard normal prior, the chain rule is a dozen matrix products. Written out, they cost about half
of what automatic differentiation does on small networks. The objective and its gradient are those
of `_objectives.elbo`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import LARGEST_LOG
from sklearn_genmodel.vae._likelihoods import Bernoulli, Gaussian, Poisson
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._networks import Dense
from sklearn_genmodel.vae._priors import NormalModule
from sklearn_genmodel.vae._scale import LOG_BOUND, RATE

__all__ = ["dense_step", "is_dense"]

# Derivative of an activation times the gradient after it, from the activation's value.
BACKWARD: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda gradient, value: torch.ops.aten.threshold_backward(gradient, value, 0.0),
    "sigmoid": torch.ops.aten.sigmoid_backward,
    "tanh": torch.ops.aten.tanh_backward,
}


def is_dense(module: VAEModule, objective: str, free_bits: float) -> bool:
    """Whether the closed form covers a model and its objective."""
    networks = module.encoder, module.decoder
    return (
        objective == "elbo"
        and free_bits == 0
        and all(isinstance(n, Dense) and n.activation in BACKWARD for n in networks)
        and type(module.prior) is NormalModule
        and type(module.likelihood) in LIKELIHOOD_GRADIENTS
        and not (isinstance(module.likelihood, Gaussian) and module.likelihood.scale.from_network)
        and all(parameter.requires_grad for parameter in module.parameters())
    )


def dense_step(module: VAEModule) -> Callable[[Rows, Any, float], Any]:
    """Make a step that overwrites the gradients of a module's parameters.

    Parameters
    ----------
    module : VAEModule
        One that `is_dense` covers, with gradients allocated by `FlatParameters`.

    Returns
    -------
    step : callable
        See `_steps.Step`.
    """
    encoder, decoder = _Layers(module.encoder), _Layers(module.decoder)
    likelihood = LIKELIHOOD_GRADIENTS[type(module.likelihood)](module.likelihood)
    scale, k = module.encoder_scale, module.n_latent

    @torch.no_grad()
    def step(rows: Rows, noise: Any, kl_weight: float) -> Any:
        n_draws, n_rows, _ = noise.shape
        share = rows.weights[:, None] / n_rows
        codes = encoder.forward(rows.inputs)
        means = codes if scale is not None else codes[:, :k]
        if scale is not None:
            log_scales, noise = torch.full_like(means, math.log(scale)), noise * scale
        else:
            squashed = torch.tanh(codes[:, k:] / LOG_BOUND)
            log_scales = LOG_BOUND * squashed
            noise = noise * torch.exp(log_scales)
        z = means + noise
        outputs = decoder.forward(z.view(-1, k)).view(n_draws, n_rows, -1)
        fit, d_outputs = likelihood(rows, outputs, share / n_draws)
        variances = torch.exp(2.0 * log_scales)
        kl = (share * (0.5 * (means.square() + variances - 1.0) - log_scales)).sum()
        # The loss is beta KL - E_q[log p(x | z)].
        d_z = decoder.backward(d_outputs.view(n_draws * n_rows, -1)).view(n_draws, n_rows, k)
        share = kl_weight * share
        d_means = d_z.sum(0) + share * means
        if scale is not None:
            encoder.backward(d_means, inputs=False)
        else:
            d_log_scales = (d_z * noise).sum(0) + share * (variances - 1.0)
            d_raw = d_log_scales * (1.0 - squashed.square())
            encoder.backward(torch.cat([d_means, d_raw], 1), inputs=False)
        return torch.stack([fit - kl, fit, kl]) * n_rows

    return step


class _Layers:
    """Affine layers whose gradients are written where the flat vector keeps them."""

    def __init__(self, network: Dense) -> None:
        self.weights = [layer.weight for layer in network.layers]
        self.biases = [layer.bias for layer in network.layers]
        self.activate = network.activate
        self.chain = BACKWARD[network.activation]
        self.values: list[Any] = []

    def forward(self, values: Any) -> Any:
        """Outputs, with what `backward` needs put aside."""
        self.values = [values]
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.addmm(bias, values, weight.t())
            if i + 1 < len(self.weights):
                values = self.activate(values)
                self.values.append(values)
        return values

    def backward(self, gradient: Any, *, inputs: bool = True) -> Any:
        """Gradients of the layers from that of the outputs; returns that of the inputs."""
        for i in reversed(range(len(self.weights))):
            torch.mm(gradient.t(), self.values[i], out=self.weights[i].grad)
            torch.sum(gradient, 0, out=self.biases[i].grad)
            if i > 0 or inputs:
                gradient = gradient @ self.weights[i]
            if i > 0:
                gradient = self.chain(gradient, self.values[i])
        return gradient


# Takes rows, outputs (n_draws, n_rows, n_features) and the weight of every row, and returns the
# weighted log-likelihood with minus its gradient in the outputs.
Gradient = Callable[[Rows, Any, Any], tuple[Any, Any]]


def _gaussian(likelihood: Gaussian) -> Gradient:
    scale = likelihood.scale

    def gradient(rows: Rows, outputs: Any, share: Any) -> tuple[Any, Any]:
        log_scale = scale()
        if rows.mask is not None:
            share = share * rows.mask
        inverse = torch.exp(-log_scale)
        residual = (outputs - rows.cells) * inverse
        weighted = share * residual
        squares = (weighted * residual).sum((0, 1))
        counts = share.sum(0).expand_as(squares) * len(outputs)
        constants = (counts * (log_scale + 0.5 * math.log(2.0 * math.pi))).sum()
        if not scale.fixed:
            d_scale = counts - squares
            d_scale = d_scale.sum()[None] if scale.shared else d_scale
            slope = RATE * (1.0 - torch.tanh(RATE * scale.raw / LOG_BOUND).square())
            torch.mul(d_scale, slope, out=scale.raw.grad)
        return -0.5 * squares.sum() - constants, weighted * inverse

    return gradient


def _bernoulli(likelihood: Bernoulli) -> Gradient:
    def gradient(rows: Rows, outputs: Any, share: Any) -> tuple[Any, Any]:
        if rows.mask is not None:
            share = share * rows.mask
        fit = (share * likelihood.log_prob(rows.cells, outputs)).sum()
        return fit, share * (torch.sigmoid(outputs) - rows.cells)

    return gradient


def _poisson(likelihood: Poisson) -> Gradient:
    def gradient(rows: Rows, outputs: Any, share: Any) -> tuple[Any, Any]:
        if rows.mask is not None:
            share = share * rows.mask
        fit = (share * likelihood.log_prob(rows.cells, outputs)).sum()
        inside = outputs.abs() <= LARGEST_LOG
        return fit, share * inside * (likelihood.mean(outputs) - rows.cells)

    return gradient


LIKELIHOOD_GRADIENTS: dict[type, Callable[[Any], Gradient]] = {
    Bernoulli: _bernoulli,
    Gaussian: _gaussian,
    Poisson: _poisson,
}
