"""Loadings and noise of factor covariances Lambda Lambda' + Psi, given covariance matrices.

Each function solves P problems at once, that minimise sum_g w_g (log det Sigma_g + tr(S_g
Sigma_g^-1)) over G matrices, (P, G, d, d), with noise that these share and that exceeds a minimum:
the Heywood cases, whose noise would vanish, end on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances import _triangular as triangular

__all__ = ["EPSILON", "free_loadings", "principal_loadings", "signed"]

MAX_STEPS, INNER_STEPS, MAX_HALVINGS, LONGEST_STEP = 100, 2, 30, 3.0
MANY_COLUMNS, NEAR = 64, 1e-2
CLOSEST = 1e-10
EPSILON = 4.0 * float(np.finfo(np.float64).eps)


class Profile(NamedTuple):
    """Criteria (P,) with the loadings profiled out, at given log noise, and their derivatives.

    ``rounding`` (P,) is the size of the errors in the value and the gradient (P, d), which grow
    with the largest eigenvalue; ``curvature`` (P, d, d) is the leading term of the Hessian, a
    squared projection. ``scaled`` are the matrices in units of the noise, and ``eigen`` their
    eigenvalues (P, G, m), in descending order, and eigenvectors (P, G, d, m), m at least q.
    """

    value: Array
    rounding: Array
    gradient: Array
    curvature: Array
    loadings: Array
    scaled: Array
    values: Array
    vectors: Array

    def take(self, problems: NDArray[np.bool_]) -> Profile:
        """Those of some of the problems."""
        return Profile(*(array[problems] for array in self))

    def put(self, problems: NDArray[np.bool_] | NDArray[np.intp], other: Profile) -> None:
        """Overwrite those of some of the problems."""
        for array, part in zip(self, other, strict=True):
            array[problems] = part


def principal_loadings(
    matrices: Array, weights: Array, n_factors: int, minimum: float
) -> tuple[Array, Array]:
    """Loadings and one noise variance for all matrices of a problem: in closed form.

    The noise is the mean of the eigenvalues that no loading accounts for: all but the first q of
    each matrix, and those of the first q that do not exceed it (Tipping and Bishop 1999, eq. 8).

    Parameters
    ----------
    matrices : ndarray of shape (n_problems, n_matrices, n_features, n_features)
    weights : ndarray of shape (n_problems, n_matrices)
    n_factors : int
    minimum : float
        Lower bound of the noise variance.

    Returns
    -------
    loadings : ndarray of shape (n_problems, n_matrices, n_features, n_factors)
    noise : ndarray of shape (n_problems,)
    """
    values, vectors = np.linalg.eigh(matrices)
    values, vectors = values[..., ::-1], vectors[..., ::-1]
    rest = np.arange(values.shape[-1]) >= np.full(values.shape, n_factors)
    noise = np.full(len(matrices), np.inf)
    while True:
        shares = weights[..., None] * rest
        means = (shares * values).sum(axis=(1, 2)) / shares.sum(axis=(1, 2))
        lower = np.minimum(np.maximum(means, minimum), noise)
        if (lower >= noise).all():
            break
        noise = lower
        rest |= values <= noise[:, None, None]
    lengths = np.sqrt(np.maximum(values[..., :n_factors] - noise[:, None, None], 0.0))
    return signed(vectors[..., :n_factors] * lengths[..., None, :]), noise


def free_loadings(
    matrices: Array,
    weights: Array,
    n_factors: int,
    minimum: Array,
    start: Array,
    *,
    exact: bool,
) -> tuple[Array, Array]:
    """Loadings of every matrix, and noise variances common to those of a problem, by Newton steps.

    Given the noise, the best loadings come from the eigenvectors of Psi^-1/2 S Psi^-1/2
    (Lawley and Maxwell 1971, chapter 4); what is left is a function of d logarithms.

    Parameters
    ----------
    matrices : ndarray of shape (n_problems, n_matrices, n_features, n_features)
    weights : ndarray of shape (n_problems, n_matrices)
        Shares of the matrices, which sum to 1 in every problem.
    n_factors : int
    minimum : ndarray of shape (n_features,)
        Lower bounds of the noise variances.
    start : ndarray of shape (n_problems, n_features)
        Noise variances.
    exact : bool
        Whether to go on to the maximum. From pass to pass of EM a few steps are enough, none of
        which is worse than the start.

    Returns
    -------
    loadings : ndarray of shape (n_problems, n_matrices, n_features, n_factors)
    noise : ndarray of shape (n_problems, n_features)
    """
    lower = np.log(minimum)
    points = np.maximum(np.log(start), lower)
    found = _profile(points, matrices, weights, n_factors)
    going, now = np.arange(len(points)), found
    for _ in range(MAX_STEPS if exact else INNER_STEPS):
        free = (points[going] > lower) | (now.gradient < 0.0)
        slopes = _steepest(now, free)
        steep = slopes > now.rounding
        if not steep.any():
            break
        going, now, free, slopes = going[steep], now.take(steep), free[steep], slopes[steep]
        # The Hessian of many columns is dear, and of use near the maximum only.
        near = (slopes < NEAR) & exact if len(lower) > MANY_COLUMNS else np.isfinite(slopes)
        curvature = now.curvature.copy()
        if near.any():
            curvature[near] = _hessians(now.take(near), weights[going[near]], n_factors)
        steps = _newton_steps(now, free, curvature)
        trials = np.maximum(points[going] + steps, lower)
        new = _profile(trials, matrices[going], weights[going], n_factors)
        for _ in range(MAX_HALVINGS):
            worse = ~(now.value - new.value >= -new.rounding)
            if not worse.any():
                break
            steps[worse] *= 0.5
            trials[worse] = np.maximum(points[going[worse]] + steps[worse], lower)
            part = matrices[going[worse]], weights[going[worse]]
            new.put(worse, _profile(trials[worse], *part, n_factors))
        gains = now.value - new.value
        moving = (gains > new.rounding) | (_steepest(new, free) <= 0.5 * slopes)
        going, now = going[moving], new.take(moving)
        points[going] = trials[moving]
        found.put(going, now)
        if not len(going):
            break
    return signed(found.loadings), np.exp(points)


def _steepest(profile: Profile, free: NDArray[np.bool_]) -> Array:
    """Largest slope in a free coordinate, (P,)."""
    steepest: Array = np.where(free, np.abs(profile.gradient), 0.0).max(axis=1)
    return steepest


def _profile(log_noise: Array, matrices: Array, weights: Array, n_factors: int) -> Profile:
    """Values, gradients and curvatures in the log noise (P, d).

    With eigenvalues theta and eigenvectors u of M = Psi^-1/2 S Psi^-1/2, of which q exceed 1:
    f = sum log psi + sum_{m <= q} (log theta_m + 1) + sum_{m > q} theta_m, and
    df / dlog psi_j = sum_{m > q} (1 - theta_m) u_jm^2.
    """
    deviations = np.exp(0.5 * log_noise)[:, None]
    scaled = matrices / deviations[..., :, None] / deviations[..., None, :]
    values, vectors = _leading(scaled, n_factors)
    largest, leading = values[..., :n_factors], vectors[..., :n_factors]
    kept = largest > 1.0
    theta, axes = np.where(kept, largest, 1.0), np.where(kept[..., None, :], leading, 0.0)
    diagonal, squares = np.einsum("pgjj->pgj", scaled), axes**2
    # What the kept eigenvalues leave of the trace, and of the diagonal of I - M.
    left = diagonal.sum(axis=2) - np.where(kept, largest, 0.0).sum(axis=2)
    per_matrix = (np.log(theta) + kept).sum(axis=2) + left
    gradients = 1.0 - squares.sum(axis=3) - diagonal + np.einsum("pgjm,pgm->pgj", squares, theta)
    residual = np.eye(log_noise.shape[1]) - axes @ axes.swapaxes(2, 3)
    lengths = np.sqrt(theta - 1.0)[..., None, :]
    return Profile(
        value=log_noise.sum(axis=1) + (weights * per_matrix).sum(axis=1),
        rounding=EPSILON * (values.max(axis=(1, 2)) + np.abs(log_noise).sum(axis=1)),
        gradient=np.einsum("pg,pgj->pj", weights, gradients),
        curvature=np.einsum("pg,pgij->pij", weights, residual**2),
        loadings=deviations[..., None] * axes * lengths,
        scaled=scaled,
        values=values,
        vectors=vectors,
    )


def _leading(matrices: Array, n_factors: int) -> tuple[Array, Array]:
    """At least the q largest eigenvalues of every matrix, descending, and their eigenvectors."""
    d = matrices.shape[-1]
    if d <= MANY_COLUMNS:
        values, vectors = np.linalg.eigh(matrices)
        return values[..., ::-1], vectors[..., ::-1]
    largest = (max(d - n_factors, 0), d - 1)
    each = matrices.reshape(-1, d, d)
    pairs = [eigh(matrix, subset_by_index=largest, check_finite=False) for matrix in each]
    values = np.array([v[::-1] for v, _ in pairs]).reshape(*matrices.shape[:2], -1)
    vectors = np.array([u[:, ::-1] for _, u in pairs]).reshape(*matrices.shape[:3], -1)
    return values, vectors


def _hessians(profile: Profile, weights: Array, n_factors: int) -> Array:
    """Hessians of the profiled criteria, (P, d, d)."""
    values, vectors = profile.values, profile.vectors
    if values.shape[-1] < profile.scaled.shape[-1]:
        values, vectors = np.linalg.eigh(profile.scaled)
        values, vectors = values[..., ::-1], vectors[..., ::-1]
    kept = values > 1.0
    kept[..., n_factors:] = False
    excess = np.where(kept, 0.0, 1.0 - values)
    residual = _spread(vectors, np.where(kept, 0.0, 1.0))
    hessians = residual * _spread(vectors, np.where(kept, 0.0, values))
    for r in range(min(n_factors, values.shape[-1])):
        one = values[..., [r]]
        gap = np.maximum(one - values, CLOSEST)
        coupling = np.where(kept[..., [r]], excess * (values + one) / gap, 0.0)
        axis = vectors[..., r]
        hessians += axis[..., :, None] * axis[..., None, :] * _spread(vectors, coupling)
    return np.asarray(np.einsum("pg,pgij->pij", weights, hessians))


def _newton_steps(profile: Profile, free: NDArray[np.bool_], hessians: Array) -> Array:
    """Newton steps in the free coordinates, by curvatures where a Hessian is not positive."""
    d = free.shape[1]
    both = free[:, :, None] & free[:, None, :]
    identity = np.eye(d)

    def restricted(matrices: Array) -> Array:
        return np.where(both, matrices + CLOSEST * identity, identity)

    _, failed = triangular.factors(restricted(hessians))
    matrices = np.where(failed[:, None, None], profile.curvature, hessians)
    slopes = np.where(free, profile.gradient, 0.0)
    steps = np.linalg.solve(restricted(matrices), -slopes[..., None])[..., 0]
    longest = np.abs(steps).max(axis=1, keepdims=True)
    shortened: Array = steps * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))
    return shortened


def _spread(vectors: Array, values: Array) -> Array:
    """U diag(values) U' of every matrix."""
    spread: Array = (vectors * values[..., None, :]) @ vectors.swapaxes(-1, -2)
    return spread


def signed(loadings: Array) -> Array:
    """Loadings whose largest entry, factor by factor, is positive."""
    largest = np.abs(loadings).argmax(axis=-2)
    peaks = np.take_along_axis(loadings, largest[..., None, :], axis=-2)
    return loadings * np.where(peaks < 0.0, -1.0, 1.0)
