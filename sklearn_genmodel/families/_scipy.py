"""Independent columns of any univariate distribution of scipy.stats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._columnwise import ColumnwiseFamily, diagonal_covariance
from sklearn_genmodel.families._numerics._numerical_mle import FEW_STEPS, MOST_STEPS, maximize
from sklearn_genmodel.families._scipy_start import (
    fitted_to_quantiles,
    given_numbers,
    grid_of_shapes,
    why_undefined,
)
from sklearn_genmodel.families._spikes import spikes
from sklearn_genmodel.families._support import Support

__all__ = ["ScipyFamily", "ScipyParams"]

MOST_FLOATS = 2**20
SMALLEST_SPREAD = 1e-8


class ScipyParams(NamedTuple):
    """Parameters of components: ``values``, (n_components, n_features, n_free).

    The last axis goes by ``parameter_names`` of the `ScipyFamily`.
    """

    values: Array


class ScipyFamily(ColumnwiseFamily):
    """Columns of a univariate distribution of :mod:`scipy.stats`, independent given the component.

    log p(x) = sum_j log f(x_j; theta_j)

    Shapes, location and scale are estimated by numerical maximum likelihood, unless they are
    fixed. Missing values (NaN) are allowed: the likelihood is that of the values observed. A
    family of this library is faster, and safer at the edges, where there is one.

    Parameters
    ----------
    distribution : str or scipy.stats.rv_continuous or scipy.stats.rv_discrete
        Such as "gumbel_r" or ``scipy.stats.gumbel_r``.
    fixed : dict of str to float, default=None
        Parameters that are known, by the names that scipy gives them. The location of a discrete
        distribution is 0 unless it says otherwise; parameters that are whole numbers, such as n of
        "binom", must be fixed, and so should the location where the density starts there.
    start : dict of str to float, default=None
        Parameters from which to search at first. None is scipy's fit to quantiles of the data,
        or the best point of a coarse grid for a discrete distribution.
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    See Also
    --------
    CustomFamily : Densities that scipy does not have.

    Notes
    -----
    Newton's method with numerical derivatives starts from the current parameters in every M-step,
    and never ends below them, so that the bound does not decrease even where it finds no maximum.
    Where the likelihood is unbounded, the scale is kept above 1e-8 standard deviations. Estimates
    are exact for densities that are smooth in their parameters; that of "laplace" is not, nor are
    densities that start at an estimated location.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> from sklearn_genmodel.families import ScipyFamily
    >>> waiting = load_old_faithful().data[:, 1:]
    >>> family = ScipyFamily("gumbel_l")
    >>> mixture = EMMixture(2, family=family, n_init=4, random_state=0).fit(waiting)
    >>> family.parameter_names
    ('loc', 'scale')
    >>> mixture.params_.values[:, 0].round(1)
    array([[81.6,  7.1],
           [54.9,  4.1]])
    """

    cost: ClassVar[int] = 5000

    def __init__(
        self,
        distribution: Any,
        fixed: Mapping[str, float] | None = None,
        start: Mapping[str, float] | None = None,
        prior: float | None = None,
    ) -> None:
        super().__init__(prior)
        self.distribution = distribution
        self.fixed = fixed
        self.start = start

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters that are estimated, in the order of ``ScipyParams.values``."""
        return tuple(name for name in self._names if name not in self._fixed)

    @property
    def support(self) -> Support:  # type: ignore[override]
        """That of the distribution, as far as no estimate changes it."""
        distribution, fixed = self._distribution, self._fixed
        name, discrete = distribution.name, self._discrete
        described = f"in the support of scipy.stats.{name}"
        if not {"loc", "scale"} & set(self._names) <= set(fixed):
            at_scale = "loc" in fixed and distribution.a in (0.0, -np.inf)
            low = fixed["loc"] + distribution.a if at_scale else -np.inf
            return Support(described, low=float(low), varies=True)
        loc, scale = fixed["loc"], fixed.get("scale", 1.0)
        low, high = (float(loc + scale * end) for end in (distribution.a, distribution.b))
        return Support(described, low, high, integer=discrete, varies=not discrete)

    def column_log_prob(self, values: Array, params: ScipyParams) -> Array:
        """Log-densities, in nats."""
        return np.asarray(self._log_density(values, self._arguments(params.values[:, None])))

    def column_mle(self, values: Array, weights: Array, current: ScipyParams | None) -> ScipyParams:
        """Numerical maxima, in coordinates with the logarithm of the scale."""
        pooled = weights.mean(axis=0)
        spread = np.sqrt(np.cov(values, aweights=pooled, ddof=0)) if len(values) > 1 else 1.0
        unit = self._unit(float(spread))
        values, spread = values / unit, spread / unit
        if current is None:
            first = np.tile(self._first(values, pooled, unit), (len(weights), 1))
            n_steps = MOST_STEPS
        else:
            first, n_steps = self._rescaled(current.values, 1.0 / unit), FEW_STEPS
        smallest = np.minimum(self._scales(first), SMALLEST_SPREAD * spread)

        def objective(points: Array) -> Array:
            found = self._mean_log_density(values, weights, self._natural(points))
            return np.where(self._scales(self._natural(points)) >= smallest, found, -np.inf)

        found = self._natural(maximize(objective, self._coordinates(first), n_steps))
        # Where a value lies on the very edge of a density, the logarithm of a scale and back is
        # enough to push it over.
        before, after = self._mean_log_density(values, weights, np.stack([first, found]))
        found = np.where((after >= before)[:, None], found, first)
        return ScipyParams(self._rescaled(found, unit))

    def sample(
        self, params: ScipyParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        arguments = self._arguments(params.values[labels])
        shape = params.values[labels].shape[:2]
        drawn = self._distribution.rvs(**arguments, size=shape, random_state=rng)
        return np.asarray(drawn, dtype=np.float64)

    def mean(self, params: ScipyParams) -> Array:
        """As scipy states it."""
        means = self._distribution.mean(**self._arguments(params.values))
        return np.broadcast_to(means, params.values.shape[:2]).astype(np.float64)

    def covariance(self, params: ScipyParams) -> Array:
        """Variances as scipy states them on the diagonals."""
        variances = self._distribution.var(**self._arguments(params.values))
        return diagonal_covariance(np.broadcast_to(variances, params.values.shape[:2]))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One for each parameter that is not fixed, per component and column."""
        return len(self.parameter_names) * n_components * n_features

    def degenerate(
        self, params: ScipyParams, n_rows: Array, pooled: ScipyParams
    ) -> NDArray[np.bool_]:
        """Components of a continuous distribution whose quartiles almost coincide."""
        if self._discrete:
            return super().degenerate(params, n_rows, pooled)
        return spikes(self._widths(params) ** 2, self._widths(pooled)[0] ** 2, n_rows)

    @property
    def _distribution(self) -> Any:
        distribution = self.distribution
        if isinstance(distribution, str):
            distribution = getattr(stats, distribution, None)
        if not isinstance(distribution, (stats.rv_continuous, stats.rv_discrete)):
            raise ValueError(
                f"distribution={self.distribution!r}: pass a univariate distribution of scipy.stats"
                " or its name, such as 'gumbel_r'; parameters that are known go to `fixed`."
            )
        return distribution

    @property
    def _discrete(self) -> bool:
        return isinstance(self._distribution, stats.rv_discrete)

    @property
    def _names(self) -> tuple[str, ...]:
        shapes = self._distribution.shapes
        names = tuple(shapes.replace(" ", "").split(",")) if shapes else ()
        return (*names, "loc") if self._discrete else (*names, "loc", "scale")

    @property
    def _fixed(self) -> dict[str, float]:
        fixed = {"loc": 0.0} if self._discrete else {}
        fixed |= given_numbers("fixed", self.fixed or {}, self._names)
        if len(fixed) == len(self._names):
            raise ValueError(
                f"fixed={self.fixed!r}: {self._distribution.name} has the parameters "
                f"{', '.join(self._names)}; none is left to estimate."
            )
        return fixed

    def _arguments(self, values: Array) -> dict[str, Any]:
        """Arguments of scipy's functions from parameters (..., n_free)."""
        free = zip(self.parameter_names, np.moveaxis(values, -1, 0), strict=True)
        return {**self._fixed, **dict(free)}

    def _log_density(self, x: Array, arguments: dict[str, Any]) -> Any:
        function = self._distribution.logpmf if self._discrete else self._distribution.logpdf
        with np.errstate(all="ignore"):
            return function(x, **arguments)

    def _mean_log_density(self, values: Array, weights: Array, points: Array) -> Array:
        """Weighted means for parameters (n_points, n_components, n_free)."""
        arguments = self._arguments(points[..., None, :])
        size = max(MOST_FLOATS // (points.shape[0] * points.shape[1]), 1)
        total = np.zeros(points.shape[:2])
        for start in range(0, len(values), size):
            part = slice(start, start + size)
            log_density = self._log_density(values[part], arguments)
            terms = np.where(weights[:, part] > 0, log_density, 0.0)
            total += np.einsum("skv,kv->sk", terms, weights[:, part])
        return total

    def _scales(self, values: Array) -> Array:
        """The scales, if they are estimated."""
        if "scale" not in self.parameter_names:
            return np.ones(values.shape[:-1])
        return values[..., -1]

    def _coordinates(self, values: Array) -> Array:
        """The logarithm of the scale in place of it."""
        values = values.copy()
        if "scale" in self.parameter_names:
            values[..., -1] = np.log(values[..., -1])
        return values

    def _natural(self, coordinates: Array) -> Array:
        """Inverse of `_coordinates`."""
        values = coordinates.copy()
        if "scale" in self.parameter_names:
            values[..., -1] = np.exp(values[..., -1])
        return values

    def _unit(self, spread: float) -> float:
        """A power of 2 near the spread, if the parameters are free to follow it."""
        follows = "scale" in self.parameter_names and not self._fixed.get("loc", 0.0)
        return float(2.0 ** np.round(np.log2(spread))) if follows and 0 < spread < np.inf else 1.0

    def _rescaled(self, values: Array, factor: float) -> Array:
        """Parameters (..., n_free) of values that are multiplied."""
        moving = np.isin(self.parameter_names, ("loc", "scale"))
        return values * np.where(moving, factor, 1.0)

    def _widths(self, params: ScipyParams) -> Array:
        """Distances between the quartiles, (n_components, n_features)."""
        low, high = (
            self._distribution.ppf(share, **self._arguments(params.values))
            for share in (0.25, 0.75)
        )
        return np.asarray(high - low)

    def _first(self, values: Array, shares: Array, unit: float) -> Array:
        """Parameters, (n_free,), from which to search; values and they are in the unit."""
        names = self.parameter_names
        if self.start is not None:
            start = given_numbers("start", self.start, self._names, names)
            first = np.array([float(start[name]) for name in names])
            first = self._rescaled(first, 1.0 / unit)
        elif self._discrete:
            grid = grid_of_shapes(float(values @ shares), len(names))
            means = self._mean_log_density(values, shares[None], grid[:, None])[:, 0]
            first = grid[np.where(np.isfinite(means), means, -np.inf).argmax()]
        else:
            fitted = fitted_to_quantiles(self._distribution, values, shares, self._fixed)
            first = np.array([fitted[self._names.index(name)] for name in names])
        found = self._mean_log_density(values, shares[None], first[None, None])
        if not np.isfinite(found).all():
            tried = dict(zip(names, self._rescaled(first, unit).tolist(), strict=True))
            raise ValueError(why_undefined(self._distribution, self._fixed, tried, unit * values))
        return first
