"""Differences of gamma functions and logarithms that keep their digits where the terms are large.

Stirling's series: Abramowitz, M. and Stegun, I. A. (1964). Handbook of Mathematical Functions,
6.1.41, 6.3.18 and 6.4.12. National Bureau of Standards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, zeta

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
# SciPy's zeta function takes so many arguments in less time than Python needs for the series.
FEW = 60


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
    return _small_and_large(a, LARGE, _direct_remainder, _remainder_series)


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
    return _small_and_large(a, LARGE, lambda a: np.log(a) - digamma(a), _gap_series)


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
    return _small_and_large(a, LARGE, lambda a: 1.0 / a - trigamma(a), _slope_series)


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
    if a.size <= FEW:
        return np.asarray(zeta(2.0, a))
    # trigamma(a) = trigamma(a + 8) + sum_{i < 8} (a + i)^-2, for small a
    small = a < N_SHIFTS
    shifted = a + N_SHIFTS * small
    r = _inverse_square(shifted)
    # 1/a + r/2 + (r/6 - r^2/30 + r^3/42 - r^4/30 + 5r^5/66 - 691r^6/2730 + 7r^7/6)/a
    tail = 5 / 66 - r * (691 / 2730 - r * (7 / 6))
    tail = r * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * tail))))
    result = np.asarray((1.0 + tail) / shifted + 0.5 * r)
    if small.any():
        inverses = 1.0 / (a[small][:, None] + SHIFTS)
        result[small] += np.einsum("ij,ij->i", inverses, inverses)
    return result


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


def _small_and_large(
    a: ArrayLike, bound: float, direct: Callable[[Array], Array], series: Callable[[Array], Array]
) -> Array:
    """The direct form of what is below a bound, and the series, which costs little, of the rest."""
    a = np.asarray(a, dtype=np.float64)
    small = a < bound
    if small.all():
        return np.asarray(direct(a))
    result = np.asarray(series(np.maximum(a, bound)))
    if small.any():
        result[small] = direct(a[small])
    return result


def _direct_remainder(a: Array) -> Array:
    return gammaln(a) - (a - 0.5) * np.log(a) + a - HALF_LOG_2PI


def _remainder_series(a: Array) -> Array:
    """1/(12a) - 1/(360a^3) + 1/(1260a^5) - 1/(1680a^7) + 1/(1188a^9)."""
    r = _inverse_square(a)
    return (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / a


def _gap_series(a: Array) -> Array:
    """1/(2a) + 1/(12a^2) - 1/(120a^4) + 1/(252a^6) - 1/(240a^8) + 1/(132a^10)."""
    r = _inverse_square(a)
    return 0.5 / a + r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))


def _slope_series(a: Array) -> Array:
    """-1/(2a^2) - 1/(6a^3) + 1/(30a^5) - 1/(42a^7) + 1/(30a^9)."""
    r = _inverse_square(a)
    return -0.5 * r - r / a * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r / 30)))


def _inverse_square(a: Array) -> Array:
    """a^-2, which underflows where the square would overflow; powers are slow."""
    inverse = 1.0 / a
    return inverse * inverse
