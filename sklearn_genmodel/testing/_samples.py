"""Whether samples are those of the density, and of the moments, that a family states."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad

from sklearn_genmodel.families import Family, Support
from sklearn_genmodel.testing._comparisons import Array, differs

__all__ = ["check_distribution", "check_samples"]

# How far from the middle, in units of the spread, bodies of densities go.
WIDTHS = 50.0
# And how far beyond the samples one ends that is cut off.
CUT_OFF = 1e-2


def check_samples(family: Family, params: Any, X: Array, labels: NDArray[np.intp]) -> None:
    """Samples lie in the support, with the means and covariances stated."""
    supports = family.column_supports(X.shape[1])
    inside = [support.contains(column) for support, column in zip(supports, X.T, strict=True)]
    assert np.all(inside), "samples must lie in the support"
    family.check_rows(X)
    means, covariances = family.mean(params), _covariances(family, params)
    for k, mean in enumerate(means):
        deviations = _wrapped(X[labels == k] - mean, supports)
        far = differs(deviations, mean)
        assert not far.any(), f"samples of component {k} do not have the mean that mean() states"
        if covariances is not None:
            assert covariances.shape == (*means.shape, X.shape[1]), (
                "covariance must return a matrix of all columns for every component"
            )
            products = deviations[:, :, None] * deviations[:, None, :]
            known = np.isfinite(covariances[k])
            stated = np.where(known, covariances[k], 0.0)
            assert not (differs(products - stated, stated) & known).any(), (
                f"samples of component {k} do not have the covariance that covariance() states"
            )


def _covariances(family: Family, params: Any) -> Array | None:
    """Those stated, if the family does; it may be made of others that do not."""
    try:
        return family.covariance(params)
    except NotImplementedError:
        return None


def _wrapped(deviations: Array, supports: Sequence[Support]) -> Array:
    """Deviations within half a period, in columns that have one."""
    periods = np.array([support.period or 0.0 for support in supports])
    turns = np.round(deviations / np.where(periods > 0.0, periods, np.inf))
    return np.asarray(deviations - turns * periods)


def check_distribution(family: Family, params: Any, X: Array, labels: NDArray[np.intp]) -> None:
    """The density of one column sums to 1, and its samples have the entropy that it has."""
    if X.shape[1] > 1:
        return
    for k in range(len(family.mean(params))):
        own = X[labels == k]
        mass, negentropy = _mass_and_negentropy(family, params, k, own)
        np.testing.assert_allclose(
            mass, 1.0, atol=1e-6, err_msg=f"the density of component {k} must sum to 1"
        )
        log_prob = family.log_prob(own, params)[:, k]
        assert not differs(log_prob - negentropy, negentropy), (
            f"samples of component {k} are not spread as its density says"
        )


def _mass_and_negentropy(family: Family, params: Any, k: int, X: Array) -> tuple[float, float]:
    """Sums or integrals of p and of p log p over the support, for a component with samples X."""

    def log_density(x: Any) -> Any:
        with np.errstate(over="ignore"):
            return family.log_prob(np.reshape(x, (-1, 1)), params)[:, k]

    def terms(log_prob: Any) -> Any:
        return np.exp(log_prob) * np.where(log_prob > -np.inf, log_prob, 0.0)

    (support,) = family.column_supports(1)
    center, width = float(X.mean()), float(np.ptp(X)) + 1.0
    if support.integer or support.levels is not None:
        low, high = (
            max(support.low, center - WIDTHS * width),
            min(support.high, center + WIDTHS * width),
        )
        log_prob = log_density(np.arange(np.ceil(low), np.floor(high) + 1.0))
        return float(np.exp(log_prob).sum()), float(terms(log_prob).sum())
    low, *inner, high = np.unique([*_edges(support, X), *_cuts(log_density, support, X)])
    unit = float(np.ptp(np.quantile(X, [0.1, 0.9]))) or 1.0
    # Infinite ends are mapped to finite ones as if the unit were 1.
    sides = list(pairwise((np.array([low, *inner, high]) - center) / unit))

    def integral(function: Any, error: float) -> float:
        parts = (
            quad(
                lambda y: function(log_density(center + unit * y))[0],
                *side,
                limit=500,
                epsabs=error / unit,
            )[0]
            for side in sides
        )
        return unit * sum(parts)

    return integral(np.exp, 1e-9), integral(terms, 1e-4)


def _cuts(log_density: Any, support: Support, X: Array) -> list[float]:
    """Points about the end of a density that is 0 from there on, next to the last sample."""
    step = CUT_OFF * float(np.ptp(X))
    cuts: list[float] = []
    for sample, beyond in ((X.min(), X.min() - step), (X.max(), X.max() + step)):
        if support.low < beyond < support.high and np.isneginf(log_density(beyond)).all():
            cuts += [float(sample), float(beyond)]
    return cuts


def _edges(support: Support, X: Array) -> Array:
    """Ends of the support, and points between which a density is simple to integrate."""
    # Many, and not the median: a kink next to the edge of a long side is overlooked.
    quantiles = np.quantile(X, np.linspace(0.05, 0.95, 10))
    if support.period is not None:
        center = float(X.mean())
        low, high = center - 0.5 * support.period, center + 0.5 * support.period
    else:
        low, high = support.low, support.high
    spread = WIDTHS * (quantiles[-1] - quantiles[0])
    body = [quantiles[0] - spread, *quantiles, quantiles[-1] + spread]
    return np.unique(np.clip([low, *body, high], low, high))
