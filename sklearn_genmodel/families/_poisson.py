"""Independent Poisson counts."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Poisson", "PoissonParams"]


class PoissonParams(NamedTuple):
    """Parameters of Poisson components: ``rates``, shape (n_components, n_features), above 0."""

    rates: Array


class Poisson(IndependentColumns):
    """Counts: every column Poisson, independent given the component.

    log p(x) = sum_j x_j log rate_j - rate_j - log x_j!

    Missing values (NaN) are allowed: the likelihood is that of the values observed.

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
    >>> X = np.array([[0], [1], [1], [2], [1], [9], [10], [11]])
    >>> EMMixture(2, family="poisson", random_state=0).fit(X).params_.rates.round(1).ravel()
    array([ 1., 10.])
    """

    support: ClassVar[Support] = COUNTS

    def coefficients(self, params: PoissonParams) -> tuple[Array, Array]:
        """Log rate and minus rate."""
        rates = np.maximum(params.rates, TINY)
        return np.log(rates), -rates

    def from_means(self, means: Array) -> PoissonParams:
        """rate = mean."""
        return PoissonParams(np.maximum(means[0], TINY))

    def log_base_terms(self, X: Array) -> Array:
        """Minus the log-factorials."""
        log_factorials: Array = gammaln(X + 1.0)
        return -log_factorials

    def sample(
        self, params: PoissonParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        return rng.poisson(params.rates[labels]).astype(np.float64)

    def mean(self, params: PoissonParams) -> Array:
        """The rates."""
        return params.rates

    def to_vector(self, params: PoissonParams, like: PoissonParams) -> Array:
        """Square roots, which stay finite and regular where a rate goes to 0."""
        return np.sqrt(params.rates).ravel()

    def from_vector(self, vector: Array, like: PoissonParams) -> PoissonParams:
        """Inverse of `to_vector`."""
        return PoissonParams(np.maximum(vector**2, TINY).reshape(like.rates.shape))

    def embed(self, X: Array) -> Any:
        """Square roots, whose variance hardly depends on the rate (Anscombe 1948)."""
        return np.sqrt(X)
