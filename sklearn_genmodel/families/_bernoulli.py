"""Independent yes/no columns: latent class analysis of binary items."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._support import BINARY, Support

__all__ = ["Bernoulli", "BernoulliParams"]

BELOW_ONE = float(np.nextafter(1.0, 0.0))


class BernoulliParams(NamedTuple):
    """Parameters of Bernoulli components: ``probs``, shape (n_components, n_features)."""

    probs: Array


class Bernoulli(IndependentColumns):
    """Yes/no columns, coded 0 and 1, independent given the component.

    log p(x) = sum_j x_j log p_j + (1 - x_j) log(1 - p_j)

    With this family a mixture is the latent class model for binary items. Missing values (NaN) are
    allowed: the likelihood is that of the values observed. A probability is never
    exactly 0 or 1: it is kept between the smallest positive float and the last float below 1.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Beta prior of the probabilities, as a number of pseudo-observations s per component and
        column whose share of ones m is that of all the data or the one given:
        Beta(s m + 1, s (1 - m) + 1). The estimate is the posterior mode. None is maximum
        likelihood.

    See Also
    --------
    Binomial : Numbers of ones among several.
    Categorical : More than two labels.

    References
    ----------
    Lazarsfeld, P. F. and Henry, N. W. (1968). Latent Structure Analysis. Houghton Mifflin.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> X = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    >>> EMMixture(2, family="bernoulli", random_state=0).fit(X).weights_.round(3)
    array([0.6, 0.4])
    """

    support: ClassVar[Support] = BINARY

    def coefficients(self, params: BernoulliParams) -> tuple[Array, Array]:
        """logit p and log(1 - p)."""
        probs = np.clip(params.probs, TINY, BELOW_ONE)
        log_complement = np.log1p(-probs)
        return np.log(probs) - log_complement, log_complement

    def from_means(self, means: Array) -> BernoulliParams:
        """p = share of ones."""
        return BernoulliParams(np.clip(means[0], TINY, BELOW_ONE))

    def sample(
        self, params: BernoulliParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        probs = params.probs[labels]
        return (rng.random(probs.shape) < probs).astype(np.float64)

    def mean(self, params: BernoulliParams) -> Array:
        """The probabilities."""
        return params.probs

    def covariance(self, params: BernoulliParams) -> Array:
        """Diagonal: p (1 - p)."""
        variances = params.probs * (1.0 - params.probs)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def to_vector(self, params: BernoulliParams, like: BernoulliParams) -> Array:
        """Arcs whose squared sine is p: finite and regular where a probability goes to 0 or 1."""
        return np.arcsin(np.sqrt(params.probs)).ravel()

    def from_vector(self, vector: Array, like: BernoulliParams) -> BernoulliParams:
        """Inverse of `to_vector`."""
        probs = np.clip(np.sin(vector) ** 2, TINY, BELOW_ONE)
        return BernoulliParams(probs.reshape(like.probs.shape))
