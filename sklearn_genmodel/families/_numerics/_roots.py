"""Roots of many functions at once, without derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklearn_genmodel.families._arrays import Array

__all__ = ["falling_root"]

EPS = float(np.finfo(np.float64).eps)
MOST_EXPANSIONS, MOST_STEPS = 40, 100
GROWTH = 4.0


def falling_root(
    function: Callable[[Array], Array], start: Array, low: Array, high: Array
) -> Array:
    """Where functions that fall through 0 do so; the end of the interval where they do not.

    A bracket grows from the start, and shrinks by inverse quadratic interpolation or bisection
    until neighbouring floats are left.

    Parameters
    ----------
    function : callable
        Maps arguments (n,) to values (n,) of n functions.
        The first bracket is as wide as a slope of -1/4 asks for.
    start, low, high : ndarray of shape (n,)

    Returns
    -------
    roots : ndarray of shape (n,)

    References
    ----------
    Chandrupatla, T. R. (1997). A new hybrid quadratic/bisection algorithm for finding the zero of
    a nonlinear function without using derivatives. Advances in Engineering Software 28, 145-149.
    """
    a = np.clip(start, low, high)
    fa = function(a)
    rising = fa > 0
    end = np.where(rising, high, low)
    b, fb = a, fa
    step = GROWTH * np.abs(fa) + EPS
    for _ in range(MOST_EXPANSIONS):
        crossed = (fb > 0) != rising
        if (crossed | (b == end)).all():
            break
        moved = np.where(rising, np.minimum(b + step, high), np.maximum(b - step, low))
        a, fa = np.where(crossed, a, b), np.where(crossed, fa, fb)
        b = np.where(crossed, b, moved)
        fb = function(b)
        step = GROWTH * step
    crossed = (fb > 0) != rising
    # Where nothing was crossed, a bracket of width 0 keeps the search at the end.
    a, fa = np.where(crossed, a, b), np.where(crossed, fa, fb)
    return _bracketed_root(function, a, fa, b, fb)


def _bracketed_root(
    function: Callable[[Array], Array], a: Array, fa: Array, b: Array, fb: Array
) -> Array:
    """Chandrupatla's method for all brackets side by side."""
    share = np.full_like(a, 0.5)
    for _ in range(MOST_STEPS):
        x = a + share * (b - a)
        fx = function(x)
        same = (fx > 0) == (fa > 0)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        with np.errstate(all="ignore"):
            shortest = 2.0 * EPS * np.maximum(np.abs(best), 1.0) / np.abs(b - a)
            if not (shortest < 0.5).any() or not (np.minimum(np.abs(fa), np.abs(fb)) > 0).any():
                break
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            interpolated = fa / (fb - fa) * fc / (fb - fc)
            interpolated += (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            smooth = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        share = np.where(smooth & np.isfinite(interpolated), interpolated, 0.5)
        shortest = np.fmin(shortest, 0.5)
        share = np.clip(share, shortest, 1.0 - shortest)
    return best
