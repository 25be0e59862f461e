"""Moves that single runs of EM cannot make: a component leaves its rows and is given others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._init import nearest_rows

__all__ = ["Mover"]

Array = NDArray[np.float64]

# Of the longest axis of a component, squared: a metric knows no thinner one.
THINNEST = 1e-4
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

    def move(self, resp: Array, log_evidence: Array) -> tuple[str, Array]:
        """Take one component away and give it to rows elsewhere.

        Parameters
        ----------
        resp : ndarray of shape (n_samples, n_components)
        log_evidence : ndarray of shape (n_samples,)
            Of the mixture that the responsibilities are of.

        Returns
        -------
        name : str
        resp : ndarray of shape (n_samples, n_components)
        """
        resp = resp.copy()
        gone = int(self.rng.integers(resp.shape[1]))
        resp[:, gone] = TINY
        resp /= resp.sum(axis=1, keepdims=True)
        if self.rng.random() < 0.5:
            self._split(resp, gone)
            return "moved component (split)", resp
        self._claim(resp, gone, log_evidence)
        return "moved component (claim)", resp

    def _split(self, resp: Array, gone: int) -> None:
        """Give away what lies on one side of a random plane through another component's mean."""
        source, _, centred = self._about_one(resp, gone)
        side = centred @ self.rng.standard_normal(centred.shape[1]) > 0
        resp[side, gone] += resp[side, source]
        resp[side, source] = 0.0

    def _claim(self, resp: Array, gone: int, log_evidence: Array) -> None:
        """Give a row, often one that is badly explained, and a random number of its neighbours."""
        n, n_components = resp.shape
        size = np.exp(self.rng.uniform(0.0, np.log(max(n / n_components, 1.0))))
        Z = self.Z if self.rng.random() < 0.5 else self._in_units_of_one(resp, gone)
        # Of rows in the order of their density, the first are those in question most often.
        place = int(n * self.rng.random() ** self.rng.choice([1, 4]))
        claimed = nearest_rows(Z, int(np.argsort(log_evidence, kind="stable")[place]))[: int(size)]
        resp[claimed] = 0.0
        resp[claimed, gone] = 1.0

    def _about_one(self, resp: Array, gone: int) -> tuple[int, Array, Array]:
        """Another component than the one that is gone, its weights, and rows about its mean."""
        source = int(self.rng.choice(np.delete(np.arange(resp.shape[1]), gone)))
        part = resp[:, source] * self.weights + TINY
        return source, part, self.Z - part @ self.Z / part.sum()

    def _in_units_of_one(self, resp: Array, gone: int) -> Array:
        """Rows in another component's units: small clusters tend to be shaped like large ones."""
        _, part, centred = self._about_one(resp, gone)
        values, axes = np.linalg.eigh((part * centred.T) @ centred / part.sum())
        if not values[-1] > 0.0:
            return self.Z
        return np.asarray(centred @ axes / np.sqrt(np.maximum(values, THINNEST * values[-1])))
