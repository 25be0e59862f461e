"""Gaussian log-densities and moments of all components about a common origin, in three forms."""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import LOG_2PI, Structure
from sklearn_genmodel.families._numerics._blas import thin_product, wide_product

__all__ = ["FeatureRows", "common_form", "first_order", "natural_cancels", "squares", "weighing"]

# Largest sum of absolute terms of a log-density that keeps an error below 1e-8.
CANCELLATION_LIMIT = 1e8
# Means so many deviations from 0 cost variances some two of their digits.
NEAR = 10.0
# Rows whose responsibility is so small a share of a block's largest have none in what it adds up.
NEGLIGIBLE = 1e-40
# Leaving rows out pays where no more than this share of them is kept.
MOST_KEPT = 0.75


class FeatureRows:
    """Features (1, x, ...) of blocks of rows about an origin; a thread's last are overwritten.

    A thread fills one array again and again: fresh ones would cost more than their content.

    Parameters
    ----------
    origin : ndarray of shape (n_features,)
    width : int
        Number of features of a row.
    complete : callable
        Writes the features beyond (1, x).
    """

    def __init__(self, origin: Array, width: int, complete: Callable[[Array], None]) -> None:
        self.origin, self.width, self.complete = origin, width, complete
        self.workspace = local()

    def __call__(self, X: Array) -> Array:
        """Features of a block, (width, n_rows)."""
        features = own_array(self.workspace, "features", (self.width, len(X)))
        features[0] = 1.0
        np.subtract(X.T, self.origin[:, None], out=features[1 : 1 + X.shape[1]])
        self.complete(features)
        return features


def own_array(workspace: local, name: str, shape: tuple[int, int]) -> Array:
    """An array of a thread's own, in memory that is used again; its rows follow each other."""
    size = shape[0] * shape[1]
    memory = getattr(workspace, name, None)
    if memory is None or len(memory) < size:
        memory = np.empty(size)
        setattr(workspace, name, memory)
    return memory[:size].reshape(shape)


def first_order(origin: Array) -> FeatureRows:
    """The features (1, x) only.

    Parameters
    ----------
    origin : ndarray of shape (n_features,)

    Returns
    -------
    features : FeatureRows
    """
    return FeatureRows(origin, 1 + len(origin), lambda features: None)


class _ByFeatures:
    """One product of the natural parameters of all components with all terms of a row.

    ``cancels`` (K,) tells the components that this loses digits of.
    """

    def __init__(
        self, structure: Structure, origin: Array, means: Array, factor: Any, whitener: Any
    ) -> None:
        d = self.n_features = len(origin)
        self.structure = structure
        self.natural = structure.natural(means, factor, whitener)
        self.cancels = natural_cancels(structure, self.natural, means, factor, whitener)
        self.feature_rows = FeatureRows(
            origin,
            structure.width(d),
            lambda features: structure.complete(features, d, whitener),
        )

    def log_prob(self, features: Array) -> Array:
        """Log-densities, (K, n_rows)."""
        return wide_product(self.natural, features)

    def moments(self, scaled: Array, features: Array, _: Array) -> tuple[Array, ...]:
        """Counts (K,), sums (K, d) and packed products of weighted rows."""
        return self.structure.accumulate(scaled, features, self.n_features)


class _ByRows:
    """Products with rows as they lie and with their squares, where these are few and rows long.

    Rows are copied only if their origin is far off in units of their deviations.
    """

    def __init__(
        self, structure: Structure, origin: Array, means: Array, factor: Any, whitener: Any
    ) -> None:
        d = len(origin)
        self.structure, self.origin, self.workspace = structure, origin, local()
        natural = structure.natural(means, factor, whitener)
        self.cancels = natural_cancels(structure, natural, means, factor, whitener)
        self.constants, self.linear, self.quadratic = np.split(natural, [1, 1 + d], axis=1)

    def feature_rows(self, X: Array) -> tuple[Array, Array]:
        """Rows about the origin, and their second-order terms."""
        by_rows = X.flags.c_contiguous

        def own(name: str, n_columns: int) -> Array:
            shape = (len(X), n_columns) if by_rows else (n_columns, len(X))
            array = own_array(self.workspace, name, shape)
            return array if by_rows else array.T

        as_they_lie = by_rows and not self.origin.any()
        rows = X if as_they_lie else np.subtract(X, self.origin, out=own("rows", X.shape[1]))
        return rows, self.structure.second_order(rows, own("second", self.quadratic.shape[1]))

    def log_prob(self, features: tuple[Array, Array]) -> Array:
        """Log-densities, (K, n_rows)."""
        rows, second = features
        log_prob = wide_product(self.linear, rows.T)
        log_prob += wide_product(self.quadratic, second.T)
        log_prob += self.constants
        return log_prob

    def moments(self, scaled: Array, features: tuple[Array, Array], _: Array) -> tuple[Array, ...]:
        """Counts (K,), sums (K, d) and products of weighted rows."""
        rows, second = features
        products = self.structure.second_moments(scaled, second)
        return scaled.sum(axis=1), thin_product(scaled, rows), products


