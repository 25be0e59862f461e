"""What is maximised: the evidence lower bound, and the tighter importance-weighted bound.

An objective takes the model, rows, standard normal noise of shape (n_draws, n_rows, n_latent) and
the weight of the KL term, and returns a loss to minimise with the terms that it reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from sklearn_genmodel.vae._components import gaussian_log_prob
from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._module import VAEModule, expected_log_prior, gaussian_entropy

__all__ = ["OBJECTIVES", "Objective", "elbo_terms", "objective_sum"]


class Objective(NamedTuple):
    """A loss, and weighted sums over the rows of (bound, reconstruction, KL), at KL weight 1."""

    loss: Any
    sums: Any


def elbo_terms(module: VAEModule, rows: Rows, noise: Any) -> tuple[Any, Any]:
    """Reconstruction of every row and KL of every row and latent unit (L3, L11, L12).

    Returns
    -------
    reconstruction : tensor of shape (n_rows,)
        E_q[log p(x | z)], the mean over the draws.
    kl : tensor of shape (n_rows, n_latent) or (n_rows, 1)
        KL(q || p(z)): exact, per unit, for a prior of one component; else the mean over the draws
        of log q(z | x) - log p(z).
    """
    means, log_scales = module.posterior(rows.inputs)
    z = means + torch.exp(log_scales) * noise
    reconstruction = module.log_likelihood(rows, z).mean(0)
    components = module.components()
    if components.is_single:
        entropy = gaussian_entropy(log_scales)
        return reconstruction, -(expected_log_prior(means, log_scales, components) + entropy)
    log_ratio = gaussian_log_prob(z, means, log_scales) - components.log_prob(z)
    return reconstruction, log_ratio.mean(0)[:, None]


def elbo(
    module: VAEModule, rows: Rows, noise: Any, kl_weight: float, free_bits: float
) -> Objective:
    """LB = E_q[log p(x | z)] - beta KL, with at least `free_bits` nats per latent unit free."""
    reconstruction, kl = elbo_terms(module, rows, noise)
    n_rows = len(rows.weights)
    unit_kl = (rows.weights[:, None] * kl).sum(0)
    fit = (rows.weights * reconstruction).sum()
    penalty = total = unit_kl.sum()
    if free_bits > 0:
        # Only then: the estimate for a prior of several components may be negative in a batch.
        least = free_bits * rows.weights.sum() * (noise.shape[-1] / kl.shape[1])
        penalty = unit_kl.clamp(min=least).sum()
    loss = (kl_weight * penalty - fit) / n_rows
    return Objective(loss, torch.stack([fit - total, fit, total]).detach())


def iwae(
    module: VAEModule, rows: Rows, noise: Any, kl_weight: float, _free_bits: float
) -> Objective:
    """Importance-weighted bound: log (1 / C) sum_c p(x, z_c) / q(z_c | x).

    References
    ----------
    Burda, Y., Grosse, R. and Salakhutdinov, R. (2016). Importance weighted autoencoders, equation
    8. International Conference on Learning Representations.
    """
    log_likelihood, log_prior, log_q = module.log_terms(rows, noise)
    log_weights = log_likelihood + kl_weight * (log_prior - log_q)
    bound = torch.logsumexp(log_weights, 0)
    loss = -(rows.weights * bound).sum() / len(bound)
    return Objective(loss, _importance_sums(rows, log_likelihood, log_prior - log_q))


def dreg(
    module: VAEModule, rows: Rows, noise: Any, kl_weight: float, _free_bits: float
) -> Objective:
    """The importance-weighted bound, with doubly reparametrised gradients of the encoder.

    With a weight beta of the KL term, log w = log p(x | z) + beta (log p(z) - log q(z | x)), a
    share w of the weights enters the encoder's gradient as (1 - beta) w + beta w^2.

    References
    ----------
    Tucker, G. et al. (2019). Doubly reparameterized gradient estimators for Monte Carlo
    objectives, equation 8. International Conference on Learning Representations.
    """
    means, log_scales = module.posterior(rows.inputs)
    z = means + torch.exp(log_scales) * noise
    log_likelihood = module.log_likelihood(rows, z)
    # Through z alone: the score of q has mean zero and only adds noise.
    log_q = gaussian_log_prob(z, means.detach(), log_scales.detach())
    log_ratio = module.components().log_prob(z) - log_q
    log_weights = log_likelihood + kl_weight * log_ratio
    shares = torch.softmax(log_weights.detach(), 0)
    if z.requires_grad:
        # The decoder's gradient is sum_c w_c d log w_c; minus beta sum_c w_c d log q(z_c | x),
        # which is left out, has the mean of -beta sum_c w_c (1 - w_c) d log w_c through z.
        factors = (1.0 - kl_weight) + kl_weight * shares[..., None]
        z.register_hook(lambda gradient: gradient * factors)
    loss = -(rows.weights * (shares * log_weights).sum(0)).sum() / len(means)
    return Objective(loss, _importance_sums(rows, log_likelihood, log_ratio))


OBJECTIVES: dict[str, Callable[..., Objective]] = {"dreg": dreg, "elbo": elbo, "iwae": iwae}


def objective_sum(module: VAEModule, rows: Rows, noise: Any, name: str) -> Any:
    """Weighted sum of the bound that an objective maximises, at KL weight 1, and the weight: (2,).

    Of processes that share the rows one may have none of any weight.
    """
    sums = OBJECTIVES[name](module, rows, noise, 1.0, 0.0).sums
    return torch.stack([sums[0], rows.weights.sum()])


def _importance_sums(rows: Rows, log_likelihood: Any, log_ratio: Any) -> Any:
    bound = torch.logsumexp(log_likelihood + log_ratio, 0) - math.log(len(log_ratio))
    terms = torch.stack([bound, log_likelihood.mean(0), -log_ratio.mean(0)])
    return (rows.weights * terms).sum(1).detach()
