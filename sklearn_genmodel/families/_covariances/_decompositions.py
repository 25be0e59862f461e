"""Maximum-likelihood covariances whose volumes, shapes or orientations components share.

Sigma_k = lambda_k D_k A_k D_k' with det A_k = 1 (Banfield and Raftery 1993): every function takes
scatters W_k and their weights n_k, and minimises sum_k n_k log det Sigma_k + tr(W_k Sigma_k^-1).
Volumes and shapes without a closed form are convex problems in their logarithms. M mixtures of K
components each are done at once, which share nothing.
"""

from __future__ import annotations

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances import _triangular as triangular
from sklearn_genmodel.families._covariances._convex import Evaluated, Indices, minimize_convex

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


def regularized(scatter: Array, counts: Array) -> tuple[Array, Array]:
    """Scatter matrices (M, K, d, d) that are positive definite, and counts (M, K) above 0.

    Sums of few rows are singular, and may be indefinite by rounding.
    """
    n = np.maximum(counts, EMPTY * counts.sum(axis=1, keepdims=True) + SMALLEST)
    variances = np.einsum("mkii->mi", scatter) / n.sum(axis=1, keepdims=True)
    units = np.sqrt(n[:, :, None] * np.maximum(variances, SMALLEST)[:, None])
    units = units[..., :, None] * units[..., None, :]
    scaled = scatter / units + RIDGE * np.eye(scatter.shape[-1])
    each = scaled.reshape(-1, *scaled.shape[2:])
    _, failed = triangular.factors(each)
    if failed.any():
        values, vectors = np.linalg.eigh(each[failed])
        values = np.maximum(values, CLIPPED)
        each[failed] = (vectors * values[:, None, :]) @ vectors.swapaxes(1, 2)
    return scaled * units, n


def equal_volumes(log_volumes: Array, counts: Array, n_features: int) -> Array:
    """Factors (M, K) that turn scatters into covariances of one volume (EVI, EVE, EVV).

    lambda = sum_k |W_k|^(1/d) / n and Sigma_k = lambda W_k / |W_k|^(1/d), from log |W_k|
    (Celeux and Govaert 1995, section 3).
    """
    sizes = log_volumes / n_features
    common = np.logaddexp.reduce(sizes, axis=1, keepdims=True)
    factors: Array = np.exp(common - sizes) / counts.sum(axis=1, keepdims=True)
    return factors


def proportional_values(values: Array, counts: Array, current: Array | None) -> Array:
    """Values exp(l_k + s_j), (M, K, d), fitted to sums of squares of n_k rows (VEI, VEV).

    With l profiled out, d sum_k (n_k / n) log sum_j w_kj exp(-s_j) + sum_j s_j is convex in s.
    The search for s starts from the current values.
    """
    d, log_values = values.shape[-1], np.log(values)
    shares, identity = counts / counts.sum(axis=1, keepdims=True), np.eye(d)

    def evaluate(shapes: Array, mixtures: Indices) -> Evaluated:
        scaled, weights = log_values[mixtures] - shapes[:, None], shares[mixtures]
        largest = scaled.max(axis=2, keepdims=True)
        p = np.exp(scaled - largest)
        totals = p.sum(axis=2, keepdims=True)
        p, sizes = p / totals, (largest + np.log(totals))[..., 0]
        weighted = weights[..., None] * p
        sums = weighted.sum(axis=1)
        hessians = d * (identity * sums[:, None] - p.swapaxes(1, 2) @ weighted)
        found = d * (weights * sizes).sum(axis=1) + shapes.sum(axis=1)
        return found, 1.0 - d * sums, hessians

    starts = np.logaddexp.reduce(log_values, axis=1) if current is None else np.log(current[:, 0])
    shapes = minimize_convex(evaluate, starts)[:, None]
    log_lambdas = np.logaddexp.reduce(log_values - shapes, axis=2) - np.log(counts * d)
    return np.exp(log_lambdas[..., None] + shapes)


def proportional_matrices(scatter: Array, counts: Array, current: Array | None) -> Array:
    """Matrices exp(l_k) C, (M, K, d, d), fitted to scatters (VEE).

    With C profiled out, log |sum_k W_k exp(-l_k)| + d sum_k (n_k / n) l_k is convex in l.
    The search for l starts from the current matrices.
    """
    _, n_components, d, _ = scatter.shape
    shares, identity = counts / counts.sum(axis=1, keepdims=True), np.eye(n_components)

    def evaluate(log_volumes: Array, mixtures: Indices) -> Evaluated:
        scaled = scatter[mixtures] * np.exp(-log_volumes)[..., None, None]
        lower, failed = triangular.factors(scaled.sum(axis=1))
        parts = _whitened(scaled, lower).reshape(len(scaled), n_components, d * d)
        traces, weights = parts[..., :: d + 1].sum(axis=2), d * shares[mixtures]
        log_dets = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        found = np.where(failed, np.inf, log_dets + (weights * log_volumes).sum(axis=1))
        hessians = identity * traces[:, None] - parts @ parts.swapaxes(1, 2)
        return found, weights - traces, hessians

    if current is None:
        parts = _whitened(scatter, triangular.cholesky(scatter.sum(axis=1)))
        starts = np.log(np.einsum("mkii->mk", parts) / counts)
    else:
        starts = np.linalg.slogdet(current)[1] / d
    log_volumes = minimize_convex(evaluate, starts)
    log_volumes -= (shares * log_volumes).sum(axis=1, keepdims=True)
    common = np.einsum("mk,mkij->mij", np.exp(-log_volumes), scatter)
    common /= counts.sum(axis=1)[:, None, None]
    # The best volumes given C. The search leaves those of hardly any weight anywhere.
    parts = _whitened(scatter, triangular.cholesky(common))
    volumes = np.einsum("mkii->mk", parts) / (d * counts)
    return volumes[..., None, None] * common[:, None]


def _whitened(scatter: Array, lower: Array) -> Array:
    """L^-1 W_k L^-T. An inverse that is not triangular would lose the digits of small columns."""
    inverse = triangular.inverses(lower)[:, None]
    return np.asarray(inverse @ scatter @ inverse.swapaxes(2, 3))


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
