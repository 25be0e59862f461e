"""Multivariate normal components."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, Kernel, Shortened
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten
from sklearn_genmodel.families._normal._constants import (
    constant_moments,
    has_constants,
    shortened_pass,
)
from sklearn_genmodel.families._normal._elliptical import Elliptical
from sklearn_genmodel.families._normal._moments import Moments, gaussian_kernel
from sklearn_genmodel.families._normal._observed import observed_moments
from sklearn_genmodel.families._normal._side_by_side import SideBySide
from sklearn_genmodel.families._normal._update import update
from sklearn_genmodel.families._parameter_checks import check_symmetric

__all__ = ["Gaussian", "GaussianParams"]


class GaussianParams(NamedTuple):
    """Parameters of Gaussian components.

    ``means`` has shape (n_components, n_features). The shape of ``covariances`` follows the
    covariance type: matrices (n_components, n_features, n_features), for "tied" one of them
    without the first axis; variances (n_components, n_features) for "diag", "VEI" and "EVI",
    (n_features,) for "tied_diag"; (n_components,) for "spherical", () for "tied_spherical". For
    "factor" it is `FactorCovariances`, with loadings and noise.
    """

    means: Array
    covariances: Any


class Gaussian(Elliptical):
    """Real columns: multivariate normal components.

    Parameters
    ----------
    covariance_type : str, default="full"
        "full", "tied", "diag", "spherical": one matrix per component, one matrix for all
        components, a variance per component and column, or a variance per component. "tied_diag"
        and "tied_spherical": variances that all components share. "factor": loadings and noise.
        Also mclust's three letters for volume, shape and orientation, each E(qual), V(arying) or
        I (axes along the columns): "VVV" is "full", "EEE" is "tied", and so forth.
    reg_covar : float, default=1e-6
        Floor of the covariances, relative to the variance of each column in the data: in units of
        those variances no component has an eigenvalue below it. Estimates above the floor are
        not changed at all, and at the floor the M-step is the maximum under the constraint, so
        the bound still never decreases. 0 means no floor.
    n_factors : int, default=1
        Columns of the loadings of "factor".
    loadings : {"free", "common"}, default="free"
        Whether the components of "factor" have loadings of their own.
    noise : {"diag", "tied_diag", "spherical", "tied_spherical"}, default="diag"
        Structure of the noise of "factor".
    prior : NormalInverseWishart, "default" or None, default=None
        Conjugate prior, "default" being ``NormalInverseWishart()``, which the data fill in; None
        is maximum likelihood.

    See Also
    --------
    StudentT : Real columns with outliers.
    Poisson : Counts.
    Bernoulli : Yes/no columns.

    Notes
    -----
    Rows enter as (1, x, x x') about a centre of the components, so that the E-step and the M-step
    are two products with one feature matrix. A component for which the terms of that form exceed
    1e8, and would cancel to fewer than eight digits, is whitened about its own mean instead;
    so are all of them where columns are many for the number of components.

    Missing values (NaN) are taken to be missing at random: the likelihood is that of what was
    observed, and the E-step takes the exact expectation of what was not, given what was, for all
    rows of a missing-data pattern at once. Each pattern of a block costs a factorisation per
    component. Rows with nothing observed count for the mixing weights only.

    References
    ----------
    Little, R. J. A. and Rubin, D. B. (2019). Statistical Analysis with Missing Data, third edition,
    section 11.2. Wiley.

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

    scatter_name: ClassVar[str] = "covariances"
    lowest_floor: ClassVar[float] = 0.1

    def __init__(
        self,
        covariance_type: str = "full",
        reg_covar: float = 1e-6,
        n_factors: int = 1,
        loadings: str = "free",
        noise: str = "diag",
        prior: Any = None,
    ) -> None:
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.n_factors = n_factors
        self.loadings = loadings
        self.noise = noise
        self.prior = prior

    def suffstats(self, X: Array, resp: Array, params: GaussianParams | None = None) -> Moments:
        """Expected moments, or plain ones about the mean of these rows at a start."""
        structure, d = self._structure, X.shape[1]
        if params is not None:
            return super().suffstats(X, resp, params)
        if np.isnan(X.sum()) or structure.prefers_triangular(resp.shape[1], d):
            # Iterative M-steps are to find a start of their own.
            return replace(super().suffstats(X, resp), current=None)
        weights = resp.sum(axis=1)
        # Rows of hardly any weight may lie where the squares of the others lose all digits.
        center = weights @ X / weights.sum() if weights.any() else X.mean(axis=0)
        centers = np.broadcast_to(center, (resp.shape[1], d))
        features = structure.features((X - centers[0]).T, np.eye(d))
        return Moments(structure, centers, *structure.accumulate(resp.T, features, d))

    def weighted_mle(self, X: Array, resp: Array) -> GaussianParams:
        """One M-step, or the limit of many where values are missing."""
        if np.isnan(X.sum()):
            return super().weighted_mle(X, resp)
        return self.m_step(self.suffstats(X, resp))

    def m_step(self, stats: Moments) -> GaussianParams:
        """Weighted means and covariances, the latter kept above the floor."""
        means, covariances, _ = update(self, stats, stats.counts)
        return GaussianParams(means, covariances)

    def side_by_side(self, n_mixtures: int) -> Family | None:
        """Components whose covariances have something in common with those of their mixture."""
        structure = self._structure.side_by_side(n_mixtures)
        if not self.coupled or structure is None:
            return super().side_by_side(n_mixtures)
        return SideBySide(self, structure, GaussianParams)

    def constrained_m_step(self, stats: Moments, constraints: Constraints) -> GaussianParams:
        """Fixed means change the covariances about them; fixed covariances leave means alone."""
        held = constraints.fixed
        free = [np.isnan(values).reshape(len(values), -1) for values in held.values()]
        whole = all(mask[k].all() or not mask[k].any() for mask in free for k in range(len(mask)))
        if constraints.tied or not whole or self.prior is not None or self.coupled:
            raise NotImplementedError(
                f"{self!r} can hold means and covariances fixed, of a component whole, without a "
                "prior, and where components share nothing; to tie covariances choose a "
                "covariance_type, such as 'tied'."
            )
        matrices = held.get("covariances", np.zeros(0))
        if matrices.ndim == 3:
            check_symmetric("fixed['covariances']", matrices)
        if "means" in held:
            stats = stats.pinned(held["means"])
        return overwritten(self.m_step(stats), constraints)

    def n_constraints(self, constraints: Constraints) -> int:
        """Of a covariance matrix, the entries on and below the diagonal."""
        held = {
            name: values[(..., *np.tril_indices(values.shape[-1]))] if values.ndim == 3 else values
            for name, values in constraints.fixed.items()
        }
        return Constraints(held, constraints.tied).n_lost()

    def has_constants(self, n_components: int) -> bool:
        """With one component or one covariance, unless a subclass has a kernel of its own."""
        own = type(self).kernel is Gaussian.kernel
        return own and has_constants(self._structure, n_components)

    def constants(self, X: Array, sample_weight: Array) -> Moments | None:
        """Moments of complete rows."""
        return constant_moments(self._structure, X, sample_weight)

    def shortened(self, params: GaussianParams, constants: Moments) -> Shortened | None:
        """A pass over what the components differ in."""
        return shortened_pass(*params, constants)

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

    def covariance_matrices(self, params: GaussianParams) -> Array:
        """Covariance matrix of every component, whatever the covariance type.

        Parameters
        ----------
        params : GaussianParams

        Returns
        -------
        covariances : ndarray of shape (n_components, n_features, n_features)
        """
        return self._matrices(params)

    def covariance(self, params: GaussianParams) -> Array:
        """The covariance matrices."""
        return self._matrices(params)

    def conditional(self, params: GaussianParams, x: Array) -> tuple[Family, GaussianParams]:
        """Normal about what regression on the columns given predicts."""
        family, means, covariances, _ = self._given(params, x)
        return family, GaussianParams(means, covariances)

    def _start(self, X: Array, resp: Array) -> GaussianParams:
        """Means and variances of the values observed."""
        return GaussianParams(*self._uncorrelated(*observed_moments(X, resp), resp))
