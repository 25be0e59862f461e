"""Weighted maximum likelihood for families whose M-step is part of an inner EM algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._base import Family

__all__ = ["settled_mle"]

# Iterates until nothing but rounding is gained a few times in a row: estimates still settle when
# their likelihood has.
ROUNDING, PATIENCE, MOST_CYCLES, LONGEST_STEP = 1e-15, 8, 1000, 100.0


def settled_mle(family: Family, X: Array, resp: Array) -> Any:
    """Parameters that the M-step, from the statistics which they imply, gives again.

    Every two M-steps are extrapolated where that raises the weighted log-likelihood (SQUAREM, step
    length S3).

    Parameters
    ----------
    family : Family
    X : ndarray of shape (n_samples, n_features)
    resp : ndarray of shape (n_samples, n_components)

    Returns
    -------
    params : NamedTuple

    References
    ----------
    Varadhan, R. and Roland, C. (2008). Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm. Scandinavian Journal of Statistics 35, 335-353.
    """
    params, best, stalled = family.m_step(family.suffstats(X, resp)), -np.inf, 0
    for _ in range(MOST_CYCLES):
        once = family.m_step(family.suffstats(X, resp, params))
        twice = family.m_step(family.suffstats(X, resp, once))
        tried = _extrapolated(family, params, once, twice)
        values = [_weighted_log_lik(family, X, resp, point) for point in (twice, tried)]
        params = tried if values[1] > values[0] else twice
        previous, best = best, max(best, *values)
        stalled = stalled + 1 if best - previous <= ROUNDING * abs(best) else 0
        if stalled == PATIENCE:
            break
    return params


def _weighted_log_lik(family: Family, X: Array, resp: Array, params: Any) -> float:
    """What is maximised: the weighted log-likelihood and the prior."""
    return float(np.sum(resp * family.log_prob(X, params)) + np.sum(family.log_prior(params)))


def _extrapolated(family: Family, params: Any, once: Any, twice: Any) -> Any:
    """x + 2 s r + s^2 v with s = |r| / |v|, r the first step, v the change of step."""
    if not family.has_coordinates:
        return twice
    origin, first, second = (family.to_vector(point, params) for point in (params, once, twice))
    step, change = first - origin, second - 2.0 * first + origin
    size = float(np.linalg.norm(change))
    if size == 0.0:
        return twice
    length = min(float(np.linalg.norm(step)) / size, LONGEST_STEP)
    return family.from_vector(origin + 2.0 * length * step + length**2 * change, params)
