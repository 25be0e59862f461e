"""Conjugate priors as pseudo-observations with given mean statistics."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array

__all__ = [
    "SLACK",
    "MeanPrior",
    "Prior",
    "check_strength",
    "known_prior",
    "prior_of_columns",
    "with_prior_at",
]


# What rounding may add to the means of values that are all alike.
SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class MeanPrior:
    """A conjugate prior of an exponential family: `strength` rows whose statistics have `means`.

    Parameters
    ----------
    strength : float
        Number of pseudo-observations per component and column.
    means : ndarray of shape (n_statistics, n_features)
    """

    strength: float
    means: Array

    @property
    def pseudo_statistics(self) -> Array:
        """Sums and counts to add to those of the data, (n_statistics + 1, n_features)."""
        counts = np.ones((1, self.means.shape[1]))
        return self.strength * np.concatenate([self.means, counts])


Prior = float | tuple[float, Any] | MeanPrior | None


def with_prior_at(family: Any, means: Array) -> Any:
    """The family with its prior filled in: centered at the data, if it says no more.

    Parameters
    ----------
    family : Family
        Its argument `prior` is a number, a number and means, or a `MeanPrior`.
    means : ndarray of shape (n_statistics, n_features)
        Mean statistics of all the data.

    Returns
    -------
    family : Family
        A new one, whose prior is a `MeanPrior`.

    Raises
    ------
    ValueError
        If its argument makes no prior.
    """
    prior = _resolved(family.prior, means)
    _check_means(family, prior)
    return type(family)(**{**family.get_params(), "prior": prior})


def check_strength(strength: object) -> None:
    """Refuse the `prior` of a family that takes nothing but a number and is given something else.

    Parameters
    ----------
    strength : object

    Raises
    ------
    ValueError
        If it is no number of pseudo-observations.
    """
    number = isinstance(strength, numbers.Real) and not isinstance(strength, bool)
    if not number or not 0.0 < float(strength) < np.inf:  # type: ignore[arg-type]
        raise ValueError(
            f"prior={strength!r}: pass a number of pseudo-observations above 0, or None."
        )


def known_prior(prior: Any) -> MeanPrior | None:
    """The prior of a family that has seen the data, or None.

    Parameters
    ----------
    prior : float, (float, means), MeanPrior or None

    Returns
    -------
    prior : MeanPrior or None

    Raises
    ------
    ValueError
        If it is yet to be centered at the data.
    """
    if prior is None or isinstance(prior, MeanPrior):
        return prior
    raise ValueError(
        f"prior={prior!r} depends on the data: use the family that for_rows(X, sample_weight, "
        "n_components) returns."
    )


def prior_of_columns(prior: Any, columns: NDArray[np.intp]) -> Any:
    """The prior of some of the columns, as it is or as the data have filled it in.

    Parameters
    ----------
    prior : float, (float, means), MeanPrior or None
    columns : ndarray of int
        Positions of the columns that stay, in the order wanted.

    Returns
    -------
    prior : float, (float, means), MeanPrior or None
    """
    if isinstance(prior, MeanPrior):
        return replace(prior, means=prior.means[:, columns])
    if isinstance(prior, tuple) and np.ndim(prior[1]) and np.shape(prior[1])[-1] > 1:
        return prior[0], np.asarray(prior[1])[..., columns]
    return prior


def _resolved(prior: Any, means: Array) -> MeanPrior:
    """Check the `prior` argument of a family, and center it at the data if it says no more.

    Parameters
    ----------
    prior : float, (float, means) or MeanPrior
    means : ndarray of shape (n_statistics, n_features)
        Mean statistics of all the data.

    Returns
    -------
    prior : MeanPrior

    Raises
    ------
    ValueError
        If it is neither, or its numbers make no prior.
    """
    if isinstance(prior, MeanPrior):
        return prior
    strength, center = prior if isinstance(prior, tuple) and len(prior) == 2 else (prior, means)
    if isinstance(strength, bool) or not isinstance(strength, (int, float, np.number)):
        raise ValueError(
            f"prior={prior!r}: pass a number of pseudo-observations, or a pair of it and their "
            "mean statistics."
        )
    if not 0.0 < strength < np.inf:
        raise ValueError(f"prior={prior!r}: the number of pseudo-observations must be above 0.")
    try:
        center = np.broadcast_to(np.asarray(center, dtype=np.float64), means.shape)
    except ValueError as error:
        raise ValueError(
            f"prior={prior!r}: the means must have shape (n_statistics, n_features) = {means.shape}"
            " or broadcast to it."
        ) from error
    return MeanPrior(float(strength), center)


def _check_means(family: Any, prior: MeanPrior) -> None:
    """Refuse means that somebody wrote down and no values have.

    Parameters
    ----------
    family : Family
        Knows its argument `prior`, and by ``possible_means`` what is possible.
    prior : MeanPrior
        What became of it.

    Raises
    ------
    ValueError
        Names the means, and the column if statistics are of columns.
    """
    if not isinstance(family.prior, tuple):
        return
    with np.errstate(all="ignore"):
        possible = family.possible_means(prior.means)
    if not possible.all():
        column = int(np.argmin(possible))
        where, means = (
            (f" of column {column}", prior.means[:, column])
            if possible.ndim
            else ("", prior.means[0])
        )
        raise ValueError(
            f"prior={family.prior!r}: no values{where} have the means "
            f"{', '.join(f'{mean:g}' for mean in means)} of what statistics() of "
            f"{type(family).__name__} returns: state those."
        )
