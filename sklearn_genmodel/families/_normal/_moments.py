"""First and second moments of rows about fixed centres, and the pass that collects them.

Raw moments about the origin lose digits when the data are far from it, so every pass works about
the centre of the components. Where even that cancels, a component is computed about its own mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel
from sklearn_genmodel.families._covariances._covariance import LOG_2PI, Structure
from sklearn_genmodel.families._covariances._patterns import IncompleteRows
from sklearn_genmodel.families._normal._features import common_form, squares, weighing

__all__ = ["Densities", "Moments", "gaussian_kernel", "normal_densities"]


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
    current : covariances, default=None
        Those at which the moments were collected, for structures whose M-step is iterative.
    """

    structure: Structure
    centers: Array
    counts: Array
    sums: Array
    products: Array
    current: Any = None

    def __add__(self, other: Moments) -> Moments:
        if other.centers is not self.centers:
            other = other.about(self.centers)
        counts, sums = self.counts + other.counts, self.sums + other.sums
        products = self.products + other.products
        return Moments(self.structure, self.centers, counts, sums, products, self.current)

    def __mul__(self, factor: float) -> Moments:
        counts, sums, products = self.counts, self.sums, self.products
        return replace(self, counts=counts * factor, sums=sums * factor, products=products * factor)

    def about_means(self) -> tuple[Array, Array]:
        """Means, as offsets from the centres, and packed scatter about them.

        sum r (x - mu)(x - mu)' = products - counts offset offset'
        """
        offsets = self.sums / np.maximum(self.counts, TINY)[:, None]
        return offsets, self.products - self.structure.pair(self.sums, offsets)

    def pinned(self, means: Array) -> Moments:
        """Moments as if the means were these, NaN where they are what they are.

        sum r (x - m)(x - m)' = products - 2 (sum r x) m' + count m m', all about the centres
        """
        own = self.sums / np.maximum(self.counts, TINY)[:, None]
        offsets = np.where(np.isnan(means), own, means - self.centers)
        sums, pair = self.counts[:, None] * offsets, self.structure.pair
        products = self.products - 2.0 * pair(self.sums, offsets) + 2.0 * pair(sums, offsets)
        return replace(self, sums=sums, products=products)

    def about(self, centers: Array) -> Moments:
        """Return the same moments about other centres.

        sum (x + s)(x + s)' = sum x x' + (sum x) s' + s (sum x)' + count s s'
        """
        shift = self.centers - centers
        moved = self.counts[:, None] * shift
        pair = self.structure.pair
        products = self.products + 2.0 * pair(self.sums, shift) + pair(moved, shift)
        return replace(self, centers=centers, sums=self.sums + moved, products=products)


class Densities(NamedTuple):
    """Normal log-densities of a block of rows, what they are made of, and moments to come.

    ``log_prob`` is (K, n); ``half_log_det()``, (K, 1) or (K, n), and ``n_observed``, a number or
    (n,), are what turns it into a distance; ``accumulate(scaled, resp)`` collects moments of rows
    that weigh `scaled`, and of the conditional covariances of missing values, which weigh `resp`.
    """

    log_prob: Array
    half_log_det: Callable[[], Array]
    n_observed: NDArray[np.intp] | int
    accumulate: Callable[[Array, Array], Moments]


def normal_densities(
    structure: Structure, means: Array, covariances: Any
) -> Callable[[Array], Densities]:
    """Prepare normal log-densities and moments for a pass over blocks of rows.

    Parameters
    ----------
    structure : Structure
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray or NamedTuple
        Of the shape that `structure` decides.

    Returns
    -------
    densities : callable
        Maps a block of rows, (n_rows, n_features), NaN where a value is missing, to `Densities`.
        They are of use until the same thread's next block.
    """
    complete = _complete_rows(structure, means, covariances)
    incomplete: list[IncompleteRows] = []

    def densities(X: Array) -> Densities:
        # Missing values make densities NaN, which are fewer to look through; where some block had
        # any, the others are looked through first.
        found = None if incomplete else complete(X)
        if found is not None and not np.isnan(found.log_prob[0].sum()):
            return found
        if not np.isnan(X).any():
            return found or complete(X)
        if not incomplete:
            incomplete.append(IncompleteRows(means, structure.dense(covariances, *means.shape)))
        return _joined(X, complete, incomplete[0], (structure, means, covariances))

    return densities


