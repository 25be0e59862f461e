"""Regressions of missing columns on observed ones, for many patterns under every component.

With o the columns observed and m those missing, x_o is normal with the block C_oo, and x_m given
x_o is normal with mean mu_m + C_mo C_oo^-1 (x_o - mu_o) and covariance C_mm - C_mo C_oo^-1 C_om
(Little and Rubin 2019, section 11.2). With P = C^-1 these are mu_m - P_mm^-1 P_mo (x_o - mu_o) and
P_mm^-1, and det C_oo = det C det P_mm, so that the smaller of two blocks is all that has to be
factored: that of the columns observed (`ByObserved`), or that of the missing ones (`ByMissing`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances import _triangular as triangular

__all__ = ["ByMissing", "ByObserved", "Matrices", "Regression"]

Positions = NDArray[np.intp]

# A column whose variance given the others is a smaller share of its own loses too many digits of
# what is computed from inverses.
LARGEST_INFLATION = 1e8


class Matrices:
    """Covariance matrices, (K, d, d), and what regressions have in common.

    Parameters
    ----------
    covariances : ndarray of shape (n_components, n_features, n_features)
    """

    def __init__(self, covariances: Array) -> None:
        self.covariances = covariances

    @cached_property
    def whitener(self) -> Array:
        """Inverses of the lower Cholesky factors."""
        return triangular.inverses(triangular.cholesky(self.covariances))

    @cached_property
    def precisions(self) -> Array:
        """Inverses of the matrices."""
        # Beyond all numbers they are not `invertible`.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.whitener.swapaxes(1, 2) @ self.whitener)

    @cached_property
    def invertible(self) -> bool:
        """Whether inverses keep enough digits: no variance inflation factor is too large."""
        diagonals = (np.einsum("kjj->kj", m) for m in (self.covariances, self.precisions))
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(np.prod(list(diagonals), axis=0).max() < LARGEST_INFLATION)

    @cached_property
    def half_log_det(self) -> Array:
        """Halves of the log-determinants, (K,)."""
        return -_log_diagonal(self.whitener)


class ByObserved:
    """Regressions that factor the block of the columns observed.

    Parameters
    ----------
    matrices : Matrices
    seen : ndarray of bool, shape (n_patterns, n_features)
        The blocks have the size of the largest one.
    """

    def __init__(self, matrices: Matrices, seen: NDArray[np.bool_]) -> None:
        self.covariances, self.seen = matrices.covariances, seen
        self.observed, self.root, self.half_log_det = _factored(self.covariances, seen)
        # W = L^-1 C_o, so that C_mo C_oo^-1 = W_m' L^-1 and C_mo C_oo^-1 C_om = W_m' W_m.
        self.whitened = self.root @ self.covariances[:, self.observed]

    @staticmethod
    def size(n_observed: Positions, n_features: int) -> int:
        """Number of floats that are kept of each of several patterns and a component."""
        return int(n_observed.max() * (n_observed.max() + n_features))

    def complete(self, centred: Array) -> Array:
        """Put what is expected in place of missing values, and return squared distances.

        Parameters
        ----------
        centred : ndarray of shape (n_components, n_features, n_patterns, n_rows)
            Columns about the means, 0 where missing.

        Returns
        -------
        distances : ndarray of shape (n_components, n_patterns, n_rows)
        """
        z = self.root @ _cells(centred, self.observed)
        expected = (self.whitened.swapaxes(2, 3) @ z).swapaxes(1, 2)
        np.copyto(centred, expected, where=~self.seen.T[:, :, None])
        return np.asarray(np.square(z).sum(axis=2))

    def residual(self, weights: Array) -> Array:
        """Weighted sum of the covariances of missing columns given observed ones.

        Parameters
        ----------
        weights : ndarray of shape (n_components, n_patterns)

        Returns
        -------
        residual : ndarray of shape (n_components, n_features, n_features)
        """
        missing = ~self.seen
        marginal = self.covariances * ((weights[:, None] * missing.T) @ missing)
        explained = (self.whitened * missing[:, None]) * np.sqrt(weights)[..., None, None]
        explained = explained.reshape(len(weights), -1, missing.shape[1])
        return np.asarray(marginal - explained.swapaxes(1, 2) @ explained)


class ByMissing:
    """Regressions that factor the block of the missing columns in the precision matrix.

    Parameters
    ----------
    matrices : Matrices
    seen : ndarray of bool, shape (n_patterns, n_features)
        The blocks have the size of the largest one.
    """

    def __init__(self, matrices: Matrices, seen: NDArray[np.bool_]) -> None:
        self.matrices = matrices
        self.missing, self.root, half_log_det = _factored(matrices.precisions, ~seen)
        self.half_log_det = matrices.half_log_det[:, None] + half_log_det

    @staticmethod
    def size(n_observed: Positions, n_features: int) -> int:
        """As `ByObserved.size`."""
        return int(n_features - n_observed.min()) ** 2

    def complete(self, centred: Array) -> Array:
        """As `ByObserved.complete`."""
        by_column = centred.reshape(*centred.shape[:2], -1)
        linear = (self.matrices.precisions @ by_column).reshape(centred.shape)
        z = self.root @ _cells(linear, self.missing)
        patterns = np.arange(len(self.missing))[:, None]
        centred[:, self.missing, patterns] -= self.root.swapaxes(2, 3) @ z
        # Errors of what is expected, where this is least, are of no account.
        distances = np.square(self.matrices.whitener @ by_column).sum(axis=1)
        return distances.reshape(len(centred), *centred.shape[2:])

    def residual(self, weights: Array) -> Array:
        """As `ByObserved.residual`."""
        d = self.matrices.covariances.shape[1]
        inverses = self.root.swapaxes(2, 3) @ (self.root * weights[..., None, None])
        places = _places(self.missing, d).ravel()
        sums = [np.bincount(places, own.ravel(), d * d) for own in inverses]
        return np.asarray(np.stack(sums).reshape(-1, d, d), dtype=np.float64)


Regression = ByObserved | ByMissing


def _factored(matrices: Array, chosen: NDArray[np.bool_]) -> tuple[Positions, Array, Array]:
    """Blocks of some columns of every pattern, (P, d): inverses of their Cholesky factors.

    Returns the columns (P, s), those chosen first; the inverses (K, P, s, s), with rows of zeros
    for columns that only fill up; and halves of the blocks' log-determinants, (K, P).
    """
    columns = np.argsort(~chosen, axis=1, kind="stable")[:, : chosen.sum(axis=1).max()]
    real = np.take_along_axis(chosen, columns, axis=1)
    flat = matrices.reshape(len(matrices), -1)
    blocks = flat.take(_places(columns, matrices.shape[1]), axis=1)
    if not real.all():
        blocks = np.where(real[:, :, None] & real[:, None], blocks, np.eye(columns.shape[1]))
    root = triangular.inverse_factors(blocks)
    return columns, root * real[:, :, None], -_log_diagonal(root)


def _places(columns: Positions, n_features: int) -> Positions:
    """Places in a flat matrix of the blocks of some columns, (P, s, s)."""
    return columns[:, :, None] * n_features + columns[:, None]


def _cells(values: Array, columns: Positions) -> Array:
    """Some columns of every pattern's rows, (K, P, s, n_rows), of (K, d, P, n_rows)."""
    return values[:, columns, np.arange(len(columns))[:, None]]


def _log_diagonal(triangles: Array) -> Array:
    """Sums of the logarithms of the diagonals of matrices (..., s, s)."""
    return np.asarray(np.log(np.einsum("...jj->...j", triangles)).sum(axis=-1))
