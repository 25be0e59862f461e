"""Differences of gamma functions and logarithms that keep their digits where the terms are large.

Stirling's series: Abramowitz, M. and Stegun, I. A. (1964). Handbook of Mathematical Functions,
6.1.41, 6.3.18 and 6.4.12. National Bureau of Standards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from sklearn_genmodel.families._arrays import TINY, Array

__all__ = [
    "HALF_LOG_2PI",
    "digamma_gap",
    "digamma_gap_slope",
    "inverse_digamma",
    "log_excess",
    "log_ratio",
    "stirling_remainder",
    "trigamma",
]

# From here on the series are exact to rounding.
LARGE = 16.0
HALF_LOG_2PI = float(0.5 * np.log(2.0 * np.pi))
EULER_GAMMA = float(np.euler_gamma)
# Newton's method for the inverse of digamma is exact to rounding after five steps.
NEWTON_STEPS, LAST_STEP = 5, 1e-9
N_SHIFTS = 8
SHIFTS = np.arange(N_SHIFTS)


def stirling_remainder(a: ArrayLike) -> Array:
    """log Gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2, about 1 / (12 a).

    Parameters
    ----------
    a : array-like
        Above 0.

    Returns
    -------
    remainder : ndarray
    """
    a = np.asarray(a, dtype=np.float64)
    small, large = np.minimum(a, LARGE), np.maximum(a, LARGE)
    direct = gammaln(small) - (small - 0.5) * np.log(small) + small - HALF_LOG_2PI
    r = large**-2
    # 1/12 - r/360 + r^2/1260 - r^3/1680 + r^4/1188
    series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / large
    return np.where(a < LARGE, direct, series)


def digamma_gap(a: ArrayLike) -> Array:
    """log a - digamma(a), about 1 / (2 a).

    Parameters
    ----------
    a : array-like
        Above 0.

    Returns
    -------
    gap : ndarray
    """
    a = np.asarray(a, dtype=np.float64)
    small, large = np.minimum(a, LARGE), np.maximum(a, LARGE)
    r = large**-2
    # 1/(2a) + r/12 - r^2/120 + r^3/252 - r^4/240 + r^5/132
    tail = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))
    return np.where(a < LARGE, np.log(small) - digamma(small), 0.5 / large + tail)


def digamma_gap_slope(a: ArrayLike) -> Array:
    """Derivative of `digamma_gap`: 1 / a - trigamma(a).

    Parameters
    ----------
    a : array-like
        Above 0.

    Returns
    -------
    slope : ndarray
    """
    a = np.asarray(a, dtype=np.float64)
    small, large = np.minimum(a, LARGE), np.maximum(a, LARGE)
    r = large**-2
    # -1/(2a^2) - 1/(6a^3) + 1/(30a^5) - 1/(42a^7) + 1/(30a^9)
    tail = r / large * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r / 30)))
    return np.where(a < LARGE, 1.0 / small - trigamma(small), -0.5 * r - tail)


def trigamma(a: ArrayLike) -> Array:
    """Second derivative of log Gamma.

    Parameters
    ----------
    a : array-like
        Above 0.

    Returns
    -------
    trigamma : ndarray
    """
    a = np.asarray(a, dtype=np.float64)
    # trigamma(a) = trigamma(a + 8) + sum_{i < 8} (a + i)^-2, for small a
    small = a < N_SHIFTS
    shifted = np.where(small, a + N_SHIFTS, a)
    r = shifted**-2
    # 1/a + r/2 + (r/6 - r^2/30 + r^3/42 - r^4/30 + 5r^5/66 - 691r^6/2730 + 7r^7/6)/a
    tail = 5 / 66 - r * (691 / 2730 - r * (7 / 6))
    tail = r * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * tail))))
    series = (1.0 + tail) / shifted + 0.5 * r
    if not small.any():
        return series
    inverses = 1.0 / (np.minimum(a, N_SHIFTS)[..., None] + SHIFTS)
    return series + small * np.einsum("...i,...i->...", inverses, inverses)


def inverse_digamma(y: Array) -> Array:
    """The a > 0 at which digamma(a) = y.

    Parameters
    ----------
    y : ndarray

    Returns
    -------
    a : ndarray

    References
    ----------
    Minka, T. P. (2000). Estimating a Dirichlet distribution, appendix C. Technical report, MIT.
    """
    start = np.where(y >= -2.22, np.exp(y) + 0.5, -1.0 / (np.minimum(y, -2.22) + EULER_GAMMA))
    a: Array = start
    for _ in range(NEWTON_STEPS):
        step = (digamma(a) - y) / trigamma(a)
        a = a - step
        if (np.abs(step) <= LAST_STEP * a).all():
            break
    return a


def log_ratio(x: Array, origin: Array) -> Array:
    """log(x / origin), which keeps its digits where x is near the origin.

    Parameters
    ----------
    x, origin : ndarray
        Above 0, of shapes that broadcast; NaN stays NaN.

    Returns
    -------
    log_ratio : ndarray
    """
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = x / origin
        # log(1 + z) = log(ratio) + (1 + z - ratio) / ratio where rounding parts them (Kahan): one
        # logarithm for all, where log1p for some and log for others are two. Below a half nothing
        # cancels, and z has lost the digits of the ratio.
        lost = (x - origin) / origin - (ratio - 1.0)
        lost /= ratio
        lost *= ratio > 0.5
        lost += np.log(np.maximum(ratio, TINY))
    beyond = (ratio < TINY) | (ratio == np.inf)
    return np.where(beyond, np.log(x) - np.log(origin), lost) if beyond.any() else lost


def log_excess(x: Array, origin: Array) -> Array:
    """x / origin - 1 - log(x / origin): how far x is from the origin, 0 there.

    Parameters
    ----------
    x, origin : ndarray
        Above 0, of shapes that broadcast; NaN stays NaN.

    Returns
    -------
    excess : ndarray
        At least 0.
    """
    return (x - origin) / origin - log_ratio(x, origin)
