"""Rows of Student-t components with their latent precisions: densities and expected statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel
from sklearn_genmodel.families._covariances._covariance import LOG_2PI, Structure
from sklearn_genmodel.families._normal._moments import Moments, normal_densities
from sklearn_genmodel.families._numerics._special import digamma_gap, stirling_remainder

__all__ = ["LARGEST_DOF", "SMALLEST_DOF", "ScaledMoments", "StudentStats", "student_kernel"]

Counts = NDArray[np.intp]

# EM is slow for large degrees of freedom: from 30 on, statistics are collected at others as well,
# whose logarithm of dof / 10 is a quarter larger, or a fifth smaller.
LEAP_FROM, LEAP_UNIT, LEAP_POWERS = 30.0, 10.0, (1.25, 0.8)
# A leap gains at least this much per row, in nats: more than rounding.
LEAST_GAIN = 1e-12
# Below, one row in ten that repeats a value makes the likelihood unbounded; above, no row in a
# thousand million tells the density from a normal one.
SMALLEST_DOF, LARGEST_DOF = 0.1, 1e8


@dataclass(frozen=True)
class ScaledMoments:
    """Expected statistics of rows x with their latent precisions u.

    Parameters
    ----------
    moments : Moments
        Of the rows, weighted by their expected precisions.
    counts : ndarray of shape (n_components,)
        Sum of the weights without them.
    log_precisions : ndarray of shape (n_components,)
        Weighted sum of E[log u].
    distances : ndarray of shape (n_components,)
        Weighted sum of the squared distances delta.
    gains : ndarray of shape (n_components,)
        What these degrees of freedom in place of the current ones add to the weighted
        log-likelihood.
    dof : ndarray of shape (n_components,)
        Degrees of freedom at which all this was collected.
    """

    moments: Moments
    counts: Array
    log_precisions: Array
    distances: Array
    gains: Array
    dof: Array

    def __add__(self, other: ScaledMoments) -> ScaledMoments:
        return replace(
            self,
            moments=self.moments + other.moments,
            counts=self.counts + other.counts,
            log_precisions=self.log_precisions + other.log_precisions,
            distances=self.distances + other.distances,
            gains=self.gains + other.gains,
        )

    def __mul__(self, factor: float) -> ScaledMoments:
        return replace(
            self,
            moments=self.moments * factor,
            counts=self.counts * factor,
            log_precisions=self.log_precisions * factor,
            distances=self.distances * factor,
            gains=self.gains * factor,
        )

    def with_components(self, other: ScaledMoments, chosen: NDArray[np.bool_]) -> ScaledMoments:
        """The same with some components' statistics taken from others about the same centres."""

        def merge(mine: Array, theirs: Array) -> Array:
            return np.where(chosen.reshape(-1, *(1,) * (mine.ndim - 1)), theirs, mine)

        one, two = self.moments, other.moments
        moments = replace(
            one,
            counts=merge(one.counts, two.counts),
            sums=merge(one.sums, two.sums),
            products=merge(one.products, two.products),
        )
        return replace(
            self,
            moments=moments,
            log_precisions=merge(self.log_precisions, other.log_precisions),
            dof=merge(self.dof, other.dof),
        )


@dataclass(frozen=True)
class StudentStats:
    """The same statistics at several degrees of freedom, the current ones first.

    Parameters
    ----------
    versions : tuple of ScaledMoments
    """

    versions: tuple[ScaledMoments, ...]

    def __add__(self, other: StudentStats) -> StudentStats:
        one, two = self.versions, other.versions
        if not np.array_equal([version.dof for version in one], [version.dof for version in two]):
            # Of other parameters, as in online EM: each leaps by what its own rows say.
            one, two = (self.best(),), (other.best(),)
        return StudentStats(tuple(a + b for a, b in zip(one, two, strict=True)))

    def __mul__(self, factor: float) -> StudentStats:
        return StudentStats(tuple(version * factor for version in self.versions))

    def best(self) -> ScaledMoments:
        """Statistics of every component at those degrees of freedom that suit it best.

        Of components that are coupled, whose moments may not be apart, the choice is one for all.

        Returns
        -------
        best : ScaledMoments
        """
        best = self.versions[0]
        gains = np.stack([version.gains for version in self.versions])
        gains[0] = LEAST_GAIN * best.counts
        if best.moments.structure.coupled:
            return self.versions[int(gains.sum(axis=1).argmax())]
        for choice, version in enumerate(self.versions[1:], start=1):
            best = best.with_components(version, gains.argmax(axis=0) == choice)
        return best