class _ByWhitening:
    """One triangular product per component, where a row has too many second-order terms.

    With W'W the precision, z = W x and m = W mu about the origin:
    -(x - mu)' W'W (x - mu) / 2 = -z'z / 2 + m'z - m'm / 2
    """

    def __init__(
        self, structure: Structure, origin: Array, means: Array, factor: Any, whitener: Any
    ) -> None:
        self.structure, self.whitener = structure, whitener
        self.whitened = np.stack(
            [structure.whiten(mean[:, None], whitener, k)[:, 0] for k, mean in enumerate(means)]
        )
        distances = squares(self.whitened.T)
        far = np.abs(means) + 3.0 * structure.scales(factor)
        magnitudes = squares(structure.magnitudes(far, whitener).T)
        self.cancels: NDArray[np.bool_] = ~(magnitudes <= CANCELLATION_LIMIT)
        constants = structure.half_log_det(factor, *means.shape)[:, 0]
        self.constants = -0.5 * (len(origin) * LOG_2PI + distances) - constants
        self.feature_rows = first_order(origin)

    def log_prob(self, features: Array) -> Array:
        """Log-densities, (K, n_rows)."""
        log_prob = np.empty((len(self.whitened), features.shape[1]))
        for k in np.flatnonzero(~self.cancels):
            z = self.structure.whiten(features[1:], self.whitener, int(k))
            np.matmul(self.whitened[k], z, out=log_prob[k])
            log_prob[k] -= 0.5 * squares(z)
            log_prob[k] += self.constants[k]
        return log_prob

    def moments(self, scaled: Array, features: Array, resp: Array) -> tuple[Array, ...]:
        """Counts (K,), sums (K, d) and packed products of weighted rows."""
        sums = thin_product(scaled, features.T)
        products = [
            self.structure.products(*weighing(weights, features[1:], own))
            for weights, own in zip(scaled, resp, strict=True)
        ]
        return sums[:, 0], sums[:, 1:], np.concatenate(products)


Form = _ByFeatures | _ByRows | _ByWhitening


def common_form(
    structure: Structure, means: Array, factor: Any, whitener: Any
) -> tuple[Form, Array]:
    """The cheapest form of the log-density about a common origin, and the origin.

    Parameters
    ----------
    structure : Structure
    means : ndarray of shape (n_components, n_features)
    factor, whitener : object
        What the structure makes of the covariances.

    Returns
    -------
    form : object with ``cancels``, ``feature_rows``, ``log_prob`` and ``moments``
    origin : ndarray of shape (n_features,)
    """
    origin, form = means.mean(axis=0), _form(structure, *means.shape)
    if form is _ByRows and (np.abs(means) < NEAR * structure.scales(factor)).all():
        origin = np.zeros_like(origin)
    return form(structure, origin, means - origin, factor, whitener), origin


def _form(structure: Structure, n_components: int, n_features: int) -> type[Form]:
    if structure.prefers_rows(n_features):
        return _ByRows
    if structure.prefers_triangular(n_components, n_features):
        return _ByWhitening
    return _ByFeatures


def natural_cancels(
    structure: Structure, natural: Array, means: Array, factor: Any, whitener: Any
) -> NDArray[np.bool_]:
    """Which components natural . features would lose digits of, (K,): their terms are too large.

    Three standard deviations off each mean their absolute values are added up.

    Parameters
    ----------
    structure : Structure
    natural : ndarray of shape (n_components, width)
    means : ndarray of shape (n_components, n_features)
        About the origin of the features.
    factor, whitener : ndarray or NamedTuple
        Of the covariances.

    Returns
    -------
    cancels : ndarray of bool, shape (n_components,)
    """
    far = np.abs(means) + 3.0 * structure.scales(factor)
    features = np.abs(structure.features(far.T, whitener)[1:])
    magnitude = np.einsum("kf,fk->k", np.abs(natural[:, 1:]), features)
    return np.asarray(~(magnitude <= CANCELLATION_LIMIT))


def squares(columns: Array) -> Array:
    """Squared lengths of columns, (n_columns,)."""
    return np.asarray(np.einsum("ij,ij->j", columns, columns))


def weighing(weights: Array, columns: Array, resp: Array) -> tuple[Array, Array]:
    """Weights and columns, less those of hardly any responsibility where these are many.

    Parameters
    ----------
    weights : ndarray of shape (n_columns,)
    columns : ndarray of shape (n_features, n_columns)
    resp : ndarray of shape (n_columns,)
        The weights before they are scaled, as those of far rows are (Student-t).

    Returns
    -------
    weights : ndarray of shape (n_kept,)
    columns : ndarray of shape (n_features, n_kept)
    """
    kept = np.flatnonzero(resp > NEGLIGIBLE * resp.max(initial=0.0))
    if len(kept) > MOST_KEPT * len(weights):
        return weights, columns
    return weights[kept], columns[:, kept]
