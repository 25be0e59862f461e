"""Mixtures whose components are not alike: a family for every component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._compat import full_repr
from sklearn_genmodel._validation import Table
from sklearn_genmodel.families._arrays import Accumulate, Array, JointStats, Kernel, KindStats
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._composite import Composite
from sklearn_genmodel.families._registry import resolve_family
from sklearn_genmodel.families._support import Support, intersection

__all__ = ["PerComponent", "PerComponentParams"]

Indices = NDArray[np.intp]


class PerComponentParams(NamedTuple):
    """Parameters of components of several kinds.

    ``kinds``, (n_components,), says which family a component has, counted without repetition;
    ``groups`` holds the parameters of the components of each kind, in their order.
    """

    kinds: Indices
    groups: tuple[Any, ...]


class PerComponent(Composite):
    """One family for each component, such as Gaussians beside a uniform noise component.

    ``EMMixture(3, family=[Gaussian(), Gaussian(), Uniform()])`` makes one. Components keep the
    order in which their families are given.

    Parameters
    ----------
    families : sequence of Family or str
        As many as there are components, or those that differ, if `kinds` is given. Components
        whose families are equal share their covariances where these are tied.
    kinds : sequence of int, optional
        Which of the families every component has; None: the k-th component has the k-th.

    References
    ----------
    Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
    Biometrics 49, 803-821, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Gaussian
    >>> X = np.concatenate([np.linspace(-0.1, 0.1, 60), np.linspace(-9, 9, 40)])[:, None]
    >>> spike, spread = Gaussian("spherical"), Gaussian()
    >>> mixture = EMMixture(2, family=[spike, spread], random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.6, 0.4])
    """

    reads_tables: ClassVar[bool] = True

    def __init__(self, families: Any, kinds: Any = None) -> None:
        self.families = families
        self.kinds = kinds

    def members(self) -> list[Family]:
        """The families that differ."""
        return self._distinct

    def places(
        self, n_components: int, n_features: int
    ) -> Iterator[tuple[Family, Indices, Indices]]:
        """The components of every kind, and all columns."""
        for kind, family in enumerate(self._distinct):
            yield family, np.flatnonzero(self._kinds == kind), np.arange(n_features)

    @property
    def title(self) -> str:
        """Families of the components."""
        return ", ".join(self._distinct[kind].title for kind in self._kinds)

    @property
    def support(self) -> Support:  # type: ignore[override]
        """What every family has a density for."""
        return intersection(*(family.support for family in self._distinct))

    @property
    def ordered(self) -> bool:
        """The place of a component decides its family."""
        return True

    def alike(self, n_components: int) -> Indices:
        """Components of a kind."""
        return self._kinds

    def for_table(self, table: Table) -> Family:
        """Let every family see the table."""
        return PerComponent([f.for_table(table) for f in self._distinct], self._kinds)

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Let every family see the rows."""
        if n_components != (listed := len(self._kinds)):
            raise ValueError(
                f"family lists {listed} families for n_components={n_components}: give one for "
                "each component."
            )
        seen = (family.for_rows(X, sample_weight, n_components) for family in self._distinct)
        aware = [family.beside_others(X, sample_weight) for family in seen]
        return PerComponent(aware, self._kinds)

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """What every family has a density for."""
        each = [family.column_supports(n_features) for family in self._distinct]
        return tuple(intersection(*supports) for supports in zip(*each, strict=True))

    def check_rows(self, X: Array) -> None:
        """Refuse what some family has no density for."""
        for family in self._distinct:
            family.check_rows(X)

    def pooled(self, X: Array, sample_weight: Array) -> PerComponentParams:
        """One component of every kind, fitted to all the rows."""
        groups = tuple(family.pooled(X, sample_weight) for family in self._distinct)
        return PerComponentParams(np.arange(len(groups)), groups)

    def repeat(self, pooled: PerComponentParams, n_components: int) -> PerComponentParams:
        """The component of the right kind for every place."""
        return self.take(pooled, self._kinds)

    def log_prob(self, X: Array, params: PerComponentParams) -> Array:
        """Log-density of every row under every component, in nats."""
        return self._joined(params, lambda family, own: family.log_prob(X, own).T).T

    def log_prior(self, params: PerComponentParams) -> Array | float:
        """Of every component under its own prior."""
        return self._joined(
            params, lambda f, own: np.broadcast_to(f.log_prior(own), len(f.mean(own)))
        )

    def suffstats(
        self, X: Array, resp: Array, params: PerComponentParams | None = None
    ) -> KindStats:
        """Those of the components of every kind."""
        kinds = self._kinds if params is None else params.kinds
        groups = [None] * len(self._distinct) if params is None else params.groups
        pairs = enumerate(zip(self._distinct, groups, strict=True))
        parts = (family.suffstats(X, resp[:, kinds == kind], own) for kind, (family, own) in pairs)
        return KindStats(kinds, JointStats(tuple(parts)))

    def m_step(self, stats: KindStats) -> PerComponentParams:
        """Of every kind by itself."""
        parts = zip(self._distinct, stats.joint.parts, strict=True)
        return PerComponentParams(stats.kinds, tuple(family.m_step(own) for family, own in parts))

    def prepare(self, X: Array) -> tuple[Any, ...]:
        """What every family makes of the rows, and its base measure."""
        return tuple((family.prepare(X), family.log_base_measure(X)) for family in self._distinct)

    def kernel(self, params: PerComponentParams) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        kernels = [(where, family.kernel(own)) for where, family, own in self._of(params)]

        def block(prepared: tuple[Any, ...]) -> tuple[Array, Accumulate]:
            pairs = zip(kernels, prepared, strict=True)
            parts = [(where, *kernel(own), base) for (where, kernel), (own, base) in pairs]
            log_prob = np.empty((len(params.kinds), parts[0][1].shape[1]))
            for where, own, _, base in parts:
                log_prob[where] = own + base

            def accumulate(resp: Array) -> KindStats:
                sums = (add(np.ascontiguousarray(resp[where])) for where, _, add, _ in parts)
                return KindStats(params.kinds, JointStats(tuple(sums)))

            return log_prob, accumulate

        return block

    def sample(
        self, params: PerComponentParams, labels: Indices, rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        X = np.empty((len(labels), self.mean(params).shape[1]))
        rank = np.empty(len(params.kinds), dtype=np.intp)
        for where, family, own in self._of(params):
            rank[where] = np.arange(len(where))
            rows = np.isin(labels, where)
            X[rows] = family.sample(own, rank[labels[rows]], rng)
        return X

    def mean(self, params: PerComponentParams) -> Array:
        """Mean of every component."""
        return self._joined(params, lambda family, own: family.mean(own))

    def covariance(self, params: PerComponentParams) -> Array:
        """Covariance matrix of every component."""
        return self._joined(params, lambda family, own: family.covariance(own))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Sum over the kinds."""
        counts = np.bincount(self._kinds).tolist()
        parts = zip(self._distinct, counts, strict=True)
        return sum(family.n_parameters(count, n_features) for family, count in parts)

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Sum over the kinds."""
        return sum(family.width(n_features, n_components) for family in self._distinct)

    def pass_cost(self, X: Array) -> float:
        """Sum over the kinds."""
        return sum(family.pass_cost(X) for family in self._distinct)

    def floats(self, params: PerComponentParams) -> PerComponentParams:
        """Parameters that a user wrote down, as arrays."""
        kinds = np.array(params.kinds, dtype=np.intp)
        return super().floats(params)._replace(kinds=kinds)

    def take(self, params: PerComponentParams, components: Indices) -> PerComponentParams:
        """Parameters of the components with these indices."""
        rank = np.empty(len(params.kinds), dtype=np.intp)
        for where, _, _ in self._of(params):
            rank[where] = np.arange(len(where))
        kinds = params.kinds[components]
        groups = (
            family.take(own, rank[components[kinds == kind]])
            for kind, (family, own) in enumerate(zip(self._distinct, params.groups, strict=True))
        )
        return PerComponentParams(kinds, tuple(groups))

    def stack(self, several: list[PerComponentParams]) -> PerComponentParams:
        """Components of several mixtures side by side."""
        kinds = np.concatenate([params.kinds for params in several])
        parts = zip(self._distinct, *(params.groups for params in several), strict=True)
        return PerComponentParams(kinds, tuple(family.stack(own) for family, *own in parts))

    def embed(self, X: Array) -> Array:
        """As the first family sees the rows."""
        return self._distinct[0].embed(X)

    def degenerate(
        self, params: PerComponentParams, n_rows: Array, pooled: PerComponentParams
    ) -> NDArray[np.bool_]:
        """Components that their own family calls degenerate."""
        found = np.zeros(len(params.kinds), dtype=bool)
        for (where, family, own), near in zip(self._of(params), pooled.groups, strict=True):
            found[where] = family.degenerate(own, n_rows[where], near)
        return found

    def marginal(self, params: PerComponentParams, columns: Indices) -> tuple[Family, Any]:
        """Marginals of all components."""
        return self._derived(params, lambda family, own: family.marginal(own, columns))

    def conditional(self, params: PerComponentParams, x: Array) -> tuple[Family, Any]:
        """Conditionals of all components."""
        return self._derived(params, lambda family, own: family.conditional(own, x))

    def _derived(
        self, params: PerComponentParams, derive: Callable[[Family, Any], tuple[Family, Any]]
    ) -> tuple[Family, Any]:
        derived = [derive(family, own) for _, family, own in self._of(params)]
        families = PerComponent([family for family, _ in derived], params.kinds)
        return families, params._replace(groups=tuple(own for _, own in derived))

    def _joined(
        self, params: PerComponentParams, function: Callable[[Family, Any], Array]
    ) -> Array:
        """Results for the components of every kind, in the order of the components."""
        places = [where for where, _, _ in self._of(params)]
        results = [function(family, own) for _, family, own in self._of(params)]
        return np.concatenate(results)[np.argsort(np.concatenate(places))]

    def _of(self, params: PerComponentParams) -> Iterator[tuple[Indices, Family, Any]]:
        """Places, family and parameters of the components of every kind."""
        for kind, (family, own) in enumerate(zip(self._distinct, params.groups, strict=True)):
            yield np.flatnonzero(params.kinds == kind), family, own

    @property
    def _kinds(self) -> Indices:
        """Index of every component's family among the distinct ones."""
        if self.kinds is not None:
            return np.asarray(self.kinds, dtype=np.intp)
        names = list(self._named)
        found = [names.index(full_repr(resolve_family(family))) for family in self.families]
        return np.array(found, dtype=np.intp)

    @property
    def _distinct(self) -> list[Family]:
        return list(self._named.values()) if self.kinds is None else list(self.families)

    @property
    def _named(self) -> dict[str, Family]:
        return {full_repr(family): family for family in map(resolve_family, self.families)}
