"""Columns of counts, the largest of which are compared with their means one by one.

The terms of the log-probability of a count x are as large as x log x, and cancel but for a few
nats: of a count of 1e12 three digits are left. Written as that of a component whose mean is x, less
half the deviance, nothing cancels (Loader 2000), but every count takes a logarithm per component.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel
from sklearn_genmodel.families._independent import IndependentColumns

__all__ = ["LARGE_COUNT", "CountColumns", "half_deviance"]

# Up to here sums of products keep an error below 1e-8.
LARGE_COUNT = 1e6


class RowsWithLargeCounts(NamedTuple):
    """A block of rows with large counts as if missing, and where and what these are, by column."""

    others: Any
    places: tuple[NDArray[np.intp], ...]
    values: tuple[Array, ...]


class CountColumns(IndependentColumns):
    """Counts of an exponential family with precise log-probabilities of large ones.

    Subclasses define ``is_large`` and ``half_deviances``, and leave to ``log_base_terms`` of a
    large count its log-probability where its mean is the count itself.
    """

    def is_large(self, X: Array) -> NDArray[np.bool_]:
        """Which counts are large, (n_samples, n_features)."""
        raise NotImplementedError(f"{type(self).__name__} must define is_large(X)")

    def half_deviances(self, values: Array, params: Any, column: int) -> Array:
        """log p(x; x) - log p(x; theta) of large counts of a column, (n_components, n_values)."""
        raise NotImplementedError(f"{type(self).__name__} must define half_deviances")

    def prepare(self, X: Array) -> Any:
        """The statistics of the rows, those of large counts apart."""
        large = self.is_large(X)
        if not large.any():
            return super().prepare(X)
        others = super().prepare(np.where(large, np.nan, X))
        places = tuple(map(np.flatnonzero, large.T))
        values = tuple(own[where] for own, where in zip(X.T, places, strict=True))
        return RowsWithLargeCounts(others, places, values)

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        linear = super().kernel(params)

        def block(rows: Any) -> tuple[Array, Accumulate]:
            if not isinstance(rows, RowsWithLargeCounts):
                return linear(rows)
            log_prob, of_others = linear(rows.others)
            pairs = enumerate(zip(rows.places, rows.values, strict=True))
            large = [(column, *pair) for column, pair in pairs if len(pair[0])]
            for column, where, values in large:
                log_prob[:, where] -= self.half_deviances(values, params, column)

            def accumulate(resp: Array) -> Array:
                stats: Array = of_others(resp)
                for column, where, values in large:
                    stats[:, 0, column] += resp[:, where] @ values
                    stats[:, 1, column] += resp[:, where].sum(axis=1)
                return stats

            return log_prob, accumulate

        return block


def half_deviance(x: Array, mean: Array) -> Array:
    """x log(x / mean) - (x - mean) without cancellation.

    Parameters
    ----------
    x : ndarray
        At least 0.
    mean : ndarray
        Above 0, of a shape that broadcasts with that of x.

    Returns
    -------
    half_deviance : ndarray

    References
    ----------
    Loader, C. (2000). Fast and accurate computation of binomial probabilities. Technical report.
    """
    above = np.where(x > 0, x, 1.0)
    t = (mean - above) / above
    near = t > -0.5
    log_ratio = np.where(near, np.log1p(np.where(near, t, 0.0)), np.log(mean) - np.log(above))
    return np.where(x > 0, above * (t - log_ratio), mean)
