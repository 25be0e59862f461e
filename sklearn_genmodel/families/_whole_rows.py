"""Rows whose values belong together: shares of a whole, counts of outcomes, directions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._all_rows import statistics_of_all
from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._exponential_family import ExponentialFamily
from sklearn_genmodel.families._prior import Prior, known_prior, with_prior_at
from sklearn_genmodel.families._support import Support

__all__ = ["WholeRows"]


class WholeRows(ExponentialFamily):
    """A family with log p(x) = coefficients . t(x) + constant + log h(x), x a row as a whole.

    A row that is missing altogether (all NaN) has log-density 0 and contributes nothing; a row with
    some values missing is an error. Subclasses define ``statistics``, ``coefficients``,
    ``from_means``, ``log_base_rows`` and ``fault``.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component whose mean statistics are
        those of all the data, or are the ``means`` given: an array of shape (n_features,) or what
        broadcasts to it. None is maximum likelihood.
    """

    allow_nan: ClassVar[bool] = True
    reads_sources: ClassVar[bool] = True

    def __init__(self, prior: Prior = None) -> None:
        self.prior = prior

    def statistics(self, X: Array) -> Array:
        """Sufficient statistics of every row, (n_samples, n_features)."""
        return X

    def coefficients(self, params: Any) -> tuple[Array, Array]:
        """Coefficients (n_components, n_features) and constants (n_components,)."""
        raise NotImplementedError(f"{type(self).__name__} must define coefficients(params)")

    def from_means(self, means: Array) -> Any:
        """Maximum-likelihood parameters from mean statistics, (n_components, n_features)."""
        raise NotImplementedError(f"{type(self).__name__} must define from_means(means)")

    def log_base_rows(self, X: Array) -> Array | float:
        """log h of complete rows."""
        return 0.0

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """The same for all columns, of which there must be two."""
        if n_features < 2:
            raise ValueError(
                f"{type(self).__name__} takes two columns or more, which form a row together; X "
                f"has {n_features} (n_features={n_features})."
            )
        return super().column_supports(n_features)

    def fault(self, X: Array) -> tuple[NDArray[np.bool_], str]:
        """Which complete rows have no density, as an array of bool, and why, in words."""
        raise NotImplementedError(f"{type(self).__name__} must define fault(X)")

    def check_rows(self, X: Array) -> None:
        """Refuse rows that are incomplete, or lie outside the set as wholes."""
        missing = np.isnan(X)
        partly = missing.any(axis=1) & ~missing.all(axis=1)
        if partly.any():
            row = int(np.argmax(partly))
            raise ValueError(
                f"Row {row} has values missing (NaN) in column {int(np.argmax(missing[row]))}: "
                f"{type(self).__name__} takes rows that are complete, or missing altogether. Drop "
                "or impute such rows."
            )
        outside, reason = self.fault(X)
        outside &= ~missing[:, 0]
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(f"Row {row} {reason} (row sum {X[row].sum():g}).")

    def features(self, X: Array) -> Array:
        """(1, t(x)) of every row, all 0 where it is missing."""
        features = np.concatenate([np.ones((1, len(X))), self.statistics(X).T])
        missing = np.isnan(X[:, 0])
        return np.where(missing, 0.0, features) if missing.any() else features

    def natural(self, params: Any) -> Array:
        """(constant, coefficients)."""
        coefficients, constants = self.coefficients(params)
        return np.concatenate([constants[:, None], coefficients], axis=1)

    def log_base_measure(self, X: Array) -> Array | float:
        """`log_base_rows`, 0 where a row is missing."""
        values = self.log_base_rows(X)
        return values if np.ndim(values) == 0 else np.where(np.isnan(X[:, 0]), 0.0, values)

    def m_step(self, stats: Array) -> Any:
        """From the weighted means of the statistics, pseudo-observations included."""
        prior = known_prior(self.prior)
        if prior is not None:
            pseudo = np.concatenate([np.ones(1), prior.means[0]])
            stats = stats + prior.strength * pseudo
        return self.from_means(stats[:, 1:] / np.maximum(stats[:, :1], TINY))

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Center the prior at the mean statistics of the data."""
        if self.prior is None:
            return self
        stats = statistics_of_all(self, X, sample_weight)
        means = stats[None, 1:] / max(stats[0], TINY)
        return with_prior_at(self, means)

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """Whether some rows have these mean statistics, (1, n_features), as an array of no axis."""
        return np.asarray((means >= 0.0).all())

    def log_prior(self, params: Any) -> Array | float:
        """Log-likelihood of the pseudo-observations, base measure left out."""
        prior = known_prior(self.prior)
        if prior is None:
            return 0.0
        coefficients, constants = self.coefficients(params)
        return np.asarray(prior.strength * (coefficients @ prior.means[0] + constants))
