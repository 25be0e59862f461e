"""Independent columns of labels: latent class analysis of polytomous items."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import Table
from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten, tied_sums
from sklearn_genmodel.families._exponential_family import ExponentialFamily
from sklearn_genmodel.families._label_constraints import check_ties, fixed_columns, n_lost
from sklearn_genmodel.families._label_coordinates import MOST_INDICATORS, leading_coordinates
from sklearn_genmodel.families._packed_labels import (
    PackedLabels,
    is_packable,
    packed_counts,
    packed_kernel,
    packed_labels,
    packed_width,
    packs,
    places_of,
)
from sklearn_genmodel.families._parameter_checks import check_distributions, labels_of_columns
from sklearn_genmodel.families._prior import check_strength
from sklearn_genmodel.families._support import Support, listed

__all__ = ["Categorical", "CategoricalParams"]


class CategoricalParams(NamedTuple):
    """Parameters of categorical components.

    ``probs`` has shape (n_components, n_features, n_levels), n_levels being that of the column
    that has most; columns with fewer levels have zeros behind them. With a prior, the place behind
    the levels of a column is the probability of labels that were not seen.
    """

    probs: Array


class Categorical(ExponentialFamily):
    """Columns of labels: strings, booleans, numbers that are names, categories of data frames.

    log p(x) = sum_j log probs[j, x_j]

    With this family a mixture is the latent class model. Missing values (NaN, None, NA) are
    allowed: the likelihood is that of the values observed. A probability is never exactly 0: a
    level that a component never shows gets the smallest positive float.

    Parameters
    ----------
    prior : float or None, default=None
        Dirichlet prior, as a number of pseudo-observations per component and column that are spread
        evenly over the levels and one place for labels not seen in `fit`. None is maximum
        likelihood, with which a label not seen is an error.
    levels : "auto" or sequence of sequences, default="auto"
        Labels of every column. "auto" takes those seen in `fit`, in the order of the categories of
        a data frame's column, or else sorted.

    See Also
    --------
    Bernoulli : Columns of 0 and 1.

    References
    ----------
    Goodman, L. A. (1974). Exploratory latent structure analysis using both identifiable and
    unidentifiable models. Biometrika 61, 215-231.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Categorical
    >>> X = [["tea", "yes"], ["tea", "yes"], ["coffee", "no"], ["coffee", None]] * 5
    >>> mixture = EMMixture(2, family=Categorical(), random_state=0).fit(X)
    >>> mixture.family_.levels
    (('coffee', 'tea'), ('no', 'yes'))
    >>> mixture.predict([["tea", None], [None, "yes"]]) == mixture.predict([X[0]])
    array([ True,  True])
    """

    allow_nan: ClassVar[bool] = True
    reads_tables: ClassVar[bool] = True

    def __init__(self, prior: float | None = None, levels: Any = "auto") -> None:
        self.prior = prior
        self.levels = levels

    def for_table(self, table: Table) -> Family:
        """Remember the labels of every column."""
        if not (isinstance(self.levels, str) and self.levels == "auto"):
            return self
        return Categorical(self.prior, table.levels_of_all())

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """The labels of every column."""
        levels = self._levels
        if len(levels) != n_features:
            raise ValueError(f"levels names {len(levels)} columns, the data have {n_features}.")
        if not all(levels) or any(len(set(labels)) < len(labels) for labels in levels):
            raise ValueError(f"levels={self.levels!r} names a label of a column twice, or none.")
        return tuple(
            Support(listed(labels), 0.0, len(labels), levels=labels, unseen=self._smooth)
            for labels in levels
        )

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down: probabilities of a column sum to 1."""
        params = super().floats(params)
        check_distributions("probs", params.probs)
        return params

    def features(self, X: Array) -> Array:
        """A row of ones, and an indicator of every level of every column; missing: none is 1."""
        starts = np.cumsum([0, *self._sizes])
        features = np.empty((starts[-1] + 1, len(X)))
        features[0] = 1.0
        levels = np.arange(float(max(self._sizes)))[:, None]
        columns = X.T if X.strides[0] == X.itemsize else np.ascontiguousarray(X.T)
        for (start, stop), codes in zip(pairwise((starts + 1).tolist()), columns, strict=True):
            features[start:stop] = codes == levels[: stop - start]
        return features

    def natural(self, params: CategoricalParams) -> Array:
        """eta = (0, log probs)."""
        log_probs = np.log(np.maximum(params.probs[:, *self._cells], TINY))
        return np.concatenate([np.zeros((len(log_probs), 1)), log_probs], axis=1)

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Any:
        """Weighted counts of the levels, shape (n_components, 1 + n_levels)."""
        if not packs(self._sizes, len(X)):
            return super().suffstats(X, resp, params)
        return packed_counts(packed_labels(X, self._sizes), self._sizes, resp.T)

    def prepare(self, X: Array) -> Any:
        """The features; of many rows with many levels, codes that several columns share."""
        return packed_labels(X, self._sizes) if packs(self._sizes, len(X)) else self.features(X)

    def kernel(self, params: CategoricalParams) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        of_features = super().kernel(params)
        if not is_packable(self._sizes):
            return of_features
        of_codes = packed_kernel(self.natural(params)[:, 1:], self._sizes)

        def block(rows: Any) -> tuple[Array, Accumulate]:
            return of_codes(rows) if isinstance(rows, PackedLabels) else of_features(rows)

        return block

    def m_step(self, stats: Array) -> CategoricalParams:
        """Shares of the levels among the labels observed, pseudo-observations included."""
        return CategoricalParams(self._shares(self._counts(stats)))

    def constrained_m_step(self, stats: Array, constraints: Constraints) -> CategoricalParams:
        """Tied columns pool their counts; of a fixed column all probabilities are fixed."""
        counts = self._counts(stats)
        for values in constraints.fixed.values():
            fixed_columns(values, self._cells)
        for labels in constraints.tied.values():
            check_ties(labels, self._n_levels)
            counts = tied_sums(counts.swapaxes(1, 2), labels).swapaxes(1, 2)
        return overwritten(CategoricalParams(self._shares(counts)), constraints)

    def n_constraints(self, constraints: Constraints) -> int:
        """Of a column that is fixed or tied, one less than its levels."""
        return n_lost(constraints, self._n_levels, self._cells)

    def _counts(self, stats: Array) -> Array:
        """Counts of levels, pseudo-observations included, in the places of ``probs``."""
        return self._placed(stats[:, 1:] + self._pseudo_counts)

    def _placed(self, values: Array) -> Array:
        """Values of the levels of all columns, (n_components, n_levels), as ``probs`` has them."""
        placed = np.zeros((len(values), len(self._sizes), max(self._sizes)))
        placed[:, *self._cells] = values
        return placed

    def _shares(self, counts: Array) -> Array:
        shares = counts / np.maximum(counts.sum(axis=2, keepdims=True), TINY)
        probs = np.zeros_like(shares)
        probs[:, *self._cells] = np.maximum(shares[:, *self._cells], TINY)
        return probs

    def log_prior(self, params: CategoricalParams) -> Array | float:
        """Log-likelihood of the pseudo-observations."""
        if not self._smooth:
            return 0.0
        return np.asarray(self.natural(params)[:, 1:] @ self._pseudo_counts)

    def sample(
        self, params: CategoricalParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i, as positions of the levels."""
        cumulative = np.cumsum(self._known(params), axis=2)[:, :, :-1]
        drawn = rng.random((len(labels), cumulative.shape[1]))
        for k in np.unique(labels):
            own = labels == k
            positions = map(np.searchsorted, cumulative[k], drawn[own].T)
            drawn[own] = np.stack(list(positions), axis=1)
        return drawn

    def mean(self, params: CategoricalParams) -> Array:
        """Mean position among the levels, which means something where these are ordered."""
        known = self._known(params)
        return np.asarray(known @ np.arange(known.shape[2]))

    def covariance(self, params: CategoricalParams) -> Array:
        """Variances of the positions among the levels."""
        known = self._known(params)
        variances = known @ np.arange(known.shape[2]) ** 2 - self.mean(params) ** 2
        return np.asarray(variances[:, :, None] * np.eye(known.shape[1]))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One less than the levels, per component and column."""
        return n_components * sum(n_levels - 1 for n_levels in self._n_levels)

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Number of levels of all columns, or what codes of several columns take."""
        return packed_width(self._sizes) if is_packable(self._sizes) else sum(self._sizes) + 1

    def to_vector(self, params: CategoricalParams, like: CategoricalParams) -> Array:
        """Square roots, a point on a sphere for every column: regular at the edges."""
        return np.sqrt(params.probs[:, *self._cells]).ravel()

    def from_vector(self, vector: Array, like: CategoricalParams) -> CategoricalParams:
        """Inverse of `to_vector`; points off the sphere are brought back to it."""
        squares = vector.reshape(len(like.probs), -1) ** 2
        return CategoricalParams(self._shares(self._placed(squares)))

    def embed(self, X: Array) -> Array:
        """Indicators of the levels, NaN where the label is missing; of many, what tells most."""
        if sum(self._sizes) > MOST_INDICATORS:
            return leading_coordinates(X, self._sizes)
        missing = np.repeat(np.isnan(X), self._sizes, axis=1)
        return np.where(missing, np.nan, self.features(X)[1:].T)

    def marginal(self, params: CategoricalParams, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The same family with the levels and probabilities of these columns."""
        levels = tuple(self._levels[j] for j in columns)
        widest = max(map(len, levels)) + self._smooth
        return Categorical(self.prior, levels), CategoricalParams(params.probs[:, columns, :widest])

    def conditional(self, params: CategoricalParams, x: Array) -> tuple[Family, Any]:
        """The marginal distribution: the columns are independent."""
        return self.marginal(params, np.flatnonzero(np.isnan(x)))

    @property
    def _levels(self) -> tuple[tuple[Any, ...], ...]:
        if isinstance(self.levels, str) and self.levels == "auto":
            raise ValueError(
                f"levels={self.levels!r} is known only once the data are: fit the mixture, or pass "
                "the labels of every column."
            )
        return labels_of_columns(self.levels)

    @property
    def _n_levels(self) -> tuple[int, ...]:
        """Number of levels of every column."""
        return tuple(map(len, self._levels))

    @property
    def _sizes(self) -> tuple[int, ...]:
        """The same, one more where levels that were not seen have a probability."""
        return tuple(n_levels + self._smooth for n_levels in self._n_levels)

    @property
    def _strength(self) -> float:
        if self.prior is None:
            return 0.0
        check_strength(self.prior)
        return float(self.prior)

    @property
    def _pseudo_counts(self) -> Array:
        """Pseudo-observations of the levels of all columns."""
        sizes = np.array(self._sizes)
        return np.repeat(self._strength / sizes, sizes)

    @property
    def _smooth(self) -> bool:
        return self._strength > 0

    @property
    def _cells(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Column and level of every place of ``probs`` that is in use."""
        return places_of(self._sizes)

    def _known(self, params: CategoricalParams) -> Array:
        """Probabilities given that the label is one of the levels."""
        probs, n_levels = params.probs, np.reshape(self._n_levels, (-1, 1))
        known = np.where(np.arange(probs.shape[2]) < n_levels, probs, 0.0)
        return np.asarray(known / known.sum(axis=2, keepdims=True))
