"""Loadings and noise of factor covariances Lambda Lambda' + Psi, given covariance matrices.

Each function minimises sum_k w_k (log det Sigma_k + tr(S_k Sigma_k^-1)), with noise variances that
exceed a minimum: the Heywood cases, whose noise would vanish, end on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from sklearn_genmodel.families._arrays import Array

__all__ = ["common_loadings", "free_loadings", "principal_loadings"]

MAX_STEPS, MAX_HALVINGS, LONGEST_STEP = 100, 30, 3.0
CLOSEST, LEAST_SHARE = 1e-10, 1e-3
EPSILON = 4.0 * float(np.finfo(np.float64).eps)
MOST_NOISE, DIFFERENCE, FLAT = 1e3, 1e-6, 1e-7
MOST_POLISHED, MANY_STEPS, FEW_STEPS = 100, 500, 20


@dataclass(frozen=True)
class Profile:
    """Criterion with the loadings profiled out, at given log noise (d,), and its derivatives.

    ``rounding`` is the size of the errors in the value and the gradient, which grow with the
    largest eigenvalue; ``curvature`` is the leading term of the Hessian, a squared projection.
    """

    value: float
    rounding: float
    gradient: Array
    hessian: Array
    curvature: Array
    loadings: Array


def principal_loadings(
    matrices: Array, weights: Array, n_factors: int, minimum: float
) -> tuple[Array, Array]:
    """Loadings and one noise variance for all matrices: the closed form of Tipping and Bishop.

    The noise is the mean of the eigenvalues that no loading accounts for: all but the first q of
    each matrix, and those of the first q that do not exceed it (Tipping and Bishop 1999, eq. 8).

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, n_features, n_features)
    weights : ndarray of shape (n_matrices,)
    n_factors : int
    minimum : float
        Lower bound of the noise variance.

    Returns
    -------
    loadings : ndarray of shape (n_matrices, n_features, n_factors)
    noise : ndarray of shape ()
    """
    values, vectors = np.linalg.eigh(matrices)
    values, vectors = values[:, ::-1], vectors[:, :, ::-1]
    noise = np.inf
    while True:
        rest = values <= noise
        rest[:, n_factors:] = True
        if np.isinf(noise):
            rest[:, :n_factors] = False
        share = (weights[:, None] * rest).sum()
        lower = max(float((weights[:, None] * values * rest).sum() / share), minimum)
        if lower >= noise:
            break
        noise = lower
    lengths = np.sqrt(np.maximum(values[:, :n_factors] - noise, 0.0))
    return _signed(vectors[:, :, :n_factors] * lengths[:, None, :]), np.asarray(noise)


def free_loadings(
    matrices: Array, weights: Array, n_factors: int, minimum: Array, starts: list[Array]
) -> tuple[Array, Array]:
    """Loadings of every matrix, and noise variances common to them, by Newton's method.

    Given the noise, the best loadings come from the eigenvectors of Psi^-1/2 S Psi^-1/2
    (Lawley and Maxwell 1971, chapter 4); what is left is a function of d logarithms.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, n_features, n_features)
    weights : ndarray of shape (n_matrices,)
        Shares of the matrices, which sum to 1.
    n_factors : int
    minimum : ndarray of shape (n_features,)
        Lower bounds of the noise variances.
    starts : list of ndarray of shape (n_features,)
        Noise variances, of which the best is continued.

    Returns
    -------
    loadings : ndarray of shape (n_matrices, n_features, n_factors)
    noise : ndarray of shape (n_features,)
    """
    lower = np.log(minimum)
    points = [np.log(np.maximum(start, minimum)) for start in starts]
    profiles = [_profile(point, matrices, weights, n_factors) for point in points]
    best = int(np.argmin([profile.value for profile in profiles]))
    point, profile = points[best], profiles[best]
    for _ in range(MAX_STEPS):
        free = (point > lower) | (profile.gradient < 0.0)
        slope = np.abs(profile.gradient[free]).max(initial=0.0)
        if slope <= profile.rounding:
            break
        step = _newton_step(profile, free)
        for halving in range(MAX_HALVINGS):
            new_point = np.maximum(point + 0.5**halving * step, lower)
            new = _profile(new_point, matrices, weights, n_factors)
            gain = profile.value - new.value
            if gain >= -new.rounding:
                break
        if gain <= new.rounding and np.abs(new.gradient[free]).max() > 0.5 * slope:
            break
        point, profile = new_point, new
    return _signed(profile.loadings), np.exp(point)


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


def _profile(log_noise: Array, matrices: Array, weights: Array, n_factors: int) -> Profile:
    """Value, gradient and Hessian in the log noise, batched over the matrices.

    With eigenvalues theta and eigenvectors u of Psi^-1/2 S Psi^-1/2, of which q exceed 1:
    f = sum log psi + sum_{m <= q} (log theta_m + 1) + sum_{m > q} theta_m, and
    df / dlog psi_j = sum_{m > q} (1 - theta_m) u_jm^2.
    """
    deviations = np.exp(0.5 * log_noise)
    values, vectors = np.linalg.eigh(matrices / deviations[:, None] / deviations)
    values, vectors = values[:, ::-1], vectors[:, :, ::-1]
    kept = values > 1.0
    kept[:, n_factors:] = False
    logs = np.log(np.where(kept, values, 1.0)) + 1.0
    per_matrix = np.where(kept, logs, values).sum(axis=1)
    excess = np.where(kept, 0.0, 1.0 - values)
    gradient = np.einsum("kjm,km->kj", vectors**2, excess)
    residual = _spread(vectors, np.where(kept, 0.0, 1.0))
    hessian = residual * _spread(vectors, np.where(kept, 0.0, values))
    for r in range(min(n_factors, values.shape[1])):
        gap = np.maximum(values[:, [r]] - values, CLOSEST)
        coupling = np.where(kept[:, [r]], excess * (values + values[:, [r]]) / gap, 0.0)
        axis = vectors[:, :, r]
        hessian += axis[:, :, None] * axis[:, None, :] * _spread(vectors, coupling)
    lengths = np.sqrt(np.where(kept, values - 1.0, 0.0))[:, None, :n_factors]
    return Profile(
        value=float(log_noise.sum() + weights @ per_matrix),
        rounding=EPSILON * (values.max() + np.abs(log_noise).sum()),
        gradient=weights @ gradient,
        hessian=np.einsum("k,kij->ij", weights, hessian),
        curvature=np.einsum("k,kij->ij", weights, residual**2),
        loadings=deviations[:, None] * vectors[:, :, :n_factors] * lengths,
    )


def _newton_step(profile: Profile, free: NDArray[np.bool_]) -> Array:
    """Newton step in the free coordinates, by the curvature where the Hessian is not positive."""
    which = np.ix_(free, free)
    ridge = CLOSEST * np.eye(int(free.sum()))
    matrix = profile.hessian[which] + ridge
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        matrix = profile.curvature[which] + ridge
    step = np.zeros_like(profile.gradient)
    step[free] = np.linalg.solve(matrix, -profile.gradient[free])
    return step * min(1.0, LONGEST_STEP / max(np.abs(step).max(), LONGEST_STEP))


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
    """One Newton step with differences of gradients, which see further than values do.

    Loadings may be turned at no cost, so that the Hessian is singular.
    """
    value, slope = evaluate(point)
    free = (point > lower) | (slope < 0.0)
    turns = DIFFERENCE * np.eye(len(point))[free]
    hessian = np.array([evaluate(point + turn)[1] - slope for turn in turns])[:, free] / DIFFERENCE
    step = np.zeros_like(point)
    step[free] = np.linalg.lstsq(hessian + hessian.T, -2.0 * slope[free], rcond=FLAT)[0]
    new_value, new_slope = evaluate(np.maximum(point + step, lower))
    flatter = np.abs(new_slope[free]).max() < 0.5 * np.abs(slope[free]).max()
    better = flatter and new_value <= value + EPSILON * (1.0 + abs(value))
    return np.maximum(point + step, lower) if better else point


def _spread(vectors: Array, values: Array) -> Array:
    """U diag(values) U' of every matrix."""
    spread: Array = (vectors * values[:, None, :]) @ vectors.swapaxes(1, 2)
    return spread


def _principal(loadings: Array, noise: Array) -> Array:
    """Loadings turned so that Lambda' Psi^-1 Lambda is diagonal, in descending order."""
    deviations = np.sqrt(noise)[:, None]
    left, lengths, _ = np.linalg.svd(loadings / deviations, full_matrices=False)
    return _signed(deviations * left * lengths)


def _signed(loadings: Array) -> Array:
    """Loadings whose largest entry, factor by factor, is positive."""
    largest = np.abs(loadings).argmax(axis=-2)
    peaks = np.take_along_axis(loadings, largest[..., None, :], axis=-2)
    return loadings * np.where(peaks < 0.0, -1.0, 1.0)
