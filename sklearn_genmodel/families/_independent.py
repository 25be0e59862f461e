"""Columns that are independent given the component, each an exponential family of its own."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._all_rows import statistics_of_all
from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten, tied_sums
from sklearn_genmodel.families._numerics._blas import LEAST_TERMS, thin_product, wide_product
from sklearn_genmodel.families._prior import (
    Prior,
    known_prior,
    prior_of_columns,
    with_prior_at,
)

__all__ = ["IndependentColumns"]


class RowsAsTheyLie(NamedTuple):
    """Statistics of a block of complete rows, t_1, t_2, ..., (n_rows, n_features) each."""

    statistics: tuple[Array, ...]


class LaidOut(NamedTuple):
    """Statistics of a block of rows column by column, and where they were observed.

    ``values`` has shape (n_statistics * n_features + n_seen, n_rows): the statistics, 0 where a
    value is missing, and then 1 where one was observed: a row for every column, or, if nothing is
    missing, one for all.
    """

    values: Array


class IndependentColumns(Family):
    """A family with log p(x) = sum_j sum_s coefficient_sj t_s(x_j) + constant_j + log h(x_j).

    A missing value (NaN) drops its column's term and nothing else, which is the likelihood of what
    was observed; maximum-likelihood estimates follow from the mean statistics of the values
    observed. Subclasses define ``coefficients``, ``from_means`` and ``log_base_terms``, and
    ``statistics`` unless t(x) = x is all.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose mean
        statistics are those of all the data, or are the ``means`` given: an array of shape
        (n_statistics, n_features) or what broadcasts to it. None is maximum likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Poisson, PoissonParams
    >>> params = PoissonParams(rates=np.array([[2.0, 3.0]]))
    >>> Poisson().log_prob(np.array([[0.0, np.nan], [np.nan, np.nan]]), params).ravel() + 0.0
    array([-2.,  0.])
    """

    allow_nan: ClassVar[bool] = True
    reads_sources: ClassVar[bool] = True

    def __init__(self, prior: Prior = None) -> None:
        self.prior = prior

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """Sufficient statistics t_1, t_2, ... of every value, NaN where it is missing.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        statistics : tuple of ndarray of shape (n_samples, n_features)
        """
        return (X,)

    def coefficients(self, params: Any) -> tuple[Array, ...]:
        """Coefficients of the statistics of every column, in their order, and the constants last.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        coefficients : tuple of ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError(f"{type(self).__name__} must define coefficients(params)")

    def from_means(self, means: Array) -> Any:
        """Maximum-likelihood parameters of components whose statistics have these means.

        Parameters
        ----------
        means : ndarray of shape (n_statistics, n_components, n_features)

        Returns
        -------
        params : NamedTuple
        """
        raise NotImplementedError(f"{type(self).__name__} must define from_means(means)")

    def log_base_terms(self, X: Array) -> Array | float:
        """log h of every value; missing values are dealt with elsewhere.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        log_base_terms : ndarray of shape (n_samples, n_features) or 0.0
        """
        return 0.0

    def log_base_measure(self, X: Array) -> Array | float:
        """Sum of `log_base_terms` over the columns observed."""
        terms = self.log_base_terms(X)
        if np.ndim(terms) == 0:
            return terms
        return np.where(np.isnan(X), 0.0, terms).sum(axis=1)

    def log_prob(self, X: Array, params: Any) -> Array:
        """Log-density of the values observed of every row under every component, in nats."""
        log_prob, _ = self.kernel(params)(self.prepare(X))
        return (log_prob + self.log_base_measure(X)).T

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Array:
        """Weighted sums and counts, (n_components, n_statistics + 1, n_features)."""
        statistics = self.statistics(X)
        rows = self._prepared(X, statistics)
        if isinstance(rows, LaidOut):
            return _laid_out_moments(resp.T, rows, len(statistics), X.shape[1])
        return _moments(resp.T, rows)

    def m_step(self, stats: Array) -> Any:
        """From the weighted means of the statistics observed, pseudo-observations included."""
        sums, counts = self._posterior(stats)
        means = sums / np.maximum(counts, TINY)
        return self.from_means(means.swapaxes(0, 1))

    def constrained_m_step(self, stats: Array, constraints: Constraints) -> Any:
        """Tied distributions pool their statistics; a fixed one is fixed in all its parameters."""
        stats = np.concatenate(self._posterior(stats), axis=1)
        n_fields = stats.shape[1] - 1
        check_all_or_none(type(self).__name__, n_fields, constraints)
        for labels in list(constraints.tied.values())[:1]:
            stats = tied_sums(stats, labels)
        means = stats[:, :-1] / np.maximum(stats[:, -1:], TINY)
        return overwritten(self.from_means(means.swapaxes(0, 1)), constraints)

    def _posterior(self, stats: Array) -> tuple[Array, Array]:
        """Sums and counts, pseudo-observations included."""
        prior = known_prior(self.prior)
        stats = stats if prior is None else stats + prior.pseudo_statistics
        return stats[:, :-1], stats[:, -1:]

    def prepare(self, X: Array) -> Any:
        """The statistics of the rows."""
        return self._prepared(X, self.statistics(X))

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        *linear, constant = self.coefficients(params)
        complete = np.concatenate([*linear, constant.sum(axis=1, keepdims=True)], axis=1)

        def block(rows: RowsAsTheyLie | LaidOut) -> tuple[Array, Accumulate]:
            if isinstance(rows, RowsAsTheyLie):
                pairs = zip(linear, rows.statistics, strict=True)
                products = [_coefficients_times(own, values) for own, values in pairs]
                log_prob = sum(products[1:], products[0])
                log_prob += complete[:, -1:]
                return log_prob, lambda resp: _moments(resp, rows)
            known = complete.shape[1] == len(rows.values)
            coefficients = complete if known else np.concatenate([*linear, constant], axis=1)
            log_prob = wide_product(coefficients, rows.values)
            shape = len(linear), constant.shape[1]
            return log_prob, lambda resp: _laid_out_moments(resp, rows, *shape)

        return block

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Center the prior at the mean statistics of the data."""
        if self.prior is None:
            return self
        stats = statistics_of_all(self, X, sample_weight)
        means = stats[:-1] / np.maximum(stats[-1], TINY)
        return with_prior_at(self, means)

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """Whether some values have these mean statistics; where that is not known, True.

        Parameters
        ----------
        means : ndarray of shape (n_statistics, n_features)

        Returns
        -------
        possible : ndarray of bool, shape (n_features,)
        """
        supports = self.column_supports(means.shape[1])
        low, high = (np.array([getattr(own, end) for own in supports]) for end in ("low", "high"))
        of_values = self.statistics(means)[0] is means
        return np.asarray((low <= means[0]) & (means[0] <= high)) | (not of_values)

    def log_prior(self, params: Any) -> Array | float:
        """Log-likelihood of the pseudo-observations, base measure left out."""
        prior = known_prior(self.prior)
        if prior is None:
            return 0.0
        terms = np.stack(self.coefficients(params), axis=1) * prior.pseudo_statistics
        return np.asarray(terms.sum(axis=(1, 2)))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """As many as there are statistics, per component and column."""
        return len(self.statistics(np.ones((1, 1)))) * n_components * n_features

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Size of (1, t_1, t_2, ...)."""
        return 1 + n_features * len(self.statistics(np.ones((1, 1))))

    def marginal(self, params: Any, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The same family with the prior and the parameters of these columns."""
        prior = prior_of_columns(self.prior, columns)
        known = self if prior is None else type(self)(**{**self.get_params(), "prior": prior})
        return known, map_params(lambda array: array[:, columns], params)

    def conditional(self, params: Any, x: Array) -> tuple[Family, Any]:
        """The marginal distribution: the columns are independent."""
        return self.marginal(params, np.flatnonzero(np.isnan(x)))

    def _prepared(self, X: Array, statistics: tuple[Array, ...]) -> RowsAsTheyLie | LaidOut:
        """Rows that follow each other in memory are not turned for this pass alone."""
        missing = np.isnan(X.T)
        if not missing.any():
            if not X.flags.f_contiguous:
                return RowsAsTheyLie(statistics)
            values = [statistic.T for statistic in statistics]
            return LaidOut(np.concatenate([*values, np.ones((1, len(X)))]))
        values = [np.where(missing, 0.0, statistic.T) for statistic in statistics]
        return LaidOut(np.concatenate([*values, 1.0 - missing]))


def check_all_or_none(name: str, n_fields: int, constraints: Constraints) -> None:
    """Refuse constraints on some parameters of a distribution: they are estimated together."""
    free = [np.isnan(values) for values in constraints.fixed.values()]
    labels = list(constraints.tied.values())
    alike = all(np.array_equal(one, group[0]) for group in (free, labels) for one in group)
    if not alike or any(group and len(group) < n_fields for group in (free, labels)):
        raise NotImplementedError(
            f"{name} has {n_fields} parameters per component and column, which are estimated "
            "together: fix or tie all of them in the same places."
        )


def _coefficients_times(coefficients: Array, values: Array) -> Array:
    """Products of all components with rows, (K, n_rows), in the order that is quick for these."""
    if values.flags.f_contiguous or values.shape[1] >= LEAST_TERMS:
        return wide_product(coefficients, values.T)
    return np.ascontiguousarray((values @ coefficients.T).T)


def _laid_out_moments(resp: Array, rows: LaidOut, n_statistics: int, n_features: int) -> Array:
    """As `_moments`."""
    # In this order the long dimension is the one that BLAS adds up fastest.
    sums = thin_product(rows.values, resp.T).T
    stats = np.empty((len(resp), n_statistics + 1, n_features))
    size = n_statistics * n_features
    stats[:, :-1] = sums[:, :size].reshape(len(resp), n_statistics, n_features)
    stats[:, -1] = sums[:, size:]
    return stats


def _moments(resp: Array, rows: RowsAsTheyLie) -> Array:
    """Weighted sums of the statistics and counts, (n_components, n_statistics + 1, n_features)."""
    parts = [thin_product(values.T, resp.T).T for values in rows.statistics]
    counts = np.broadcast_to(resp.sum(axis=1, keepdims=True), parts[0].shape)
    return np.stack([*parts, counts], axis=1)
