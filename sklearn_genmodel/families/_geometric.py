"""Independent geometric counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Geometric", "GeometricParams"]

# Beyond these, counts and their squares leave the range of numbers.
SMALLEST_PROB, LARGEST_COUNT = 1e-150, 1e150
BELOW_ONE = float(np.nextafter(1.0, 0.0))


class GeometricParams(NamedTuple):
    """Parameters of geometric components: ``probs`` of a success, (n_components, n_features)."""

    probs: Array


class Geometric(IndependentColumns):
    """Numbers of failures before the first success, 0, 1, 2, ..., independent given the component.

    log p(x) = sum_j x_j log(1 - p_j) + log p_j

    This is ``scipy.stats.geom`` with ``loc=-1``: subtract 1 from data that count trials, the
    success included. Missing values (NaN) are allowed: the likelihood is that of the values
    observed. A probability is never 0 or 1: it is kept between 1e-150 and the last float below 1.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Beta prior of the probabilities, as a number of pseudo-observations s per component and
        column whose mean m is that of all the data or the one given: Beta(s + 1, s m + 1). The
        estimate is the posterior mode. None is maximum likelihood.

    See Also
    --------
    Poisson : Counts with a variance that equals the mean.
    Exponential : The same without memory in continuous time.

    References
    ----------
    Johnson, N. L., Kemp, A. W. and Kotz, S. (2005). Univariate Discrete Distributions, section 5.2.
    Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Geometric
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.geometric(0.5, 500), rng.geometric(0.01, 500)])[:, None] - 1
    >>> mixture = EMMixture(2, family=Geometric(), random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.5, 0.5])
    """

    support: ClassVar[Support] = replace(COUNTS, scale=(0.0, LARGEST_COUNT))

    def coefficients(self, params: GeometricParams) -> tuple[Array, Array]:
        """log(1 - p) and log p."""
        probs = np.clip(params.probs, SMALLEST_PROB, BELOW_ONE)
        return np.log1p(-probs), np.log(probs)

    def from_means(self, means: Array) -> GeometricParams:
        """p = 1 / (1 + mean)."""
        return GeometricParams(np.clip(1.0 / (1.0 + means[0]), SMALLEST_PROB, BELOW_ONE))

    def sample(
        self, params: GeometricParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: floor(log u / log(1 - p))."""
        noise = rng.standard_exponential((len(labels), params.probs.shape[1]))
        return np.floor(noise / -np.log1p(-params.probs[labels]))

    def mean(self, params: GeometricParams) -> Array:
        """(1 - p) / p."""
        return (1.0 - params.probs) / params.probs

    def covariance(self, params: GeometricParams) -> Array:
        """Diagonal: (1 - p) / p^2."""
        variances = (1.0 - params.probs) / params.probs**2
        return variances[:, :, None] * np.eye(variances.shape[1])

    def to_vector(self, params: GeometricParams, like: GeometricParams) -> Array:
        """Arcs whose squared sine is p: finite and regular where a probability goes to 0 or 1."""
        return np.arcsin(np.sqrt(params.probs)).ravel()

    def from_vector(self, vector: Array, like: GeometricParams) -> GeometricParams:
        """Inverse of `to_vector`."""
        probs = np.clip(np.sin(vector) ** 2, SMALLEST_PROB, BELOW_ONE)
        return GeometricParams(probs.reshape(like.probs.shape))

    def embed(self, X: Array) -> Any:
        """Logarithms of 1 + x."""
        return np.log1p(X)
