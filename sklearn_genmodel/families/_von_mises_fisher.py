"""Directions."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._numerics._bessel import (
    LARGEST_CONCENTRATION,
    bessel_ratio,
    concentrations_at,
    inverse_bessel_ratio,
    log_bessel,
)
from sklearn_genmodel.families._parameter_checks import check_unit_length
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._spikes import spikes
from sklearn_genmodel.families._support import UNIT_VECTORS, Support
from sklearn_genmodel.families._whole_rows import WholeRows

__all__ = ["VonMisesFisher", "VonMisesFisherParams"]

# Lengths may miss 1 by the rounding of single precision.
TOLERANCE = 1e-6


class VonMisesFisherParams(NamedTuple):
    """Parameters of von Mises-Fisher components.

    ``means`` are the mean directions, unit vectors, (n_components, n_features); ``concentrations``
    has shape (n_components,).
    """

    means: Array
    concentrations: Array


class VonMisesFisher(WholeRows):
    """Directions: rows of length 1, spread around a mean direction.

    log p(x) = c m'x + (d/2 - 1) log c - (d/2) log(2 pi) - log I_(d/2 - 1)(c)

    with mean direction m and concentration c; the density is over the unit sphere in d dimensions.
    A row that is missing altogether (all NaN) contributes nothing; a row with some values missing
    is an error, as is a row whose length is not 1 to within 1e-6. A concentration is at most 1e8,
    so that a component on one repeated row keeps a finite likelihood; a search drops such
    components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component whose mean vector is that
        of all the data, or is the ``means`` given, of shape (n_features,) and length below 1. None
        is maximum likelihood.

    See Also
    --------
    VonMises : Angles.

    Notes
    -----
    `mean` states the mean vectors, which are shorter than 1; ``params_.means`` their directions.

    References
    ----------
    Banerjee, A., Dhillon, I. S., Ghosh, J. and Sra, S. (2005). Clustering on the unit hypersphere
    using von Mises-Fisher distributions. Journal of Machine Learning Research 6, 1345-1382.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import VonMisesFisher
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate(
    ...     [rng.normal([5, 0, 0], 1, (300, 3)), rng.normal([0, 4, 4], 1, (200, 3))]
    ... )
    >>> X /= np.linalg.norm(X, axis=1, keepdims=True)
    >>> mixture = EMMixture(2, family=VonMisesFisher(), random_state=0).fit(X)
    >>> np.abs(mixture.params_.means).round(1)
    array([[1. , 0. , 0. ],
           [0. , 0.7, 0.7]])
    """

    support: ClassVar[Support] = UNIT_VECTORS

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """The mean of points on a sphere is within it."""
        return np.asarray(np.linalg.norm(means) <= 1.0 + SLACK)

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down: mean directions have length 1."""
        params = super().floats(params)
        check_unit_length("means", params.means)
        return params

    def coefficients(self, params: VonMisesFisherParams) -> tuple[Array, Array]:
        """c m, and the log-normaliser."""
        means, concentrations = params
        order = 0.5 * means.shape[1] - 1.0
        constants = -(order + 1.0) * np.log(2.0 * np.pi) - log_bessel(order, concentrations)
        return concentrations[:, None] * means, constants - concentrations

    def from_means(self, means: Array) -> VonMisesFisherParams:
        """Direction of the mean; its length is I_(d/2)(c) / I_(d/2 - 1)(c)."""
        lengths = np.linalg.norm(means, axis=1)
        concentrations = inverse_bessel_ratio(0.5 * means.shape[1], lengths)
        return VonMisesFisherParams(_directions(means, lengths), concentrations)

    def fault(self, X: Array) -> tuple[NDArray[np.bool_], str]:
        """Rows whose length is not 1."""
        outside = np.abs(np.linalg.norm(X, axis=1) - 1.0) > TOLERANCE
        return outside, "does not have length 1: divide rows by their Euclidean lengths"

    def sample(
        self, params: VonMisesFisherParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: cosine, then the rest."""
        means, d = params.means[labels], params.means.shape[1]
        cosines = _cosines(params.concentrations[labels], d, rng)[:, None]
        noise = rng.standard_normal(means.shape)
        noise -= (noise * means).sum(axis=1, keepdims=True) * means
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        rows = cosines * means + np.sqrt((1.0 - cosines) * (1.0 + cosines)) * noise
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def mean(self, params: VonMisesFisherParams) -> Array:
        """A m with A = I_(d/2)(c) / I_(d/2 - 1)(c)."""
        lengths = bessel_ratio(0.5 * params.means.shape[1], params.concentrations)
        return lengths[:, None] * params.means

    def covariance(self, params: VonMisesFisherParams) -> Array:
        """A / c I + A (A' - A) m m', A' the ratio of the next order."""
        means, concentrations = params
        d = means.shape[1]
        ratio = bessel_ratio(0.5 * d, concentrations)
        along = ratio * (bessel_ratio(0.5 * d + 1.0, concentrations) - ratio)
        across = (ratio / concentrations)[:, None, None]
        outer = means[:, :, None] * means[:, None, :]
        return np.asarray(across * np.eye(d) + along[:, None, None] * outer)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """A direction, of length 1, and a concentration."""
        return n_components * n_features

    def degenerate(
        self, params: VonMisesFisherParams, n_rows: Array, pooled: VonMisesFisherParams
    ) -> NDArray[np.bool_]:
        """Components on too few rows, or too narrow for the number of their rows."""
        if self.prior is not None:
            return np.zeros(len(n_rows), dtype=bool)
        # The same variance in all d - 1 directions of the sphere.
        order, n_directions = 0.5 * params.means.shape[1], params.means.shape[1] - 1
        one = 1.0 - bessel_ratio(order, params.concentrations)
        all_rows = 1.0 - bessel_ratio(order, pooled.concentrations)
        return spikes(
            np.repeat(one[:, None], n_directions, axis=1),
            all_rows[[0] * n_directions],
            n_rows,
            0.5 * n_directions / LARGEST_CONCENTRATION,
        )

    def to_vector(self, params: VonMisesFisherParams, like: VonMisesFisherParams) -> Array:
        """Points in the mean directions, at distances log(1 + c)."""
        return (np.log1p(params.concentrations)[:, None] * params.means).ravel()

    def from_vector(self, vector: Array, like: VonMisesFisherParams) -> VonMisesFisherParams:
        """Inverse of `to_vector`."""
        points = vector.reshape(like.means.shape)
        radii = np.linalg.norm(points, axis=1)
        return VonMisesFisherParams(_directions(points, radii), concentrations_at(radii))


def _directions(vectors: Array, lengths: Array) -> Array:
    """Vectors of length 1; the first axis where the length is 0."""
    axis = np.eye(vectors.shape[1])[0]
    nonzero = lengths[:, None] > TINY
    return np.where(nonzero, vectors / np.maximum(lengths[:, None], TINY), axis)


def _cosines(concentrations: Array, d: int, rng: np.random.Generator) -> Array:
    """Cosines of the angles to the mean direction, by rejection (Wood 1994)."""
    b = (d - 1) / (2.0 * concentrations + np.sqrt(4.0 * concentrations**2 + (d - 1) ** 2))
    x0 = (1.0 - b) / (1.0 + b)
    # 1 - x0^2 = 4 b / (1 + b)^2
    limit = concentrations * x0 + (d - 1) * np.log(4.0 * b / (1.0 + b) ** 2)
    cosines, left = np.empty(len(b)), np.arange(len(b))
    while len(left):
        z = rng.beta(0.5 * (d - 1), 0.5 * (d - 1), len(left))
        w = (1.0 - (1.0 + b[left]) * z) / (1.0 - (1.0 - b[left]) * z)
        gain = concentrations[left] * w + (d - 1) * np.log1p(-x0[left] * w) - limit[left]
        taken = gain >= -rng.standard_exponential(len(left))
        cosines[left[taken]] = w[taken]
        left = left[~taken]
    return cosines
