"""Independent columns whose statistics are taken about an origin.

Sums of x and log x lose the digits that tell how narrow a distribution is: a gamma distribution
with a coefficient of variation of 1e-4 is found in what is left of them after eight digits cancel.
About an origin within the distribution nothing cancels, as with the moments of Gaussians.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._all_rows import statistics_of_all
from sklearn_genmodel.families._arrays import TINY, Accumulate, Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten, tied_sums
from sklearn_genmodel.families._independent import IndependentColumns, check_all_or_none
from sklearn_genmodel.families._prior import known_prior, with_prior_at
from sklearn_genmodel.families._spikes import spikes

__all__ = ["CenteredColumns"]

# Largest sum of absolute terms for which sums about a common origin keep an error below 1e-10.
CANCELLATION_LIMIT = 1e6


class CenteredColumns(IndependentColumns):
    """Positive columns, or shares, with two statistics about an origin c, both 0 at c.

    Subclasses define ``centers``, ``statistics_about``, ``means_about``, ``coefficients_about``,
    ``recentred``, ``from_means_about`` and ``spread``; ``embed`` and its inverse ``restore``; and
    ``statistics``, the ones in which a prior states its means. All arrays have a column for each
    column of the data, an origin too.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        See `IndependentColumns`.
    """

    narrowest: ClassVar[float] = 1e-14
    """Smallest variance of an embedded column."""

    def centers(self, params: Any) -> Array:
        """Origin in the middle of every component, (n_components, n_features)."""
        raise NotImplementedError(f"{type(self).__name__} must define centers(params)")

    def restore(self, Z: Array) -> Array:
        """Values that `embed` maps to Z."""
        raise NotImplementedError(f"{type(self).__name__} must define restore(Z)")

    def statistics_about(self, X: Array, origin: Array) -> tuple[Array, Array]:
        """Two statistics of every value."""
        raise NotImplementedError(f"{type(self).__name__} must define statistics_about(X, origin)")

    def means_about(self, means: Array, origin: Array) -> Array:
        """Means of the statistics about an origin, from means of `statistics`."""
        raise NotImplementedError(f"{type(self).__name__} must define means_about(means, origin)")

    def coefficients_about(self, params: Any, origin: Array) -> tuple[Array, ...]:
        """Coefficients of the statistics, and the constant last."""
        raise NotImplementedError(
            f"{type(self).__name__} must define coefficients_about(params, origin)"
        )

    def recentred(self, sums: Array, old: Array, new: Array) -> Array:
        """Sums of the statistics and counts, (3, K, n_features), about another origin."""
        raise NotImplementedError(f"{type(self).__name__} must define recentred(sums, old, new)")

    def from_means_about(self, means: Array, origin: Array) -> Any:
        """Maximum-likelihood parameters from means of the statistics, (2, K, n_features)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define from_means_about(means, origin)"
        )

    def spread(self, params: Any) -> Array:
        """Variance of every embedded column, (n_components, n_features)."""
        raise NotImplementedError(f"{type(self).__name__} must define spread(params)")

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Any:
        """Sums about the current centres, or about the middle of these rows at a start."""
        if params is not None:
            return self.kernel(params)(self.prepare(X))[1](resp.T)
        origin = self._middle(X)
        origins = np.repeat(origin[None], resp.shape[1], axis=0)
        return CenteredSums(self, origins, _AboutOrigin(self, origin).suffstats(X, resp))

    def m_step(self, stats: Any) -> Any:
        """From the weighted means of the statistics observed, pseudo-observations included."""
        sums = self._posterior_sums(stats)
        return self.from_means_about(sums[:-1] / np.maximum(sums[-1:], TINY), stats.origins)

    def constrained_m_step(self, stats: Any, constraints: Constraints) -> Any:
        """Tied distributions pool their statistics; a fixed one is fixed in all its parameters."""
        check_all_or_none(type(self).__name__, 2, constraints)
        for labels in list(constraints.tied.values())[:1]:
            stats = stats.about(self._origins_of(stats.origins, labels))
            sums = tied_sums(self._posterior_sums(stats).swapaxes(0, 1), labels).swapaxes(0, 1)
            means = sums[:-1] / np.maximum(sums[-1:], TINY)
            return overwritten(self.from_means_about(means, stats.origins), constraints)
        return overwritten(self.m_step(stats), constraints)

    def _origins_of(self, origins: Array, labels: NDArray[np.intp]) -> Array:
        """One origin in the middle of those of every group of tied cells."""
        groups = np.unique(labels, return_inverse=True)[1].ravel()
        Z = self.embed(origins).ravel()
        middles = np.bincount(groups, Z) / np.bincount(groups)
        return self.restore(middles[groups].reshape(origins.shape))

    def _posterior_sums(self, stats: Any) -> Array:
        """Sums of the statistics and counts, pseudo-observations included, (3, K, n_features)."""
        sums, prior = stats.sums.swapaxes(0, 1), known_prior(self.prior)
        if prior is None:
            return np.asarray(sums)
        pseudo = self.means_about(prior.means[:, None], stats.origins)
        pseudo = np.broadcast_to(pseudo, (2, *stats.origins.shape))
        counts = np.ones((1, *stats.origins.shape))
        return np.asarray(sums + prior.strength * np.concatenate([pseudo, counts]))

    def prepare(self, X: Array) -> Any:
        """The rows: their statistics depend on where the components are."""
        return X

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        centers = self.centers(params)
        origins = np.repeat(self._middle(centers)[None], len(centers), axis=0)
        cancelling = self._magnitude(params, origins) > CANCELLATION_LIMIT
        origins[cancelling] = centers[cancelling]
        together = np.flatnonzero(~cancelling)
        groups = [together] if len(together) else []
        groups += [np.array([k]) for k in np.flatnonzero(cancelling)]
        families = [_AboutOrigin(self, origins[group[0]]) for group in groups]
        pairs = [
            (family, family.kernel(self.take(params, group)))
            for family, group in zip(families, groups, strict=True)
        ]

        def block(X: Array) -> tuple[Array, Accumulate]:
            parts = [kernel(family.prepare(X)) for family, kernel in pairs]
            log_prob = np.empty((len(centers), len(X)))
            for group, (values, _) in zip(groups, parts, strict=True):
                log_prob[group] = values

            def accumulate(resp: Array) -> CenteredSums:
                sums = np.empty((len(centers), 3, X.shape[1]))
                for group, (_, collect) in zip(groups, parts, strict=True):
                    sums[group] = collect(resp[group])
                return CenteredSums(self, origins, sums)

            return log_prob, accumulate

        return block

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Center the prior at the mean statistics of the data."""
        if self.prior is None:
            return self
        stats = statistics_of_all(_Natural(self), X, sample_weight)
        means = stats[:-1] / np.maximum(stats[-1], TINY)
        return with_prior_at(self, means)

    def log_prior(self, params: Any) -> Array | float:
        """Log-likelihood of the pseudo-observations, base measure left out."""
        prior = known_prior(self.prior)
        if prior is None:
            return 0.0
        origin = self._middle(self.centers(params))
        first, second, constant = self.coefficients_about(params, origin)
        means = self.means_about(prior.means, origin)
        terms = first * means[0] + second * means[1] + constant
        return np.asarray(prior.strength * terms.sum(axis=1))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Two per component and column."""
        return 2 * n_components * n_features

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Size of (1, t_1, t_2)."""
        return 1 + 2 * n_features

    def degenerate(self, params: Any, n_rows: Array, pooled: Any) -> NDArray[np.bool_]:
        """Components on too few rows, or too narrow for the number of their rows."""
        if self.prior is not None:
            return np.zeros(len(n_rows), dtype=bool)
        return spikes(self.spread(params), self.spread(pooled)[0], n_rows, self.narrowest)

    def _middle(self, values: Array) -> Array:
        """Middle of the values of every column, missing ones left out."""
        Z = self.embed(values)
        seen = ~np.isnan(Z)
        return self.restore(np.where(seen, Z, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))

    def _magnitude(self, params: Any, origins: Array) -> Array:
        """Sum of absolute terms of the log-density of every component at its centre."""
        first, second, constant = self.coefficients_about(params, origins)
        own = self.statistics_about(self.centers(params), origins)
        terms = np.abs(first * own[0]) + np.abs(second * own[1]) + np.abs(constant)
        return np.asarray(terms.sum(axis=1))


@dataclass(frozen=True)
class CenteredSums:
    """Weighted sums of two statistics about an origin per component, and counts.

    Parameters
    ----------
    family : CenteredColumns
        Knows how sums change with the origin.
    origins : ndarray of shape (n_components, n_features)
    sums : ndarray of shape (n_components, 3, n_features)
    """

    family: CenteredColumns
    origins: Array
    sums: Array

    def __add__(self, other: CenteredSums) -> CenteredSums:
        if other.origins is not self.origins:
            other = other.about(self.origins)
        return replace(self, sums=self.sums + other.sums)

    def __mul__(self, factor: float) -> CenteredSums:
        return replace(self, sums=self.sums * factor)

    def about(self, origins: Array) -> CenteredSums:
        """Return the same sums about other origins."""
        moved = self.family.recentred(self.sums.swapaxes(0, 1), self.origins, origins)
        return replace(self, origins=origins, sums=moved.swapaxes(0, 1))


class _AboutOrigin(IndependentColumns):
    """The columns of a family with statistics about one origin for all components."""

    def __init__(self, family: CenteredColumns, origin: Array) -> None:
        super().__init__()
        self.family, self.origin = family, origin

    def statistics(self, X: Array) -> tuple[Array, ...]:
        return self.family.statistics_about(X, self.origin)

    def coefficients(self, params: Any) -> tuple[Array, ...]:
        return self.family.coefficients_about(params, self.origin)


class _Natural(IndependentColumns):
    """The columns of a family with the statistics in which a prior states its means."""

    def __init__(self, family: CenteredColumns) -> None:
        super().__init__()
        self.family = family

    def statistics(self, X: Array) -> tuple[Array, ...]:
        return self.family.statistics(X)
