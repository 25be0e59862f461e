"""Independent gamma columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._centered import CenteredColumns
from sklearn_genmodel.families._numerics._newton import gamma_shapes
from sklearn_genmodel.families._numerics._special import (
    HALF_LOG_2PI,
    log_excess,
    log_ratio,
    stirling_remainder,
    trigamma,
)
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._support import POSITIVE, Support

__all__ = ["Gamma", "GammaParams"]


class GammaParams(NamedTuple):
    """Parameters of gamma components: ``shapes`` and ``scales``, both (n_components, n_features).

    The mean of a column is its shape times its scale.
    """

    shapes: Array
    scales: Array


class Gamma(CenteredColumns):
    """Positive columns: every column gamma distributed, independent given the component.

    log p(x) = sum_j (a_j - 1) log x_j - x_j / s_j - a_j log s_j - log Gamma(a_j)

    with shapes a and scales s. Missing values (NaN) are allowed: the likelihood is that of the
    values observed. A shape is at most 1e14, a coefficient of variation of 1e-7, so that a
    component on one repeated value keeps a finite likelihood; a search drops such components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose means of
        x and of log x are those of all the data, or are the ``means`` given: an array of shape (2,
        n_features) or what broadcasts to it. None is maximum likelihood.

    See Also
    --------
    LogNormal : Heavier tails.
    InverseGaussian : Times until a level is passed.
    Exponential : Gamma with shape 1.

    Notes
    -----
    The M-step solves log a - digamma(a) = log mean(x) - mean(log x) by Newton's method on a log-log
    scale, to rounding. Statistics are taken about an origin, as x / c - 1 and
    x / c - 1 - log(x / c), so that narrow components keep their digits.

    References
    ----------
    Minka, T. P. (2002). Estimating a Gamma distribution. Technical report, Microsoft Research.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Gamma
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.gamma(2.0, 1.0, 600), rng.gamma(50.0, 0.4, 400)])[:, None]
    >>> mixture = EMMixture(2, family=Gamma(), random_state=0).fit(X)
    >>> mixture.weights_.round(2)
    array([0.6, 0.4])
    """

    support: ClassVar[Support] = POSITIVE

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """The value and its logarithm."""
        return X, np.log(X)

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """The mean logarithm is at most that of the mean."""
        return np.asarray(means[1] <= np.log(means[0]) + SLACK)

    def centers(self, params: GammaParams) -> Array:
        """The means."""
        return self.mean(params)

    def restore(self, Z: Array) -> Array:
        """Inverse of `embed`."""
        return np.exp(Z)

    def statistics_about(self, X: Array, origin: Array) -> tuple[Array, Array]:
        """x / c - 1 - log(x / c), and x / c - 1."""
        offsets = (X - origin) / origin
        return offsets - log_ratio(X, origin), offsets

    def means_about(self, means: Array, origin: Array) -> Array:
        """The same from the mean and the mean logarithm."""
        offsets = (means[0] - origin) / origin
        return np.stack([offsets - (means[1] - np.log(origin)), offsets])

    def coefficients_about(self, params: GammaParams, origin: Array) -> tuple[Array, ...]:
        """-a, -a (c / mean - 1), and the rest, which has its maximum where c is the mean."""
        shapes, means = params.shapes, self.mean(params)
        # a log a - a - log Gamma(a) = log(a / (2 pi)) / 2 - remainder(a)
        peak = 0.5 * np.log(shapes) - HALF_LOG_2PI - stirling_remainder(shapes)
        shift = (origin - means) / means
        return -shapes, -shapes * shift, peak - shapes * log_excess(origin, means)

    def recentred(self, sums: Array, old: Array, new: Array) -> Array:
        """x / c' - 1 = r (x / c - 1) + r - 1 with r = c / c'."""
        excess, offsets, counts = sums
        shift = (old - new) / new
        moved = excess + shift * offsets + log_excess(old, new) * counts
        return np.stack([moved, (1.0 + shift) * offsets + shift * counts, counts])

    def from_means_about(self, means: Array, origin: Array) -> GammaParams:
        """log a - digamma(a) = log mean(x) - mean(log x), and scale = mean / a."""
        excess, offsets = means
        ratio = 1.0 + offsets
        shapes = gamma_shapes(excess - log_excess(ratio, np.ones(1)))
        return GammaParams(shapes, origin * ratio / shapes)

    def log_base_terms(self, X: Array) -> Array:
        """Minus the logarithms."""
        log_values: Array = np.log(X)
        return -log_values

    def sample(
        self, params: GammaParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        values = rng.gamma(params.shapes[labels], params.scales[labels])
        return np.maximum(values, POSITIVE.low)

    def mean(self, params: GammaParams) -> Array:
        """Shape times scale."""
        return params.shapes * params.scales

    def covariance(self, params: GammaParams) -> Array:
        """Diagonal: shape times squared scale."""
        variances = params.shapes * params.scales**2
        return variances[:, :, None] * np.eye(variances.shape[1])

    def spread(self, params: GammaParams) -> Array:
        """Variance of log x."""
        return trigamma(params.shapes)

    def to_vector(self, params: GammaParams, like: GammaParams) -> Array:
        """Logarithms of means and shapes."""
        return np.log([self.mean(params), params.shapes]).ravel()

    def from_vector(self, vector: Array, like: GammaParams) -> GammaParams:
        """Inverse of `to_vector`."""
        means, shapes = np.exp(vector).reshape(2, *like.shapes.shape)
        return GammaParams(shapes, means / shapes)

    def embed(self, X: Array) -> Array:
        """Logarithms."""
        return np.asarray(np.log(X))
