"""Independent Laplace columns: real numbers with heavier tails than a Gaussian's."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._columnwise import ColumnwiseFamily, diagonal_covariance
from sklearn_genmodel.families._spikes import spikes
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["Laplace", "LaplaceParams"]

SMALLEST_SCALE = 1e-150
# Shares of the weight that differ by less are equal but for rounding.
ROUNDING = 1e-13


class LaplaceParams(NamedTuple):
    """Parameters of Laplace components: ``locations``, ``scales``, (n_components, n_features)."""

    locations: Array
    scales: Array


class Laplace(ColumnwiseFamily):
    """Real columns: double exponential, independent given the component.

    log p(x) = sum_j -abs(x_j - m_j) / b_j - log(2 b_j)

    with locations m and scales b. The estimate of a location is the weighted median, so that
    outliers hardly move it. Missing values (NaN) are allowed: the likelihood is that of the values
    observed.

    Parameters
    ----------
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    See Also
    --------
    Gaussian : Means instead of medians, and correlated columns.

    Notes
    -----
    The median of a few points does not change where weights change a little, so that EM has many
    fixed points: the search for starts matters more than for smooth families. A scale is at least
    1e-150; a component near that is called degenerate.

    References
    ----------
    Norton, R. M. (1984). The double exponential distribution: using calculus to find a maximum
    likelihood estimator. The American Statistician 38, 135-136.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Laplace
    >>> X = np.array([[-1.0], [0.0], [0.2], [0.9], [7.0], [8.1], [8.0], [8.7], [30.0]])
    >>> mixture = EMMixture(2, family=Laplace(), random_state=0).fit(X)
    >>> np.sort(mixture.params_.locations.ravel())
    array([0.2, 8.1])
    """

    support: ClassVar[Support] = REALS

    def column_log_prob(self, values: Array, params: LaplaceParams) -> Array:
        """Log-densities, in nats."""
        scales = params.scales[:, None]
        return -np.abs(values - params.locations[:, None]) / scales - np.log(2.0 * scales)

    def column_mle(
        self, values: Array, weights: Array, current: LaplaceParams | None
    ) -> LaplaceParams:
        """Weighted medians, and mean distances from them."""
        shares = np.cumsum(weights, axis=1)
        half = 0.5 * shares[:, -1:]
        lower = (shares >= half - ROUNDING).argmax(axis=1)
        upper = (shares > half + ROUNDING).argmax(axis=1)
        locations = 0.5 * values[lower] + 0.5 * values[upper]
        distances = (weights * np.abs(values - locations[:, None])).sum(axis=1)
        return LaplaceParams(locations, np.maximum(distances, SMALLEST_SCALE))

    def sample(
        self, params: LaplaceParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        return rng.laplace(params.locations[labels], params.scales[labels])

    def mean(self, params: LaplaceParams) -> Array:
        """The locations."""
        return params.locations

    def covariance(self, params: LaplaceParams) -> Array:
        """2 b^2 on the diagonals."""
        return diagonal_covariance(2.0 * params.scales**2)

    def degenerate(
        self, params: LaplaceParams, n_rows: Array, pooled: LaplaceParams
    ) -> NDArray[np.bool_]:
        """Components whose scale has almost vanished, or on too few rows."""
        return spikes((params.scales / pooled.scales) ** 2, np.ones_like(pooled.scales[0]), n_rows)
