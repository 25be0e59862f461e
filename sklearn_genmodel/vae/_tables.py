"""From what a user passes to rows of numbers, and back: numbers, labels, mixed tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_genmodel import families
from sklearn_genmodel._validation import (
    check_finite,
    check_rows,
    check_supports,
    column_names,
    decode_rows,
    encode_table,
    read_table,
)
from sklearn_genmodel.families import Columns, Family, NegativeBinomial, resolve_family
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS
from sklearn_genmodel.vae._mixed import Mixed
from sklearn_genmodel.vae._more_likelihoods import Categorical

__all__ = [
    "check_likelihood",
    "kinds_asked_for",
    "kinds_of_columns",
    "lowest_value",
    "make_likelihood",
    "packed_reader",
    "read_rows",
    "read_training_rows",
    "rows_like_those_fitted",
    "unpacked_reader",
]

Array = NDArray[np.float64]

# Likelihoods that are no family of their own are read as this family reads its columns.
READ_AS = {"zero_inflated_negative_binomial": NegativeBinomial}


def check_likelihood(likelihood: Any) -> None:
    """Check the argument `likelihood`.

    Parameters
    ----------
    likelihood : object

    Raises
    ------
    ValueError
        If it is neither the name of a likelihood nor a `Columns` of such names.
    """
    listed = ", ".join(map(repr, LIKELIHOODS))
    if isinstance(likelihood, Columns):
        for name, family in _names(likelihood).items():
            if not isinstance(family, str) or family not in LIKELIHOODS:
                raise ValueError(
                    f"Group {name!r} of likelihood has {family!r}: columns are independent given "
                    f"z, so name their distribution by one of {listed}."
                )
    elif not isinstance(likelihood, str) or likelihood not in LIKELIHOODS:
        raise ValueError(
            f"likelihood={likelihood!r}: choose one of {listed}, or Columns of "
            "sklearn_genmodel.families for a table of mixed columns."
        )


def kinds_of_columns(likelihood: Likelihood) -> str:
    """The distribution of a fitted model, or those of its columns with their positions."""
    if isinstance(likelihood, Mixed):
        placed = zip(likelihood.parts, likelihood.columns, strict=True)
        return _listed((kinds_of_columns(part), columns.tolist()) for part, columns in placed)
    return next(name for name, kind in LIKELIHOODS.items() if kind is type(likelihood))


def kinds_asked_for(vae: Any, X: Any) -> str:
    """The same of the argument `likelihood`, for the columns of X."""
    if not isinstance(vae.likelihood, Columns):
        return str(vae.likelihood)
    chosen = vae.likelihood.positions(_table_like_fitted(vae, X, vae._family))
    return _listed((kind, chosen[n]) for n, kind in _names(vae.likelihood).items() if n in chosen)


def _listed(groups: Iterable[tuple[str, Any]]) -> str:
    """Groups in one order, as are the columns of each: another makes no other model."""
    return "; ".join(sorted(f"{kind} {sorted(columns)}" for kind, columns in groups))


def lowest_value(likelihood: Any) -> float:
    """Smallest value that every column may hold."""
    kind = LIKELIHOODS.get(likelihood) if isinstance(likelihood, str) else None
    return kind.support.low if kind else -np.inf


def read_training_rows(vae: Any, X: Any) -> tuple[Family | None, Array]:
    """Rows to train on, and what is to be remembered of their columns.

    Parameters
    ----------
    vae : VAEEstimator
        Gets n_features_in_ and feature_names_in_.
    X : array-like or frame of shape (n_samples, n_features)

    Returns
    -------
    family : Family or None
        Knows the columns and levels of a table of labels; None if all columns are numbers.
    X : ndarray of shape (n_samples, n_features)

    Raises
    ------
    TypeError, ValueError
        If X is no table that the likelihood can read.
    """
    reader = _reader(vae.likelihood)
    if reader is None:
        return None, _numbers(vae, X, reset=True)
    table = read_table(vae, X, reset=True)
    family = reader.for_table(table)
    return family, _coded(vae, table, family)


def read_rows(vae: Any, X: Any, family: Family | None, likelihood: Likelihood | None) -> Array:
    """Rows to evaluate with a fitted model.

    Parameters
    ----------
    vae : VAEEstimator
    X : array-like or frame of shape (n_samples, n_features)
    family : Family or None
        What `read_training_rows` returned.
    likelihood : Likelihood or None
        Whose supports cells are held against, if any.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)

    Raises
    ------
    TypeError, ValueError
        If the columns are not those of the fit, or hold what there is no density for.
    """
    if family is None:
        rows = _numbers(vae, X, reset=False)
    else:
        rows = _coded(vae, _table_like_fitted(vae, X, family), family)
    if likelihood is not None:
        check_supports(vae, rows, likelihood.supports, fitting=False)
    return rows


def make_likelihood(vae: Any, family: Family | None, n_features: int) -> Likelihood:
    """Make the likelihood for a table that has been read.

    Parameters
    ----------
    vae : VAEEstimator
    family : Family or None
        What `read_training_rows` returned.
    n_features : int

    Returns
    -------
    likelihood : Likelihood
    """
    if not isinstance(family, Columns):
        return _likelihood(vae.likelihood, family, n_features, vae.decoder_scale)
    names = _names(vae.likelihood)
    modelled = [part for part in family.parts() if part.name in names]
    parts = [
        _likelihood(names[name], own, len(positions), vae.decoder_scale)
        for name, own, positions in modelled
    ]
    return Mixed(parts, [part.columns for part in modelled], n_features)


def packed_reader(family: Family | None) -> Any:
    """What reads a table, as JSON: levels of columns of labels, and groups with their columns.

    Parameters
    ----------
    family : Family or None

    Returns
    -------
    packed : list or None

    Raises
    ------
    ValueError
        If a label is neither a number nor a string.
    """
    if isinstance(family, Columns):
        return [[p.name, p.columns.tolist(), packed_reader(p.family)] for p in family.parts()]
    if not isinstance(family, families.Categorical):
        return None
    for label in chain.from_iterable(family.levels):
        if not isinstance(label, (bool, int, float, str)):
            raise ValueError(
                f"The label {label!r} cannot be saved: a file holds numbers and strings. Use "
                "pickle."
            )
    return [list(labels) for labels in family.levels]


def unpacked_reader(likelihood: Any, packed: Any) -> Family | None:
    """Inverse of `packed_reader`, for a model of this likelihood."""
    if packed is None:
        return None
    if not isinstance(likelihood, Columns):
        return families.Categorical(levels=tuple(map(tuple, packed)))
    names = _names(likelihood)
    groups = [
        (name, _placed(names.get(name), levels), tuple(columns)) for name, columns, levels in packed
    ]
    return Columns(groups)


def _placed(name: str | None, levels: Any) -> Family:
    """Family of a group that was fitted; without a name, of columns that were left out."""
    if name is None:
        return families.Ignore()
    known = levels is not None
    return families.Categorical(levels=tuple(map(tuple, levels))) if known else _read_as(name)


def rows_like_those_fitted(X: Array, family: Family | None, schema: Any, like: Any = None) -> Any:
    """Labels for codes, and a frame if the rows fitted were one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    family : Family or None
    schema : FrameSchema or None
        None returns arrays.
    like : object
        If this is a frame of pandas, its index is that of a frame returned.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features) or frame
    """
    if family is not None:
        rows = decode_rows(X, family.column_supports(X.shape[1]), schema)
    else:
        rows = X if schema is None else schema.frame(list(X.T))
    return rows.set_axis(like.index) if hasattr(rows, "iloc") and hasattr(like, "iloc") else rows


def _likelihood(name: str, family: Any, n_features: int, scale: Any) -> Likelihood:
    if LIKELIHOODS[name] is Categorical:
        return Categorical([len(labels) for labels in family.levels])
    return LIKELIHOODS[name](n_features, scale)


def _reader(likelihood: Any) -> Family | None:
    """The family that reads a table of this likelihood; None if it holds numbers only."""
    if not isinstance(likelihood, Columns):
        return resolve_family(likelihood) if LIKELIHOODS[likelihood] is Categorical else None
    groups = [(name, _read_as(family), key) for name, family, key in likelihood.groups]
    remainder = likelihood.remainder
    remainder = remainder if remainder in {"error", "drop"} else _read_as(remainder)
    return clone(Columns(groups, remainder))


def _read_as(name: str) -> Family:
    return READ_AS[name]() if name in READ_AS else resolve_family(name)


def _names(columns: Columns) -> dict[str, Any]:
    """Likelihood of every group that has one."""
    names = {name: family for name, family, _ in columns.checked_groups()}
    if not isinstance(columns.remainder, str) or columns.remainder not in {"error", "drop"}:
        names["remainder"] = columns.remainder
    return names


def _numbers(vae: Any, X: Any, *, reset: bool) -> Array:
    return check_rows(vae, X, reset=reset, allow_nan=True).astype(np.float64, copy=False)


def _table_like_fitted(vae: Any, X: Any, family: Family | None) -> Any:
    supports = () if family is None else family.column_supports(vae.n_features_in_)
    return read_table(vae, X, reset=False, supports=supports)


def _coded(vae: Any, table: Any, family: Family) -> Array:
    names = column_names(vae, len(table.names))
    rows = encode_table(table, family.column_supports(len(names)), names)
    check_finite(rows, names, allow_nan=True)
    return rows.astype(np.float64, copy=False)
