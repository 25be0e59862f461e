"""What of a pass no responsibility changes: moments of all rows, collected once a fit.

The responsibilities of a row add up to 1. Its quadratic term under a covariance that all components
share is the same for each of them: it cancels in the responsibilities, and its sum over the rows is
-tr(P C) / 2 with C the second moments of all rows. With one component this is true of every term.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel, Shortened
from sklearn_genmodel.families._covariances._covariance import LOG_2PI, Structure
from sklearn_genmodel.families._normal._features import CANCELLATION_LIMIT as LARGEST_TERM
from sklearn_genmodel.families._normal._features import first_order, natural_cancels
from sklearn_genmodel.families._normal._moments import Moments
from sklearn_genmodel.families._numerics._blas import thin_product

__all__ = ["constant_moments", "has_constants", "shortened_mixtures", "shortened_pass"]

# Largest sum of absolute terms, per row, for which tr(P C) keeps an error below 1e-10.
CANCELLATION_LIMIT = 1e6


def has_constants(structure: Structure, n_components: int) -> bool:
    """Whether a term of every pass is the same whatever the responsibilities.

    Parameters
    ----------
    structure : Structure
    n_components : int

    Returns
    -------
    has_constants : bool
    """
    return structure.divides and (structure.shared or n_components == 1)


def constant_moments(structure: Structure, X: Array, sample_weight: Array) -> Moments | None:
    """Moments of rows about their mean; None where a value is missing.

    Parameters
    ----------
    structure : Structure
    X : ndarray of shape (n_rows, n_features)
    sample_weight : ndarray of shape (n_rows,)

    Returns
    -------
    moments : Moments or None
    """
    if np.isnan(np.vdot(X, X)):
        return None
    # About the mean of the weighted rows: one far off of hardly any weight does not move it.
    center = sample_weight @ X / max(sample_weight.sum(), TINY)
    collected = structure.collect(sample_weight, X.T - center[:, None])
    return Moments(structure, center[None], *collected)


def shortened_pass(means: Array, covariances: Any, total: Moments) -> Shortened | None:
    """Prepare a pass that takes the moments of all rows as given; None where that would cancel.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray
    total : Moments
        What `constant_moments` found.

    Returns
    -------
    shortened : Shortened or None
    """
    structure, origin, (n_components, d) = total.structure, means.mean(axis=0), means.shape
    factor = structure.factor(covariances)
    whitener = structure.whitener(factor)
    natural = structure.natural(means - origin, factor, whitener)
    moved = total.about(origin[None])
    n_rows = float(moved.counts.sum())
    second = structure.covariances(moved.products, moved.counts, d)
    matrix, moment = (structure.dense(matrix, 1, d)[0] for matrix in (covariances, second))
    terms = np.linalg.inv(matrix) * moment
    if not np.abs(terms).sum() < CANCELLATION_LIMIT:
        return None
    log_prob = -0.5 * n_rows * float(terms.sum())
    if n_components == 1:
        # About the only mean the linear term is 0.
        stats = replace(moved, centers=means, current=covariances)
        return Shortened(None, log_prob + n_rows * float(natural[0, 0]), stats)
    if natural_cancels(structure, natural, means - origin, factor, whitener).any():
        return None
    centers = np.broadcast_to(origin, means.shape)
    zeros = np.zeros(n_components), np.zeros_like(means)
    stats = Moments(structure, centers, *zeros, moved.products, covariances)
    return Shortened(_linear_kernel(stats, natural[:, : 1 + d]), log_prob, stats)


def shortened_mixtures(
    structure: Structure, means: Array, covariances: Array, total: Moments
) -> Shortened | None:
    """The same for several mixtures side by side, whose components share a matrix each.

    Parameters
    ----------
    structure : Structure
        `PooledFull`.
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)
    total : Moments
        What `constant_moments` found with the structure of one mixture.

    Returns
    -------
    shortened : Shortened or None
        ``log_prob`` is that of every mixture.
    """
    n_mixtures, d, origin = structure.n_mixtures, means.shape[1], means.mean(axis=0)
    offsets = (means - origin).reshape(n_mixtures, -1, d)
    factor = structure.factor(covariances.reshape(n_mixtures, -1, d, d)[:, 0])
    whitener = structure.whitener(factor)
    precisions = whitener.swapaxes(1, 2) @ whitener
    moved = total.about(origin[None])
    n_rows = float(moved.counts.sum())
    second = total.structure.covariances(moved.products, moved.counts, d)
    terms = precisions * total.structure.dense(second, 1, d)[0]
    linear = offsets @ precisions
    # As `natural_cancels` sees them, of a row three deviations off a mean.
    far = np.abs(offsets) + 3.0 * structure.scales(factor)[:, None]
    magnitudes = (np.abs(linear) * far).sum(axis=2)
    magnitudes += 0.5 * np.square(far @ whitener.swapaxes(1, 2)).sum(axis=2)
    about_the_mean = np.abs(terms).sum(axis=(1, 2)) < CANCELLATION_LIMIT
    if not (about_the_mean.all() and (magnitudes <= LARGEST_TERM).all()):
        return None
    half_log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    mahalanobis = (linear * offsets).sum(axis=2)
    constant = -0.5 * (d * LOG_2PI + mahalanobis) - half_log_det[:, None]
    natural = np.concatenate([constant[..., None], linear], axis=2).reshape(len(means), 1 + d)
    # Those of a mixture are the first component's; an M-step adds them up.
    products = np.zeros((len(means), len(moved.products)))
    products[:: len(means) // n_mixtures] = moved.products
    zeros = np.zeros(len(means)), np.zeros_like(means)
    centers = np.broadcast_to(origin, means.shape)
    stats = Moments(structure, centers, *zeros, products, covariances)
    return Shortened(_linear_kernel(stats, natural), -0.5 * n_rows * terms.sum(axis=(1, 2)), stats)


def _linear_kernel(left_out: Moments, natural: Array) -> Kernel:
    """A kernel of what is linear in the rows, whose moments lack the products."""
    feature_rows = first_order(left_out.centers[0])
    linear = np.ascontiguousarray(natural)
    nothing = np.zeros_like(left_out.products)

    def kernel(X: Array) -> tuple[Array, Accumulate]:
        features = feature_rows(X)

        def accumulate(resp: Array) -> Moments:
            moments = thin_product(resp, features.T)
            counts, sums = moments[:, 0], moments[:, 1:]
            return replace(left_out, counts=counts, sums=sums, products=nothing)

        return linear @ features, accumulate

    return kernel
