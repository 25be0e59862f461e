"""What the engine does with the parameters of a family, whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, map_params
from sklearn_genmodel.families._data_hooks import DataHooks

__all__ = ["ParameterHooks"]


class ParameterHooks(DataHooks):
    """Taking, stacking and unconstrained coordinates of parameters: part of the family contract."""

    @property
    def shared(self) -> frozenset[str]:
        """Names of the parameters that all components share, and that lack their axis."""
        return frozenset()

    @property
    def coupled(self) -> bool:
        """Whether the M-step of a component depends on the others: something is common to them."""
        return bool(self.shared)

    @property
    def has_coordinates(self) -> bool:
        """Whether `to_vector` and `from_vector` are defined, as acceleration needs."""
        return type(self).to_vector is not ParameterHooks.to_vector

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down, as arrays of double precision.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        params : NamedTuple

        Raises
        ------
        ValueError
            If they are none of this family.
        """
        floats = map_params(lambda array: np.array(array, dtype=np.float64), params)
        self._check_known(floats)
        return floats

    def _check_known(self, params: Any) -> None:
        """Raise for NaN, which would pass for a value that is missing."""

        def check(array: Array) -> None:
            if np.isnan(array).any():
                raise ValueError(f"{params!r} are no parameters of {self!r}: they hold NaN.")

        map_params(check, params)

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