def gaussian_kernel(structure: Structure, means: Array, covariances: Any) -> Kernel:
    """Log-densities and moments of blocks of rows, by the safe form of the two.

    Parameters
    ----------
    structure : Structure
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray or NamedTuple
        Of the shape that `structure` decides.

    Returns
    -------
    kernel : callable
        See `Family.kernel`.
    """
    densities = normal_densities(structure, means, covariances)

    def block(X: Array) -> tuple[Array, Accumulate]:
        found = densities(X)
        return found.log_prob, lambda resp: found.accumulate(resp, resp)

    return block


def _joined(
    X: Array,
    complete: Callable[[Array], Densities],
    incomplete: IncompleteRows,
    about: tuple[Structure, Array, Any],
) -> Densities:
    """Complete rows by the fast path, the others by pattern."""
    structure, means, covariances = about
    n_observed = X.shape[1] - np.isnan(X).sum(axis=1)
    whole = n_observed == X.shape[1]
    fast, partial = complete(X[whole]), X[~whole]
    log_prob = np.empty((len(means), len(X)))
    half_log_det = np.empty_like(log_prob)
    log_prob[:, whole], half_log_det[:, whole] = fast.log_prob, fast.half_log_det()
    groups = incomplete.groups(partial)
    log_prob[:, ~whole], half_log_det[:, ~whole] = incomplete.densities(partial, groups)

    def accumulate(scaled: Array, resp: Array) -> Moments:
        moments = fast.accumulate(scaled[:, whole], resp[:, whole])
        weights = scaled[:, ~whole], resp[:, ~whole]
        counts, sums, products = incomplete.moments(groups, *weights)
        products = structure.packed(products)
        return moments + Moments(structure, means, counts, sums, products, covariances)

    return Densities(log_prob, lambda: half_log_det, n_observed, accumulate)


def _complete_rows(
    structure: Structure, means: Array, covariances: Any
) -> Callable[[Array], Densities]:
    """Prepare the same for rows without missing values.

    Components are computed together about a common origin; those so far from it that this would
    lose digits, alone, about their own means.
    """
    n_components, d = means.shape
    factor = structure.factor(covariances)
    whitener = structure.whitener(factor)
    form, origin = common_form(structure, means, factor, whitener)
    alone, together = np.flatnonzero(form.cancels), not form.cancels.all()
    centers = np.repeat(origin[None], n_components, axis=0)
    centers[alone] = means[alone]

    @cache
    def half_log_det() -> Array:
        return structure.half_log_det(factor, n_components, d)

    @cache
    def zeros() -> Array:
        return structure.pair(np.zeros_like(means), np.zeros_like(means))

    def densities(X: Array) -> Densities:
        features: Any = form.feature_rows(X) if together else None
        log_prob = form.log_prob(features) if together else np.empty((n_components, len(X)))
        about = _centred(X, means, alone)
        for k in alone:
            # About a component's own mean nothing cancels.
            distances = squares(structure.whiten(about(k), whitener, int(k)))
            log_prob[k] = -0.5 * (d * LOG_2PI + distances) - half_log_det()[k]

        def accumulate(scaled: Array, resp: Array) -> Moments:
            if together:
                kept = scaled.copy() if len(alone) else scaled
                kept[alone] = 0.0
                moments = form.moments(kept, features, resp)
            else:
                moments = np.zeros(n_components), np.zeros_like(means), np.zeros_like(zeros())
            for k in alone:
                own = structure.collect(*weighing(scaled[k], about(k), resp[k]))
                _add_component(moments, own, k)
            counts, sums, products = moments
            return Moments(structure, centers, counts, sums, products, covariances)

        return Densities(log_prob, half_log_det, d, accumulate)

    return densities


def _centred(X: Array, means: Array, alone: NDArray[np.intp]) -> Callable[[np.intp], Array]:
    """Columns about the mean of a component, (d, n_rows), kept where one component is all."""

    def about(k: np.intp) -> Array:
        return np.asarray(X.T - means[k][:, None])

    return cache(about) if len(alone) == 1 else about


def _add_component(moments: tuple[Array, ...], own: tuple[Array, ...], k: np.intp) -> None:
    """Add the moments of component k, collected by itself, to those of all components."""
    counts, sums, products = moments
    counts[k] += own[0][0]
    sums[k] += own[1][0]
    target = products[k] if products.ndim == 2 else products
    target += own[2].reshape(target.shape)
