"""One EM pass of Gaussian mixtures in every package, from the same parameters each time.

A pass is what a package's own loop repeats: E-step, M-step, and whatever it computes of the new
covariances. It returns the mean log-likelihood of the parameters it starts from, in nats, and
the new means.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

from sklearn_genmodel.em import Rows, Theta, blocked_step, kept
from sklearn_genmodel.families import Gaussian, GaussianParams

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
Pass = Callable[[], tuple[float, Any]]

# Distance of the components' means from their centre, in standard deviations, for every d.
SPREAD = 2.0


class Start(NamedTuple):
    """Rows, and the parameters that a pass starts from."""

    X: Any
    weights: Any
    means: Any
    covariances: Any
    covariance_type: str


def make_start(
    n_samples: int, n_features: int, n_components: int, covariance_type: str, seed: int = 0
) -> Start:
    """Overlapping clusters, as far apart in many dimensions as in few; one covariance for all."""
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((n_components, n_features))
    means *= SPREAD * max(n_components / 4.0, 1.0) ** (n_features == 1) / np.sqrt(n_features)
    X = rng.standard_normal((n_samples, n_features))
    X += means[rng.integers(n_components, size=n_samples)]
    covariance = np.cov(X.T, bias=True).reshape(n_features, n_features)
    start = means + 0.1 * rng.standard_normal(means.shape) / np.sqrt(n_features)
    weights = np.full(n_components, 1.0 / n_components)
    return Start(
        X, weights, start, shaped(covariance, covariance_type, n_components), covariance_type
    )


def shaped(covariance: Any, covariance_type: str, n_components: int) -> Any:
    """A covariance in the shape of a covariance type."""
    variances = np.diag(covariance)
    return {
        "full": np.tile(covariance, (n_components, 1, 1)),
        "tied": covariance,
        "diag": np.tile(variances, (n_components, 1)),
        "spherical": np.full(n_components, variances.mean()),
    }[covariance_type]


def ours(start: Start, mapper: Any = map) -> Pass:
    """A pass of ours, as `EMMixture.fit` makes it."""
    family = Gaussian(start.covariance_type, reg_covar=0.0)
    theta = Theta(start.weights, GaussianParams(start.means, start.covariances))

    @cache
    def step() -> Any:
        """Made in the first pass, which the copy of the rows by columns is a part of."""
        return blocked_step(family, kept(Rows(start.X, map=mapper)))

    def run() -> tuple[float, Any]:
        updated, bound = step()(theta)
        return bound, updated.params.means

    return run


def scikit_learn(start: Start) -> Pass:
    """A pass of `GaussianMixture`, as its `fit` makes it."""
    kind = start.covariance_type
    mixture = GaussianMixture(len(start.weights), covariance_type=kind, reg_covar=0.0)
    factors = _compute_precision_cholesky(start.covariances, kind)

    def run() -> tuple[float, Any]:
        mixture.weights_, mixture.means_ = start.weights, start.means
        mixture.covariances_, mixture.precisions_cholesky_ = start.covariances, factors
        log_prob_norm, log_resp = mixture._e_step(start.X)
        mixture._m_step(start.X, log_resp)
        return float(mixture._compute_lower_bound(log_resp, log_prob_norm)), mixture.means_

    return run


def stepmix(start: Start) -> Pass:
    """A pass of StepMix, as its `em` makes it."""
    from stepmix.stepmix import StepMix

    K, kind = len(start.weights), start.covariance_type
    model = StepMix(K, measurement=f"gaussian_{kind}", progress_bar=0)
    ones = np.ones(len(start.X))
    model._initialize_parameters(start.X, np.random.RandomState(0))
    model._conditional_likelihood = False
    emission = model._mm
    factors = _compute_precision_cholesky(start.covariances, kind)

    def run() -> tuple[float, Any]:
        model.weights_, emission.means_ = start.weights, start.means
        emission.covariances_, emission.precisions_cholesky_ = start.covariances, factors
        bound, log_resp = model._e_step(start.X, sample_weight=ones)
        model._m_step(start.X, np.exp(log_resp), sample_weight=ones)
        return float(bound), emission.means_

    return run


def pomegranate(start: Start) -> Pass:
    """A pass of pomegranate, as its `fit` makes it: in single precision, parameters going on."""
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    kind = start.covariance_type
    arrays = start.X, start.means, start.covariances, start.weights
    X, means, covariances, priors = (torch.tensor(a, dtype=torch.float32) for a in arrays)
    parameters = zip(means, covariances, strict=True)
    normals = [Normal(*pair, covariance_type=kind, check_data=False) for pair in parameters]
    model = GeneralMixtureModel(normals, priors=priors, check_data=False)

    def run() -> tuple[float, Any]:
        bound = float(model.summarize(X)) / len(X)
        model.from_summaries()
        return bound, np.stack([normal.means.numpy() for normal in model.distributions])

    return run


def tgmm(start: Start) -> Pass:
    """A pass of tgmm, as its `fit` makes it."""
    import torch
    from tgmm import GaussianMixture as TorchMixture

    kind = {"tied": "tied_full"}.get(start.covariance_type, start.covariance_type)
    X, means, covariances = (torch.tensor(a) for a in (start.X, start.means, start.covariances))
    model = TorchMixture(
        len(start.weights),
        covariance_type=kind,
        max_iter=1,
        tol=1e300,
        init_means=means,
        init_weights=torch.tensor(start.weights),
        init_covariances=covariances,
        reg_covar=1e-12,
        device="cpu",
    )
    model.fit(X)

    def run() -> tuple[float, Any]:
        model.weights_ = torch.tensor(start.weights)
        model.means_, model.covariances_ = means, covariances
        resp, log_prob_norm = model._e_step(X)
        model._m_step(X, resp)
        return float(log_prob_norm.mean()), model.means_.numpy()

    return run


PEERS = {"scikit-learn": scikit_learn, "StepMix": stepmix, "pomegranate": pomegranate, "tgmm": tgmm}
# Covariance types that a peer lacks; relative differences of log-likelihoods that are rounding.
LACKS = {("pomegranate", "tied"), ("pomegranate", "spherical")}
PRECISION = {"pomegranate": 1e-4}
