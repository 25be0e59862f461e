"""Moves that single runs of EM cannot make: a component leaves its rows and is given others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._init import nearest_rows

__all__ = ["Mover"]

Array = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)


class Mover(NamedTuple):
    """Makes random moves.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_coordinates)
        Whitened rows.
    weights : ndarray of shape (n_samples,)
    rng : numpy.random.Generator
    """

    Z: Array
    weights: Array
    rng: np.random.Generator

    def move(self, resp: Array) -> tuple[str, Array]:
        """Take one component away and give it to rows elsewhere.

        Parameters
        ----------
        resp : ndarray of shape (n_samples, n_components)

        Returns
        -------
        name : str
        resp : ndarray of shape (n_samples, n_components)
        """
        resp = resp.copy()
        gone = int(self.rng.integers(resp.shape[1]))
        resp[:, gone] = TINY
        resp /= resp.sum(axis=1, keepdims=True)
        move = self._split if self.rng.random() < 0.5 else self._claim
        move(resp, gone)
        return f"moved component ({move.__name__.strip('_')})", resp

    def _split(self, resp: Array, gone: int) -> None:
        """Give away what lies on one side of a random plane through another component's mean."""
        source = int(self.rng.choice(np.delete(np.arange(resp.shape[1]), gone)))
        part = resp[:, source] * self.weights + TINY
        centred = self.Z - part @ self.Z / part.sum()
        side = centred @ self.rng.standard_normal(centred.shape[1]) > 0
        resp[side, gone] += resp[side, source]
        resp[side, source] = 0.0

    def _claim(self, resp: Array, gone: int) -> None:
        """Give a random row and a random number of its neighbours."""
        n, n_components = resp.shape
        size = np.exp(self.rng.uniform(0.0, np.log(max(n / n_components, 1.0))))
        claimed = nearest_rows(self.Z, int(self.rng.integers(n)))[: int(size)]
        resp[claimed] = 0.0
        resp[claimed, gone] = 1.0
