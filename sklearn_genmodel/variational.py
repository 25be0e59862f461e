"""The lower bound of the log-likelihood, in both its forms (L2, L3 of the lecture notes).

For every distribution q over the latent z of a row x,

    log p(x) = LB(q) + KL(q || p(z | x)),
    LB(q) = E_q[log p(x, z)] + H(q) = E_q[log p(x | z)] - KL(q || p(z)).

All quantities are in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

__all__ = ["ELBO", "discrete_elbo", "entropy", "kl_divergence", "log_normalize"]

Array = NDArray[np.float64]

# Below this, posteriors lose digits, and then vanish.
SMALLEST_POSTERIOR = 1e-280
# Exponentials of smaller numbers, their sums and their quotients are within the range of floats.
MODERATE = 345.0
# Processors and libraries take many times as long over exponentials that are hardly numbers, and
# over products with these. What is less than 1e-300 of the largest becomes 0: it is raised to what
# is quick to compute, and lost when a number whose last digit is larger is added and taken away.
LEAST_LOG, COARSE = -700.0, 2.0**-944


class ELBO(NamedTuple):
    """Terms of the lower bound, one value per row, in nats.

    ``elbo`` = ``expected_log_joint`` + ``entropy`` = ``expected_log_likelihood`` - ``kl_prior``,
    and log p(x) = ``elbo`` + ``kl_posterior``.
    """

    elbo: Array
    expected_log_joint: Array
    entropy: Array
    expected_log_likelihood: Array
    kl_prior: Array
    kl_posterior: Array


def log_normalize(log_joint: Array) -> tuple[Array, Array]:
    """Log-evidence and posterior of a discrete latent variable, in place.

    Parameters
    ----------
    log_joint : ndarray of shape (..., n_components, n_samples)
        log p(x, z = k). Overwritten by the posterior.

    Returns
    -------
    log_evidence : ndarray of shape (..., n_samples)
        log p(x) = log sum_k p(x, z = k); -inf where x is impossible under every component.
    posterior : ndarray of shape (..., n_components, n_samples)
        p(z = k | x); all 0 where x is impossible, and 0 where it is less than about 1e-300.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.variational import log_normalize
    >>> log_evidence, posterior = log_normalize(np.log([[0.1], [0.3]]))
    >>> posterior.ravel().round(2), np.exp(log_evidence).round(2)
    (array([0.25, 0.75]), array([0.4]))
    """
    several = log_joint.shape[-2] > 1
    if several and log_joint.min(initial=0.0) > -MODERATE and log_joint.max(initial=0.0) < MODERATE:
        posterior = np.exp(log_joint, out=log_joint)
        total = np.ones(posterior.shape[-2]) @ posterior
        posterior *= np.reciprocal(total)[..., None, :]
        return np.log(total, out=total), posterior
    largest = log_joint.max(axis=-2)
    impossible = np.isneginf(largest) if largest.min(initial=0.0) == -np.inf else None
    if impossible is not None:
        largest[impossible] = 0.0
    log_joint -= largest[..., None, :]
    posterior = np.exp(np.maximum(log_joint, LEAST_LOG, out=log_joint), out=log_joint)
    posterior += COARSE
    posterior -= COARSE
    total = np.ones(posterior.shape[-2]) @ posterior
    if impossible is not None:
        total[impossible] = 1.0
    posterior *= np.reciprocal(total)[..., None, :]
    largest += np.log(total)
    if impossible is not None:
        largest[impossible] = -np.inf
    return largest, posterior


def entropy(q: Array) -> Array:
    """Entropy H(q) = -sum_k q_k log q_k of every row, in nats.

    Parameters
    ----------
    q : ndarray of shape (n_samples, n_components)

    Returns
    -------
    entropy : ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.variational import entropy
    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).round(6) + 0.0
    array([0.693147, 0.      ])
    """
    h: Array = -xlogy(q, q).sum(axis=1)
    return h


def kl_divergence(q: Array, p: Array) -> Array:
    """Kullback-Leibler divergence KL(q || p) of every row, in nats.

    Parameters
    ----------
    q, p : ndarray of shape (n_samples, n_components)
        Probabilities; p may be one row for all.

    Returns
    -------
    kl : ndarray of shape (n_samples,)
        inf where q puts mass on what p excludes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.variational import kl_divergence
    >>> kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(6)
    array([0.693147])
    """
    kl: Array = rel_entr(q, p).sum(axis=1)
    return kl


def discrete_elbo(log_likelihood: Array, prior: Array, q: Array | None = None) -> ELBO:
    """Terms of the lower bound for a discrete latent variable (L2, L3).

    Parameters
    ----------
    log_likelihood : ndarray of shape (n_samples, n_components)
        log p(x | z = k).
    prior : ndarray of shape (n_components,)
        p(z = k).
    q : ndarray of shape (n_samples, n_components), default=None
        Distribution over z for every row; None means the posterior, for which the bound is tight.
        Where x is impossible under every component, that is the prior, and the bound is -inf.

    Returns
    -------
    terms : ELBO

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.variational import discrete_elbo
    >>> terms = discrete_elbo(np.log([[0.2, 0.6]]), np.array([0.5, 0.5]))
    >>> float(np.exp(terms.elbo[0]).round(6)), float(terms.kl_posterior[0])
    (0.4, 0.0)
    """
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior)
    log_joint = log_likelihood + log_prior
    log_evidence, posterior = log_normalize(log_joint.T.copy())
    # What is impossible under every component says nothing about them.
    impossible = np.isneginf(log_evidence)
    posterior[:, impossible] = np.broadcast_to(prior, log_joint.shape).T[:, impossible]
    log_posterior = np.where(
        impossible[:, None], log_prior, log_joint - np.where(impossible, 0.0, log_evidence)[:, None]
    )
    if q is None:
        q = posterior.T
    expected_log_joint = _expectation(q, log_joint)
    expected_log_likelihood = _expectation(q, log_likelihood)
    h = entropy(q)
    return ELBO(
        elbo=expected_log_joint + h,
        expected_log_joint=expected_log_joint,
        entropy=h,
        expected_log_likelihood=expected_log_likelihood,
        kl_prior=kl_divergence(q, prior),
        kl_posterior=_kl_posterior(q, posterior.T, log_posterior),
    )


def _kl_posterior(q: Array, posterior: Array, log_posterior: Array) -> Array:
    """KL(q || posterior), from logs where the posterior itself underflows."""
    representable = posterior > SMALLEST_POSTERIOR
    by_logs = xlogy(q, q) - np.where(q > 0, q * np.where(q > 0, log_posterior, 0.0), 0.0)
    kl: Array = np.where(representable, rel_entr(q, posterior), by_logs).sum(axis=1)
    return kl


def _expectation(q: Array, values: Array) -> Array:
    """sum_k q_k values_k with 0 times -inf taken as 0."""
    return np.where(q > 0, q * np.where(q > 0, values, 0.0), 0.0).sum(axis=1)
