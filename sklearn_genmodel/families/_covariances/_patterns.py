"""Rows with missing values: what their observed columns say under every component.

Rows are taken pattern by pattern. With o the columns observed and m those missing, x_o is normal
with the block C_oo, and x_m given x_o is normal with mean mu_m + C_mo C_oo^-1 (x_o - mu_o) and
covariance C_mm - C_mo C_oo^-1 C_om (Little and Rubin 2019, section 11.2). Patterns with about as
many rows are computed together, in arrays of full size with zeros where a column has no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import LOG_2PI, Structure

__all__ = ["Conditional", "IncompleteRows", "condition", "packed"]

Positions = NDArray[np.intp]

# Floats of the largest array in which patterns are computed together.
FLOATS_AT_A_TIME = 2**18
# Conditionals are kept from the densities of a block to its moments up to this many floats.
MOST_KEPT = 2**22


class Conditional(NamedTuple):
    """Missing columns given observed ones, for P patterns under every component.

    ``seen`` (P, d) tells the columns observed; ``root`` (P, K, d, d) whitens them,
    ``extension`` (P, K, d, d) maps x - mu, 0 where missing, to its expectation, and ``residual``
    (P, K, d, d) is the covariance of the missing columns; ``half_log_det`` (P, K) is that of C_oo.
    """

    seen: NDArray[np.bool_]
    root: Array
    extension: Array
    residual: Array
    half_log_det: Array


class Group(NamedTuple):
    """Rows of several patterns: positions (P, r), and 0 (1 otherwise) where a row only fills up."""

    seen: NDArray[np.bool_]
    conditional: Callable[[], Conditional]
    rows: Positions
    real: Array


def condition(covariances: Array, seen: NDArray[np.bool_]) -> Conditional:
    """Regress the columns that are missing on those that are observed.

    Parameters
    ----------
    covariances : ndarray of shape (n_components, n_features, n_features)
    seen : ndarray of bool, shape (n_patterns, n_features)
        Whether a column is observed.

    Returns
    -------
    conditional : Conditional
    """
    rows, columns = seen[:, None, :, None], seen[:, None, None, :]
    identity = np.eye(seen.shape[1])
    # Columns that are missing are replaced by independent ones of variance 1.
    lower = np.linalg.cholesky(np.where(rows & columns, covariances, identity))
    half_log_det = np.log(np.diagonal(lower, axis1=2, axis2=3)).sum(axis=2)
    root: Array = np.where(rows, np.linalg.inv(lower), 0.0)
    # W = L^-1 C_o, so that C_mo C_oo^-1 = W_m' L^-1 and C_mo C_oo^-1 C_om = W_m' W_m.
    whitened = root @ covariances
    transposed = whitened.swapaxes(2, 3)
    extension = np.where(rows, identity, transposed @ root)
    residual = np.where(rows | columns, 0.0, covariances - transposed @ whitened)
    return Conditional(seen, root, extension, residual, half_log_det)


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


@dataclass(frozen=True)
class IncompleteRows:
    """Distances and expected moments of rows with missing values, for a pass.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)
    """

    means: Array
    covariances: Array

    def groups(self, X: Array) -> list[Group]:
        """The rows of every pattern with a column observed, in groups of about as many rows."""
        order, starts, counts = _patterns(~np.isnan(X))
        seen = ~np.isnan(X[order[starts]])
        groups, kept = [], 0
        for chosen in self._together(counts, np.asarray(seen.any(axis=1))):
            place = np.arange(counts[chosen].max())
            real = place < counts[chosen, None]
            rows = order[starts[chosen, None] + np.where(real, place, 0)]
            conditional = partial(condition, self.covariances, seen[chosen])
            kept += 3 * len(chosen) * self.covariances.size
            once = cache(conditional) if kept <= MOST_KEPT else conditional
            groups.append(Group(seen[chosen], once, rows, real.astype(np.float64)))
        return groups

    def densities(self, X: Array, groups: list[Group]) -> tuple[Array, Array]:
        """Normal log-densities of what is observed, and half log-determinants, both (K, n).

        0 where nothing is observed.
        """
        log_prob = np.zeros((len(self.means), len(X)))
        half_log_det = np.zeros_like(log_prob)
        for group in groups:
            seen, root, _, _, half = group.conditional()
            distances = np.square(root @ self._centred(X, group)).sum(axis=2)
            constant = 0.5 * LOG_2PI * seen.sum(axis=1)[:, None] + half
            log_prob[:, group.rows] = (-0.5 * distances - constant[..., None]).swapaxes(0, 1)
            half_log_det[:, group.rows] = half.T[..., None]
        return log_prob, half_log_det

    def moments(
        self, X: Array, groups: list[Group], scaled: Array, resp: Array
    ) -> tuple[Array, Array, Array]:
        """Expected counts (K,), sums (K, d) and products (K, d, d) about the means.

        Completed rows weigh `scaled`, the conditional covariances `resp`, both (K, n). Rows with
        nothing observed are left out: they say nothing about the parameters.
        """
        counts, sums = np.zeros(len(self.means)), np.zeros_like(self.means)
        products = np.zeros_like(self.covariances)
        for group in groups:
            _, _, extension, residual, _ = group.conditional()
            y = self._centred(X, group)
            weights = (scaled[:, group.rows] * group.real).swapaxes(0, 1)
            totals = (resp[:, group.rows] * group.real).sum(axis=2)
            weighted = y * weights[:, :, None]
            counts += weights.sum(axis=(0, 2))
            sums += (extension @ weighted.sum(axis=3)[..., None]).sum(axis=0)[..., 0]
            # E[y y'] = A (sum w y_o y_o') A' + (sum r) (C_mm - C_mo C_oo^-1 C_om)
            squares = extension @ (weighted @ y.swapaxes(2, 3)) @ extension.swapaxes(2, 3)
            products += squares.sum(axis=0) + np.einsum("kp,pkij->kij", totals, residual)
        return counts, sums, products

    def _centred(self, X: Array, group: Group) -> Array:
        """Columns about the means, 0 where they are missing, (P, K, d, r)."""
        values = X[group.rows].swapaxes(1, 2)[:, None]
        centred: Array = values - self.means[:, :, None]
        return np.where(group.seen[:, None, :, None], centred, 0.0)

    def _together(self, counts: Positions, some: NDArray[np.bool_]) -> Iterator[Positions]:
        """Patterns with something observed whose numbers of rows differ by less than a factor 2."""
        n_components, d = self.means.shape
        sizes = np.frexp(counts - 0.5)[1]
        for size in np.unique(sizes[some]):
            chosen = np.flatnonzero(some & (sizes == size))
            floats = n_components * d * max(d, int(counts[chosen].max()))
            n_parts = -(-len(chosen) // max(FLOATS_AT_A_TIME // floats, 1))
            yield from np.array_split(chosen, n_parts)


def _patterns(seen: NDArray[np.bool_]) -> tuple[Positions, Positions, Positions]:
    """Order of the rows by pattern, where in it each pattern begins, and its number of rows."""
    bits = np.packbits(seen, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8)), dtype=np.uint64)
    words.view(np.uint8)[:, : bits.shape[1]] = bits
    order = np.lexsort(words.T)
    changes = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(np.append(True, changes))
    return order, starts, np.diff(np.append(starts, len(seen)))
