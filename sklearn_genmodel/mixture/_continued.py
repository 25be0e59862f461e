"""What a mixture goes on from: the model of its last fit, if that is the one asked for."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_genmodel._identity import alike
from sklearn_genmodel._validation import fitted_names
from sklearn_genmodel.em import Rows, Theta
from sklearn_genmodel.families import Family
from sklearn_genmodel.mixture._arguments import check_params
from sklearn_genmodel.mixture._reading import component_family

__all__ = ["changed_argument", "check_warm_start", "model_arguments"]

Array = NDArray[np.float64]


def model_arguments(mixture: Any) -> dict[str, Any]:
    """Copies of the arguments that say what is estimated.

    Parameters
    ----------
    mixture : EMMixture

    Returns
    -------
    arguments : dict
    """
    return {
        "family": clone(component_family(mixture.family)),
        "fixed": copy.deepcopy(mixture.fixed),
        "tied": copy.deepcopy(mixture.tied),
        "weight_concentration": mixture.weight_concentration,
    }


def changed_argument(mixture: Any) -> tuple[str, Any, Any] | None:
    """Name, old and new value of an argument that asks for another model than that of the last fit.

    Parameters
    ----------
    mixture : EMMixture
        Fitted before.

    Returns
    -------
    changed : (str, object, object) or None
        Options of the family go by the names on the way there, as in `set_params`. None too where
        a pickle of an earlier version does not know.
    """
    now = model_arguments(mixture)
    for name, old in (mixture._model_arguments or {}).items():
        if not alike(old, now[name]):
            return _innermost(name, old, now[name])
    return None


def check_warm_start(
    mixture: Any, family: Family, rows: Rows, last_names: list[Any]
) -> Theta | Array:
    """Parameters of the last fit; where another model is asked for, its responsibilities.

    Parameters of another model may be none of this one, and have a bound that it cannot reach; an
    M-step from responsibilities is a point of it.

    Parameters
    ----------
    mixture : EMMixture
        Fitted before.
    family : Family
        What is to be fitted now.
    rows : Rows
    last_names : list
        Names of the columns of the last fit, if it saw any.

    Returns
    -------
    start : Theta or ndarray of shape (n_samples, n_components)

    Raises
    ------
    ValueError
        If the kind of family, n_components, or the columns or their levels changed.
    """
    names, n_features = fitted_names(mixture), rows.X.shape[1]
    if names and last_names and not alike(names, last_names):
        raise ValueError(
            f"warm_start=True, but the columns of the last fit were {last_names} and these are "
            f"{names}: put them in that order, or set warm_start=False."
        )
    last = mixture.family_, *mixture.family_.mean(mixture.params_).shape
    now = family, mixture.n_components, n_features
    dropped = mixture.weight_concentration < 1 and last[1] < now[1]
    fits = last[1] == now[1] or dropped
    supports = family.column_supports(n_features)
    before = mixture.family_.column_supports(last[2])
    same_levels = [own.levels for own in before] == [own.levels for own in supports]
    if not (type(last[0]) is type(now[0]) and last[2] == n_features and fits and same_levels):
        raise ValueError(
            f"warm_start=True, but the last fit had (family, n_components, n_features) = {last} "
            f"and this one has {now}: set warm_start=False."
        )
    if changed_argument(mixture) is None and before == supports:
        return Theta(*check_params(family, mixture.weights_, mixture.params_))
    with np.errstate(all="ignore"):
        resp: Array = mixture._resp(rows)
    if not np.isfinite(resp).all():
        row = int(np.argmin(np.isfinite(resp).all(axis=1)))
        raise ValueError(
            f"warm_start=True, but the model of the last fit has no density for row {row}: set "
            "warm_start=False."
        )
    return resp


def _innermost(name: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """The option of a family, or of a family within it, that changed."""
    if not isinstance(old, Family) or type(old) is not type(new):
        return name, old, new
    params, others = old.get_params(), new.get_params()
    changed = [key for key in others if key not in params or not alike(params[key], others[key])]
    if not changed:
        return name, old, new
    key = max(reversed(changed), key=lambda key: key.count("__"))
    return f"{name}__{key}", params.get(key), others[key]
