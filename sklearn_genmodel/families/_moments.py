"""First and second moments of rows about fixed centres, and the pass that collects them.

Raw moments about the origin lose digits when the data are far from it, so every pass works about
the centre of the components. Where even that cancels, a component is computed about its own mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import local

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel
from sklearn_genmodel.families._covariance import Structure

__all__ = ["Moments", "gaussian_kernel"]

# Largest sum of absolute terms for which natural . features keeps an error below 1e-8.
CANCELLATION_LIMIT = 1e8


@dataclass(frozen=True)
class Moments:
    """Weighted counts, sums and packed products of rows about a centre per component.

    Parameters
    ----------
    structure : Structure
        Knows how the products are packed.
    centers : ndarray of shape (n_components, n_features)
    counts : ndarray of shape (n_components,)
    sums : ndarray of shape (n_components, n_features)
    products : ndarray
        Packed second moments, of a shape that `structure` decides.
    """

    structure: Structure
    centers: Array
    counts: Array
    sums: Array
    products: Array

    def __add__(self, other: Moments) -> Moments:
        if other.centers is not self.centers:
            other = other.about(self.centers)
        return replace(
            self,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            products=self.products + other.products,
        )

    def about(self, centers: Array) -> Moments:
        """Return the same moments about other centres.

        sum (x + s)(x + s)' = sum x x' + (sum x) s' + s (sum x)' + count s s'
        """
        shift = self.centers - centers
        moved = self.counts[:, None] * shift
        pair = self.structure.pair
        products = self.products + 2.0 * pair(self.sums, shift) + pair(moved, shift)
        return replace(self, centers=centers, sums=self.sums + moved, products=products)


def gaussian_kernel(structure: Structure, means: Array, covariances: Array) -> Kernel:
    """Log-densities and moments of blocks of rows, by the safe form of the two.

    Parameters
    ----------
    structure : Structure
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray
        Of the shape that `structure` decides.

    Returns
    -------
    kernel : callable
        See `Family.kernel`.
    """
    origin = means.mean(axis=0)
    factor = structure.factor(covariances)
    natural = structure.natural(means - origin, factor)
    magnitude = _magnitude(structure, natural, means - origin, factor)
    cancelling = np.flatnonzero(magnitude > CANCELLATION_LIMIT)
    centers = np.repeat(origin[None], len(means), axis=0)
    centers[cancelling] = means[cancelling]

    d, workspace = len(origin), local()

    def features_of(X: Array) -> Array:
        # A thread fills one array again and again: fresh ones would cost more than their content.
        if getattr(workspace, "n_rows", 0) < len(X):
            workspace.n_rows = len(X)
            workspace.features = np.ones((structure.width(d), len(X)))
        features: Array = workspace.features[:, : len(X)]
        np.subtract(X.T, origin[:, None], out=features[1 : 1 + d])
        structure.complete(features, d, factor)
        return features

    def block(X: Array) -> tuple[Array, Accumulate]:
        features = features_of(X)
        log_prob = natural @ features
        if len(cancelling):
            log_prob[cancelling] = _triangular(structure, X, means, factor, cancelling)

        def accumulate(resp: Array) -> Moments:
            kept = resp.copy() if len(cancelling) else resp
            kept[cancelling] = 0.0
            moments = structure.accumulate(kept, features, d)
            for k in cancelling:
                own = structure.features(X.T - means[k][:, None], factor)
                _add_component(moments, structure.accumulate(resp[[k]], own, d), k)
            return Moments(structure, centers, *moments)

        return log_prob, accumulate

    return block


def _magnitude(structure: Structure, natural: Array, means: Array, factor: Array) -> Array:
    """Sum of absolute terms of natural . features, three standard deviations off each mean."""
    far = np.abs(means) + 3.0 * structure.scales(factor)
    features = np.abs(structure.features(far.T, factor)[1:])
    magnitude: Array = np.einsum("kf,fk->k", np.abs(natural[:, 1:]), features)
    return magnitude


def _triangular(
    structure: Structure, X: Array, means: Array, factor: Array, which: NDArray[np.intp]
) -> Array:
    """Log-densities by solves about each component's own mean, which cancel nothing."""
    constants = structure.natural(np.zeros_like(means), factor)[:, 0]
    log_prob = np.empty((len(which), len(X)))
    for row, k in enumerate(which):
        whitened = structure.whiten(X.T - means[k][:, None], factor, k)
        log_prob[row] = constants[k] - 0.5 * np.einsum("ij,ij->j", whitened, whitened)
    return log_prob


def _add_component(moments: tuple[Array, ...], own: tuple[Array, ...], k: np.intp) -> None:
    """Add the moments of component k, collected by itself, to those of all components."""
    counts, sums, products = moments
    counts[k] += own[0][0]
    sums[k] += own[1][0]
    target = products[k] if products.ndim == 2 else products
    target += own[2].reshape(target.shape)
