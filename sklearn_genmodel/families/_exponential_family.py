"""Families with sufficient statistics of fixed size: the fast path of the contract."""

from __future__ import annotations

from typing import Any

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._numerics._blas import thin_product, wide_product

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Family):
    """A family with log p(x) = eta . T(x) + log h(x).

    Subclasses define ``features`` (T, its first row all ones), ``natural`` (eta, the
    log-normaliser under the row of ones), ``log_base_measure``, and ``m_step``, which receives
    resp @ T(X).T as an array of shape (n_components, n_statistics). Both products of an EM pass
    then share one feature matrix per block of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Poisson, PoissonParams
    >>> family, params = Poisson(), PoissonParams(rates=np.array([[2.0]]))
    >>> float(family.log_prob(np.array([[0.0]]), params)[0, 0])
    -2.0
    """

    def features(self, X: Array) -> Array:
        """Sufficient statistics T(x) of every row, the first of them 1.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        features : ndarray of shape (n_statistics, n_samples)
        """
        raise NotImplementedError(f"{type(self).__name__} must define features(X)")

    def natural(self, params: Any) -> Array:
        """Natural parameters of every component, minus the log-normaliser first.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        natural : ndarray of shape (n_components, n_statistics)
        """
        raise NotImplementedError(f"{type(self).__name__} must define natural(params)")

    def log_prob(self, X: Array, params: Any) -> Array:
        """Log-density of every row under every component, in nats."""
        log_prob, _ = self.kernel(params)(self.prepare(X))
        return (log_prob + self.log_base_measure(X)).T

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Any:
        """Weighted sums of the features, shape (n_components, n_statistics)."""
        return thin_product(resp.T, self.features(X).T)

    def prepare(self, X: Array) -> Array:
        """The features."""
        return self.features(X)

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        natural = self.natural(params)

        def block(features: Array) -> tuple[Array, Accumulate]:
            return wide_product(natural, features), lambda resp: thin_product(resp, features.T)

        return block
