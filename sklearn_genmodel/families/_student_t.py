"""Multivariate Student-t components."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._covariances._structures import divided
from sklearn_genmodel.families._normal._elliptical import Elliptical
from sklearn_genmodel.families._normal._observed import observed_medians
from sklearn_genmodel.families._normal._precisions import (
    LARGEST_DOF,
    SMALLEST_DOF,
    ScaledMoments,
    StudentStats,
    student_kernel,
)
from sklearn_genmodel.families._normal._update import update
from sklearn_genmodel.families._numerics._newton import gamma_shapes

__all__ = ["StudentT", "StudentTParams"]

START_DOF = 10.0
# So little do outliers raise the floor: a mean squared distance of 1e16 does so a hundredfold.
FAR_POWER = 0.125


class StudentTParams(NamedTuple):
    """Parameters of Student-t components.

    ``locations`` has shape (n_components, n_features), ``scales``, the scale matrices, the shape
    that `GaussianParams` states for covariances of the same type, and ``dof``, the degrees of
    freedom, (n_components,).
    """

    locations: Array
    scales: Any
    dof: Array


class StudentT(Elliptical):
    """Real columns with outliers: multivariate Student-t components.

    log p(x) = log G((nu + d) / 2) - log G(nu / 2) - (d / 2) log(pi nu) - log det(S) / 2
    - ((nu + d) / 2) log(1 + delta / nu), with G the gamma function and
    delta = (x - m)' S^-1 (x - m).

    Parameters
    ----------
    covariance_type : str, default="full"
        Structure of the scale matrices S, as in `Gaussian`.
    dof : "estimated" or float, default="estimated"
        Degrees of freedom nu of every component, or one fixed number. Estimates are kept between
        0.1 and 1e8, where the density is normal for all that data can tell.
    reg_covar : float, default=1e-6
        Floor of the scale matrices, relative to the scale of each column, as in `Gaussian`. That
        scale is the one of the components, which outliers hardly touch.
    n_factors : int, default=1
        Of the structure "factor", as in `Gaussian`.
    loadings : {"free", "common"}, default="free"
        Likewise.
    noise : {"diag", "tied_diag", "spherical", "tied_spherical"}, default="diag"
        Likewise.
    prior : NormalInverseWishart, "default" or None, default=None
        Prior of locations and scale matrices, as in `Gaussian`.

    See Also
    --------
    Gaussian : Real columns without outliers.

    Notes
    -----
    Given u ~ Gamma(nu / 2, nu / 2) a row is normal with covariance S / u, so that EM weighs it by
    E[u] = (nu + d) / (nu + delta). The M-step fits a free mean of u along with the rest (parameter
    expansion): sum r u in place of sum r divides the scatter, and the degrees of freedom are twice
    the shape of a gamma distribution fitted to u. Large degrees of freedom hardly move that way: so
    beyond 30 a pass is also made from others, and continues where the likelihood is highest. A
    missing value counts in neither d nor delta,
    and its conditional covariance is added without u. A component has a mean for nu > 1 and a
    covariance matrix for nu > 2.

    References
    ----------
    McLachlan, G. J. and Peel, D. (2000). Finite Mixture Models, chapter 7. Wiley.

    Liu, C. and Rubin, D. B. (1995). ML estimation of the t distribution using EM and its
    extensions, ECM and ECME. Statistica Sinica 5, 19-39.

    Kent, J. T., Tyler, D. E. and Vardi, Y. (1994). A curious likelihood identity for the
    multivariate t-distribution. Communications in Statistics - Simulation and Computation 23,
    441-453.

    Liu, C., Rubin, D. B. and Wu, Y. N. (1998). Parameter expansion to accelerate EM: the PX-EM
    algorithm. Biometrika 85, 755-770.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> from sklearn_genmodel.families import StudentT
    >>> X = load_old_faithful().data
    >>> mixture = EMMixture(2, family=StudentT(dof=4), random_state=0).fit(X)
    >>> mixture.params_.locations.round(2)
    array([[ 4.32, 80.01],
           [ 1.99, 53.98]])
    """

    scatter_name: ClassVar[str] = "scales"

    def __init__(
        self,
        covariance_type: str = "full",
        dof: float | str = "estimated",
        reg_covar: float = 1e-6,
        n_factors: int = 1,
        loadings: str = "free",
        noise: str = "diag",
        prior: Any = None,
    ) -> None:
        self.covariance_type = covariance_type
        self.dof = dof
        self.reg_covar = reg_covar
        self.n_factors = n_factors
        self.loadings = loadings
        self.noise = noise
        self.prior = prior

    @property
    def _fixed_dof(self) -> float | None:
        dof: object = self.dof
        if isinstance(dof, str) and dof == "estimated":
            return None
        if isinstance(dof, bool) or not isinstance(dof, (int, float, np.number)):
            raise ValueError(f'dof must be "estimated" or a number above 0, got {dof!r}.')
        if not 0.0 < dof < np.inf:
            raise ValueError(
                f"dof must be above 0 and finite, got {dof!r}: Gaussian is the limit of infinite "
                "degrees of freedom."
            )
        return float(dof)

    def kernel(self, params: StudentTParams) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        return student_kernel(self._structure, params, leaps=self._fixed_dof is None)

    def m_step(self, stats: StudentStats) -> StudentTParams:
        """Locations, scale matrices and degrees of freedom, the mean of u free beside them."""
        chosen = stats.best()
        expansion = self._expansion(chosen)
        # With enough rows that are equal the scale has no unit left but that of the other rows.
        n_values = chosen.counts.sum() * chosen.moments.sums.shape[1]
        far = max(1.0, float(chosen.distances.sum() / n_values)) ** FAR_POWER
        locations, scales, floored = update(self, chosen.moments, chosen.counts, expansion, far)
        expansion = np.ones(1) if floored or expansion is None else expansion
        return StudentTParams(locations, scales, self._dof(chosen, expansion))

    def sample(
        self, params: StudentTParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: m + L epsilon / sqrt(u)."""
        n_components, d = params.locations.shape
        lower = np.linalg.cholesky(self._matrices(params))
        half_dof = 0.5 * params.dof[labels]
        precisions = rng.standard_gamma(half_dof) / half_dof
        noise = rng.standard_normal((len(labels), d)) / np.sqrt(precisions)[:, None]
        X = params.locations[labels]
        for k in range(n_components):
            X[labels == k] += noise[labels == k] @ lower[k].T
        return X

    def covariance(self, params: StudentTParams) -> Array:
        """nu / (nu - 2) times the scale matrices; NaN, on the diagonal infinite, for nu <= 2."""
        dof = params.dof[:, None, None]
        matrices = self._matrices(params) * (dof / np.where(dof > 2.0, dof - 2.0, np.nan))
        infinite = (dof <= 2.0) & np.eye(matrices.shape[1], dtype=bool)
        return np.where(infinite, np.inf, matrices)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Locations, scale matrices, and degrees of freedom unless those are fixed."""
        n_free = n_components if self._fixed_dof is None else 0
        return super().n_parameters(n_components, n_features) + n_free

    def to_vector(self, params: StudentTParams, like: StudentTParams) -> Array:
        """As for `Gaussian`, and the logarithms of degrees of freedom that are estimated."""
        vector = super().to_vector(params, like)
        return vector if self._fixed_dof else np.concatenate([vector, np.log(params.dof)])

    def from_vector(self, vector: Array, like: StudentTParams) -> StudentTParams:
        """Inverse of `to_vector`."""
        if self._fixed_dof:
            params: StudentTParams = super().from_vector(vector, like)
            return params
        vector, logs = np.split(vector, [-len(like.dof)])
        logs = np.clip(logs, np.log(SMALLEST_DOF), np.log(LARGEST_DOF))
        locations, scales, _ = super().from_vector(vector, like)
        return StudentTParams(locations, scales, np.exp(logs))

    def repeat(self, pooled: StudentTParams, n_components: int) -> StudentTParams:
        """Components alike, with the degrees of freedom that a start has."""
        params: StudentTParams = super().repeat(pooled, n_components)
        return params._replace(dof=np.full(n_components, self._fixed_dof or START_DOF))

    def conditional(self, params: StudentTParams, x: Array) -> tuple[Family, StudentTParams]:
        """Student-t with more degrees of freedom, and wider the further off what is given."""
        family, locations, scales, distances = self._given(params, x)
        n_observed = np.count_nonzero(~np.isnan(x))
        dof = params.dof + n_observed
        # S_m given o times (nu + delta) / (nu + d_o)
        scales = divided(scales, dof / (params.dof + distances))
        return family.set_params(dof="estimated"), StudentTParams(locations, scales, dof)

    def _start(self, X: Array, resp: Array) -> StudentTParams:
        """Medians and median absolute deviations of the values observed."""
        locations, scales = self._uncorrelated(*observed_medians(X, resp), resp)
        dof = np.full(len(locations), self._fixed_dof or START_DOF)
        return StudentTParams(locations, scales, dof)

    def _expansion(self, stats: ScaledMoments) -> Array | None:
        """Mean of u that is free in the M-step: one a component, or a common one; None is 1."""
        counts, precisions = stats.counts, stats.moments.counts
        # Under a prior of S, or where S is found by iteration, the expansion loses its guarantee.
        if self.prior is not None or isinstance(stats.moments.current, tuple):
            return None
        if self.coupled:
            return np.array([(stats.dof * precisions).sum() / (stats.dof * counts).sum()])
        return np.where(precisions > 0, precisions / np.maximum(counts, TINY), 1.0)

    def _dof(self, stats: ScaledMoments, expansion: Array) -> Array:
        """Root of log(nu / 2) - digamma(nu / 2) = mean(u) / a - 1 + log a - mean(log u)."""
        if self._fixed_dof is not None:
            return stats.dof
        counts = np.maximum(stats.counts, TINY)
        excess = stats.moments.counts / counts / expansion - 1.0
        gaps = excess + np.log(expansion) - stats.log_precisions / counts
        return np.clip(2.0 * gamma_shapes(np.maximum(gaps, 0.0)), SMALLEST_DOF, LARGEST_DOF)
