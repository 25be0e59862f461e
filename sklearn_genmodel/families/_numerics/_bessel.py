"""Modified Bessel functions of the first kind, of any order and argument."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, ive

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._numerics._newton import increasing_root

__all__ = [
    "LARGEST_CONCENTRATION",
    "SMALLEST_CONCENTRATION",
    "bessel_ratio",
    "concentrations_at",
    "inverse_bessel_ratio",
    "log_bessel",
]

# Beyond it, cosines of angles between rows and means do not tell concentrations apart.
SMALLEST_CONCENTRATION, LARGEST_CONCENTRATION = 1e-150, 1e8
# Below this, scaled Bessel functions are near underflow.
UNDERFLOW = 1e-250
EPS = float(np.finfo(np.float64).eps)


def log_bessel(order: float, x: Array) -> Array:
    """log(I_order(x) / x^order) - x, which stays finite for all x > 0.

    Parameters
    ----------
    order : float
        At least 0.
    x : ndarray
        Above 0.

    Returns
    -------
    log_bessel : ndarray
    """
    # scipy knows none of the functions of large arguments.
    large = x > LARGEST_CONCENTRATION
    scaled = np.where(large, _scaled_limit(order, x), ive(order, np.where(large, 1.0, x)))
    small = (scaled < UNDERFLOW) | (x**2 < order + 1.0)
    direct = np.log(np.where(small, 1.0, scaled)) - order * np.log(x)
    if not small.any():
        return np.asarray(direct)
    series = _log_series(order, np.where(small, x, 1.0))
    return np.where(small, series - order * np.log(2.0) - gammaln(order + 1.0) - x, direct)


def _scaled_limit(order: float, x: Array) -> Array:
    """I_order(x) / e^x for large x (Abramowitz and Stegun 1964, 9.7.1)."""
    square, eighth = 4.0 * order**2, 8.0 * np.maximum(x, 1.0)
    first = (square - 1.0) / eighth
    second = first * (square - 9.0) / (2.0 * eighth)
    third = second * (square - 25.0) / (3.0 * eighth)
    limit: Array = (1.0 - first + second - third) / np.sqrt(0.25 * np.pi * eighth)
    return limit


def _log_series(order: float, x: Array) -> Array:
    """Logarithm of sum_m (x / 2)^(2 m) / (m! (order + 1) ... (order + m)), whose terms are > 0."""
    quarter = 0.25 * x**2
    term, total, m = np.ones_like(x), np.zeros_like(x), 0
    while (term > EPS * total).any():
        m += 1
        term = term * quarter / (m * (order + m))
        total = total + term
    return np.log1p(total)


def bessel_ratio(order: float, x: Array) -> Array:
    """I_order(x) / I_(order - 1)(x), between 0 and 1.

    With order d / 2 this is the length of the mean of unit vectors in d dimensions that follow the
    von Mises-Fisher distribution with concentration x.

    Parameters
    ----------
    order : float
        At least 1 / 2.
    x : ndarray
        Above 0.

    Returns
    -------
    ratio : ndarray

    References
    ----------
    Gautschi, W. and Slavik, J. (1978). On the computation of modified Bessel function ratios.
    Mathematics of Computation 32, 865-875.
    """
    above, below = ive(order, x), ive(order - 1.0, x)
    small = above < UNDERFLOW
    ratio: Array = np.asarray(above / np.where(small, 1.0, below))
    if not small.any():
        return ratio
    return np.where(small, _continued_fraction(order, np.where(small, x, 1.0)), ratio)


def _continued_fraction(order: float, x: Array) -> Array:
    """x / (2 v + x^2 / (2 v + 2 + x^2 / (2 v + 4 + ...))), from the back, v the order.

    Used where the functions underflow, which they do where x is small beside the order.
    """
    n_terms = 20 + int(np.ceil(x.max()))
    tail = np.zeros_like(x)
    for m in range(n_terms, 0, -1):
        tail = x**2 / (2.0 * (order + m) + tail)
    return x / (2.0 * order + tail)


def inverse_bessel_ratio(order: float, ratio: Array) -> Array:
    """The x > 0 at which `bessel_ratio` has these values.

    Parameters
    ----------
    order : float
        At least 1.
    ratio : ndarray
        Between 0 and 1.

    Returns
    -------
    x : ndarray
        Between `SMALLEST_CONCENTRATION` and `LARGEST_CONCENTRATION`.

    References
    ----------
    Sra, S. (2012). A short note on parameter approximation for von Mises-Fisher distributions:
    and a fast implementation of I_s(x). Computational Statistics 27, 177-190.
    """
    ratio = np.clip(ratio, SMALLEST_CONCENTRATION, 1.0 - EPS)
    dimension = 2.0 * order

    def equation(log_x: Array) -> tuple[Array, Array]:
        # log(A / (1 - A)) is almost a straight line in log x: x / d here and 2 x / (d - 1) there
        x = np.exp(log_x)
        found = bessel_ratio(order, x)
        rest = np.maximum(1.0 - found, EPS)
        # dA/dx = 1 - A^2 - (d - 1) A / x, the last digits of which cancel where x is large
        slope = np.maximum(rest * (1.0 + found) - (dimension - 1.0) * found / x, EPS * rest)
        value = np.log(found / ratio) - np.log(rest / (1.0 - ratio))
        return value, x * slope / (found * rest)

    # Sra's equation 4
    start = np.log(ratio * (dimension - ratio**2) / ((1.0 - ratio) * (1.0 + ratio)))
    low = np.full_like(start, np.log(SMALLEST_CONCENTRATION))
    high = np.full_like(start, np.log(LARGEST_CONCENTRATION))
    return np.exp(increasing_root(equation, start, low, high))


def concentrations_at(radii: Array) -> Array:
    """Concentrations c with log(1 + c) = radius, kept within their limits.

    Parameters
    ----------
    radii : ndarray
        At least 0.

    Returns
    -------
    concentrations : ndarray
    """
    largest = np.log1p(LARGEST_CONCENTRATION)
    return np.maximum(np.expm1(np.minimum(radii, largest)), SMALLEST_CONCENTRATION)
