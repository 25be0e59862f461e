"""Columns that are independent given the component, fitted to their distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._prior import check_strength
from sklearn_genmodel.families._weighted_values import (
    DistinctValues,
    ValueWeights,
    WeightedColumn,
    WeightedValues,
    distinct_values,
    weighted_values,
)

__all__ = ["ColumnwiseFamily", "ValuePrior", "diagonal_covariance", "normalized"]

# M-steps see components of so many weights at a time.
AT_ONCE = 2**14


@dataclass(frozen=True, eq=False)
class ValuePrior:
    """A prior as pseudo-observations: the values of all the data, weighing `strength` together.

    Parameters
    ----------
    strength : float
        Number of pseudo-observations per component and column.
    columns : tuple of ValueWeights
        The distinct values of every column with their shares of the data, (1, n_values).
    """

    strength: float
    columns: tuple[ValueWeights, ...]

    def statistics(self, n_components: int) -> WeightedValues:
        """Pseudo-observations to add to the data of every component."""
        ones = np.ones((n_components, 1))
        part = tuple(ValueWeights(v, self.strength * ones * share) for v, share in self.columns)
        return WeightedValues((part,), n_components)

    def of_columns(self, columns: NDArray[np.intp]) -> ValuePrior:
        """The prior of some of the columns."""
        return ValuePrior(self.strength, tuple(self.columns[j] for j in columns))


class ColumnwiseFamily(Family):
    """A family with log p(x) = sum_j log p_j(x_j), and no statistics of fixed size.

    Densities are computed once for each distinct value of a column, and M-steps see the distinct
    values with their weights. A missing value (NaN) drops its column's term and nothing else.
    Subclasses define ``column_log_prob`` and ``column_mle``, which deal with one column of several
    components at once, ``sample`` and ``mean``. Arrays of parameters have shape (n_components,
    n_features) or more axes behind.

    Parameters
    ----------
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Laplace
    >>> X = np.array([[0.0], [1.0], [np.nan], [5.0]])
    >>> Laplace().weighted_mle(X, np.ones((4, 1)))
    LaplaceParams(locations=array([[1.]]), scales=array([[1.66666667]]))
    """

    allow_nan: ClassVar[bool] = True
    cost: ClassVar[int] = 16

    def __init__(self, prior: float | None = None) -> None:
        self.prior: Any = prior

    @property
    def grows(self) -> bool:
        """The statistics are the distinct values."""
        return True

    def column_log_prob(self, values: Array, params: Any) -> Array:
        """Log-density of the values of one column under every component, in nats.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
        params : NamedTuple
            Parameters of that column, without the axis of the columns.

        Returns
        -------
        log_prob : ndarray of shape (n_components, n_values)
        """
        raise NotImplementedError(f"{type(self).__name__} must define column_log_prob")

    def column_mle(self, values: Array, weights: Array, current: Any) -> Any:
        """Parameters that maximise sum_v weights[k, v] log p(values[v]; params_k) for every k.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            Distinct, ascending.
        weights : ndarray of shape (n_components, n_values)
            Non-negative; those of a component sum to 1.
        current : NamedTuple or None
            Parameters that a search may start from.

        Returns
        -------
        params : NamedTuple
            Of one column.
        """
        raise NotImplementedError(f"{type(self).__name__} must define column_mle")

    def at_column(self, position: int, n_features: int) -> ColumnwiseFamily:
        """The family of one column, where columns differ.

        Parameters
        ----------
        position, n_features : int

        Returns
        -------
        family : ColumnwiseFamily
        """
        return self

    def log_prob(self, X: Array, params: Any) -> Array:
        """Log-density of every row under every component, in nats."""
        log_prob, _ = self.kernel(params)(self.prepare(X))
        return log_prob.T

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> WeightedValues:
        """The distinct values of every column with their weights."""
        return weighted_values(self.prepare(X), np.array(resp.T, order="C"), params)

    def m_step(self, stats: WeightedValues) -> Any:
        """Fit every column; a component without any weight there gets the fit to all."""
        prior = self._known_prior()
        if prior is not None:
            stats = stats + prior.statistics(stats.n_components)
        columns = [self._fitted_column(stats, j) for j in range(stats.n_features)]
        return map_params(lambda *arrays: np.stack(arrays, axis=1), *columns)

    def _fitted_column(self, stats: WeightedValues, position: int) -> Any:
        """Fit a column, so many components at a time as the cache has room for."""
        family, column = self.at_column(position, stats.n_features), stats.column(position)
        current = _column(stats.current, position)
        size = max(AT_ONCE // max(len(column.values), 1), 1)
        parts = []
        for start in range(0, stats.n_components, size):
            some = slice(start, start + size)
            parts.append(family.column_mle(*normalized(column, some), _rows(current, some)))
        return map_params(lambda *arrays: np.concatenate(arrays), *parts)

    def prepare(self, X: Array) -> tuple[DistinctValues, ...]:
        """The distinct values of every column."""
        return tuple(map(distinct_values, X.T))

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""

        def block(distinct: tuple[DistinctValues, ...]) -> tuple[Array, Accumulate]:
            d = len(distinct)
            log_prob = np.zeros((0, 0))
            for j, own in enumerate(distinct):
                family, column = self.at_column(j, d), _column(params, j)
                terms = own.gather(family.column_log_prob(own.values, column))
                log_prob = terms if j == 0 else log_prob + terms

            def accumulate(resp: Array) -> WeightedValues:
                return weighted_values(distinct, resp, params)

            return log_prob, accumulate

        return block

    @property
    def reads_sources(self) -> bool:
        """Whether there is no prior, which takes all distinct values."""
        return self.prior is None or isinstance(self.prior, ValuePrior)

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Let the prior see the values of all the data."""
        if self.prior is None or isinstance(self.prior, ValuePrior):
            return self
        check_strength(self.prior)
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        stats = self.suffstats(np.asarray(X, dtype=np.float64), weights[:, None])
        columns = tuple(normalized(stats.column(j)) for j in range(X.shape[1]))
        prior = ValuePrior(float(self.prior), columns)
        return self._with_prior(prior)

    def log_prior(self, params: Any) -> Array | float:
        """Log-likelihood of the pseudo-observations."""
        prior = self._known_prior()
        if prior is None:
            return 0.0
        d = len(prior.columns)
        terms = (
            self.at_column(j, d).column_log_prob(values, _column(params, j)) @ share[0]
            for j, (values, share) in enumerate(prior.columns)
        )
        return prior.strength * np.asarray(sum(terms))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Two per component and column."""
        return 2 * n_components * n_features

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """What a density and an M-step cost, in multiplications."""
        return 1 + self.cost * n_features

    def marginal(self, params: Any, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The same family with the prior and the parameters of these columns."""
        return self._for_columns(columns), map_params(lambda array: array[:, columns], params)

    def conditional(self, params: Any, x: Array) -> tuple[Family, Any]:
        """The marginal distribution: the columns are independent."""
        return self.marginal(params, np.flatnonzero(np.isnan(x)))

    def _for_columns(self, columns: NDArray[np.intp]) -> ColumnwiseFamily:
        """The same family with the prior of some of the columns."""
        known = isinstance(self.prior, ValuePrior)
        return self._with_prior(self.prior.of_columns(columns)) if known else self

    def _with_prior(self, prior: ValuePrior) -> ColumnwiseFamily:
        return type(self)(**{**self.get_params(deep=False), "prior": prior})

    def _known_prior(self) -> ValuePrior | None:
        if self.prior is None or isinstance(self.prior, ValuePrior):
            return self.prior
        raise ValueError(
            f"prior={self.prior!r} depends on the data: use the family that for_rows(X, "
            "sample_weight, n_components) returns."
        )


