"""A product of families over groups of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._all_rows import columns_of
from sklearn_genmodel.families._arrays import Accumulate, Array, JointStats, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._composite import Composite
from sklearn_genmodel.families._constraints import Constraints
from sklearn_genmodel.families._support import Support

__all__ = ["Part", "Product", "ProductParams"]


class ProductParams(NamedTuple):
    """Parameters of all groups of columns: ``params.visits``, if a group is called "visits".

    ``names`` are those of the groups, ``groups`` the parameters of each, in the same order.
    """

    names: tuple[str, ...]
    groups: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.names:
            raise AttributeError(f"no group of columns is called {name!r}: there are {self.names}")
        return self.groups[self.names.index(name)]


class Part(NamedTuple):
    """A group of columns: its name, its family, the positions of its columns."""

    name: str
    family: Family
    columns: NDArray[np.intp]

    def seeing(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """The family with what it leaves to the data filled in."""
        own = columns_of(X, self.columns)
        return self.family.for_rows(own, sample_weight, n_components)


class Product(Composite):
    """Groups of columns that are independent given the component; subclasses define `parts`."""

    def parts(self) -> list[Part]:
        """The groups, which share no column and together have all."""
        raise NotImplementedError

    def with_parts(self, parts: list[Part]) -> Product:
        """A product of other groups.

        Parameters
        ----------
        parts : list of Part

        Returns
        -------
        family : Product
        """
        raise NotImplementedError

    def members(self) -> list[Family]:
        """The families of the groups."""
        return [family for _, family, _ in self.parts()]

    def places(
        self, n_components: int, n_features: int
    ) -> Iterator[tuple[Family, NDArray[np.intp], NDArray[np.intp]]]:
        """All components, and the columns of every group."""
        return ((part.family, np.arange(n_components), part.columns) for part in self.parts())

    @property
    def title(self) -> str:
        """Families of the groups."""
        return " x ".join(family.title for _, family, _ in self.parts())

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """Those of the groups' families."""
        supports: list[Any] = [None] * n_features
        for _, family, columns in self.parts():
            for column, support in zip(columns, family.column_supports(len(columns)), strict=True):
                supports[column] = support
        return tuple(supports)

    def beside_others(self, X: Array, sample_weight: Array | None) -> Family:
        """Let every group see its rows."""
        parts = ((part, columns_of(X, part.columns)) for part in self.parts())
        return self.with_parts(
            [
                part._replace(family=part.family.beside_others(own, sample_weight))
                for part, own in parts
            ]
        )

    def check_rows(self, X: Array) -> None:
        """Refuse what some group has no density for."""
        for part in self.parts():
            part.family.check_rows(X[:, part.columns])

    def log_prob(self, X: Array, params: ProductParams) -> Array:
        """Log-density of every row under every component, in nats."""
        parts = self._with(params)
        return np.asarray(sum(family.log_prob(X[:, cols], own) for family, cols, own in parts))

    def log_base_measure(self, X: Array) -> Array | float:
        """Sum over the groups."""
        parts = (family.log_base_measure(X[:, cols]) for _, family, cols in self.parts())
        return sum(parts, start=0.0)

    def log_prior(self, params: ProductParams) -> Array | float:
        """Sum over the groups."""
        return sum((family.log_prior(own) for family, _, own in self._with(params)), start=0.0)

    def suffstats(self, X: Array, resp: Array, params: ProductParams | None = None) -> JointStats:
        """Those of the groups."""
        own = (None,) * len(self.parts()) if params is None else params.groups
        return JointStats(
            tuple(
                family.suffstats(X[:, columns], resp, group)
                for (_, family, columns), group in zip(self.parts(), own, strict=True)
            )
        )

    def m_step(self, stats: JointStats) -> ProductParams:
        """Of every group by itself."""
        parts = self.parts()
        groups = (part.family.m_step(own) for part, own in zip(parts, stats.parts, strict=True))
        return ProductParams(tuple(part.name for part in parts), tuple(groups))

    def constrained_m_step(self, stats: JointStats, constraints: Constraints) -> ProductParams:
        """Of every group under its own constraints."""
        groups = [
            part.family.constrained_m_step(own, constraints.groups[part.name])
            if part.name in constraints.groups
            else part.family.m_step(own)
            for part, own in zip(self.parts(), stats.parts, strict=True)
        ]
        return ProductParams(tuple(part.name for part in self.parts()), tuple(groups))

    def n_constraints(self, constraints: Constraints) -> int:
        """Sum over the groups."""
        own = ((part.family, constraints.groups.get(part.name)) for part in self.parts())
        return sum(family.n_constraints(held) for family, held in own if held is not None)

    def prepare(self, X: Array) -> tuple[Any, ...]:
        """What every group's family makes of its columns, which then follow each other."""
        return tuple(
            family.prepare(np.take(X.T, columns, axis=0).T) for _, family, columns in self.parts()
        )

    def kernel(self, params: ProductParams) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        kernels = [family.kernel(own) for family, _, own in self._with(params)]

        def block(groups: tuple[Any, ...]) -> tuple[Array, Accumulate]:
            parts = [kernel(own) for kernel, own in zip(kernels, groups, strict=True)]
            log_prob = parts[0][0].copy()
            for other, _ in parts[1:]:
                log_prob += other
            return log_prob, lambda resp: JointStats(tuple(add(resp) for _, add in parts))

        return block

    def sample(
        self, params: ProductParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        X = np.empty((len(labels), sum(len(columns) for _, _, columns in self.parts())))
        for family, columns, own in self._with(params):
            X[:, columns] = family.sample(own, labels, rng)
        return X

    def mean(self, params: ProductParams) -> Array:
        """Means of all columns in their order; those of labels are of their positions."""
        means = [family.mean(own) for family, _, own in self._with(params)]
        order = np.argsort(np.concatenate([part.columns for part in self.parts()]))
        return np.concatenate(means, axis=1)[:, order]

    def covariance(self, params: ProductParams) -> Array:
        """Covariances of all columns; 0 between groups."""
        blocks = [(columns, family.covariance(own)) for family, columns, own in self._with(params)]
        d = sum(len(columns) for columns, _ in blocks)
        covariances = np.zeros((len(blocks[0][1]), d, d))
        for columns, block in blocks:
            covariances[:, columns[:, None], columns] = block
        return covariances

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Sum over the groups."""
        return sum(f.n_parameters(n_components, len(columns)) for _, f, columns in self.parts())

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Sum over the groups."""
        parts = self.parts()
        return sum(family.width(len(columns), n_components) for _, family, columns in parts)

    def pass_cost(self, X: Array) -> float:
        """Sum over the groups."""
        return sum(family.pass_cost(X[:, columns]) for _, family, columns in self.parts())

    def take(self, params: ProductParams, components: NDArray[np.intp]) -> ProductParams:
        """Parameters of the components with these indices."""
        groups = (family.take(own, components) for family, _, own in self._with(params))
        return params._replace(groups=tuple(groups))

    def repeat(self, pooled: ProductParams, n_components: int) -> ProductParams:
        """As many components as are wanted, all alike, from a one-component fit."""
        groups = (family.repeat(own, n_components) for family, _, own in self._with(pooled))
        return pooled._replace(groups=tuple(groups))

    def side_by_side(self, n_mixtures: int) -> Product | None:
        """The same groups for several mixtures, if each of them can be."""
        parts, found = self.parts(), []
        for part in parts:
            family = part.family.side_by_side(n_mixtures)
            if family is None:
                return None
            found.append(part._replace(family=family))
        return self.with_parts(found) if self.coupled else self

    def stack(self, several: list[ProductParams]) -> ProductParams:
        """Components of several mixtures side by side."""
        groups = zip(*(params.groups for params in several), strict=True)
        stacked = (p.family.stack(list(own)) for p, own in zip(self.parts(), groups, strict=True))
        return several[0]._replace(groups=tuple(stacked))

    def unstack(self, params: ProductParams, parts: list[NDArray[np.intp]]) -> list[ProductParams]:
        """Inverse of `stack`."""
        groups = (family.unstack(own, parts) for family, _, own in self._with(params))
        return [params._replace(groups=own) for own in zip(*groups, strict=True)]

    def embed(self, X: Array) -> Array:
        """Coordinates of all groups."""
        return np.concatenate([p.family.embed(X[:, p.columns]) for p in self.parts()], axis=1)

    def degenerate(
        self, params: ProductParams, n_rows: Array, pooled: ProductParams
    ) -> NDArray[np.bool_]:
        """Components that are degenerate in some group."""
        return self.collapsed(params, n_rows, pooled, None)

    def collapsed(
        self, params: ProductParams, n_rows: Array, pooled: Any, constraints: Constraints | None
    ) -> NDArray[np.bool_]:
        """Components that are degenerate in some group that does not hold their shape."""
        held = {} if constraints is None else constraints.groups
        groups = zip(self.parts(), params.groups, pooled.groups, strict=True)
        found = [p.family.collapsed(own, n_rows, near, held.get(p.name)) for p, own, near in groups]
        return np.any(found, axis=0)

    def dependent_columns(self, pooled: ProductParams) -> NDArray[np.intp]:
        """Columns that others of their group determine."""
        found = [columns[f.dependent_columns(own)] for f, columns, own in self._with(pooled)]
        return np.sort(np.concatenate(found))

    def marginal(self, params: ProductParams, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """Product of the marginals of the groups that have some of the columns."""
        return self._derived(params, columns, lambda f, own, kept, _: f.marginal(own, kept))

    def conditional(self, params: ProductParams, x: Array) -> tuple[Family, Any]:
        """Product of the conditionals of the groups that have something missing."""
        missing = np.flatnonzero(np.isnan(x))
        return self._derived(params, missing, lambda f, own, _, cols: f.conditional(own, x[cols]))

    def _derived(
        self,
        params: ProductParams,
        columns: NDArray[np.intp],
        derive: Callable[[Family, Any, NDArray[np.intp], NDArray[np.intp]], tuple[Family, Any]],
    ) -> tuple[Family, Any]:
        """A product over the groups that have some of these columns, renumbered."""
        place = {column: position for position, column in enumerate(columns.tolist())}
        parts: list[Part] = []
        groups: list[Any] = []
        for (name, family, own_columns), own in zip(self.parts(), params.groups, strict=True):
            kept = np.array(
                [j for j, c in enumerate(own_columns.tolist()) if c in place], dtype=int
            )
            if len(kept):
                derived, derived_params = family, own
                if len(kept) < len(own_columns):
                    derived, derived_params = derive(family, own, kept, own_columns)
                positions = np.array([place[column] for column in own_columns[kept].tolist()])
                parts.append(Part(name, derived, positions))
                groups.append(derived_params)
        names = tuple(part.name for part in parts)
        return self.with_parts(parts), ProductParams(names, tuple(groups))

    def _with(self, params: ProductParams) -> Iterator[tuple[Family, NDArray[np.intp], Any]]:
        """Family, columns and parameters of every group."""
        for part, own in zip(self.parts(), params.groups, strict=True):
            yield part.family, part.columns, own
