"""Gaussian components of a prior, as tensors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

__all__ = ["Components", "gaussian_log_prob"]

Array = NDArray[np.float64]

LOG_2PI = math.log(2.0 * math.pi)


class Components(NamedTuple):
    """Gaussian components: log-weights (K,), means and log-deviations (K, n_latent).

    The elements of (I + C) (z - mean) are independent and have these deviations, where C, strictly
    lower triangular, is one of the ``couplings`` (K, n_latent, n_latent); None: C = 0.
    """

    log_weights: Any
    means: Any
    log_scales: Any
    couplings: Any = None

    @property
    def is_single(self) -> bool:
        """Whether expectations under independent normals have a simple closed form."""
        return len(self.log_weights) == 1 and self.couplings is None

    def draw(self, labels: NDArray[np.intp], rng: np.random.Generator) -> Array:
        """One latent vector from each of the components with these numbers: (n, n_latent)."""
        means, scales = (
            part.double().cpu().numpy()[labels] for part in (self.means, self.log_scales.exp())
        )
        deviations: Array = scales * rng.standard_normal(means.shape)
        if self.couplings is not None:
            couplings = self.couplings.double().cpu().numpy()
            for k in np.unique(labels):
                own, whitener = labels == k, couplings[k] + np.eye(means.shape[1])
                deviations[own] = solve_triangular(whitener, deviations[own].T, lower=True).T
        return np.asarray(means + deviations)

    def log_joint(self, z: Any) -> Any:
        """log p(k) + log p(z | k): (..., K)."""
        deviations = z.unsqueeze(-2) - self.means
        if self.couplings is not None:
            # Autocast of the networks is not for densities.
            with torch.autocast(deviations.device.type, enabled=False):
                precise = deviations.to(self.couplings.dtype)
                coupled = torch.einsum("kij,...kj->...ki", self.couplings, precise)
            deviations = deviations + coupled
        return self.log_weights + gaussian_log_prob(deviations, 0.0, self.log_scales)

    def log_prob(self, z: Any) -> Any:
        """log p(z): (...)."""
        if self.is_single:
            return gaussian_log_prob(z, self.means[0], self.log_scales[0])
        return torch.logsumexp(self.log_joint(z), dim=-1)

    def log_prob_of_draws(self, means: Any, scales: Any, noise: Any) -> Any:
        """log p(z) at z = mean + scale noise, (n_rows, n_draws), of noise that all rows share.

        One normal's squared distances are two products of matrices.
        """
        if not self.is_single:
            return self.log_prob(torch.addcmul(means[:, None], scales[:, None], noise))
        inverse = torch.exp(-self.log_scales[0])
        offsets, scales = (means - self.means[0]) * inverse, scales * inverse
        constant = offsets.square().sum(-1) + (2.0 * self.log_scales[0] + LOG_2PI).sum()
        squares = torch.addmm(constant[:, None], scales.square(), noise.square().T)
        return -0.5 * squares.addmm_(offsets * scales, noise.T, alpha=2.0)


def gaussian_log_prob(z: Any, means: Any, log_scales: Any) -> Any:
    """Log-density of independent normals, summed over the last axis."""
    standardized = (z - means) * torch.exp(-log_scales)
    constant = 0.5 * z.shape[-1] * LOG_2PI
    return -0.5 * standardized.square().sum(-1) - log_scales.sum(-1) - constant
