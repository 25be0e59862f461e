"""Independent inverse Gaussian columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._centered import CenteredColumns
from sklearn_genmodel.families._numerics._special import HALF_LOG_2PI
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._support import POSITIVE, Support

__all__ = ["InverseGaussian", "InverseGaussianParams"]

# Mean over shape is the squared coefficient of variation; the gamma distribution has this limit.
SMALLEST_DISPERSION = 1e-14


class InverseGaussianParams(NamedTuple):
    """Parameters of inverse Gaussian components: ``means`` and ``shapes``, (n_components, d).

    The variance of a column is its cubed mean over its shape.
    """

    means: Array
    shapes: Array


class InverseGaussian(CenteredColumns):
    """Positive columns: every column inverse Gaussian (Wald), independent given the component.

    log p(x) = sum_j log(l_j / (2 pi x_j^3)) / 2 - l_j (x_j - m_j)^2 / (2 m_j^2 x_j)

    with means m and shapes l: the time at which a Brownian motion with drift 1 / m and variance
    1 / l first reaches 1. Missing values (NaN) are allowed: the likelihood is that of the values
    observed. A shape is at most 1e14 means, a coefficient of variation of 1e-7, so that a component
    on one repeated value keeps a finite likelihood; a search drops such components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose means of
        x and of 1 / x are those of all the data, or are the ``means`` given: an array of shape (2,
        n_features) or what broadcasts to it. None is maximum likelihood.

    See Also
    --------
    Gamma : Lighter tails on the right, heavier ones on the left.

    References
    ----------
    Tweedie, M. C. K. (1957). Statistical properties of inverse Gaussian distributions I. Annals of
    Mathematical Statistics 28, 362-377.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import InverseGaussian
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.wald(1.0, 3.0, 600), rng.wald(20.0, 400.0, 400)])[:, None]
    >>> mixture = EMMixture(2, family=InverseGaussian(), random_state=0).fit(X)
    >>> mixture.params_.means.round().ravel()
    array([ 1., 20.])
    """

    support: ClassVar[Support] = POSITIVE

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """The value and its inverse."""
        return X, 1.0 / X

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """The mean inverse is at least that of the mean."""
        return np.asarray((means[0] > 0.0) & (means[0] * means[1] >= 1.0 - SLACK))

    def centers(self, params: InverseGaussianParams) -> Array:
        """The means."""
        return params.means

    def restore(self, Z: Array) -> Array:
        """Inverse of `embed`."""
        return np.exp(Z)

    def statistics_about(self, X: Array, origin: Array) -> tuple[Array, Array]:
        """u = (x - c)^2 / (c x) and v = (x - c) / c."""
        offsets = (X - origin) / origin
        return offsets * ((X - origin) / X), offsets

    def means_about(self, means: Array, origin: Array) -> Array:
        """The same from the mean and the mean inverse."""
        offsets = (means[0] - origin) / origin
        return np.stack([offsets - 1.0 + origin * means[1], offsets])

    def coefficients_about(self, params: InverseGaussianParams, origin: Array) -> tuple[Array, ...]:
        """Those of -(u r^2 + v (1 - r^2) + (1 - r)^2) l c / (2 m^2) with r = m / c."""
        means, shapes = params
        ratio, shift = means / origin, (means - origin) / origin
        half = 0.5 * shapes / (means * ratio)
        peak = 0.5 * np.log(shapes) - HALF_LOG_2PI
        return -half * ratio**2, half * shift * (1.0 + ratio), peak - half * shift**2

    def recentred(self, sums: Array, old: Array, new: Array) -> Array:
        """u / r + v (r - 1 / r) + (r - 1)^2 / r and v r + r - 1 with r = c / c'."""
        divergences, offsets, counts = sums
        ratio, shift = old / new, (old - new) / new
        moved = (divergences + shift * ((1.0 + ratio) * offsets + shift * counts)) / ratio
        return np.stack([moved, ratio * offsets + shift * counts, counts])

    def from_means_about(self, means: Array, origin: Array) -> InverseGaussianParams:
        """The mean, and mean / shape = mean(x) mean(1 / x) - 1."""
        divergence, offset = means
        ratio = 1.0 + offset
        dispersion = np.maximum(ratio * divergence - offset**2, SMALLEST_DISPERSION)
        return InverseGaussianParams(origin * ratio, origin * ratio / dispersion)

    def log_base_terms(self, X: Array) -> Array:
        """Minus 3 / 2 logarithms."""
        log_values: Array = np.log(X)
        return -1.5 * log_values

    def sample(
        self, params: InverseGaussianParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        values = rng.wald(params.means[labels], params.shapes[labels])
        return np.maximum(values, POSITIVE.low)

    def mean(self, params: InverseGaussianParams) -> Array:
        """The means."""
        return params.means

    def covariance(self, params: InverseGaussianParams) -> Array:
        """Diagonal: cubed mean over shape."""
        variances = params.means**3 / params.shapes
        return variances[:, :, None] * np.eye(variances.shape[1])

    def spread(self, params: InverseGaussianParams) -> Array:
        """Log of 1 + squared coefficient of variation, about the variance of log x."""
        return np.asarray(np.log1p(params.means / params.shapes))

    def to_vector(self, params: InverseGaussianParams, like: InverseGaussianParams) -> Array:
        """Logarithms."""
        return np.log(params).ravel()

    def from_vector(self, vector: Array, like: InverseGaussianParams) -> InverseGaussianParams:
        """Inverse of `to_vector`."""
        return InverseGaussianParams(*np.exp(vector).reshape(2, *like.means.shape))

    def embed(self, X: Array) -> Array:
        """Logarithms."""
        return np.asarray(np.log(X))
