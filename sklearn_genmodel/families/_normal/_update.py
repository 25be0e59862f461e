"""M-step of locations and scatter matrices from expected moments: estimates, and their floor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._covariances import _singular as singular
from sklearn_genmodel.families._covariances._structures import divided
from sklearn_genmodel.families._normal._elliptical import Elliptical
from sklearn_genmodel.families._normal._moments import Moments

__all__ = ["Summary", "summary", "update"]


class Summary(NamedTuple):
    """Locations, packed scatter about them, counts that divide it, and the floor (d,)."""

    locations: Array
    scatter: Array
    counts: Array
    minimum: Array


def update(
    family: Elliptical,
    moments: Moments,
    counts: Array,
    expansion: Array | None = None,
    floor_factor: float = 1.0,
) -> tuple[Array, Any, bool]:
    """Locations, scatter matrices, and whether the floor may keep them from their estimates.

    Parameters
    ----------
    family : Elliptical
    moments : Moments
        Their means are the locations.
    counts : ndarray of shape (n_components,)
        Divide the scatter.
    expansion : ndarray or None, default=None
        By which the matrices are divided where the floor allows.
    floor_factor : float, default=1.0

    Returns
    -------
    locations : ndarray of shape (n_components, n_features)
    matrices : ndarray or NamedTuple
        Of the shape that the structure decides.
    floored : bool
    """
    structure, current = moments.structure, moments.current
    locations, scatter, counts, minimum = summary(family, moments, counts, floor_factor)
    d = locations.shape[1]
    if not structure.bounded:
        found = structure.covariances(scatter, counts, d, current)
        found = found if expansion is None else divided(found, expansion)
        if family.reg_covar == 0 or structure.exceeds(found, minimum):
            return locations, found, False
    if current is not None and not structure.exceeds(current, minimum):
        # The unit of the floor may change from pass to pass. No M-step is worse than standing
        # still if the floor rises no higher than the current matrices. Those far below it are
        # no result of an M-step, but an extrapolation: they are not to drag the floor along.
        lowest = singular.sunk(
            minimum, structure.dense(current, *locations.shape), family.lowest_floor
        )
        if not structure.compares:
            minimum = lowest
        elif (lowest <= minimum * family.lowest_floor).all():
            current = structure.floor(current, lowest)
    return locations, structure.constrained(scatter, counts, d, minimum, current), True


def summary(
    family: Elliptical, moments: Moments, counts: Array, floor_factor: float = 1.0
) -> Summary:
    """What an M-step makes of moments, those of the prior included.

    Parameters
    ----------
    family : Elliptical
    moments : Moments
    counts : ndarray of shape (n_components,)
    floor_factor : float, default=1.0

    Returns
    -------
    summary : Summary
    """
    offsets, scatter = moments.about_means()
    minimum = floor_factor * _minimum(family, moments, offsets, scatter)
    if family.prior is not None:
        moments, extra, counts = _with_prior(family, moments, counts)
        offsets, scatter = moments.about_means()
        scatter = scatter + extra
    return Summary(moments.centers + offsets, scatter, counts, minimum)


def _minimum(family: Elliptical, moments: Moments, offsets: Array, scatter: Array) -> Array:
    """Floor of the variances: a share of the variance of all components together, (d,)."""
    if family.reg_covar == 0:
        return np.zeros(offsets.shape[1])
    if family.unit is not None:
        return np.maximum(family.reg_covar * family.unit, TINY)
    total, means = moments.counts.sum(), moments.centers + offsets
    deviations = means - moments.counts @ means / total
    within = moments.structure.within(scatter, len(deviations.T))
    variance = (within + moments.counts @ deviations**2) / total
    return np.maximum(family.reg_covar * variance, TINY)


def _with_prior(
    family: Elliptical, moments: Moments, counts: Array
) -> tuple[Moments, Array, Array]:
    """Moments with rows at the prior mean, and scatter and counts of the prior."""
    prior, structure = family.known_prior(), moments.structure
    pseudo = prior.pseudo(structure, len(counts))
    offsets = pseudo.mean - moments.centers
    raised = replace(
        moments,
        counts=moments.counts + pseudo.weight,
        sums=moments.sums + pseudo.weight * offsets,
        products=moments.products + pseudo.weight * structure.pair(offsets, offsets),
    )
    return raised, pseudo.scatter, counts + pseudo.counts
