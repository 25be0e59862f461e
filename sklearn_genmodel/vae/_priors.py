"""Prior distributions of the latent vector, p(z): one Gaussian, or a mixture of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_genmodel.em import FitOptions, Rows, fit_mixture
from sklearn_genmodel.families import Gaussian
from sklearn_genmodel.vae._components import Components

__all__ = [
    "MixturePrior",
    "NormalModule",
    "Prior",
    "StandardNormal",
    "VampPrior",
]

Array = NDArray[np.float64]

# Deviations of the components lie within these powers of e.
LOG_SCALE_BOUND = 4.0
# Of the mixture from which the components start.
TOL, MOST_PASSES = 1e-6, 1000
# Weights of the components stay above this one at the start; its log serves those without rows.
SMALLEST_WEIGHT = 1e-8
UNUSED = math.log(SMALLEST_WEIGHT)


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
        """Make a module with ``components(posterior)`` and ``start``.

        ``start(posteriors, inputs, weights, rng)`` is told of q(z | x), the inputs of the encoder
        and the weights of all rows.

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
    covariance_type : {"full", "diag"}, default="full"
        Whether the latent units of a component may be correlated.
    warmup : float, default=0.5
        Share of the epochs that train with a standard normal prior, after which the components
        start from a mixture fitted to draws from q(z | x) of all rows, which the best prior has
        the distribution of.

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

    def __init__(
        self, n_components: int = 10, *, covariance_type: str = "full", warmup: float = 0.5
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.warmup = warmup

    def build(self, n_latent: int, n_inputs: int) -> nn.Module:
        """Weights, means and covariances."""
        return _MixtureModule(self.n_components, n_latent, self.covariance_type)


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


class NormalModule(nn.Module):
    """One fixed component."""

    started = True

    def __init__(self, n_latent: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(1, n_latent))

    def components(self, posterior: Posterior) -> Components:
        return Components(self.origin[:, 0], self.origin, self.origin)

    def start(
        self, posteriors: Components, inputs: Any, weights: Any, rng: np.random.Generator
    ) -> None:
        pass


class _MixtureModule(NormalModule):
    """One fixed component until `start`, then learned ones."""

    def __init__(self, n_components: int, n_latent: int, covariance_type: str) -> None:
        super().__init__(n_latent)
        self.started = False
        self.logits = nn.Parameter(torch.zeros(n_components))
        self.means = nn.Parameter(torch.zeros(n_components, n_latent))
        self.raw_scales = nn.Parameter(torch.zeros(n_components, n_latent))
        self.couplings: nn.Parameter | None = None
        if covariance_type == "full":
            self.couplings = nn.Parameter(torch.zeros(n_components, n_latent, n_latent))

    def components(self, posterior: Posterior) -> Components:
        if not self.started:
            return super().components(posterior)
        log_scales = LOG_SCALE_BOUND * torch.tanh(self.raw_scales / LOG_SCALE_BOUND)
        couplings = None if self.couplings is None else torch.tril(self.couplings, -1)
        return Components(torch.log_softmax(self.logits, 0), self.means, log_scales, couplings)

    def start(
        self, posteriors: Components, inputs: Any, weights: Any, rng: np.random.Generator
    ) -> None:
        self.started = True
        latents = posteriors.draw(np.arange(len(posteriors.means)), rng)
        rows = Rows(latents, weights.double().cpu().numpy())
        shares, means, covariances = _first_components(rows, self, rng)
        lower = np.linalg.cholesky(covariances)
        scales = np.diagonal(lower, axis1=1, axis2=2)
        ratios = np.clip(np.log(scales) / LOG_SCALE_BOUND, -0.99, 0.99)
        values = [(self.logits, np.log(shares)), (self.means, means)]
        values.append((self.raw_scales, LOG_SCALE_BOUND * np.arctanh(ratios)))
        if self.couplings is not None:
            # L^-1 = diag(1 / scales) (I + C)
            whitened = scales[:, :, None] * np.linalg.inv(lower)
            values.append((self.couplings, whitened - np.eye(lower.shape[-1])))
        with torch.no_grad():
            # Of more components than rows some stay out of the way.
            self.logits.fill_(UNUSED)
            for target, value in values:
                target[: len(value)] = torch.as_tensor(value)


class _VampModule(nn.Module):
    """Components are the posteriors of pseudo-inputs, which start as rows."""

    def __init__(self, n_pseudo_inputs: int, n_inputs: int) -> None:
        super().__init__()
        self.started = False
        self.inputs = nn.Parameter(
            0.1 * torch.randn(n_pseudo_inputs, n_inputs, dtype=torch.float32)
        )

    def components(self, posterior: Posterior) -> Components:
        means, log_scales = posterior(self.inputs)
        log_weights = means.new_full((len(means),), -math.log(len(means)))
        return Components(log_weights, means, log_scales)

    def start(
        self, posteriors: Components, inputs: Any, weights: Any, rng: np.random.Generator
    ) -> None:
        self.started = True
        rows = torch.as_tensor(rng.integers(len(inputs), size=len(self.inputs)))
        with torch.no_grad():
            self.inputs += inputs[rows.to(inputs.device)].to(self.inputs)


def _first_components(
    rows: Rows, module: _MixtureModule, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Weights (K,), means (K, n_latent) and covariances of a mixture fitted to latents."""
    rows = rows.take(rows.weights > 0)
    family = Gaussian("diag" if module.couplings is None else "full")
    n_components = min(len(module.logits), len(rows))
    options = FitOptions(n_components, "auto", "auto", MOST_PASSES, TOL, "auto")
    theta = fit_mixture(family, rows, options, rng).result.theta
    return (
        np.maximum(theta.weights, SMALLEST_WEIGHT),
        theta.params.means,
        family.covariance_matrices(theta.params),
    )
