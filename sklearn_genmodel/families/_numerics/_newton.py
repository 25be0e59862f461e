"""Roots of increasing functions, many at once: M-steps without a closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._numerics._special import (
    digamma_gap,
    digamma_gap_slope,
    inverse_digamma,
    trigamma,
)

__all__ = ["LARGEST_SHAPE", "dirichlet_concentrations", "gamma_shapes", "increasing_root"]

# The narrowest columns: those whose relative standard deviation is 1e-7.
SMALLEST_SHAPE, LARGEST_SHAPE = 1e-150, 1e14
MOST_STEPS = 100
# Newton's method is quadratic: what a step this small leaves is rounding. Bisection is not.
LAST_STEP, ROUNDING = 1e-9, 4.0 * np.finfo(np.float64).eps


def increasing_root(
    function: Callable[[Array], tuple[Array, Array]], start: Array, low: Array, high: Array
) -> Array:
    """Find the roots of increasing functions by Newton's method, kept within a bracket.

    A step that leaves the bracket is replaced by its midpoint, so that the iteration converges
    from any start; where a function has no root in its bracket, the nearer end is the result.

    Parameters
    ----------
    function : callable
        Maps an array of points to their values and slopes, element by element.
    start, low, high : ndarray
        Points where to begin, and the brackets, of one shape.

    Returns
    -------
    root : ndarray
        Of that shape, to within rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families._numerics._newton import increasing_root
    >>> root = increasing_root(
    ...     lambda x: (x**3 - [8.0, 27.0], 3.0 * x**2), np.ones(2), np.zeros(2), np.full(2, 9.0)
    ... )
    >>> root.round(12)
    array([2., 3.])
    """
    x = np.clip(start, low, high)
    for _ in range(MOST_STEPS):
        value, slope = function(x)
        low, high = np.where(value <= 0, x, low), np.where(value >= 0, x, high)
        with np.errstate(all="ignore"):
            newton = x - value / slope
        inside = (newton >= low) & (newton <= high)
        moved = np.where(inside, newton, 0.5 * (low + high))
        tolerance = np.where(inside, LAST_STEP, ROUNDING) * np.maximum(np.abs(x), 1.0)
        settled = np.abs(moved - x) <= tolerance
        x = moved
        if settled.all():
            break
    return x


def gamma_shapes(gaps: Array) -> Array:
    """Maximum-likelihood shapes of gamma distributions: log a - digamma(a) = gap.

    Parameters
    ----------
    gaps : ndarray
        log mean(x) - mean(log x), at least 0; 0 gives the largest shape there is.

    Returns
    -------
    shapes : ndarray
        Between `SMALLEST_SHAPE` and `LARGEST_SHAPE`.
    """
    low, high = np.log(SMALLEST_SHAPE), np.log(LARGEST_SHAPE)
    gaps = np.clip(gaps, digamma_gap(LARGEST_SHAPE), digamma_gap(SMALLEST_SHAPE))

    def equation(log_shapes: Array) -> tuple[Array, Array]:
        # On a log-log scale the gap is almost a straight line: 1 / (2 a) here and 1 / a there.
        shapes = np.exp(log_shapes)
        found = digamma_gap(shapes)
        return np.log(gaps / found), -shapes * digamma_gap_slope(shapes) / found

    # (3 - s + sqrt((s - 3)^2 + 24 s)) / (12 s), after multiplication by its conjugate
    start = np.log(2.0 / (np.sqrt((gaps - 3.0) ** 2 + 24.0 * gaps) + gaps - 3.0))
    ends = np.full_like(gaps, low), np.full_like(gaps, high)
    return np.exp(increasing_root(equation, start, *ends))


def dirichlet_concentrations(centers: Array, gaps: Array) -> Array:
    """Maximum-likelihood concentrations of Dirichlet distributions from means of log x.

    With A the total, digamma(alpha_j) - digamma(A) = mean(log x_j) gives every alpha_j, so that one
    equation in A is left: sum_j alpha_j = A.

    Parameters
    ----------
    centers : ndarray of shape (..., n_features)
        A point of the simplex about which the means are taken.
    gaps : ndarray of shape (..., n_features)
        mean(log x_j) - log centers_j.

    Returns
    -------
    concentrations : ndarray of shape (..., n_features)
        Their total is at most `LARGEST_SHAPE`.

    References
    ----------
    Minka, T. P. (2000). Estimating a Dirichlet distribution. Technical report, MIT.
    """
    log_means = np.log(centers) + gaps

    def concentrations_of(totals: Array) -> Array:
        return inverse_digamma(digamma(totals) + log_means)

    def equation(log_totals: Array) -> tuple[Array, Array]:
        totals = np.exp(log_totals)[..., None]
        alphas = concentrations_of(totals)
        # 1 - sum_j alpha_j / A, as a sum of small terms where A is large
        exponents = gaps - digamma_gap(totals) + digamma_gap(alphas)
        excess = (centers * np.expm1(exponents)).sum(axis=-1)
        slopes = (trigamma(totals) / trigamma(alphas)).sum(axis=-1) - (1.0 + excess)
        return -excess, -slopes

    # The total of a large concentration: (d - 1) / (2 A) = - sum_j c_j gap_j
    spread = np.maximum(-(centers * gaps).sum(axis=-1), 0.5 / LARGEST_SHAPE)
    start = np.log(0.5 * (centers.shape[-1] - 1) / spread)
    ends = np.full_like(spread, np.log(1e-6)), np.full_like(spread, np.log(LARGEST_SHAPE))
    totals = np.exp(increasing_root(equation, start, *ends))[..., None]
    alphas = concentrations_of(totals)
    return np.asarray(totals * alphas / alphas.sum(axis=-1, keepdims=True))
