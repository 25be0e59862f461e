"""Maximum-likelihood covariances whose volumes, shapes or orientations components share.

Sigma_k = lambda_k D_k A_k D_k' with det A_k = 1 (Banfield and Raftery 1993): every function takes
scatters W_k and their weights n_k, and minimises sum_k n_k log det Sigma_k + tr(W_k Sigma_k^-1).
Volumes and shapes without a closed form are convex problems in their logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances import _triangular as triangular

__all__ = [
    "SMALLEST",
    "equal_volumes",
    "lifted_at_equal_volume",
    "lifted_in_proportion",
    "proportional_matrices",
    "proportional_values",
    "regularized",
]

# A component lends its scatter this share of the pooled variances, so that logarithms stay finite.
RIDGE, CLIPPED, EMPTY, SMALLEST = 1e-15, 1e-13, 1e-30, 1e-200
MAX_STEPS, MAX_HALVINGS, PRECISION, LONGEST_STEP = 100, 40, 1e-14, 30.0

Evaluate = Callable[[Array], tuple[float, Array, Array]]


def regularized(scatter: Array, counts: Array) -> tuple[Array, Array]:
    """Scatter matrices (K, d, d) that are positive definite, and counts (K,) that are positive.

    Sums of few rows are singular, and may be indefinite by rounding.
    """
    n = np.maximum(counts, EMPTY * counts.sum() + SMALLEST)
    variances = np.einsum("kii->i", scatter) / n.sum()
    units = np.sqrt(np.multiply.outer(n, np.maximum(variances, SMALLEST)))
    units = units[:, :, None] * units[:, None, :]
    scaled = scatter / units + RIDGE * np.eye(scatter.shape[1])
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
        values = np.maximum(values, CLIPPED)
        scaled = (vectors * values[:, None, :]) @ vectors.swapaxes(1, 2)
    return scaled * units, n


def equal_volumes(log_volumes: Array, counts: Array, n_features: int) -> Array:
    """Factors (K,) that turn scatters into covariances of one volume (EVI, EVE, EVV).

    lambda = sum_k |W_k|^(1/d) / n and Sigma_k = lambda W_k / |W_k|^(1/d), from log |W_k|
    (Celeux and Govaert 1995, section 3).
    """
    sizes = log_volumes / n_features
    factors: Array = np.exp(np.logaddexp.reduce(sizes) - sizes) / counts.sum()
    return factors


def proportional_values(values: Array, counts: Array, current: Array | None) -> Array:
    """Values exp(l_k + s_j), (K, d), fitted to sums of squares of n_k rows (VEI, VEV).

    With l profiled out, d sum_k (n_k / n) log sum_j w_kj exp(-s_j) + sum_j s_j is convex in s.
    The search for s starts from the current values.
    """
    d, shares, log_values = values.shape[1], counts / counts.sum(), np.log(values)

    def evaluate(shape: Array) -> tuple[float, Array, Array]:
        scaled = log_values - shape
        largest = scaled.max(axis=1, keepdims=True)
        p = np.exp(scaled - largest)
        totals = p.sum(axis=1, keepdims=True)
        p, sizes = p / totals, (largest + np.log(totals))[:, 0]
        weighted = shares[:, None] * p
        gradient = 1.0 - d * weighted.sum(axis=0)
        hessian = d * (np.diag(weighted.sum(axis=0)) - p.T @ weighted)
        return float(d * shares @ sizes + shape.sum()), gradient, hessian

    start = np.logaddexp.reduce(log_values, axis=0) if current is None else np.log(current[0])
    shape = _minimize_convex(evaluate, start)
    log_lambda = np.logaddexp.reduce(log_values - shape, axis=1) - np.log(counts * d)
    return np.exp(log_lambda[:, None] + shape)


def proportional_matrices(scatter: Array, counts: Array, current: Array | None) -> Array:
    """Matrices exp(l_k) C, (K, d, d), fitted to scatters (VEE).

    With C profiled out, log |sum_k W_k exp(-l_k)| + d sum_k (n_k / n) l_k is convex in l.
    The search for l starts from the current matrices.
    """
    n_components, d = scatter.shape[:2]
    shares = counts / counts.sum()

    def evaluate(log_volumes: Array) -> tuple[float, Array, Array]:
        scaled = scatter * np.exp(-log_volumes)[:, None, None]
        try:
            lower = np.linalg.cholesky(scaled.sum(axis=0))
        except np.linalg.LinAlgError:
            return np.inf, np.zeros(n_components), np.eye(n_components)
        parts = _whitened(scaled, lower).reshape(n_components, d * d)
        traces = parts[:, :: d + 1].sum(axis=1)
        value = 2.0 * np.log(np.diagonal(lower)).sum() + d * shares @ log_volumes
        return float(value), d * shares - traces, np.diag(traces) - parts @ parts.T

    if current is None:
        parts = _whitened(scatter, np.linalg.cholesky(scatter.sum(axis=0)))
        start = np.log(np.einsum("kii->k", parts) / counts)
    else:
        start = np.linalg.slogdet(current)[1] / d
    log_volumes = _minimize_convex(evaluate, start)
    log_volumes -= shares @ log_volumes
    common = np.einsum("k,kij->ij", np.exp(-log_volumes), scatter) / counts.sum()
    # The best volumes given C. The search leaves those of hardly any weight anywhere.
    parts = _whitened(scatter, np.linalg.cholesky(common))
    return (np.einsum("kii->k", parts) / (d * counts))[:, None, None] * common


def _whitened(scatter: Array, lower: Array) -> Array:
    """L^-1 W_k L^-T. An inverse that is not triangular would lose the digits of small columns."""
    inverse = triangular.inverses(lower)
    return np.asarray(inverse @ scatter @ inverse.T)


def lifted_at_equal_volume(values: Array, bounds: Array) -> Array:
    """Values (K, d) of one volume that are no smaller than the bounds (d,).

    The volume is the geometric mean of those that raising values to their bounds makes. Given it,
    the values of a component above their bounds change by one factor to pay for those below:
    max(w_kj t_k, b_j) is the maximum under the constraint. The sorted search is that of the
    projection onto a simplex.
    """
    log_ratios = np.log(values) - np.log(bounds)
    excess = float(np.maximum(log_ratios, 0.0).sum(axis=1).mean())
    ordered = np.sort(log_ratios, axis=1)[:, ::-1]
    shifts = (excess - np.cumsum(ordered, axis=1)) / np.arange(1, values.shape[1] + 1)
    last = np.count_nonzero(ordered + shifts > 0.0, axis=1) - 1
    shift = np.take_along_axis(shifts, np.maximum(last, 0)[:, None], axis=1)
    return bounds * np.exp(np.maximum(log_ratios + shift, 0.0))


def lifted_in_proportion(values: Array, bounds: Array) -> Array:
    """Values exp(l_k + s_j), (K, d), of that form that are no smaller than the bounds (K, d).

    Shapes are raised to suit the volume of one component and volumes to suit the shapes; of the
    K choices the one with the least Kullback-Leibler divergence from the values is taken.
    """
    log_values, log_bounds = np.log(values), np.log(bounds)
    volumes = log_values.mean(axis=1)
    shape = (log_values - volumes[:, None]).mean(axis=0)
    shapes = np.maximum(shape, log_bounds.max(axis=0) - volumes[:, None])
    needed = (log_bounds - shapes[:, None, :]).max(axis=2)
    lifted = np.maximum(volumes, needed)[:, :, None] + shapes[:, None, :]
    divergences = (lifted + np.exp(log_values - lifted)).sum(axis=(1, 2))
    return np.exp(lifted[divergences.argmin()])


def _minimize_convex(evaluate: Evaluate, point: Array) -> Array:
    """Newton's method with halved steps; the function does not change along (1, ..., 1)."""
    size = len(point)
    # The null direction is filled in; the rest keeps far-off flat regions solvable.
    lift = np.full((size, size), 1.0 / size) + PRECISION * np.eye(size)
    value, gradient, hessian = evaluate(point)
    for _ in range(MAX_STEPS):
        steepest = np.abs(gradient).max()
        if steepest <= PRECISION:
            return point
        step = np.linalg.solve(hessian + lift, -gradient)
        # In a flat region Newton would leap beyond what exp can hold.
        step *= min(1.0, LONGEST_STEP / max(np.abs(step).max(), LONGEST_STEP))
        length, best = 1.0, (value, gradient, hessian)
        for _ in range(MAX_HALVINGS):
            best = evaluate(point + length * step)
            if best[0] <= value + PRECISION * (1.0 + abs(value)):
                break
            length *= 0.5
        if not np.isfinite(best[0]):
            return point
        flatter = np.abs(best[1]).max() <= 0.5 * steepest
        if value - best[0] <= PRECISION * (1.0 + abs(value)) and not flatter:
            return point
        point = point + length * step
        value, gradient, hessian = best
    return point
