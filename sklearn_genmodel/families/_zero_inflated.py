"""Counts with more zeros than their family explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._columnwise import (
    ColumnwiseFamily,
    diagonal_covariance,
    normalized,
)
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._numerics._roots import falling_root
from sklearn_genmodel.families._parameter_checks import check_shares
from sklearn_genmodel.families._registry import resolve_family
from sklearn_genmodel.families._support import Support
from sklearn_genmodel.families._weighted_values import ValueWeights, WeightedColumn

__all__ = ["ZeroInflated", "ZeroInflatedParams"]

BELOW_ONE = float(np.nextafter(1.0, 0.0))
# Below this share of the zeros, M-steps ask whether there are structural ones at all.
NEAR_EDGE = 0.1


class ZeroInflatedParams(NamedTuple):
    """Parameters of zero-inflated components.

    ``zero_probs``, (n_components, n_features), are the probabilities of structural zeros, at least
    0 and below 1; ``base`` are the parameters of the family of the other values.
    """

    zero_probs: Array
    base: Any


class ZeroInflated(ColumnwiseFamily):
    """Counts with excess zeros: 0 with a probability of its own, or else from another family.

    p(x) = prod_j pi_j 1(x_j = 0) + (1 - pi_j) q_j(x_j)

    Columns are independent given the component. Missing values (NaN) are allowed: the likelihood
    is that of the values observed. Where a column has no more zeros than the family q explains,
    the estimate of pi is exactly 0, and q has the estimates that it has without inflation.

    Parameters
    ----------
    base : str or Family, default="poisson"
        Family of the counts: "poisson", `NegativeBinomial`, or another family of independent
        columns whose values start at 0. A prior belongs to `ZeroInflated`, not to it.
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    See Also
    --------
    Poisson : Counts without excess zeros.
    NegativeBinomial : Over-dispersed counts, which may explain the zeros as well.

    Notes
    -----
    Given the number z of zeros that come from q, the estimates of q are those from the positive
    values and z zeros. At the maximum of the likelihood z = (n_+ + z) q(0), with n_+ the number of
    positive values, or else all zeros come from q; with structural zeros, q is the fit of the
    zero-truncated family to the positive values. The first estimates solve that equation; later
    ones take for z its expectation under the current parameters, which is EM for one more latent
    variable (Lambert 1992), except that a probability of 0 is found in one step.

    References
    ----------
    Lambert, D. (1992). Zero-inflated Poisson regression, with an application to defects in
    manufacturing. Technometrics 34, 1-14.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import ZeroInflated
    >>> X = np.array([0, 0, 0, 0, 0, 0, 3, 4, 5, 3, 2, 4, 6, 5, 3, 4])[:, None]
    >>> mixture = EMMixture(1, family=ZeroInflated("poisson")).fit(X)
    >>> mixture.params_.zero_probs.round(3), mixture.params_.base.rates.round(3)
    (array([[0.361]]), array([[3.814]]))
    """

    cost: ClassVar[int] = 64

    def __init__(self, base: Any = "poisson", prior: float | None = None) -> None:
        super().__init__(prior)
        self.base = base

    def set_params(self, **params: Any) -> ZeroInflated:
        """Set hyper-parameters; a base given by name becomes that family when its own are set.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : ZeroInflated
        """
        if any(name.startswith("base__") for name in params):
            params["base"] = resolve_family(params.get("base", self.base), "base")
        super().set_params(**params)
        return self

    @property
    def support(self) -> Support:  # type: ignore[override]
        """That of the base."""
        return self._base.support

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """Those of the base."""
        return self._base.column_supports(n_features)

    @property
    def reads_sources(self) -> bool:
        """Whether the base does, and there is no prior."""
        return super().reads_sources and self._base.reads_sources

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Let the base and the prior see the rows."""
        base = self._base.for_rows(X, sample_weight, n_components)
        known = type(self)(base, self.prior)
        return super(ZeroInflated, known).for_rows(X, sample_weight, n_components)

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down: shares, and those of the base."""
        params = super().floats(params)
        check_shares("zero_probs", params.zero_probs)
        return params._replace(base=self._base.floats(params.base))

    def at_column(self, position: int, n_features: int) -> ZeroInflated:
        """With the base of one column, such as its number of trials."""
        base = self._base
        if isinstance(base, ColumnwiseFamily):
            return self
        params = base.weighted_mle(np.zeros((1, n_features)), np.ones((1, 1)))
        own, _ = base.marginal(params, np.array([position]))
        return self if own is base else type(self)(own, self.prior)

    def column_log_prob(self, values: Array, params: ZeroInflatedParams) -> Array:
        """Log-probabilities, in nats."""
        others = np.log1p(-params.zero_probs)[:, None] + self._base_log_prob(values, params.base)
        if not len(values) or values[0] > 0:
            return others
        with np.errstate(divide="ignore"):
            others[:, 0] = np.logaddexp(np.log(params.zero_probs), others[:, 0])
        return others

    def column_mle(
        self, values: Array, weights: Array, current: ZeroInflatedParams | None
    ) -> ZeroInflatedParams:
        """Find how much of the zeros comes from the base, which determines all the rest."""
        zeros = weights[:, 0] if values[0] == 0 else np.zeros(len(weights))
        positive = (weights * (values > 0)).sum(axis=1)
        near = None if current is None else current.base
        known: Array | None = None

        def fitted(own: Array) -> Any:
            nonlocal near, known
            if known is None or not np.array_equal(own, known):
                shared = weights.copy()
                shared[:, 0] = np.where(values[0] == 0, own, weights[:, 0])
                near, known = self._fitted(values, shared, near), own
            return near

        def excess(own: Array) -> Array:
            # What the base gives 0, less what was assumed: q(0) (n_+ + z) - z
            share = np.exp(self._base_log_prob(np.zeros(1), fitted(own))[:, 0])
            return share * positive - (1.0 - share) * own

        if current is None:
            own = falling_root(excess, zeros, np.zeros_like(zeros), zeros)
        else:
            own = self._next_own_zeros(excess, zeros, current)
        own = np.where(positive > 0, own, zeros)
        return ZeroInflatedParams(np.clip(zeros - own, 0.0, BELOW_ONE), fitted(own))

    def sample(
        self, params: ZeroInflatedParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        structural = rng.random((len(labels), params.zero_probs.shape[1]))
        X = self._base.sample(params.base, labels, rng)
        return np.where(structural < params.zero_probs[labels], 0.0, X)

    def mean(self, params: ZeroInflatedParams) -> Array:
        """(1 - pi) times the means of the base."""
        return (1.0 - params.zero_probs) * self._base.mean(params.base)

    def covariance(self, params: ZeroInflatedParams) -> Array:
        """(1 - pi) (variance + pi mean^2) of the base on the diagonals."""
        means = self._base.mean(params.base)
        variances = np.diagonal(self._base.covariance(params.base), axis1=1, axis2=2)
        pi = params.zero_probs
        return diagonal_covariance((1.0 - pi) * (variances + pi * means**2))

    def marginal(
        self, params: ZeroInflatedParams, columns: NDArray[np.intp]
    ) -> tuple[Family, ZeroInflatedParams]:
        """These columns of the base, with the probabilities of their zeros."""
        base, own = self._base.marginal(params.base, columns)
        zero_probs = params.zero_probs[:, columns]
        prior = self._for_columns(columns).prior
        return type(self)(base, prior), ZeroInflatedParams(zero_probs, own)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Those of the base, and one more per component and column."""
        return n_components * n_features + self._base.n_parameters(n_components, n_features)

    def to_vector(self, params: ZeroInflatedParams, like: ZeroInflatedParams) -> Array:
        """Arcs whose squared sine is pi, and the coordinates of the base."""
        arcs = np.arcsin(np.sqrt(params.zero_probs)).ravel()
        return np.concatenate([arcs, self._base.to_vector(params.base, like.base)])

    def from_vector(self, vector: Array, like: ZeroInflatedParams) -> ZeroInflatedParams:
        """Inverse of `to_vector`."""
        arcs = vector[: like.zero_probs.size].reshape(like.zero_probs.shape)
        base = self._base.from_vector(vector[like.zero_probs.size :], like.base)
        return ZeroInflatedParams(np.minimum(np.sin(arcs) ** 2, BELOW_ONE), base)

    @property
    def has_coordinates(self) -> bool:
        """Whether the base has unconstrained coordinates."""
        return self._base.has_coordinates

    def embed(self, X: Array) -> Array:
        """As the base."""
        return self._base.embed(X)

    @property
    def _base(self) -> Family:
        """The family of the counts."""
        base = resolve_family(self.base, "base")
        columnwise = isinstance(base, (IndependentColumns, ColumnwiseFamily))
        if not columnwise or not base.support.integer or base.support.low != 0:
            raise ValueError(
                f"base={self.base!r}: pass a family of independent columns of counts from 0 on, "
                "such as 'poisson' or NegativeBinomial()."
            )
        if getattr(base, "prior", None) is not None:
            raise ValueError(
                f"base={self.base!r} has a prior: give it to ZeroInflated instead, whose "
                "pseudo-observations are values of the data, zeros included."
            )
        return base

    def _base_log_prob(self, values: Array, column: Any) -> Array:
        """Log-probabilities of the values of one column, (n_components, n_values)."""
        base = self._base
        if isinstance(base, ColumnwiseFamily):
            return base.column_log_prob(values, column)
        params = map_params(lambda array: array[:, None], column)
        return np.array(base.log_prob(values[:, None], params).T)

    def _fitted(self, values: Array, weights: Array, current: Any) -> Any:
        """Parameters of the base from the values of one column."""
        base = self._base
        if isinstance(base, ColumnwiseFamily):
            column = WeightedColumn((ValueWeights(values, weights),))
            return base.column_mle(*normalized(column), current)
        near = None if current is None else map_params(lambda array: array[:, None], current)
        params = base.m_step(base.suffstats(values[:, None], weights.T, near))
        return map_params(lambda array: array[:, 0], params)

    def _next_own_zeros(
        self, excess: Callable[[Array], Array], zeros: Array, current: ZeroInflatedParams
    ) -> Array:
        """Weight of the zeros from the base: its expectation, or all where that is the maximum."""
        own = zeros * self._own_share(current)
        near = current.zero_probs < NEAR_EDGE * zeros
        if not near.any():
            return own
        at_edge = excess(zeros)
        own = np.where(near & (at_edge >= 0), zeros, own)
        # A probability of 0 is a fixed point of EM even where it should rise.
        stuck = (current.zero_probs == 0) & (at_edge < 0)
        if stuck.any():
            own = np.where(stuck, falling_root(excess, own, np.zeros_like(zeros), zeros), own)
        return own

    def _own_share(self, column: ZeroInflatedParams) -> Array:
        """Probability that a zero comes from the base."""
        zero = np.exp(self._base_log_prob(np.zeros(1), column.base)[:, 0])
        own = (1.0 - column.zero_probs) * zero
        return own / np.maximum(own + column.zero_probs, TINY)
