"""Names of columns: those of the fit, how messages call them, and which are refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sklearn_genmodel._identity import alike
from sklearn_genmodel._validation._frames import FrameSchema, loaded

__all__ = ["check_names", "column_names", "fitted_names", "remember_columns"]


def remember_columns(estimator: Any, X: Any, *, reset: bool) -> None:
    """Remember names and types of a frame, or hold its names against those of the fit.

    scikit-learn compares names that are strings.

    Parameters
    ----------
    estimator : estimator
    X : array-like or frame of shape (n_samples, n_features)
    reset : bool

    Raises
    ------
    ValueError
        If the frame has other names than that of the fit, or the same in another order.
    """
    if reset:
        estimator._schema = FrameSchema.of(X)
        return
    known = fitted_names(estimator)
    if hasattr(estimator, "feature_names_in_") or not known or not hasattr(X, "columns"):
        return
    # Those of pyarrow have the names of their frame, as in the schema.
    frame = loaded(X.slice(0, 0)) if _is_arrow(X) else X
    found = list(frame.columns)
    if not alike(found, known):
        raise ValueError(
            "The feature names should match those that were passed during fit, in the same order: "
            f"these were {known}, got {found}."
        )


def fitted_names(estimator: Any) -> list[Any]:
    """Names of the columns of the frame that was fitted, which need not be strings.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    names : list
        Empty where there are none.
    """
    schema = getattr(estimator, "_schema", None)
    return list(getattr(estimator, "feature_names_in_", () if schema is None else schema.dtypes))


def column_names(estimator: Any, n_features: int) -> list[str]:
    """How messages call the columns: quoted names where there are names, else positions.

    Parameters
    ----------
    estimator : estimator
    n_features : int

    Returns
    -------
    names : list of str
    """
    names = fitted_names(estimator) or range(n_features)
    return [repr(name) if isinstance(name, str) else str(name) for name in names]


def check_names(X: Any) -> None:
    """Raise for a frame in which several columns have one name."""
    # Those of pyarrow have columns that are no names, and frames may have one of any name.
    counts = Counter(getattr(X, "column_names" if _is_arrow(X) else "columns", ()))
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    if count > 1:
        raise ValueError(
            f"Column name {name!r} is that of {count} columns: rename all but one, or pass an "
            "array."
        )


def _is_arrow(X: Any) -> bool:
    return type(X).__module__.startswith("pyarrow")
