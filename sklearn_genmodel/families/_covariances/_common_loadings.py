"""One loading matrix for all components: Lambda Lambda' + Psi_k, given covariance matrices.

Minimises sum_k w_k (log det Sigma_k + tr(S_k Sigma_k^-1)), with noise variances that exceed a
minimum: the Heywood cases, whose noise would vanish, end on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import Bounds, minimize

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._factor_analysis import EPSILON, signed

__all__ = ["common_loadings"]

LEAST_SHARE, MOST_NOISE, DIFFERENCE, FLAT = 1e-3, 1e3, 1e-6, 1e-7
MOST_POLISHED, POLISHING_STEPS, MANY_STEPS, FEW_STEPS = 100, 5, 500, 20


def common_loadings(
    matrices: Array,
    weights: Array,
    minimum: Array,
    start: tuple[Array, Array],
    *,
    spherical: bool,
    exact: bool,
) -> tuple[Array, Array]:
    """One loading matrix, and noise variances of every matrix, by a quasi-Newton method.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, n_features, n_features)
    weights : ndarray of shape (n_matrices,)
        Shares of the matrices, which sum to 1.
    minimum : ndarray of shape (n_features,)
    start : pair of ndarray
        Loadings (n_features, n_factors) and noise (n_matrices, n_features).
    spherical : bool
        Whether the noise of a matrix is the same for all columns.
    exact : bool
        Whether to go on to the maximum. From pass to pass of EM a few steps are enough, none of
        which is worse than the start.

    Returns
    -------
    loadings : ndarray of shape (n_features, n_factors)
    noise : ndarray of shape (n_matrices, n_features)
    """
    shape, n_matrices = start[0].shape, len(matrices)
    size, d = shape[0] * shape[1], shape[0]
    # A row of loadings is known to within the noise of its column.
    least = LEAST_SHARE * np.einsum("k,kjj->j", weights, matrices)
    units = np.sqrt(np.maximum(np.exp(weights @ np.log(start[1])), least))[:, None]
    bounds = np.broadcast_to(np.log(minimum.mean() if spherical else minimum), (n_matrices, d))
    bounds = bounds[:, :1] if spherical else bounds

    def evaluate(vector: Array) -> tuple[float, Array]:
        loadings = vector[:size].reshape(shape) * units
        noise = np.broadcast_to(np.exp(vector[size:].reshape(n_matrices, -1)), (n_matrices, d))
        value, slope, slopes = _criterion(loadings, noise, matrices, weights)
        slopes = slopes.sum(axis=1) if spherical else slopes
        return value, np.concatenate([(slope * units).ravel(), slopes.ravel()])

    logs = np.maximum(np.log(start[1][:, :1] if spherical else start[1]), bounds)
    point = np.concatenate([(start[0] / units).ravel(), logs.ravel()])
    # No noise comes near the upper bound; trial steps must not overflow.
    highest = np.log(MOST_NOISE * np.einsum("kjj->kj", matrices).max())
    lower = np.concatenate([np.full(size, -np.inf), bounds.ravel()])
    box = Bounds(lower, np.where(np.isinf(lower), np.inf, highest))
    n_steps = MANY_STEPS if exact else FEW_STEPS
    options = {"maxiter": n_steps, "maxfun": 2 * n_steps, "maxcor": 20, "ftol": 0.0, "gtol": 1e-9}
    result = minimize(evaluate, point, jac=True, method="L-BFGS-B", bounds=box, options=options)
    polish = exact and len(point) <= MOST_POLISHED
    point = _polished(evaluate, result.x, lower) if polish else result.x
    noise = np.exp(point[size:].reshape(n_matrices, -1))
    loadings = point[:size].reshape(shape) * units
    return _principal(loadings, noise.mean(axis=0)), np.broadcast_to(noise, (n_matrices, d)).copy()


def _criterion(
    loadings: Array, noise: Array, matrices: Array, weights: Array
) -> tuple[float, Array, Array]:
    """Criterion at common loadings, and its gradients in loadings (d, q) and log noise (K, d)."""
    d = len(loadings)
    covariances = loadings @ loadings.T + noise[:, :, None] * np.eye(d)
    inverse = np.linalg.inv(covariances)
    product = inverse @ matrices
    _, log_det = np.linalg.slogdet(covariances)
    value = weights @ (log_det + np.einsum("kii->k", product))
    # The derivative in Sigma: Sigma^-1 - Sigma^-1 S Sigma^-1
    slopes = weights[:, None, None] * (inverse - product @ inverse)
    diagonal = np.einsum("kjj->kj", slopes) * noise
    return float(value), 2.0 * slopes.sum(axis=0) @ loadings, diagonal


def _polished(
    evaluate: Callable[[Array], tuple[float, Array]], point: Array, lower: Array
) -> Array:
    """Newton steps with differences of gradients, which see further than values do.

    As long as each halves the gradient. Loadings may be turned at no cost, so that the Hessian is
    singular.
    """
    for _ in range(POLISHING_STEPS):
        polished = _newton_step(evaluate, point, lower)
        if polished is None:
            break
        point = polished
    return point


def _newton_step(
    evaluate: Callable[[Array], tuple[float, Array]], point: Array, lower: Array
) -> Array | None:
    """The point after one step, if the gradient is half as steep there."""
    value, slope = evaluate(point)
    free = (point > lower) | (slope < 0.0)
    turns = DIFFERENCE * np.eye(len(point))[free]
    hessian = np.array([evaluate(point + turn)[1] - slope for turn in turns])[:, free] / DIFFERENCE
    step = np.zeros_like(point)
    step[free] = np.linalg.lstsq(hessian + hessian.T, -2.0 * slope[free], rcond=FLAT)[0]
    new_value, new_slope = evaluate(np.maximum(point + step, lower))
    flatter = np.abs(new_slope[free]).max() < 0.5 * np.abs(slope[free]).max()
    better = flatter and new_value <= value + EPSILON * (1.0 + abs(value))
    return np.maximum(point + step, lower) if better else None


def _principal(loadings: Array, noise: Array) -> Array:
    """Loadings turned so that Lambda' Psi^-1 Lambda is diagonal, in descending order."""
    deviations = np.sqrt(noise)[:, None]
    left, lengths, _ = np.linalg.svd(loadings / deviations, full_matrices=False)
    return signed(deviations * left * lengths)
