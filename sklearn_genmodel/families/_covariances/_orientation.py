"""Orientations that components share: matrices made as diagonal as one rotation can make them.

Browne and McNicholas (2014) lower the same functions by majorization. Here all planes of two axes
are turned at once, each as far as its own curvature asks for: close to matrices that are diagonal
in common these are Newton's steps (Ablin, Cardoso and Gramfort 2018, for rotations); elsewhere
they are made conjugate (Polak and Ribiere 1969). Arrays have an axis of mixtures, (M, ...), in
front, or of searches, (n, ...), each of which belongs to one of the mixtures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = ["axes_of_all", "common_axes", "mean_log_volume", "total_log_volume"]

Indices = NDArray[np.intp]
# A function of log |diag(D' W_k D)|, (n, K), in searches of these mixtures, (n,), and its gradient,
# non-negative weights (n, K).
Loss = Callable[[Array, Indices], tuple[Array, Array]]

ROUNDING = 1e-16
# An M-step that starts from current axes takes a few steps, each of which lowers the loss.
N_RANDOM, MAX_STEPS, FEW_STEPS = 4, 500, 3
PRECISION, MAX_HALVINGS, ARMIJO = 1e-20, 20, 1e-4
# Curvatures are at least this share of the largest, and this.
FLATTEST, LEAST = 1e-6, 1e-15
# Losses that differ by less, relative to 1 + |loss|, are the same.
TIE = 1e-14


def mean_log_volume(counts: Array) -> Loss:
    """Loss of orientations whose volumes and shapes are free: sum_k n_k log |.| / n (VVE)."""
    shares = counts / counts.sum(axis=1, keepdims=True)

    def loss(log_volumes: Array, mixtures: Indices) -> tuple[Array, Array]:
        weights = shares[mixtures]
        return (weights * log_volumes).sum(axis=1), weights

    return loss


def total_log_volume(n_features: int) -> Loss:
    """Loss where volumes are equal: d log sum_k |.|^(1/d) (EVE)."""

    def loss(log_volumes: Array, _mixtures: Indices) -> tuple[Array, Array]:
        largest = log_volumes.max(axis=1, keepdims=True)
        sizes = np.exp((log_volumes - largest) / n_features)
        totals = sizes.sum(axis=1, keepdims=True)
        return (largest + n_features * np.log(totals))[:, 0], sizes / totals

    return loss


def axes_of_all(matrices: Array) -> Array:
    """Axes, (..., d, d), that matrices (..., K, d, d) which have them in common share.

    A sum with unequal weights has no eigenvalues that tie unless those of all matrices do.
    """
    weights = 1.0 / np.sqrt(np.arange(2.0, 2.0 + matrices.shape[-3]))
    weights = weights / np.einsum("...ii->...", matrices)
    return np.asarray(np.linalg.eigh(np.einsum("...k,...kij->...ij", weights, matrices))[1])


def common_axes(scatter: Array, loss: Loss, current: Array | None) -> tuple[Array, Array]:
    """Orthogonal D that minimise a loss of the diagonals of D' W_k D, and those diagonals.

    The loss has several minima. Without a current D all of the eigenvectors of every scatter and
    of their sum are tried, and some axes at random, always the same; with one, the best of it and
    those eigenvectors is improved by a few steps.

    Parameters
    ----------
    scatter : ndarray of shape (n_mixtures, n_components, n_features, n_features)
        Positive definite.
    loss : callable
    current : ndarray of shape (n_mixtures, n_features, n_features) or None

    Returns
    -------
    axes : ndarray of shape (n_mixtures, n_features, n_features)
    diagonals : ndarray of shape (n_mixtures, n_components, n_features)
    """
    n_mixtures, _, d, _ = scatter.shape
    everything = np.concatenate([scatter, scatter.sum(axis=1, keepdims=True)], axis=1)
    starts = np.linalg.eigh(everything)[1]
    if current is None:
        drawn = np.linalg.qr(np.random.default_rng(0).standard_normal((N_RANDOM, d, d)))[0]
        others = np.broadcast_to(drawn, (n_mixtures, *drawn.shape))
    else:
        others = current[:, None]
    starts = np.concatenate([others, starts], axis=1)
    shape, mixtures = starts.shape, np.repeat(np.arange(n_mixtures), starts.shape[1])
    if current is None:
        starts, values = _turned(scatter, loss, starts.reshape(-1, d, d), mixtures, MAX_STEPS)
    else:
        log_volumes = np.log(_diagonals(scatter[:, None], starts)).sum(axis=3)
        values, _ = loss(log_volumes.reshape(len(mixtures), -1), mixtures)
    best, each = values.reshape(n_mixtures, -1).argmin(axis=1), np.arange(n_mixtures)
    axes = starts.reshape(shape)[each, best]
    if current is not None:
        axes, _ = _turned(scatter, loss, axes, each, FEW_STEPS)
    return axes, _diagonals(scatter, axes)


def _diagonals(scatter: Array, axes: Array) -> Array:
    """Sums of squares along axes (..., d, d) of matrices (..., K, d, d), (..., K, d)."""
    return _positive(np.einsum("...ij,...kij->...kj", axes, scatter @ axes[..., None, :, :]))


def _positive(diagonals: Array) -> Array:
    """Sums of squares, which rounding makes negative where matrices are near-singular."""
    floored: Array = np.maximum(diagonals, ROUNDING * diagonals.max(axis=-1, keepdims=True))
    return floored


class _Turned(NamedTuple):
    """Matrices along axes so far, and what the loss makes of their diagonals: all (n, ...)."""

    rotations: Array
    matrices: Array
    diagonals: Array
    values: Array
    weights: Array


def _turned(
    scatter: Array, loss: Loss, axes: Array, mixtures: Indices, n_steps: int
) -> tuple[Array, Array]:
    """Better axes near those given, and their losses, (n,), which rise by rounding only."""
    d = axes.shape[-1]
    axes, planes = axes.copy(), np.triu_indices(d, 1)

    def turn(rotations: Array, matrices: Array, mixtures: Indices) -> _Turned:
        turned = rotations.swapaxes(1, 2)[:, None] @ matrices @ rotations[:, None]
        diagonals = _positive(np.einsum("nkjj->nkj", turned))
        values, weights = loss(np.log(diagonals).sum(axis=2), mixtures)
        return _Turned(rotations, turned, diagonals, values, weights)

    now = turn(axes, scatter[mixtures], mixtures)
    found, going = now.values.copy(), np.arange(len(axes))
    slopes = newton = steps = np.zeros((len(axes), len(planes[0])))
    for _ in range(n_steps if d > 1 else 0):
        before = slopes, newton, steps
        slopes, newton = _newton(now, planes)
        steps = _conjugate(slopes, newton, *before)
        gains = -(slopes * steps).sum(axis=1)
        kept = gains > PRECISION
        if not kept.any():
            break
        going, gains = going[kept], gains[kept]
        slopes, newton, steps = slopes[kept], newton[kept], steps[kept]
        matrices, values = now.matrices[kept], now.values[kept]
        highest, lengths = values + TIE * (1.0 + np.abs(values)), np.ones(len(going))
        now = turn(_rotations(steps, planes), matrices, mixtures[going])
        for _ in range(MAX_HALVINGS):
            worse = ~(now.values <= highest - ARMIJO * lengths * gains)
            if not worse.any():
                break
            lengths[worse] *= 0.5
            shorter = _rotations(lengths[worse, None] * steps[worse], planes)
            again = turn(shorter, matrices[worse], mixtures[going[worse]])
            for whole, part in zip(now, again, strict=True):
                whole[worse] = part
        better = now.values <= highest
        going, now = going[better], _Turned(*(array[better] for array in now))
        slopes, newton, steps = slopes[better], newton[better], steps[better]
        axes[going], found[going] = axes[going] @ now.rotations, now.values
    return _orthonormal(axes), found


def _newton(now: _Turned, planes: tuple[Indices, Indices]) -> tuple[Array, Array]:
    """Slopes along turns of every plane (n, n_planes), and Newton's steps by themselves."""
    i, j = planes
    diagonals, weights = now.diagonals, now.weights
    turns = np.einsum("nkij,nkj->nij", now.matrices, weights[..., None] / diagonals)
    slopes = 2.0 * (turns - turns.swapaxes(1, 2))[:, i, j]
    # Second derivatives where the matrices are diagonal.
    ratios = np.sqrt(diagonals[..., i] / diagonals[..., j])
    curvatures = 2.0 * np.einsum("nk,nkp->np", weights, (ratios - 1.0 / ratios) ** 2)
    curvatures += FLATTEST * curvatures.max(axis=1, keepdims=True) + LEAST
    return slopes, -slopes / curvatures


