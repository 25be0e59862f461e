"""Multivariate normal components."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._covariance import Structure
from sklearn_genmodel.families._diagonal import STRUCTURES
from sklearn_genmodel.families._moments import Moments, gaussian_kernel
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["Gaussian", "GaussianParams"]

# A component on at most n_features + 1.5 rows is a likelihood spike. One with less than 1e-3 of the
# variance of its peers in some direction may be.
SPIKE_ROWS, SPIKE_DIMENSION = 1.5, 5
SPIKE_RATIO = 1e-3
# Data are singular where the correlation matrix has an eigenvalue of at most 4 floors; a column
# takes part if its loading is more than rounding.
FLOORS, ROUNDING, LOADING = 4.0, 1e-13, 1e-3


class GaussianParams(NamedTuple):
    """Parameters of Gaussian components.

    ``means`` has shape (n_components, n_features). The shape of ``covariances`` follows the
    covariance type: "full" (n_components, n_features, n_features), "tied" (n_features,
    n_features), "diag" (n_components, n_features), "spherical" (n_components,).
    """

    means: Array
    covariances: Array


class Gaussian(Family):
    """Real columns: multivariate normal components.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        One matrix per component, one matrix for all components, a variance per component and
        column, or a variance per component.
    reg_covar : float, default=1e-6
        Floor of the covariances, relative to the variance of each column in the data: in units of
        those variances no component has an eigenvalue below it. Estimates above the floor are
        not changed at all, and at the floor the M-step is the maximum under the constraint, so
        the bound still never decreases. 0 means no floor.

    See Also
    --------
    Poisson : Counts.
    Bernoulli : Yes/no columns.

    Notes
    -----
    Rows enter as (1, x, x x') about a centre of the components, so that the E-step and the M-step
    are two products with one feature matrix. A component for which the terms of that form exceed
    1e8, and would cancel to fewer than eight digits, is computed by triangular solves about its
    own mean instead.

    References
    ----------
    McLachlan, G. J. and Peel, D. (2000). Finite Mixture Models, chapter 3. Wiley.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> from sklearn_genmodel.families import Gaussian
    >>> X = load_old_faithful().data
    >>> mixture = EMMixture(2, family=Gaussian("tied"), random_state=0).fit(X)
    >>> mixture.params_.means.round(1)
    array([[ 4.3, 80. ],
           [ 2. , 54.6]])
    """

    support: ClassVar[Support] = REALS

    def __init__(self, covariance_type: str = "full", reg_covar: float = 1e-6) -> None:
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar

    @property
    def _structure(self) -> Structure:
        if self.covariance_type not in STRUCTURES:
            raise ValueError(
                f"covariance_type={self.covariance_type!r} is unknown: "
                f"choose one of {', '.join(map(repr, STRUCTURES))}."
            )
        reg_covar: object = self.reg_covar
        if not isinstance(reg_covar, (int, float, np.number)) or not 0.0 <= reg_covar < np.inf:
            raise ValueError(
                f"reg_covar must be a number of at least 0 and finite, got {reg_covar!r}."
            )
        return STRUCTURES[self.covariance_type]

    def log_prob(self, X: Array, params: GaussianParams) -> Array:
        """Log-density of every row under every component, in nats."""
        log_prob, _ = self.kernel(params)(X)
        return log_prob.T

    def suffstats(self, X: Array, resp: Array, params: GaussianParams | None = None) -> Moments:
        """Moments about the current means, or about the mean of these rows at a start."""
        if params is not None:
            return self.kernel(params)(X)[1](resp.T)
        structure, d = self._structure, X.shape[1]
        centers = np.broadcast_to(X.mean(axis=0), (resp.shape[1], d))
        features = structure.features((X - centers[0]).T, np.eye(d))
        return Moments(structure, centers, *structure.accumulate(resp.T, features, d))

    def m_step(self, stats: Moments) -> GaussianParams:
        """Weighted means and covariances, the latter kept above the floor."""
        structure, d = stats.structure, stats.sums.shape[1]
        counts = stats.counts[:, None]
        offsets = stats.sums / np.maximum(counts, TINY)
        means = stats.centers + offsets
        # sum r (x - mu)(x - mu)' = products - counts offset offset'
        scatter = stats.products - structure.pair(stats.sums, offsets)
        covariances = structure.covariances(scatter, stats.counts, d)
        if self.reg_covar > 0:
            grand_mean = (counts * means).sum(axis=0) / counts.sum()
            between = (counts * (means - grand_mean) ** 2).sum(axis=0)
            variance = (structure.within(scatter, d) + between) / counts.sum()
            covariances = structure.floor(covariances, np.maximum(self.reg_covar * variance, TINY))
        return GaussianParams(means, covariances)

    def kernel(self, params: GaussianParams) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        return gaussian_kernel(self._structure, *params)

    def sample(
        self, params: GaussianParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: mu + L epsilon."""
        n_components, d = params.means.shape
        lower = np.linalg.cholesky(self.covariance_matrices(params))
        noise = rng.standard_normal((len(labels), d))
        X = params.means[labels]
        for k in range(n_components):
            X[labels == k] += noise[labels == k] @ lower[k].T
        return X

    def mean(self, params: GaussianParams) -> Array:
        """The means."""
        return params.means

    def covariance_matrices(self, params: GaussianParams) -> Array:
        """Covariance matrix of every component, whatever the covariance type.

        Parameters
        ----------
        params : GaussianParams

        Returns
        -------
        covariances : ndarray of shape (n_components, n_features, n_features)
        """
        return self._structure.dense(params.covariances, *params.means.shape)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Means, and the covariances that the structure leaves free."""
        return n_components * n_features + self._structure.n_parameters(n_components, n_features)

    @property
    def shared(self) -> frozenset[str]:
        """The covariances, if they are tied."""
        return frozenset({"covariances"} if self.covariance_type == "tied" else ())

    def width(self, n_features: int) -> int:
        """Size of (1, x, second-order terms)."""
        return self._structure.width(n_features)

    def to_vector(self, params: GaussianParams, like: GaussianParams) -> Array:
        """Means in units of those of `like`, and log-Cholesky factors."""
        factor = self._structure.factor(params.covariances)
        means = (params.means - like.means) / self._scales(like)
        return np.concatenate([means.ravel(), self._structure.to_vector(factor)])

    def from_vector(self, vector: Array, like: GaussianParams) -> GaussianParams:
        """Inverse of `to_vector`."""
        shape, size = like.means.shape, like.means.size
        means = like.means + vector[:size].reshape(shape) * self._scales(like)
        return GaussianParams(means, self._structure.from_vector(vector[size:], like.covariances))

    def degenerate(
        self, params: GaussianParams, n_rows: Array, pooled: GaussianParams
    ) -> NDArray[np.bool_]:
        """Components at the floor, on too few rows, or thin without rows enough to explain it."""
        d, matrices = params.means.shape[1], self.covariance_matrices(params)
        (total,) = self.covariance_matrices(pooled)
        smallest, thickness = _thinnest(matrices, total), _thinnest(total[None], total)[0]
        at_floor = (smallest <= 2.0 * self.reg_covar) & (thickness > FLOORS * self.reg_covar)
        if self.covariance_type == "tied":
            return at_floor
        dimension = d if self.covariance_type == "full" else min(d, SPIKE_DIMENSION)
        few = (n_rows <= dimension + SPIKE_ROWS) & (len(n_rows) > 1)
        degenerate: NDArray[np.bool_] = at_floor | few | _by_chance(matrices, n_rows)
        return degenerate

    def dependent_columns(self, pooled: GaussianParams) -> NDArray[np.intp]:
        """Columns that load on a direction of the data whose variance is at the floor."""
        (total,) = self.covariance_matrices(pooled)
        deviations = np.sqrt(np.diagonal(total))
        values, vectors = np.linalg.eigh(total / np.outer(deviations, deviations))
        flat = vectors[:, values <= max(FLOORS * self.reg_covar, ROUNDING)]
        return np.flatnonzero(np.abs(flat).max(axis=1, initial=0.0) > LOADING)

    def _scales(self, params: GaussianParams) -> Array:
        """Standard deviations of every component's columns."""
        structure = self._structure
        return structure.scales(structure.factor(params.covariances))


def _thinnest(matrices: Array, unit: Array) -> Array:
    """Smallest eigenvalue of every matrix in units of the standard deviations of another."""
    deviations = np.sqrt(np.diagonal(unit))
    return np.asarray(np.linalg.eigvalsh(matrices / np.outer(deviations, deviations))[:, 0])


def _by_chance(matrices: Array, n_rows: Array) -> NDArray[np.bool_]:
    """Thin components that so few rows out of so many could form by chance.

    With a share v of its peers' volume, a component of m rows out of n gains about
    m log(m / (n v)) - m over rows that are spread like the rest; that must pay for its shape.
    """
    n, d = n_rows.sum(), matrices.shape[1]
    within = np.einsum("k,kij->ij", n_rows / n, matrices)
    thin = _thinnest(matrices, within) < SPIKE_RATIO * _thinnest(within[None], within)
    log_volume = 0.5 * (np.linalg.slogdet(matrices)[1] - np.linalg.slogdet(within)[1])
    gain = n_rows * (np.log(np.maximum(n_rows, TINY) / n) - log_volume - 1.0)
    chance: NDArray[np.bool_] = thin & (gain < 0.5 * d * (d + 3) * np.log(n))
    return chance
