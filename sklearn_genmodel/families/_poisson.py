"""Independent Poisson counts."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sklearn_genmodel.families._base import TINY, Array
from sklearn_genmodel.families._exponential_family import ExponentialFamily
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Poisson", "PoissonParams"]


class PoissonParams(NamedTuple):
    """Parameters of Poisson components: ``rates``, shape (n_components, n_features), above 0."""

    rates: Array


class Poisson(ExponentialFamily):
    """Counts: every column Poisson, independent given the component.

    log p(x) = sum_j x_j log rate_j - rate_j - log x_j!

    A rate is never 0: a component that sees only zeros gets the smallest positive float, under
    which a positive count has a log-probability of about -708 per event.

    See Also
    --------
    Bernoulli : Yes/no columns.

    References
    ----------
    Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential
    family. Journal of the American Statistical Association 64, 1459-1471.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> X = np.array([[0], [1], [1], [2], [9], [10], [11]])
    >>> EMMixture(2, family="poisson", random_state=0).fit(X).params_.rates.round(1).ravel()
    array([10.,  1.])
    """

    support: ClassVar[Support] = COUNTS

    def features(self, X: Array) -> Array:
        """T(x) = (1, x)."""
        return np.concatenate([np.ones((1, len(X))), X.T])

    def natural(self, params: PoissonParams) -> Array:
        """eta = (-sum_j rate_j, log rate)."""
        rates = np.maximum(params.rates, TINY)
        return np.concatenate([-rates.sum(axis=1, keepdims=True), np.log(rates)], axis=1)

    def log_base_measure(self, X: Array) -> Array:
        """Minus the log-factorials."""
        log_factorials: Array = gammaln(X + 1.0).sum(axis=1)
        return -log_factorials

    def m_step(self, stats: Array) -> PoissonParams:
        """rate = weighted mean."""
        counts, sums = stats[:, :1], stats[:, 1:]
        return PoissonParams(np.maximum(sums / np.maximum(counts, TINY), TINY))

    def sample(
        self, params: PoissonParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        return rng.poisson(params.rates[labels]).astype(np.float64)

    def mean(self, params: PoissonParams) -> Array:
        """The rates."""
        return params.rates

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One rate per component and column."""
        return n_components * n_features

    def to_vector(self, params: PoissonParams, like: PoissonParams) -> Array:
        """Log-rates."""
        return np.log(params.rates).ravel()

    def from_vector(self, vector: Array, like: PoissonParams) -> PoissonParams:
        """Inverse of `to_vector`."""
        rates = np.exp(np.clip(vector, np.log(TINY), 700.0))
        return PoissonParams(rates.reshape(like.rates.shape))

    def embed(self, X: Array) -> Any:
        """Square roots, whose variance hardly depends on the rate (Anscombe 1948)."""
        return np.sqrt(X)
