"""What the engine asks of a family beside densities and estimates, with defaults that suit most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, Shortened, map_params
from sklearn_genmodel.families._constraints import Constraints
from sklearn_genmodel.families._data_hooks import DataHooks

__all__ = ["EngineHooks"]


class EngineHooks(DataHooks):
    """Handling of parameters, starts and degeneracy: optional parts of the family contract."""

    @property
    def shared(self) -> frozenset[str]:
        """Names of the parameters that all components share, and that lack their axis."""
        return frozenset()

    @property
    def title(self) -> str:
        """What a summary calls components of this family."""
        return type(self).__name__

    @property
    def coupled(self) -> bool:
        """Whether the M-step of a component depends on the others: something is common to them."""
        return bool(self.shared)

    @property
    def ordered(self) -> bool:
        """Whether components cannot trade places, for more than their parameters differ."""
        return False

    def alike(self, n_components: int) -> NDArray[np.intp]:
        """Labels of components, (n_components,): those of equal labels may trade places."""
        return np.zeros(n_components, dtype=np.intp)

    @property
    def grows(self) -> bool:
        """Whether the statistics grow with the data, so that no stream can be learned from."""
        return False

    @property
    def has_coordinates(self) -> bool:
        """Whether `to_vector` and `from_vector` are defined, as acceleration needs."""
        return type(self).to_vector is not EngineHooks.to_vector

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down, as arrays of double precision.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        params : NamedTuple
        """
        return map_params(lambda array: np.array(array, dtype=np.float64), params)

    def take(self, params: Any, components: NDArray[np.intp]) -> Any:
        """Parameters of the components with these indices, repeated or reordered at will.

        Parameters
        ----------
        params : NamedTuple
        components : ndarray of int, shape (n_taken,)

        Returns
        -------
        params : NamedTuple
        """
        fields = params._asdict()
        taken = {
            name: map_params(lambda array: array[components], fields[name])
            for name in fields
            if name not in self.shared
        }
        return params._replace(**taken)

    def side_by_side(self, n_mixtures: int) -> Any:
        """Return the family of the components of several mixtures, those of a mixture together.

        Mixtures on the same rows are run side by side with it, which costs little more than one.

        Parameters
        ----------
        n_mixtures : int

        Returns
        -------
        family : Family or None
            With components that do not depend on each other, this family itself; None if the
            mixtures cannot be run side by side.
        """
        return None if self.coupled else self

    def stack(self, several: list[Any]) -> Any:
        """Components of several mixtures side by side.

        Parameters
        ----------
        several : list of NamedTuple
            Parameters of each mixture.

        Returns
        -------
        params : NamedTuple
        """
        return map_params(lambda *arrays: np.concatenate(arrays), *several)

    def unstack(self, params: Any, parts: list[NDArray[np.intp]]) -> list[Any]:
        """Inverse of `stack`.

        Parameters
        ----------
        params : NamedTuple
        parts : list of ndarray of int
            Components of each mixture.

        Returns
        -------
        several : list of NamedTuple
        """
        return [self.take(params, part) for part in parts]

    def repeat(self, pooled: Any, n_components: int) -> Any:
        """As many components as are wanted, all alike, from a one-component fit.

        Parameters
        ----------
        pooled : NamedTuple
        n_components : int

        Returns
        -------
        params : NamedTuple
        """
        return self.take(pooled, np.zeros(n_components, dtype=np.intp))

    def to_vector(self, params: Any, like: Any) -> Array:
        """Parameters in unconstrained coordinates (roots, arcs, log-Cholesky).

        Coordinates are to stay finite where a parameter goes to the edge of its space.

        Parameters
        ----------
        params : NamedTuple
        like : NamedTuple
            Parameters nearby that fix the origin and the units of the coordinates.

        Returns
        -------
        vector : ndarray of shape (n_coordinates,)
        """
        raise NotImplementedError(f"{type(self).__name__} has no unconstrained coordinates")

    def from_vector(self, vector: Array, like: Any) -> Any:
        """Inverse of `to_vector`.

        Parameters
        ----------
        vector : ndarray of shape (n_coordinates,)
        like : NamedTuple
            The parameters that fixed the coordinates.

        Returns
        -------
        params : NamedTuple
        """
        raise NotImplementedError(f"{type(self).__name__} has no unconstrained coordinates")

    def embed(self, X: Array) -> Array:
        """Coordinates in which Euclidean distance is sensible, for finding starts.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_coordinates)
        """
        return X

    def degenerate(self, params: Any, n_rows: Array, pooled: Any) -> NDArray[np.bool_]:
        """Which components owe their likelihood to a near-singularity, not to the data.

        Parameters
        ----------
        params : NamedTuple
        n_rows : ndarray of shape (n_components,)
            Number of distinct rows that each component stands for.
        pooled : NamedTuple
            The one-component fit to all the data, the yardstick.

        Returns
        -------
        degenerate : ndarray of bool, shape (n_components,)
        """
        return np.zeros(len(n_rows), dtype=bool)

    def dependent_columns(self, pooled: Any) -> NDArray[np.intp]:
        """Columns that others determine, so that only a floor keeps the likelihood bounded.

        Parameters
        ----------
        pooled : NamedTuple
            The one-component fit to all the data.

        Returns
        -------
        columns : ndarray of int
            Empty where the likelihood does not depend on a floor.
        """
        return np.empty(0, dtype=np.intp)

    def has_constants(self, n_components: int) -> bool:
        """Whether `constants` and `shortened` are of use for so many components.

        Parameters
        ----------
        n_components : int

        Returns
        -------
        has_constants : bool
        """
        return False

    def constants(self, X: Array, sample_weight: Array) -> Any:
        """Statistics of rows that are the same in every pass, whatever the responsibilities.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        sample_weight : ndarray of shape (n_rows,)

        Returns
        -------
        constants : object with ``+``, or None
            None if these rows have none.
        """
        return None

    def shortened(self, params: Any, constants: Any) -> Shortened | None:
        """Prepare a pass that leaves out what the constants tell of all rows.

        Parameters
        ----------
        params : NamedTuple
        constants : object
            What `constants` found, of all rows.

        Returns
        -------
        shortened : Shortened or None
            None if at these parameters a pass leaves nothing out.
        """
        return None

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Number of floats that a row occupies in a pass; blocks of rows are cut to fit a cache.

        Parameters
        ----------
        n_features : int
        n_components : int, default=None
            Of the pass; None is whatever number takes the most.

        Returns
        -------
        width : int
        """
        return 1 + n_features

    def constrained_m_step(self, stats: Any, constraints: Constraints) -> Any:
        """Parameters that maximise the expected log-likelihood with some of them fixed or tied.

        Parameters
        ----------
        stats : object returned by `suffstats`
        constraints : Constraints

        Returns
        -------
        params : NamedTuple

        Raises
        ------
        NotImplementedError
            If the family cannot do what is asked.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot hold {', '.join(constraints.names())} fixed or tied: "
            "families of independent columns can, such as Poisson, and Gaussian and Categorical."
        )

    def n_constraints(self, constraints: Constraints) -> int:
        """How many free parameters fewer there are under constraints.

        Parameters
        ----------
        constraints : Constraints

        Returns
        -------
        n_constraints : int
        """
        return constraints.n_lost()
