"""From the arguments `fixed` and `tied` of a mixture to the constraints of its M-step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em import MStep, Rows
from sklearn_genmodel.families import Constraints, Family, PerComponentParams, tie_labels
from sklearn_genmodel.mixture._arguments import check_params

__all__ = ["read_m_step"]

Array = NDArray[np.float64]

# Rows from which the shapes of the parameters are learned.
TEMPLATE_ROWS = 1000


def read_m_step(mixture: Any, family: Family, rows: Rows) -> MStep:
    """What the M-steps of a mixture maximise under: prior, fixed and tied parameters.

    Parameters
    ----------
    mixture : EMMixture
    family : Family
        Has seen the data.
    rows : Rows

    Returns
    -------
    m_step : MStep

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        If `fixed` or `tied` ask for what the family does not have, or cannot hold.
    """
    n_components = mixture.n_components
    for name in ("fixed", "tied"):
        value = getattr(mixture, name)
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"{name} must map names of parameters to values, got {value!r}.")
    return MStep(
        mixture.weight_concentration,
        _fixed_weights(mixture.fixed, n_components),
        _read_constraints(mixture.fixed, mixture.tied, family, rows, n_components),
    )


def _fixed_weights(fixed: Any, n_components: int) -> Array | None:
    """Mixing weights that are not to be estimated, NaN where one is free; None if all are."""
    if not fixed or "weights" not in fixed:
        return None
    weights = _numbers("fixed['weights']", fixed["weights"])
    free, total = np.isnan(weights), float(np.nansum(weights))
    good = weights.shape == (n_components,) and (free | (weights > 0)).all()
    if not good or not (total < 1.0 if free.any() else np.isclose(total, 1.0)):
        raise ValueError(
            f"fixed={{'weights': {fixed['weights']!r}}}: give n_components={n_components} numbers "
            "above 0 that sum to 1, or NaN where a weight is free and the others sum to less."
        )
    if np.count_nonzero(free) == 1:
        weights = np.where(free, 1.0 - total, weights)
        free = np.zeros_like(free)
    return weights if free.any() else np.asarray(weights / weights.sum())


def _read_constraints(
    fixed: Any, tied: Any, family: Family, rows: Rows, n_components: int
) -> Constraints | None:
    """What is fixed or tied among the parameters of the components, if anything."""
    asked = {name: value for name, value in (fixed or {}).items() if name != "weights"}
    if not asked and not tied:
        return None
    X = rows.X[:TEMPLATE_ROWS].astype(np.float64)
    template = family.repeat(family.pooled(X, rows.weights[:TEMPLATE_ROWS]), n_components)
    constraints = _constraints(asked, tied or {}, template, (n_components, X.shape[1]))
    # Asked for once here, so that a family that cannot do it says so before the search for starts.
    alike = np.full((len(X), n_components), 1.0 / n_components)
    params = family.constrained_m_step(family.suffstats(X, alike, template), constraints)
    check_params(family, np.full(n_components, 1.0 / n_components), params)
    return constraints


def _constraints(
    fixed: Mapping[str, Any], tied: Mapping[str, Any], template: Any, shape: tuple[int, int]
) -> Constraints:
    if isinstance(template, PerComponentParams):
        raise NotImplementedError(
            "fixed and tied hold no parameters of a list of families: pass one family for all "
            "components, or hold the mixing weights only, fixed={'weights': ...}."
        )
    names = getattr(template, "names", None)
    if names is None:
        both = sorted(set(fixed) & set(tied))
        if both:
            raise ValueError(f"{both[0]!r} is both fixed and tied: choose one of the two.")
        _check_names([*fixed, *tied], template._fields)
        held = {name: _fixed_values(name, fixed[name], getattr(template, name)) for name in fixed}
        return Constraints(held, {name: tie_labels(tied[name], shape) for name in tied})
    _check_names([*fixed, *tied], names)
    for group, values in [*fixed.items(), *tied.items()]:
        if not isinstance(values, Mapping):
            raise TypeError(
                f"fixed or tied must map names of parameters of group {group!r} to values, got "
                f"{values!r}."
            )
    groups = {}
    for name in dict.fromkeys([*fixed, *tied]):
        own = getattr(template, name)
        columns = np.shape(own[0])[1]
        groups[name] = _constraints(
            fixed.get(name, {}), tied.get(name, {}), own, (shape[0], columns)
        )
    return Constraints(groups=groups)


def _check_names(asked: list[str], known: tuple[str, ...]) -> None:
    for name in asked:
        if name not in known:
            raise ValueError(
                f"fixed or tied names {name!r}, which is none of {', '.join(map(repr, known))}."
            )


def _fixed_values(name: str, values: Any, like: Array) -> Array:
    numbers = _numbers(f"fixed[{name!r}]", values)
    try:
        return np.array(np.broadcast_to(numbers, np.shape(like)))
    except ValueError as error:
        raise ValueError(
            f"fixed[{name!r}] must have shape {np.shape(like)}, or broadcast to it, with NaN where "
            f"it is free: {error}."
        ) from error


def _numbers(name: str, values: Any) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers, NaN where it is free, got {values!r}."
        ) from error
