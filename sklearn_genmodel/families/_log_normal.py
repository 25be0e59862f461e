"""Independent log-normal columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._centered import CenteredColumns
from sklearn_genmodel.families._numerics._special import HALF_LOG_2PI, log_ratio
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._support import POSITIVE, Support

__all__ = ["LogNormal", "LogNormalParams"]

# Logarithms of neighbouring floats differ by about the root of this.
SMALLEST_VARIANCE = 1e-30
# Logarithms of the largest and the smallest positive float, with room for a standard deviation.
LARGEST_LOG = 700.0


class LogNormalParams(NamedTuple):
    """Parameters of log-normal components, both of shape (n_components, n_features).

    ``locations`` are the means of log x, ``scales`` its standard deviations.
    """

    locations: Array
    scales: Array


class LogNormal(CenteredColumns):
    """Positive columns: the logarithm of every column normal, independent given the component.

    log p(x) = sum_j -(log x_j - m_j)^2 / (2 s_j^2) - log s_j - log(2 pi) / 2 - log x_j

    with locations m and scales s. Missing values (NaN) are allowed: the likelihood is that of the
    values observed. A scale is at least 1e-15, so that a component on one repeated value keeps a
    finite likelihood; a search drops such components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose means of
        log x and of (log x)^2 are those of all the data, or are the ``means`` given: an array of
        shape (2, n_features) or what broadcasts to it. None is maximum likelihood.

    See Also
    --------
    Gamma : Lighter tails.
    Gaussian : For logarithms that depend on each other given the component.

    References
    ----------
    Johnson, N. L., Kotz, S. and Balakrishnan, N. (1994). Continuous Univariate Distributions,
    volume 1, chapter 14. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import LogNormal
    >>> rng = np.random.default_rng(0)
    >>> X = np.exp(np.concatenate([rng.normal(0, 0.5, 600), rng.normal(4, 1, 400)]))[:, None]
    >>> mixture = EMMixture(2, family=LogNormal(), random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.6, 0.4])
    """

    support: ClassVar[Support] = POSITIVE
    narrowest: ClassVar[float] = SMALLEST_VARIANCE

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """The logarithm and its square."""
        logs = np.log(X)
        return logs, logs**2

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """The mean square is at least that of the mean."""
        return np.asarray(means[1] >= means[0] ** 2 * (1.0 - SLACK))

    def centers(self, params: LogNormalParams) -> Array:
        """The medians."""
        return self.restore(params.locations)

    def restore(self, Z: Array) -> Array:
        """Inverse of `embed`."""
        return np.exp(np.clip(Z, -LARGEST_LOG, LARGEST_LOG))

    def statistics_about(self, X: Array, origin: Array) -> tuple[Array, Array]:
        """z = log(x / c) and its square."""
        logs = log_ratio(X, origin)
        return logs, logs**2

    def means_about(self, means: Array, origin: Array) -> Array:
        """The same from means of log x and its square."""
        shift = np.log(origin)
        return np.stack([means[0] - shift, means[1] - (2.0 * means[0] - shift) * shift])

    def coefficients_about(self, params: LogNormalParams, origin: Array) -> tuple[Array, ...]:
        """Those of -(z - m)^2 / (2 s^2) - log s - log(2 pi) / 2, m the location less log c."""
        precisions, means = params.scales**-2, params.locations - np.log(origin)
        constant = -0.5 * precisions * means**2 - np.log(params.scales) - HALF_LOG_2PI
        return precisions * means, -0.5 * precisions, constant

    def recentred(self, sums: Array, old: Array, new: Array) -> Array:
        """z + h and (z + h)^2 with h = log(c / c')."""
        logs, squares, counts = sums
        shift = log_ratio(old, new)
        moved = squares + 2.0 * shift * logs + shift**2 * counts
        return np.stack([logs + shift * counts, moved, counts])

    def from_means_about(self, means: Array, origin: Array) -> LogNormalParams:
        """Mean and standard deviation of log x."""
        variances = np.maximum(means[1] - means[0] ** 2, SMALLEST_VARIANCE)
        return LogNormalParams(means[0] + np.log(origin), np.sqrt(variances))

    def log_base_terms(self, X: Array) -> Array:
        """Minus the logarithms."""
        log_values: Array = np.log(X)
        return -log_values

    def sample(
        self, params: LogNormalParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        values = rng.lognormal(params.locations[labels], params.scales[labels])
        return np.maximum(values, POSITIVE.low)

    def mean(self, params: LogNormalParams) -> Array:
        """exp(m + s^2 / 2)."""
        # Infinite beyond the range of floats.
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(params.locations + 0.5 * params.scales**2))

    def covariance(self, params: LogNormalParams) -> Array:
        """Diagonal: squared mean times exp(s^2) - 1."""
        variances = self.mean(params) ** 2 * np.expm1(params.scales**2)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def spread(self, params: LogNormalParams) -> Array:
        """Variance of log x."""
        return params.scales**2

    def to_vector(self, params: LogNormalParams, like: LogNormalParams) -> Array:
        """Locations in units of the scales of `like`, and logarithms of the scales."""
        locations = (params.locations - like.locations) / like.scales
        return np.stack([locations, np.log(params.scales)]).ravel()

    def from_vector(self, vector: Array, like: LogNormalParams) -> LogNormalParams:
        """Inverse of `to_vector`."""
        locations, log_scales = vector.reshape(2, *like.scales.shape)
        scales = np.maximum(np.exp(log_scales), np.sqrt(SMALLEST_VARIANCE))
        return LogNormalParams(like.locations + locations * like.scales, scales)

    def embed(self, X: Array) -> Array:
        """Logarithms."""
        return np.asarray(np.log(X))
