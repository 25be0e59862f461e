"""What the engine asks of a family beside densities and estimates, with defaults that suit most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, Shortened
from sklearn_genmodel.families._constraints import Constraints
from sklearn_genmodel.families._parameter_hooks import ParameterHooks

__all__ = ["EngineHooks"]


class EngineHooks(ParameterHooks):
    """Starts, degeneracy, constants, constraints: optional parts of the family contract."""

    @property
    def title(self) -> str:
        """What a summary calls components of this family."""
        return type(self).__name__

    @property
    def ordered(self) -> bool:
        """Whether components cannot trade places, for more than their parameters differ."""
        return False

    def alike(self, n_components: int) -> NDArray[np.intp]:
        """Labels of components: those of equal labels may trade places.

        Parameters
        ----------
        n_components : int

        Returns
        -------
        labels : ndarray of int, shape (n_components,)
        """
        return np.zeros(n_components, dtype=np.intp)

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

    def collapsed(
        self, params: Any, n_rows: Array, pooled: Any, constraints: Constraints | None
    ) -> NDArray[np.bool_]:
        """Which components are degenerate, but for those whose shape is held fixed.

        Parameters
        ----------
        params : NamedTuple
        n_rows : ndarray of shape (n_components,)
        pooled : NamedTuple
        constraints : Constraints or None

        Returns
        -------
        collapsed : ndarray of bool, shape (n_components,)
        """
        found = self.degenerate(params, n_rows, pooled)
        if constraints is None:
            return found
        return found & ~constraints.shapes_held(len(n_rows), self.shared)

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

    def pass_cost(self, X: Array) -> float:
        """Number of multiplications that a pass over these rows takes for each component.

        What a search for starts may spend depends on it.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        cost : float
        """
        return float(len(X) * self.width(X.shape[1]))

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