def diagonal_covariance(variances: Array) -> Array:
    """Covariance matrices of independent columns.

    Parameters
    ----------
    variances : ndarray of shape (n_components, n_features)

    Returns
    -------
    covariances : ndarray of shape (n_components, n_features, n_features)
    """
    # Multiplying by the identity would turn an infinite variance into NaN beside the diagonal.
    covariances = np.zeros((*variances.shape, variances.shape[1]))
    position = np.arange(variances.shape[1])
    covariances[:, position, position] = variances
    return covariances


def _column(params: Any, position: int) -> Any:
    if params is None:
        return None
    return map_params(lambda array: array[:, position], params)


def _rows(params: Any, components: slice) -> Any:
    if params is None:
        return None
    return map_params(lambda array: array[components], params)


def normalized(column: WeightedColumn, components: slice = slice(None)) -> ValueWeights:
    """Weights of some components as shares; those of all where a component has none.

    Parameters
    ----------
    column : WeightedColumn
    components : slice, default=slice(None)

    Returns
    -------
    shares : ValueWeights
    """
    weights = column.weights_of(components)
    totals = weights.sum(axis=1, keepdims=True)
    if not (totals > TINY).all():
        weights = np.where(totals > TINY, weights, column.weights.sum(axis=0) + TINY)
        totals = weights.sum(axis=1, keepdims=True)
    return ValueWeights(column.values, weights / totals)
