"""Independent uniform columns: background noise beside other components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._columnwise import diagonal_covariance
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["Uniform", "UniformParams"]

SMALLEST_WIDTH = 1e-150


class UniformParams(NamedTuple):
    """Parameters of uniform components: ``lows``, ``highs``, (n_components, n_features)."""

    lows: Array
    highs: Array


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest values of every component's columns, (n_components, n_features)."""

    lows: Array
    highs: Array

    def __add__(self, other: Ranges) -> Ranges:
        return Ranges(np.minimum(self.lows, other.lows), np.maximum(self.highs, other.highs))

    def __mul__(self, factor: float) -> Ranges:
        return self


class Uniform(Family):
    """Real columns: a constant density on a box, for noise beside other components.

    log p(x) = sum_j -log(high_j - low_j) where low_j <= x_j <= high_j for all j, else -inf

    The estimate is the range of the rows with positive weight. Since a row outside the box has
    no weight and one inside keeps some, EM never moves a bound that is estimated: a component has
    the range of the rows that it starts with. As starts give every component a little of every
    row, that is the range of all the data, which is what a noise component is to have. Two uniform
    components of one mixture would be the same. Missing values (NaN) are allowed: the likelihood
    is that of the values observed.

    Parameters
    ----------
    low, high : float, array-like of shape (n_features,) or None, default=None
        Bounds of the columns, where they are known. None is the range of the data.

    References
    ----------
    Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
    Biometrics 49, 803-821. Section 3.

    Fraley, C. and Raftery, A. E. (1998). How many clusters? Which clustering method? Answers via
    model-based cluster analysis. The Computer Journal 41, 578-588.

    Examples
    --------
    Two clusters and noise:

    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Gaussian, Uniform
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (80, 2)), rng.normal(9, 1, (80, 2))])
    >>> X = np.concatenate([X, rng.uniform(-20, 20, (40, 2))])
    >>> mixture = EMMixture(3, family=[Gaussian(), Gaussian(), Uniform()], random_state=0)
    >>> mixture.fit(X).weights_.round(1)
    array([0.4, 0.4, 0.2])
    """

    support: ClassVar[Support] = REALS
    allow_nan: ClassVar[bool] = True

    def __init__(self, low: Any = None, high: Any = None) -> None:
        self.low = low
        self.high = high

    def boxes(self, n_components: int, n_features: int) -> tuple[Array, Array]:
        """The bounds that are given."""
        given = zip(self._bounds(n_features), super().boxes(n_components, n_features), strict=True)
        lows, highs = (own if b is None else np.broadcast_to(b, own.shape) for b, own in given)
        return lows, highs

    def log_prob(self, X: Array, params: UniformParams) -> Array:
        """Log-density of every row under every component, in nats."""
        log_widths = np.log(np.maximum(params.highs - params.lows, SMALLEST_WIDTH))
        log_prob = -(~np.isnan(X) @ log_widths.T)
        for j, column in enumerate(X.T[:, :, None]):
            log_prob[(column < params.lows[:, j]) | (column > params.highs[:, j])] = -np.inf
        return log_prob

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Ranges:
        """Smallest and largest values among the rows with positive weight."""
        lows = np.empty((resp.shape[1], X.shape[1]))
        highs = np.empty_like(lows)
        # Rows that a component could have are in its range still where rounding gives it none.
        held = resp > 0 if params is None else np.isfinite(self.log_prob(X, params))
        for j, column in enumerate(X.T[:, :, None]):
            seen = held & ~np.isnan(column)
            lows[:, j] = np.where(seen, column, np.inf).min(axis=0, initial=np.inf)
            highs[:, j] = np.where(seen, column, -np.inf).max(axis=0, initial=-np.inf)
        return Ranges(lows, highs)

    def m_step(self, stats: Ranges) -> UniformParams:
        """The bounds given, or else the ranges; that of all where a component has no row."""
        empty = stats.lows > stats.highs
        lows = np.where(empty, stats.lows.min(axis=0), stats.lows)
        highs = np.where(empty, stats.highs.max(axis=0), stats.highs)
        low, high = self._bounds(lows.shape[1])
        lows = lows if low is None else np.broadcast_to(low, lows.shape).copy()
        highs = highs if high is None else np.broadcast_to(high, highs.shape).copy()
        if not (lows <= highs).all():
            column = int(np.argmin((lows <= highs).all(axis=0)))
            raise ValueError(
                f"low={self.low!r}, high={self.high!r}: in column {column} the lower bound "
                f"{lows[:, column].max():g} is above the upper bound {highs[:, column].min():g}."
            )
        return UniformParams(lows, highs)

    def sample(
        self, params: UniformParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        return rng.uniform(params.lows[labels], params.highs[labels])

    def mean(self, params: UniformParams) -> Array:
        """Middles of the ranges."""
        return 0.5 * params.lows + 0.5 * params.highs

    def covariance(self, params: UniformParams) -> Array:
        """width^2 / 12 on the diagonals."""
        return diagonal_covariance((params.highs - params.lows) ** 2 / 12.0)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One for each bound that is not given, per component and column."""
        return n_components * n_features * sum(bound is None for bound in (self.low, self.high))

    def marginal(
        self, params: UniformParams, columns: NDArray[np.intp]
    ) -> tuple[Family, UniformParams]:
        """The ranges of these columns."""
        bounds = (None if b is None else b[columns] for b in self._bounds(params.lows.shape[1]))
        return type(self)(*bounds), map_params(lambda array: array[:, columns], params)

    def conditional(self, params: UniformParams, x: Array) -> tuple[Family, UniformParams]:
        """The marginal distribution: the columns are independent."""
        return self.marginal(params, np.flatnonzero(np.isnan(x)))

    def degenerate(
        self, params: UniformParams, n_rows: Array, pooled: UniformParams
    ) -> NDArray[np.bool_]:
        """Components whose range is a point."""
        return np.asarray((params.highs - params.lows <= SMALLEST_WIDTH).any(axis=1))

    def _bounds(self, n_features: int) -> tuple[Array | None, Array | None]:
        """Bounds given for every column."""
        low, high = (
            None if bound is None else _broadcast(name, bound, n_features)
            for name, bound in (("low", self.low), ("high", self.high))
        )
        return low, high


def _broadcast(name: str, bound: Any, n_features: int) -> Array:
    try:
        array = np.asarray(bound, dtype=np.float64)
        numbers = np.asarray(bound).dtype != bool and np.isfinite(array).all()
        good = bool(numbers) and array.shape in {(), (n_features,)}
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{name}={bound!r}: pass a finite number, {n_features} of them (one a column), or None."
        )
    return np.broadcast_to(array, (n_features,))
