"""Whether log-densities are numbers, each of its row alone, and those of parts follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families import Family
from sklearn_genmodel.testing._comparisons import RTOL, Array

__all__ = ["check_conditionals", "check_density", "check_missing", "holed"]

N_CONDITIONALS = 3


def check_density(family: Family, params: Any, X: Array, labels: NDArray[np.intp]) -> None:
    """Log-densities are numbers, whatever the order of the rows."""
    log_prob = family.log_prob(X, params)
    assert log_prob.shape == (len(X), len(family.mean(params))), "log_prob is rows x components"
    own = log_prob[np.arange(len(X)), labels]
    assert np.isfinite(own).all(), "log_prob must be finite at rows that were sampled"
    assert not np.isnan(log_prob).any(), "log_prob may be minus infinity, but never NaN"
    np.testing.assert_allclose(
        family.log_prob(X[::-1].copy(), params)[::-1],
        log_prob,
        rtol=RTOL,
        atol=RTOL,
        err_msg="the log_prob of a row must not depend on the other rows",
    )


def holed(family: Family, X: Array) -> Array:
    """The rows, every second one without its first value, or without any."""
    gaps = X.copy()
    gaps[::2, 0] = np.nan
    # There is no other way to ask whether rows are taken that are missing in part.
    try:
        family.check_rows(gaps)
    except ValueError:
        gaps[::2] = np.nan
    return gaps


def check_missing(family: Family, params: Any, X: Array) -> None:
    """A missing value leaves the density of the others: a marginal; nothing observed leaves 1."""
    if not family.allow_nan:
        return
    nothing = family.log_prob(np.full_like(X[:1], np.nan), params)
    assert not nothing.any(), "the log-density of a row with nothing observed must be 0"
    gaps = holed(family, X)
    log_prob = family.log_prob(gaps, params)
    assert not np.isnan(log_prob).any(), "log_prob must be a number where values are missing"
    if X.shape[1] > 1 and type(family).marginal is not Family.marginal:
        kept = np.arange(1, X.shape[1])
        marginal, own = family.marginal(params, kept)
        np.testing.assert_allclose(
            log_prob[::2],
            marginal.log_prob(X[::2, kept], own),
            rtol=RTOL,
            atol=RTOL,
            err_msg="a missing value must leave the marginal density of the others",
        )


def check_conditionals(family: Family, params: Any, X: Array) -> None:
    """p(first column | the others) p(the others) is the density of the row."""
    stated = type(family).marginal is not Family.marginal
    if X.shape[1] == 1 or not stated or type(family).conditional is Family.conditional:
        return
    kept = np.arange(1, X.shape[1])
    marginal, of_others = family.marginal(params, kept)
    for row in X[:N_CONDITIONALS]:
        conditional, of_first = family.conditional(params, np.append(np.nan, row[1:]))
        first = conditional.log_prob(row[None, :1], of_first)
        np.testing.assert_allclose(
            first + marginal.log_prob(row[None, kept], of_others),
            family.log_prob(row[None], params),
            rtol=RTOL,
            atol=RTOL,
            err_msg="conditional and marginal must multiply to the density of the row",
        )