def _conjugate(
    slopes: Array, newton: Array, old_slopes: Array, old_newton: Array, old_steps: Array
) -> Array:
    """Newton's steps made conjugate to the last ones, downhill, no angle above 1."""
    squares = -(old_slopes * old_newton).sum(axis=1)
    change = -(newton * (slopes - old_slopes)).sum(axis=1)
    change = np.maximum(change, 0.0) / np.where(squares > 0.0, squares, np.inf)
    steps = newton + change[:, None] * old_steps
    uphill = (steps * slopes).sum(axis=1) >= 0.0
    steps[uphill] = newton[uphill]
    shorter: Array = steps / np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1.0)
    return shorter


def _rotations(turns: Array, planes: tuple[Indices, Indices]) -> Array:
    """Rotations (I - S/2)^-1 (I + S/2) = 2 (I - S/2)^-1 - I of skew-symmetric S, (n, d, d)."""
    i, j = planes
    identity = np.eye(j[-1] + 1)
    matrices = np.repeat(identity[None], len(turns), axis=0)
    matrices[:, i, j], matrices[:, j, i] = -0.5 * turns, 0.5 * turns
    rotations: Array = 2.0 * np.linalg.inv(matrices) - identity
    return rotations


def _orthonormal(axes: Array) -> Array:
    """Orthogonal matrices nearest to those that are orthogonal but for rounding."""
    left, _, right = np.linalg.svd(axes)
    product: Array = left @ right
    return product
