"""Columns that a mixture leaves out of account."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._support import Support

__all__ = ["Ignore", "IgnoreParams"]


class IgnoreParams(NamedTuple):
    """No parameters: ``nothing``, NaN of shape (n_components, n_features)."""

    nothing: Array


class Ignore(Family):
    """Columns that have no density, are never drawn, and may hold anything.

    Part of `Columns` with ``remainder="drop"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Columns, Gaussian
    >>> from sklearn_genmodel import EMMixture
    >>> X = np.column_stack([np.arange(5.0), np.ones(5)])
    >>> columns = Columns([("first", Gaussian(), [0])], remainder="drop")
    >>> EMMixture(1, family=columns).fit(X).family_.groups[-1]
    ('remainder', Ignore(), (1,))
    """

    support: ClassVar[Support] = Support("anything", low=0.0, high=0.0, levels=(), unseen=True)
    allow_nan: ClassVar[bool] = True
    reads_tables: ClassVar[bool] = True

    def floats(self, params: IgnoreParams) -> IgnoreParams:
        """NaN is all that there is."""
        return IgnoreParams(np.array(params.nothing, dtype=np.float64))

    def log_prob(self, X: Array, params: IgnoreParams) -> Array:
        """Zeros."""
        return np.zeros((len(X), len(params.nothing)))

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Array:
        """Zeros, of the shape of the parameters."""
        return np.zeros((resp.shape[1], X.shape[1]))

    def m_step(self, stats: Array) -> IgnoreParams:
        """Nothing to estimate."""
        return IgnoreParams(np.full(stats.shape, np.nan))

    def sample(
        self, params: IgnoreParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Missing values."""
        return params.nothing[labels]

    def mean(self, params: IgnoreParams) -> Array:
        """NaN: unknown."""
        return params.nothing

    def covariance(self, params: IgnoreParams) -> Array:
        """NaN: unknown."""
        return np.repeat(params.nothing[:, :, None], params.nothing.shape[1], axis=2)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """None."""
        return 0

    def to_vector(self, params: IgnoreParams, like: IgnoreParams) -> Array:
        """No coordinates."""
        return np.empty(0)

    def from_vector(self, vector: Array, like: IgnoreParams) -> IgnoreParams:
        """The parameters that there are."""
        return like

    def embed(self, X: Array) -> Array:
        """No coordinates."""
        return np.empty((len(X), 0))

    def marginal(self, params: IgnoreParams, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """Ignored as well."""
        return self, IgnoreParams(params.nothing[:, columns])

    def conditional(self, params: IgnoreParams, x: Array) -> tuple[Family, Any]:
        """Ignored as well."""
        return self.marginal(params, np.flatnonzero(np.isnan(x)))
