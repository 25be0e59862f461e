"""Prior distributions of the latent vector, p(z): one Gaussian, or a mixture of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import nn

__all__ = [
    "Components",
    "MixturePrior",
    "NormalModule",
    "Prior",
    "StandardNormal",
    "VampPrior",
    "gaussian_log_prob",
]

Array = NDArray[np.float64]

LOG_2PI = math.log(2.0 * math.pi)
# Deviations of the components lie within these powers of e.
LOG_SCALE_BOUND = 4.0
N_STARTS = 10


class Components(NamedTuple):
    """Gaussian components: log-weights (K,), means and log-deviations (K, n_latent)."""

    log_weights: Any
    means: Any
    log_scales: Any

    def log_joint(self, z: Any) -> Any:
        """log p(k) + log p(z | k): (..., K)."""
        log_prob = gaussian_log_prob(z.unsqueeze(-2), self.means, self.log_scales)
        return self.log_weights + log_prob

    def log_prob(self, z: Any) -> Any:
        """log p(z): (...)."""
        if len(self.log_weights) == 1:
            return gaussian_log_prob(z, self.means[0], self.log_scales[0])
        return torch.logsumexp(self.log_joint(z), dim=-1)


Posterior = Callable[[Any], tuple[Any, Any]]


class Prior(BaseEstimator):
    """Contract of p(z): hyper-parameters, of which `build` makes a module.

    Attributes
    ----------
    warmup : float
        Share of the epochs after which the module's ``start`` is called.
    """

    warmup: float = 0.0

    def build(self, n_latent: int, n_inputs: int) -> nn.Module:
        """Make a module with ``components(posterior)`` and ``start(posteriors, inputs, rng)``.

        Parameters
        ----------
        n_latent : int
        n_inputs : int
            Inputs of the encoder.

        Returns
        -------
        module : torch.nn.Module
        """
        raise NotImplementedError


class StandardNormal(Prior):
    """z ~ N(0, I), the prior of the lecture (L10).

    Examples
    --------
    >>> from sklearn_genmodel.vae import StandardNormal
    >>> StandardNormal()
    StandardNormal()
    """

    def build(self, n_latent: int, n_inputs: int) -> nn.Module:
        """Nothing to learn."""
        return NormalModule(n_latent)


class MixturePrior(Prior):
    """z from a Gaussian mixture whose components are learned, for clustering.

    Parameters
    ----------
    n_components : int, default=10
    warmup : float, default=0.75
        Share of the epochs that train with a standard normal prior, after which the components
        start from a mixture fitted to the posterior means.

    References
    ----------
    Jiang, Z. et al. (2017). Variational deep embedding: an unsupervised and generative approach
    to clustering. International Joint Conference on Artificial Intelligence.

    Examples
    --------
    >>> from sklearn_genmodel.vae import MixturePrior
    >>> MixturePrior(3)
    MixturePrior(n_components=3)
    """

    def __init__(self, n_components: int = 10, *, warmup: float = 0.75) -> None:
        self.n_components = n_components
        self.warmup = warmup

    def build(self, n_latent: int, n_inputs: int) -> nn.Module:
        """Weights, means and deviations."""
        return _MixtureModule(self.n_components, n_latent)


class VampPrior(Prior):
    """z from the mixture of the posteriors of pseudo-inputs, which are learned.

    Parameters
    ----------
    n_pseudo_inputs : int, default=50

    References
    ----------
    Tomczak, J. M. and Welling, M. (2018). VAE with a VampPrior. International Conference on
    Artificial Intelligence and Statistics.

    Examples
    --------
    >>> from sklearn_genmodel.vae import VampPrior
    >>> VampPrior(20)
    VampPrior(n_pseudo_inputs=20)
    """

    def __init__(self, n_pseudo_inputs: int = 50) -> None:
        self.n_pseudo_inputs = n_pseudo_inputs

    def build(self, n_latent: int, n_inputs: int) -> nn.Module:
        """The pseudo-inputs."""
        return _VampModule(self.n_pseudo_inputs, n_inputs)


def gaussian_log_prob(z: Any, means: Any, log_scales: Any) -> Any:
    """Log-density of independent normals, summed over the last axis."""
    standardized = (z - means) * torch.exp(-log_scales)
    constant = 0.5 * z.shape[-1] * LOG_2PI
    return -0.5 * standardized.square().sum(-1) - log_scales.sum(-1) - constant


class NormalModule(nn.Module):
    """One fixed component."""

    started = True

    def __init__(self, n_latent: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(1, n_latent))

    def components(self, posterior: Posterior) -> Components:
        return Components(self.origin[:, 0], self.origin, self.origin)

    def start(self, posteriors: Components, inputs: Any, rng: np.random.Generator) -> None:
        pass


class _MixtureModule(NormalModule):
    """One fixed component until `start`, then learned ones."""

    def __init__(self, n_components: int, n_latent: int) -> None:
        super().__init__(n_latent)
        self.started = False
        self.logits = nn.Parameter(torch.zeros(n_components))
        self.means = nn.Parameter(torch.zeros(n_components, n_latent))
        self.raw_scales = nn.Parameter(torch.zeros(n_components, n_latent))

    def components(self, posterior: Posterior) -> Components:
        if not self.started:
            return super().components(posterior)
        log_scales = LOG_SCALE_BOUND * torch.tanh(self.raw_scales / LOG_SCALE_BOUND)
        return Components(torch.log_softmax(self.logits, 0), self.means, log_scales)

    def start(self, posteriors: Components, inputs: Any, rng: np.random.Generator) -> None:
        self.started = True
        latents = posteriors.means.double().cpu().numpy()
        resp = _first_clusters(latents, min(len(self.logits), len(inputs)), rng)
        counts = resp.sum(axis=0) + 1e-6
        means = (resp.T @ latents) / counts[:, None]
        within = torch.exp(2.0 * posteriors.log_scales).mean(0).double().cpu().numpy()
        squares = np.stack([r @ (latents - m) ** 2 for r, m in zip(resp.T, means, strict=True)])
        log_scales = 0.5 * np.log(squares / counts[:, None] + within)
        raw = LOG_SCALE_BOUND * np.arctanh(np.clip(log_scales / LOG_SCALE_BOUND, -0.99, 0.99))
        with torch.no_grad():
            values = np.log(counts / counts.sum()), means, raw
            targets = self.logits, self.means, self.raw_scales
            for target, value in zip(targets, values, strict=True):
                target[: len(value)] = torch.as_tensor(value)


class _VampModule(nn.Module):
    """Components are the posteriors of pseudo-inputs, which start as rows."""

    def __init__(self, n_pseudo_inputs: int, n_inputs: int) -> None:
        super().__init__()
        self.started = False
        self.inputs = nn.Parameter(0.1 * torch.randn(n_pseudo_inputs, n_inputs))

    def components(self, posterior: Posterior) -> Components:
        means, log_scales = posterior(self.inputs)
        log_weights = means.new_full((len(means),), -math.log(len(means)))
        return Components(log_weights, means, log_scales)

    def start(self, posteriors: Components, inputs: Any, rng: np.random.Generator) -> None:
        self.started = True
        rows = torch.as_tensor(rng.integers(len(inputs), size=len(self.inputs)))
        with torch.no_grad():
            self.inputs += inputs[rows.to(inputs.device)].to(self.inputs)


def _first_clusters(latents: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Responsibilities of a mixture whose components share one covariance: (n_rows, K).

    Latents of a standard normal prior form elongated clusters that are alike; components with
    covariances of their own split and merge them.
    """
    mixture = GaussianMixture(
        n_components,
        covariance_type="tied",
        n_init=N_STARTS,
        reg_covar=1e-4,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        # The start of a longer fit need not have converged.
        warnings.simplefilter("ignore", ConvergenceWarning)
        resp: Array = mixture.fit(latents).predict_proba(latents)
    return resp