def student_kernel(structure: Structure, params: Any, *, leaps: bool) -> Kernel:
    """Log-densities and expected statistics of blocks of rows.

    Parameters
    ----------
    structure : Structure
    params : StudentTParams
    leaps : bool
        Whether to collect statistics at other degrees of freedom than the current ones, too.

    Returns
    -------
    kernel : callable
        See `Family.kernel`; the statistics are `StudentStats`.
    """
    densities = normal_densities(structure, params.locations, params.scales)
    n_features = params.locations.shape[1]
    versions = [_Version.of(dof, n_features) for dof in _versions(params.dof, leaps=leaps)]

    def block(X: Array) -> tuple[Array, Accumulate]:
        found = densities(X)
        n_observed = np.atleast_1d(found.n_observed)
        half_log_det = found.half_log_det()
        normal = found.log_prob + half_log_det + 0.5 * LOG_2PI * n_observed
        distances = np.maximum(-2.0 * normal, 0.0)
        standard = versions[0].log_prob(distances, n_observed)

        def accumulate(resp: Array) -> StudentStats:
            resp = resp if n_observed.all() else resp * (n_observed > 0)
            parts: list[ScaledMoments] = []
            for version in versions:
                own = version.log_prob(distances, n_observed) if parts else standard
                precisions = version.precisions(distances, n_observed)
                logs = version.log_precisions(own, n_observed)
                moments = found.accumulate(resp * precisions, resp)
                part = ScaledMoments(
                    moments=moments,
                    counts=resp.sum(axis=1),
                    log_precisions=_sums(resp, logs),
                    distances=_sums(resp, distances),
                    gains=_sums(resp, own - standard),
                    dof=version.dof[:, 0],
                )
                parts.append(part)
            return StudentStats(tuple(parts))

        return standard - half_log_det, accumulate

    return block


class _Version(NamedTuple):
    """Degrees of freedom (K, 1), and log-normalisers by the number of columns observed."""

    dof: Array
    constants: Array

    @classmethod
    def of(cls, dof: Array, n_features: int) -> _Version:
        """Version of degrees of freedom (K,).

        log G(a + b) - log G(a) - b log a - b log(2 pi) with a = dof / 2, b = n_observed / 2 and
        log G(a) = (a - 1/2) log a - a + log(2 pi) / 2 + remainder(a)
        """
        a, b = 0.5 * dof[:, None], 0.5 * np.arange(n_features + 1)
        series = (a + b - 0.5) * np.log1p(b / a) - b
        remainder = stirling_remainder(a + b) - stirling_remainder(a)
        return cls(dof[:, None], series + remainder - b * LOG_2PI)

    def log_prob(self, distances: Array, n_observed: Counts) -> Array:
        """Log-density in units in which the scale matrix has determinant 1, (K, n)."""
        exponents = 0.5 * (self.dof + n_observed) * np.log1p(distances / self.dof)
        return np.asarray(self.constants[:, n_observed] - exponents)

    def precisions(self, distances: Array, n_observed: Counts) -> Array:
        """E[u] = (nu + d) / (nu + delta), (K, n)."""
        return np.asarray((self.dof + n_observed) / (self.dof + distances))

    def log_precisions(self, log_prob: Array, n_observed: Counts) -> Array:
        """E[log u] = digamma((nu + d) / 2) - log((nu + delta) / 2), (K, n)."""
        sizes = self.dof + np.arange(self.constants.shape[1])
        constants = np.log1p((sizes - self.dof) / self.dof) - digamma_gap(0.5 * sizes)
        spread = (self.constants[:, n_observed] - log_prob) / (0.5 * sizes[:, n_observed])
        return np.asarray(constants[:, n_observed] - spread)


def _versions(dof: Array, *, leaps: bool) -> list[Array]:
    """The degrees of freedom, and those to leap to, if there are any."""
    far = dof > LEAP_FROM
    if not (leaps and far.any()):
        return [dof]
    others = (LEAP_UNIT * (dof / LEAP_UNIT) ** power for power in LEAP_POWERS)
    return [dof, *(np.where(far, np.minimum(other, LARGEST_DOF), dof) for other in others)]


def _sums(resp: Array, values: Array) -> Array:
    """Weighted sums over rows, (K,)."""
    return np.asarray(np.einsum("kn,kn->k", resp, values))
