"""Columns that are independent given the component, each with its mean for a parameter."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel
from sklearn_genmodel.families._exponential_family import ExponentialFamily

__all__ = ["IndependentColumns"]


class IndependentColumns(ExponentialFamily):
    """A family with log p(x) = sum_j linear_j x_j + constant_j + log h(x_j).

    A missing value (NaN) drops its column's term and nothing else, which is the likelihood of what
    was observed; the maximum-likelihood mean is that of the values observed. Subclasses define
    ``coefficients``, ``from_means`` and ``log_base_terms``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Poisson, PoissonParams
    >>> params = PoissonParams(rates=np.array([[2.0, 3.0]]))
    >>> Poisson().log_prob(np.array([[0.0, np.nan], [np.nan, np.nan]]), params).ravel() + 0.0
    array([-2.,  0.])
    """

    allow_nan: ClassVar[bool] = True

    def coefficients(self, params: Any) -> tuple[Array, Array]:
        """Linear coefficients and constants of every column, (n_components, n_features) each.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        linear, constant : ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError(f"{type(self).__name__} must define coefficients(params)")

    def from_means(self, means: Array) -> Any:
        """Parameters of components with these means.

        Parameters
        ----------
        means : ndarray of shape (n_components, n_features)

        Returns
        -------
        params : NamedTuple
        """
        raise NotImplementedError(f"{type(self).__name__} must define from_means(means)")

    def log_base_terms(self, X: Array) -> Array | float:
        """log h of every value; missing values are dealt with elsewhere.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        log_base_terms : ndarray of shape (n_samples, n_features) or 0.0
        """
        return 0.0

    def log_base_measure(self, X: Array) -> Array | float:
        """Sum of `log_base_terms` over the columns observed."""
        terms = self.log_base_terms(X)
        if np.ndim(terms) == 0:
            return terms
        return np.where(np.isnan(X), 0.0, terms).sum(axis=1)

    def features(self, X: Array) -> Array:
        """T(x) = (1, x) of complete rows."""
        return np.concatenate([np.ones((1, len(X))), X.T])

    def natural(self, params: Any) -> Array:
        """eta = (sum_j constant_j, linear) for complete rows."""
        linear, constant = self.coefficients(params)
        return np.concatenate([constant.sum(axis=1, keepdims=True), linear], axis=1)

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Array:
        """Weighted sums and counts of the values observed, (n_components, 2, n_features)."""
        if np.isnan(X.sum()):
            return _observed_moments(resp.T, *_masked(X))
        return _complete_moments(resp.T, self.features(X))

    def m_step(self, stats: Array) -> Any:
        """Weighted means of the values observed."""
        sums, counts = stats[:, 0], stats[:, 1]
        return self.from_means(sums / np.maximum(counts, TINY))

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        linear, constant = self.coefficients(params)
        natural = self.natural(params)

        def block(X: Array) -> tuple[Array, Accumulate]:
            if np.isnan(X.sum()):
                values, seen = _masked(X)
                log_prob = linear @ values + constant @ seen
                return log_prob, lambda resp: _observed_moments(resp, values, seen)
            features = self.features(X)
            return natural @ features, lambda resp: _complete_moments(resp, features)

        return block

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One mean per component and column."""
        return n_components * n_features


def _masked(X: Array) -> tuple[Array, Array]:
    """Values with 0 for missing ones, and 1 where a value was observed."""
    missing = np.isnan(X.T)
    return np.where(missing, 0.0, X.T), 1.0 - missing


def _complete_moments(resp: Array, features: Array) -> Array:
    moments = resp @ features.T
    sums, counts = moments[:, 1:], np.broadcast_to(moments[:, :1], moments[:, 1:].shape)
    return np.stack([sums, counts], axis=1)


def _observed_moments(resp: Array, values: Array, seen: Array) -> Array:
    return np.stack([resp @ values.T, resp @ seen.T], axis=1)
