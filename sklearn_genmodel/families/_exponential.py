"""Independent exponential columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._support import NON_NEGATIVE, Support

__all__ = ["Exponential", "ExponentialParams"]

# Squares of smaller means leave the range of double precision; columns of smaller values are to be
# rescaled, so that only components of zeros have such means.
SMALLEST_MEAN, SMALLEST_VALUE = 1e-150, 1e-140


class ExponentialParams(NamedTuple):
    """Parameters of exponential components: ``rates``, (n_components, n_features), above 0."""

    rates: Array


class Exponential(IndependentColumns):
    """Waiting times: every column exponential, independent given the component.

    log p(x) = sum_j log rate_j - rate_j x_j

    Missing values (NaN) are allowed: the likelihood is that of the values observed. A rate is at
    most 1e150, so that a component on zeros alone keeps a finite likelihood; a search drops such
    components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Gamma prior of the rates, as a number of pseudo-observations s per component and column
        whose mean m is that of all the data or the one given: shape s + 1, rate s m. The estimate
        is the posterior mode. None is maximum likelihood.

    See Also
    --------
    Gamma : With a shape beside the scale.

    References
    ----------
    Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential
    family. Journal of the American Statistical Association 64, 1459-1471.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Exponential
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.exponential(1.0, 500), rng.exponential(100.0, 500)])[:, None]
    >>> mixture = EMMixture(2, family=Exponential(), random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.5, 0.5])
    """

    support: ClassVar[Support] = replace(NON_NEGATIVE, scale=(SMALLEST_VALUE, np.inf))

    def coefficients(self, params: ExponentialParams) -> tuple[Array, Array]:
        """Minus rate, and log rate."""
        return -params.rates, np.log(params.rates)

    def from_means(self, means: Array) -> ExponentialParams:
        """rate = 1 / mean."""
        return ExponentialParams(1.0 / np.maximum(means[0], SMALLEST_MEAN))

    def sample(
        self, params: ExponentialParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        return rng.exponential(1.0 / params.rates[labels])

    def mean(self, params: ExponentialParams) -> Array:
        """Inverse rates."""
        return 1.0 / params.rates

    def covariance(self, params: ExponentialParams) -> Array:
        """Diagonal: squared means."""
        variances = self.mean(params) ** 2
        return variances[:, :, None] * np.eye(variances.shape[1])

    def degenerate(
        self, params: ExponentialParams, n_rows: Array, pooled: ExponentialParams
    ) -> NDArray[np.bool_]:
        """Components with a column of zeros alone."""
        return np.asarray((params.rates >= 0.5 / SMALLEST_MEAN).any(axis=1))

    def to_vector(self, params: ExponentialParams, like: ExponentialParams) -> Array:
        """Logarithms."""
        return np.log(params.rates).ravel()

    def from_vector(self, vector: Array, like: ExponentialParams) -> ExponentialParams:
        """Inverse of `to_vector`."""
        return ExponentialParams(np.exp(vector).reshape(like.rates.shape))

    def embed(self, X: Array) -> Any:
        """Cube roots, which are nearly normal (Wilson and Hilferty 1931)."""
        return np.cbrt(X)
