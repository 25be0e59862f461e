"""What Gaussian and Student-t components share: a location, a scatter matrix and its structure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_genmodel.families._all_rows import row_blocks
from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._covariances import _singular as singular
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._covariances._patterns import cost_of_patterns
from sklearn_genmodel.families._covariances._regressions import ByObserved, Matrices
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._normal._fixed_point import settled_mle
from sklearn_genmodel.families._normal._normal_prior import NormalInverseWishart
from sklearn_genmodel.families._normal._observed import overall_variances
from sklearn_genmodel.families._parameter_checks import check_symmetric
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["Elliptical"]


class Elliptical(Family):
    """Families whose first two parameters are locations and scatter matrices of some structure.

    Subclasses define `kernel`, `m_step`, and `_start`, parameters at which the statistics of a
    start are collected.
    """

    support: ClassVar[Support] = REALS
    allow_nan: ClassVar[bool] = True
    reads_sources: ClassVar[bool] = True
    by_pattern: ClassVar[bool] = True
    scatter_name: ClassVar[str]
    # Share of itself to which the floor may sink. Where its unit may change at will, all that
    # distances in units of it can hold.
    lowest_floor: ClassVar[float] = 1e-100

    covariance_type: str
    reg_covar: float
    n_factors: int
    loadings: str
    noise: str
    prior: Any
    # Variances of the columns of all data, where components of other families have a share.
    unit: Array | None = None

    @property
    def _structure(self) -> Structure:
        reg_covar: object = self.reg_covar
        number = isinstance(reg_covar, (int, float, np.number)) and not isinstance(reg_covar, bool)
        if not number or not 0.0 <= self.reg_covar < np.inf:
            raise ValueError(
                f"reg_covar must be a number of at least 0 and finite, got {reg_covar!r}."
            )
        return structure_of(
            self.covariance_type,
            n_factors=self.n_factors,
            loadings=self.loadings,
            noise=self.noise,
        )

    @property
    def shared(self) -> frozenset[str]:
        """The scatter matrices, if there is but one."""
        return frozenset({self.scatter_name} if self._structure.shared else ())

    @property
    def coupled(self) -> bool:
        """Whether the structure ties the components to each other."""
        return self._structure.coupled

    @property
    def has_coordinates(self) -> bool:
        """Whether the structure has unconstrained coordinates."""
        return self._structure.has_coordinates

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down: whole matrices are symmetric."""
        params = super().floats(params)
        scatter = getattr(params, self.scatter_name)
        if isinstance(scatter, np.ndarray) and scatter.ndim == (2 if self._structure.shared else 3):
            check_symmetric(self.scatter_name, scatter)
        return params

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """Real numbers, which have to vary unless columns share their variance."""
        pooled = n_features > 1 and self._structure.pools_columns
        return (replace(REALS, varies=not pooled),) * n_features

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Refuse data in which nothing varies; fill in what the prior leaves to the data."""
        prior = self._checked_prior()
        if prior is None:
            if self._structure.pools_columns and not _varies(X):
                raise ValueError(
                    f"X has {len(X)} sample(s) in which no column varies, so the likelihood has no "
                    "maximum. Pass other rows."
                )
            return self
        resolved = prior.resolved(X, sample_weight, n_components, self._structure)
        return type(self)(**{**self.get_params(deep=False), "prior": resolved})

    def beside_others(self, X: Array, sample_weight: Array | None) -> Family:
        """Take the unit of the floor from all the data, not from this family's share."""
        family: Elliptical = clone(self)
        family.unit = overall_variances(X, sample_weight)
        return family

    def log_prior(self, params: Any) -> Array | float:
        """Log-density of the prior at every component, up to a constant."""
        if self.prior is None:
            return 0.0
        return self.known_prior().log_density(params, self._structure)

    def log_prob(self, X: Array, params: Any) -> Array:
        """Log-density of every row's observed columns under every component, in nats."""
        log_prob, _ = self.kernel(params)(self.prepare(X))
        return log_prob.T

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Any:
        """Expected moments under the current parameters, or under crude ones at a start."""
        params = self._start(X, resp) if params is None else params
        return self.kernel(params)(self.prepare(X))[1](np.ascontiguousarray(resp.T))

    def weighted_mle(self, X: Array, resp: Array) -> Any:
        """Estimates at which the expected moments that they imply give the same again."""
        return settled_mle(self, X, resp)

    def mean(self, params: Any) -> Array:
        """The locations."""
        return np.asarray(params[0])

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Locations, and the scatter matrices that the structure leaves free."""
        return n_components * n_features + self._structure.n_parameters(n_components, n_features)

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """What the structure needs of a row in a pass."""
        return self._structure.pass_width(n_features, n_components)

    def pass_cost(self, X: Array) -> float:
        """What the rows and the patterns of missing values cost."""
        return super().pass_cost(X) + cost_of_patterns(X)

    def to_vector(self, params: Any, like: Any) -> Array:
        """Locations in units of those of `like`, and log-Cholesky factors."""
        structure = self._structure
        locations = (params[0] - like[0]) / self._scales(like)
        scatter = structure.to_vector(structure.factor(params[1]))
        return np.concatenate([locations.ravel(), scatter])

    def from_vector(self, vector: Array, like: Any) -> Any:
        """Inverse of `to_vector`."""
        size = like[0].size
        locations = like[0] + vector[:size].reshape(like[0].shape) * self._scales(like)
        # An extrapolation that overflows has no finite bound, and is rejected for that.
        with np.errstate(over="ignore", invalid="ignore"):
            scatter = self._structure.from_vector(vector[size:], like[1])
        return type(like)(locations, scatter, *like[2:])

    def degenerate(self, params: Any, n_rows: Array, pooled: Any) -> NDArray[np.bool_]:
        """Components at the floor, on too few rows, or thin without rows enough to explain it."""
        structure, matrices = self._structure, self._matrices(params)
        (total,) = self._matrices(pooled)
        at_floor = singular.on_floor(matrices, total, self.reg_covar)
        if structure.shared:
            return at_floor
        free = not structure.coupled and getattr(params[1], "ndim", 0) == 3
        few = singular.on_few_rows(n_rows, len(total), free=free)
        return at_floor | few | singular.by_chance(matrices, n_rows)

    def dependent_columns(self, pooled: Any) -> NDArray[np.intp]:
        """Columns that load on a direction of the data whose variance is at the floor."""
        (total,) = self._matrices(pooled)
        return singular.flat_columns(total, self.reg_covar)

    def marginal(self, params: Any, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The same family, its structure "diag" or "spherical" if possible, else "full"."""
        columns = np.asarray(columns, dtype=np.intp)
        matrices = self._matrices(params)[:, columns[:, None], columns]
        family, scatter = self._reduced(params[1], matrices)
        return family, type(params)(params[0][:, columns], scatter, *params[2:])

    def _given(self, params: Any, x: Array) -> tuple[Elliptical, Array, Any, Array]:
        """Family, locations and scatter of what is missing, and distances of what is given."""
        missing = np.isnan(x)
        regression = ByObserved(Matrices(self._matrices(params)), ~missing[None])
        centred = np.where(missing, 0.0, x - params[0])[..., None, None]
        distances = regression.complete(centred)[:, 0, 0]
        expected = params[0] + centred[..., 0, 0]
        residual = regression.residual(np.ones((len(centred), 1)))
        family, scatter = self._reduced(params[1], residual[:, missing][:, :, missing])
        return family, expected[:, missing], scatter, distances

    def _reduced(self, scatter: Any, matrices: Array) -> tuple[Elliptical, Any]:
        """Family without prior and scatter for fewer columns with these matrices."""
        n_axes = 2 if isinstance(scatter, tuple) else np.ndim(scatter) - (not self.shared)
        if n_axes == 0 and not self.shared:
            covariance_type = "spherical"
        elif n_axes < 2:
            covariance_type, scatter = "diag", np.einsum("kjj->kj", matrices)
        else:
            covariance_type, scatter = "full", matrices
        changed = clone(self).set_params(covariance_type=covariance_type, prior=None)
        return changed, scatter

    def _start(self, X: Array, resp: Array) -> Any:
        """Parameters at which the statistics of a start are collected."""
        raise NotImplementedError

    def _uncorrelated(self, locations: Array, variances: Array, resp: Array) -> tuple[Array, Any]:
        """Locations, and the structure's best scatter matrices for columns without correlation."""
        structure, d = self._structure, locations.shape[1]
        counts = np.maximum(resp.sum(axis=0), TINY)
        scatter = structure.packed((counts[:, None] * variances)[:, :, None] * np.eye(d))
        return locations, structure.covariances(scatter, counts, d)

    def _matrices(self, params: Any) -> Array:
        """Scatter matrices, (K, d, d)."""
        return self._structure.dense(params[1], *params[0].shape)

    def _scales(self, params: Any) -> Array:
        """Square roots of the diagonals of the scatter matrices, broadcastable to (K, d)."""
        structure = self._structure
        return structure.scales(structure.factor(params[1]))

    def known_prior(self) -> NormalInverseWishart:
        """The prior, which has to have been filled in.

        Returns
        -------
        prior : NormalInverseWishart

        Raises
        ------
        ValueError
            If there is none, or it leaves something to the data that they have not filled in.
        """
        prior = self._checked_prior()
        if prior is None or prior.mean is None or prior.scale is None:
            raise ValueError(
                f"prior={self.prior!r} depends on the data: use the family that for_rows(X, "
                "sample_weight, n_components) returns."
            )
        return prior

    def _checked_prior(self) -> NormalInverseWishart | None:
        prior: object = self.prior
        if prior is None or isinstance(prior, NormalInverseWishart):
            return prior
        if isinstance(prior, str) and prior == "default":
            return NormalInverseWishart()
        raise ValueError(f'prior must be "default", a NormalInverseWishart or None, got {prior!r}.')


def _varies(X: Array) -> bool:
    """Whether some column holds two values, missing ones left out."""
    low, high = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
    for rows, _ in row_blocks(X):
        low = np.fmin(low, np.fmin.reduce(rows, axis=0))
        high = np.fmax(high, np.fmax.reduce(rows, axis=0))
        if (low < high).any():
            return True
    return False
