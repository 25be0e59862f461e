"""Orientations that components share: matrices made as diagonal as one rotation can make them.

Browne and McNicholas (2014) lower the same functions by majorization; here they are minimised
directly, by a quasi-Newton method on rotations whose units are the curvatures at the start.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from sklearn_genmodel.families._arrays import Array

__all__ = ["axes_of_all", "common_axes", "mean_log_volume", "total_log_volume"]

# A function of log |diag(D' W_k D)|, (K,), and its gradient, non-negative weights (K,).
ROUNDING = 1e-16
Loss = Callable[[Array], tuple[float, Array]]

N_RANDOM, MAX_ROUNDS, MAX_STEPS, MEMORY = 4, 10, 200, 20
PRECISION, GRADIENT, FLATTEST = 1e-14, 1e-7, 1e-6


def mean_log_volume(counts: Array) -> Loss:
    """Loss of orientations whose volumes and shapes are free: sum_k n_k log |.| / n (VVE)."""
    shares = counts / counts.sum()

    def loss(log_volumes: Array) -> tuple[float, Array]:
        return float(shares @ log_volumes), shares

    return loss


def total_log_volume(n_features: int) -> Loss:
    """Loss where volumes are equal: d log sum_k |.|^(1/d) (EVE)."""

    def loss(log_volumes: Array) -> tuple[float, Array]:
        largest = log_volumes.max()
        sizes = np.exp((log_volumes - largest) / n_features)
        total = sizes.sum()
        return float(largest + n_features * np.log(total)), sizes / total

    return loss


def axes_of_all(matrices: Array) -> Array:
    """Axes, (d, d), that matrices which have them in common share.

    A sum with unequal weights has no eigenvalues that tie unless those of all matrices do.
    """
    weights = 1.0 / np.sqrt(np.arange(2.0, 2.0 + len(matrices)))
    weights /= np.einsum("kii->k", matrices)
    return np.asarray(np.linalg.eigh(np.einsum("k,kij->ij", weights, matrices))[1])


def common_axes(scatter: Array, loss: Loss, current: Array | None) -> tuple[Array, Array]:
    """Orthogonal D that minimises a loss of the diagonals of D' W_k D, and those diagonals.

    The loss has several minima. Without a current D all of the eigenvectors of every scatter and
    of their sum are tried, and some axes at random, always the same; with one, only the best of
    it and those eigenvectors.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
        Positive definite.
    loss : callable
    current : ndarray of shape (n_features, n_features) or None

    Returns
    -------
    axes : ndarray of shape (n_features, n_features)
    diagonals : ndarray of shape (n_components, n_features)
    """
    d = scatter.shape[1]
    starts = np.linalg.eigh(np.concatenate([scatter, scatter.sum(axis=0)[None]]))[1]
    if current is None:
        drawn = np.random.default_rng(0).standard_normal((N_RANDOM, d, d))
        starts = np.concatenate([starts, np.linalg.qr(drawn)[0]])
        found = [_turned(scatter, loss, axes) for axes in starts]
        axes, _ = min(found, key=lambda pair: pair[1])
    else:
        starts = np.concatenate([current[None], starts])
        values = [loss(np.log(_diagonals(scatter, axes)).sum(axis=1))[0] for axes in starts]
        axes = starts[np.argmin(values)]
    axes = _minimized(scatter, loss, axes, n_rounds=MAX_ROUNDS if current is None else 1)
    return axes, _diagonals(scatter, axes)


def _diagonals(scatter: Array, axes: Array) -> Array:
    """Sums of squares along axes, (K, d)."""
    return _positive(np.einsum("ij,kij->kj", axes, scatter @ axes))


def _positive(diagonals: Array) -> Array:
    """Sums of squares, which rounding makes negative where matrices are near-singular."""
    floored: Array = np.maximum(diagonals, ROUNDING * diagonals.max(axis=1, keepdims=True))
    return floored


def _minimized(scatter: Array, loss: Loss, axes: Array, *, n_rounds: int) -> Array:
    """Axes after rounds of small turns, as long as these lower the loss."""
    value = loss(np.log(_diagonals(scatter, axes)).sum(axis=1))[0]
    for _ in range(n_rounds):
        turned, lower = _turned(scatter, loss, axes)
        if lower < value:
            axes = turned
        if lower >= value - PRECISION:
            break
        value = lower
    return axes


def _turned(scatter: Array, loss: Loss, axes: Array) -> tuple[Array, float]:
    """Better axes near those given, which become the origin of the coordinates, and their loss."""
    matrices = axes.T @ scatter @ axes
    d = len(axes)
    if d == 1:
        return axes, loss(np.log(matrices[:, 0, 0]))[0]
    i, j = np.triu_indices(d, 1)
    diagonals = _positive(np.einsum("kjj->kj", matrices))
    weights = loss(np.log(diagonals).sum(axis=1))[1]
    # Second derivative along a turn of axes i, j where the matrices are diagonal.
    ratios = np.sqrt(diagonals[:, i] / diagonals[:, j])
    curvatures = 2.0 * weights @ (ratios - 1.0 / ratios) ** 2
    units = 1.0 / np.sqrt(curvatures + FLATTEST * curvatures.max() + PRECISION)
    identity, above, below = np.eye(d), i * d + j, j * d + i

    def cayley(turns: Array) -> tuple[Array, Array]:
        """Rotation (I - S/2)^-1 (I + S/2) = 2 (I - S/2)^-1 - I of a skew-symmetric S."""
        matrix = identity.ravel().copy()
        half = 0.5 * turns * units
        matrix[above], matrix[below] = -half, half
        inverse = np.asarray(np.linalg.inv(matrix.reshape(d, d)), dtype=np.float64)
        return 2.0 * inverse - identity, inverse

    def evaluate(turns: Array) -> tuple[float, Array]:
        rotation, inverse = cayley(turns)
        turned = matrices @ rotation
        diagonals = _positive((rotation * turned).sum(axis=1))
        value, weights = loss(np.log(diagonals).sum(axis=1))
        slope = (turned * (2.0 * weights[:, None] / diagonals)[:, None]).sum(axis=0)
        gradient = (inverse.T @ slope @ inverse.T).ravel()
        return value, (gradient[above] - gradient[below]) * units

    options = {"maxiter": MAX_STEPS, "maxcor": MEMORY, "ftol": 0.0, "gtol": GRADIENT}
    result = minimize(evaluate, np.zeros(len(i)), jac=True, method="L-BFGS-B", options=options)
    return _orthonormal(axes @ cayley(result.x)[0]), float(result.fun)


def _orthonormal(axes: Array) -> Array:
    """Orthogonal matrix nearest to one that is orthogonal but for rounding."""
    left, _, right = np.linalg.svd(axes)
    product: Array = left @ right
    return product
