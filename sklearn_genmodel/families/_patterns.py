"""Rows with missing values: what their observed columns say under every component.

Rows are taken pattern by pattern. With o the columns observed and m those missing, x_o is normal
with the block C_oo, and x_m given x_o is normal with mean mu_m + C_mo C_oo^-1 (x_o - mu_o) and
covariance C_mm - C_mo C_oo^-1 C_om (Little and Rubin 2019, section 11.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariance import LOG_2PI, Structure

__all__ = ["Conditional", "IncompleteRows", "condition", "packed"]

Positions = NDArray[np.intp]

# Conditionals are kept for the rest of a pass up to this many floats.
MOST_KEPT = 2**22


class Conditional(NamedTuple):
    """Missing columns given observed ones, under every component.

    ``root`` (K, o, o) whitens the observed columns, ``extension`` (K, d, o) maps x_o - mu_o to the
    expectation of x - mu, and ``residual`` (K, m, m) is the covariance of the missing columns.
    """

    observed: Positions
    missing: Positions
    root: Array
    extension: Array
    residual: Array

    @property
    def half_log_det(self) -> Array:
        """Half the log-determinant of the observed block, (K,)."""
        diagonal = np.diagonal(self.root, axis1=1, axis2=2)
        return np.asarray(-np.log(diagonal).sum(axis=1))


Patterns = list[tuple[Conditional, Positions]]


def condition(covariances: Array, observed: Positions) -> Conditional:
    """Regress the columns that are missing on those that are observed.

    Parameters
    ----------
    covariances : ndarray of shape (n_components, n_features, n_features)
    observed : ndarray of int
        Positions of the columns observed.

    Returns
    -------
    conditional : Conditional
    """
    n_components, d, _ = covariances.shape
    missing = np.setdiff1d(np.arange(d), observed)
    root = np.linalg.inv(np.linalg.cholesky(covariances[:, observed[:, None], observed]))
    # W = L^-1 C_om, so that C_mo C_oo^-1 = W' L^-1 and C_mo C_oo^-1 C_om = W' W.
    whitened = root @ covariances[:, observed[:, None], missing]
    transposed = whitened.swapaxes(1, 2)
    residual = covariances[:, missing[:, None], missing] - transposed @ whitened
    extension = np.zeros((n_components, d, len(observed)))
    extension[:, observed, np.arange(len(observed))] = 1.0
    extension[:, missing] = transposed @ root
    return Conditional(observed, missing, root, extension, residual)


def packed(structure: Structure, matrices: Array) -> Array:
    """Pack symmetric matrices as a structure packs its products.

    Parameters
    ----------
    structure : Structure
    matrices : ndarray of shape (n_components, n_features, n_features)

    Returns
    -------
    packed : ndarray
    """
    n_components, d, _ = matrices.shape
    units = np.broadcast_to(np.eye(d)[:, None], (d, n_components, d))
    columns = (structure.pair(matrices[:, :, j], units[j]) for j in range(d))
    return np.asarray(sum(columns))


@dataclass
class IncompleteRows:
    """Distances and expected moments of rows with missing values, for a pass.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)
    """

    means: Array
    covariances: Array
    _kept: dict[bytes, Conditional] = field(default_factory=dict, init=False)

    def patterns(self, X: Array) -> list[tuple[Conditional, Positions]]:
        """The rows of every pattern with a column observed."""
        seen = ~np.isnan(X)
        patterns, which = np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(which.ravel(), minlength=len(patterns)))
        return [
            (self._conditional(pattern.tobytes(), seen[rows[0]]), rows)
            for pattern, rows in zip(patterns, np.split(order, ends[:-1]), strict=True)
            if pattern.any()
        ]

    def densities(self, X: Array, patterns: Patterns) -> tuple[Array, Array]:
        """Normal log-densities of what is observed, and half log-determinants, both (K, n).

        0 where nothing is observed.
        """
        log_prob = np.zeros((len(self.means), len(X)))
        half_log_det = np.zeros_like(log_prob)
        for conditional, rows in patterns:
            o = conditional.observed
            whitened = conditional.root @ self._centred(X, o, rows)
            distance = np.einsum("kij,kij->kj", whitened, whitened)
            half_log_det[:, rows] = conditional.half_log_det[:, None]
            log_prob[:, rows] = -0.5 * (len(o) * LOG_2PI + distance) - half_log_det[:, rows]
        return log_prob, half_log_det

    def moments(
        self, X: Array, patterns: Patterns, scaled: Array, resp: Array
    ) -> tuple[Array, Array, Array]:
        """Expected counts (K,), sums (K, d) and products (K, d, d) about the means.

        Completed rows weigh `scaled`, the conditional covariances `resp`, both (K, n). Rows with
        nothing observed are left out: they say nothing about the parameters.
        """
        counts, sums = np.zeros(len(self.means)), np.zeros_like(self.means)
        products = np.zeros_like(self.covariances)
        for conditional, rows in patterns:
            y, weights = self._centred(X, conditional.observed, rows), scaled[:, None, rows]
            weighted, extension = y * weights, conditional.extension
            counts += weights.sum(axis=(1, 2))
            sums += (extension @ weighted.sum(axis=2, keepdims=True))[..., 0]
            # E[y y'] = A (sum w y_o y_o') A' + (sum r) (C_mm - C_mo C_oo^-1 C_om)
            products += extension @ (weighted @ y.swapaxes(1, 2)) @ extension.swapaxes(1, 2)
            m, total = conditional.missing, resp[:, rows].sum(axis=1)
            products[:, m[:, None], m] += total[:, None, None] * conditional.residual
        return counts, sums, products

    def _centred(self, X: Array, observed: Positions, rows: Positions) -> Array:
        """Observed columns about the means, (K, o, n)."""
        centred: Array = X[rows[:, None], observed].T - self.means[:, observed, None]
        return centred

    def _conditional(self, key: bytes, seen: NDArray[np.bool_]) -> Conditional:
        if key in self._kept:
            return self._kept[key]
        conditional = condition(self.covariances, np.flatnonzero(seen))
        if (len(self._kept) + 1) * 3 * self.covariances.size <= MOST_KEPT:
            self._kept[key] = conditional
        return conditional
