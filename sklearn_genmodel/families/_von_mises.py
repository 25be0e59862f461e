"""Independent angles."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._numerics._bessel import (
    LARGEST_CONCENTRATION,
    SMALLEST_CONCENTRATION,
    bessel_ratio,
    concentrations_at,
    inverse_bessel_ratio,
    log_bessel,
)
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._spikes import spikes
from sklearn_genmodel.families._support import ANGLES, Support

__all__ = ["VonMises", "VonMisesParams"]

N_NODES = 100
# The density is below 1e-30 of its peak from here on, in units of concentration ** -0.5.
TAIL = 12.0


class VonMisesParams(NamedTuple):
    """Parameters of von Mises components, both of shape (n_components, n_features).

    ``locations`` are the mean directions in (-pi, pi], ``concentrations`` about inverse variances.
    """

    locations: Array
    concentrations: Array


class VonMises(IndependentColumns):
    """Angles in radians: every column von Mises distributed, independent given the component.

    log p(x) = sum_j c_j cos(x_j - m_j) - log(2 pi I_0(c_j))

    with locations m and concentrations c. Angles may be any real numbers, and those that differ by
    full turns are the same; the density is that over one turn. Samples and locations lie in
    (-pi, pi]. Missing values (NaN) are allowed: the likelihood is that of the values observed. A
    concentration is at most 1e8, so that a component on one repeated angle keeps a finite
    likelihood; a search drops such components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose means of
        cos x and of sin x are those of all the data, or are the ``means`` given: an array of shape
        (2, n_features) or what broadcasts to it. None is maximum likelihood.

    See Also
    --------
    VonMisesFisher : Directions in more dimensions.

    Notes
    -----
    `mean` states the mean directions, `covariance` the variances of the angles about them.

    References
    ----------
    Mardia, K. V. and Jupp, P. E. (2000). Directional Statistics, sections 3.5.4 and 5.3. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import VonMises
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.vonmises(3.1, 5.0, 300), rng.vonmises(1.0, 20.0, 200)])[:, None]
    >>> mixture = EMMixture(2, family=VonMises(), random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.6, 0.4])
    """

    support: ClassVar[Support] = ANGLES

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """Cosine and sine."""
        return np.cos(X), np.sin(X)

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """The mean of points on a circle is within it."""
        return np.asarray(np.hypot(*means) <= 1.0 + SLACK)

    def coefficients(self, params: VonMisesParams) -> tuple[Array, ...]:
        """c cos m, c sin m, and -log(2 pi I_0(c))."""
        locations, concentrations = params
        concentrations = np.maximum(concentrations, SMALLEST_CONCENTRATION)
        constant = -np.log(2.0 * np.pi) - log_bessel(0.0, concentrations) - concentrations
        return (
            concentrations * np.cos(locations),
            concentrations * np.sin(locations),
            constant,
        )

    def from_means(self, means: Array) -> VonMisesParams:
        """Direction of the mean of (cos x, sin x); its length is I_1(c) / I_0(c)."""
        cosines, sines = means
        concentrations = inverse_bessel_ratio(1.0, np.hypot(cosines, sines))
        return VonMisesParams(np.arctan2(sines, cosines), concentrations)

    def sample(
        self, params: VonMisesParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        angles = rng.vonmises(params.locations[labels], params.concentrations[labels])
        return np.where(angles == -np.pi, np.pi, angles)

    def mean(self, params: VonMisesParams) -> Array:
        """The mean directions."""
        return params.locations

    def covariance(self, params: VonMisesParams) -> Array:
        """Diagonal: mean squares of the angles about the mean directions, by Gauss's quadrature."""
        concentrations = np.maximum(params.concentrations, SMALLEST_CONCENTRATION)[..., None]
        nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
        ends = np.minimum(np.pi, TAIL / np.sqrt(concentrations))
        angles = 0.5 * ends * (nodes + 1.0)
        density = weights * np.exp(-2.0 * concentrations * np.sin(0.5 * angles) ** 2)
        variances = (density * angles**2).sum(axis=-1) / density.sum(axis=-1)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def degenerate(
        self, params: VonMisesParams, n_rows: Array, pooled: VonMisesParams
    ) -> NDArray[np.bool_]:
        """Components on too few rows, or too narrow for the number of their rows."""
        if self.prior is not None:
            return np.zeros(len(n_rows), dtype=bool)
        variances = _variances(params), _variances(pooled)[0]
        return spikes(*variances, n_rows, 0.5 / LARGEST_CONCENTRATION)

    def to_vector(self, params: VonMisesParams, like: VonMisesParams) -> Array:
        """Points of the plane in the mean directions, at distances log(1 + c)."""
        locations, radii = params.locations, np.log1p(params.concentrations)
        return np.stack([radii * np.cos(locations), radii * np.sin(locations)]).ravel()

    def from_vector(self, vector: Array, like: VonMisesParams) -> VonMisesParams:
        """Inverse of `to_vector`."""
        x, y = vector.reshape(2, *like.locations.shape)
        return VonMisesParams(np.arctan2(y, x), concentrations_at(np.hypot(x, y)))

    def embed(self, X: Array) -> Any:
        """Points of the circle."""
        return np.concatenate([np.cos(X), np.sin(X)], axis=1)


def _variances(params: VonMisesParams) -> Array:
    """Circular variance 1 - I_1(c) / I_0(c) of every column."""
    return 1.0 - bessel_ratio(1.0, params.concentrations)
