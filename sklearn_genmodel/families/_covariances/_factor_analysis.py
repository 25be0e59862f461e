"""Loadings and noise of factor covariances Lambda Lambda' + Psi, given covariance matrices.

Each function minimises sum_k w_k (log det Sigma_k + tr(S_k Sigma_k^-1)), with noise variances that
exceed a minimum: the Heywood cases, whose noise would vanish, end on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from sklearn_genmodel.families._arrays import Array

__all__ = ["EPSILON", "free_loadings", "principal_loadings", "signed"]

MAX_STEPS, INNER_STEPS, MAX_HALVINGS, LONGEST_STEP = 100, 2, 30, 3.0
MANY_COLUMNS, NEAR = 64, 1e-2
CLOSEST = 1e-10
EPSILON = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Profile:
    """Criterion with the loadings profiled out, at given log noise (d,), and its derivatives.

    ``rounding`` is the size of the errors in the value and the gradient, which grow with the
    largest eigenvalue; ``curvature`` is the leading term of the Hessian, a squared projection, and
    ``hessian()`` all of it.
    """

    value: float
    rounding: float
    gradient: Array
    curvature: Array
    loadings: Array
    hessian: Callable[[], Array]


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
    return signed(vectors[:, :, :n_factors] * lengths[:, None, :]), np.asarray(noise)


def free_loadings(
    matrices: Array,
    weights: Array,
    n_factors: int,
    minimum: Array,
    start: Array,
    *,
    exact: bool,
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
    start : ndarray of shape (n_features,)
        Noise variances.
    exact : bool
        Whether to go on to the maximum. From pass to pass of EM a few steps are enough, none of
        which is worse than the start.

    Returns
    -------
    loadings : ndarray of shape (n_matrices, n_features, n_factors)
    noise : ndarray of shape (n_features,)
    """
    lower = np.log(minimum)
    point = np.maximum(np.log(start), lower)
    profile = _profile(point, matrices, weights, n_factors)
    for _ in range(MAX_STEPS if exact else INNER_STEPS):
        free = (point > lower) | (profile.gradient < 0.0)
        slope = np.abs(profile.gradient[free]).max(initial=0.0)
        if slope <= profile.rounding:
            break
        # The Hessian of many columns is dear, and of use near the maximum only.
        newton = len(point) <= MANY_COLUMNS or (exact and slope < NEAR)
        step = _newton_step(profile, free, profile.hessian() if newton else profile.curvature)
        for halving in range(MAX_HALVINGS):
            new_point = np.maximum(point + 0.5**halving * step, lower)
            new = _profile(new_point, matrices, weights, n_factors)
            gain = profile.value - new.value
            if gain >= -new.rounding:
                break
        if gain <= new.rounding and np.abs(new.gradient[free]).max() > 0.5 * slope:
            break
        point, profile = new_point, new
    return signed(profile.loadings), np.exp(point)


def _profile(log_noise: Array, matrices: Array, weights: Array, n_factors: int) -> Profile:
    """Value, gradient and Hessian in the log noise, batched over the matrices.

    With eigenvalues theta and eigenvectors u of M = Psi^-1/2 S Psi^-1/2, of which q exceed 1:
    f = sum log psi + sum_{m <= q} (log theta_m + 1) + sum_{m > q} theta_m, and
    df / dlog psi_j = sum_{m > q} (1 - theta_m) u_jm^2.
    """
    deviations = np.exp(0.5 * log_noise)
    scaled = matrices / deviations[:, None] / deviations
    values, vectors = _leading(scaled, n_factors)
    kept = values > 1.0
    theta, axes = np.where(kept, values, 1.0), np.where(kept[:, None], vectors, 0.0)
    diagonal, squares = np.einsum("kjj->kj", scaled), axes**2
    # What the kept eigenvalues leave of the trace, and of the diagonal of I - M.
    left = diagonal.sum(axis=1) - np.where(kept, values, 0.0).sum(axis=1)
    per_matrix = (np.log(theta) + kept).sum(axis=1) + left
    gradient = 1.0 - squares.sum(axis=2) - diagonal + np.einsum("kjm,km->kj", squares, theta)
    residual = np.eye(len(log_noise)) - axes @ axes.swapaxes(1, 2)
    lengths = np.sqrt(theta - 1.0)[:, None]
    return Profile(
        value=float(log_noise.sum() + weights @ per_matrix),
        rounding=EPSILON * (values.max() + np.abs(log_noise).sum()),
        gradient=weights @ gradient,
        curvature=np.einsum("k,kij->ij", weights, residual**2),
        loadings=deviations[:, None] * axes * lengths,
        hessian=lambda: np.einsum("k,kij->ij", weights, _hessians(scaled, n_factors)),
    )


def _leading(matrices: Array, n_factors: int) -> tuple[Array, Array]:
    """The q largest eigenvalues of every matrix, in descending order, and their eigenvectors."""
    d = matrices.shape[1]
    if d <= MANY_COLUMNS:
        values, vectors = np.linalg.eigh(matrices)
        return values[:, : -n_factors - 1 : -1], vectors[:, :, : -n_factors - 1 : -1]
    largest = (max(d - n_factors, 0), d - 1)
    pairs = [eigh(matrix, subset_by_index=largest, check_finite=False) for matrix in matrices]
    return np.array([v[::-1] for v, _ in pairs]), np.array([u[:, ::-1] for _, u in pairs])


def _hessians(scaled: Array, n_factors: int) -> Array:
    """Hessians of the profiled criterion of every matrix Psi^-1/2 S Psi^-1/2, (K, d, d)."""
    values, vectors = np.linalg.eigh(scaled)
    values, vectors = values[:, ::-1], vectors[:, :, ::-1]
    kept = values > 1.0
    kept[:, n_factors:] = False
    excess = np.where(kept, 0.0, 1.0 - values)
    residual = _spread(vectors, np.where(kept, 0.0, 1.0))
    hessian = residual * _spread(vectors, np.where(kept, 0.0, values))
    for r in range(min(n_factors, values.shape[1])):
        gap = np.maximum(values[:, [r]] - values, CLOSEST)
        coupling = np.where(kept[:, [r]], excess * (values + values[:, [r]]) / gap, 0.0)
        axis = vectors[:, :, r]
        hessian += axis[:, :, None] * axis[:, None, :] * _spread(vectors, coupling)
    return np.asarray(hessian)


def _newton_step(profile: Profile, free: NDArray[np.bool_], hessian: Array) -> Array:
    """Newton step in the free coordinates, by the curvature where the Hessian is not positive."""
    which = np.ix_(free, free)
    ridge = CLOSEST * np.eye(int(free.sum()))
    matrix = hessian[which] + ridge
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        matrix = profile.curvature[which] + ridge
    step = np.zeros_like(profile.gradient)
    step[free] = np.linalg.solve(matrix, -profile.gradient[free])
    return step * min(1.0, LONGEST_STEP / max(np.abs(step).max(), LONGEST_STEP))


def _spread(vectors: Array, values: Array) -> Array:
    """U diag(values) U' of every matrix."""
    spread: Array = (vectors * values[:, None, :]) @ vectors.swapaxes(1, 2)
    return spread


def signed(loadings: Array) -> Array:
    """Loadings whose largest entry, factor by factor, is positive."""
    largest = np.abs(loadings).argmax(axis=-2)
    peaks = np.take_along_axis(loadings, largest[..., None, :], axis=-2)
    return loadings * np.where(peaks < 0.0, -1.0, 1.0)
