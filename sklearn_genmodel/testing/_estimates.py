"""Whether estimates are those of maximum likelihood, from statistics that add."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Family
from sklearn_genmodel.families._arrays import map_params
from sklearn_genmodel.testing._comparisons import RTOL, Array, assert_same
from sklearn_genmodel.testing._densities import holed

__all__ = [
    "check_bound_rises",
    "check_components_apart",
    "check_empty_component",
    "check_kernel",
    "check_maximum",
    "check_missing_estimates",
    "check_statistics",
]

N_PASSES, N_PASSES_MISSING = 30, 5
TILTS = (1e-3, 1e-2, 1e-1)


def check_statistics(family: Family, X: Array, resp: Array) -> None:
    """Statistics add over rows, and weights are repetitions."""
    whole = family.m_step(family.suffstats(X, resp))
    at = family.take(whole, np.arange(resp.shape[1]))
    half = len(X) // 2
    parts = family.suffstats(X[:half], resp[:half], at) + family.suffstats(
        X[half:], resp[half:], at
    )
    assert_same(
        family.m_step(family.suffstats(X, resp, at)),
        family.m_step(parts),
        "statistics must add over rows",
    )
    repeated = family.suffstats(
        np.concatenate([X, X[:half]]), np.concatenate([resp, resp[:half]]), at
    )
    weighted = family.suffstats(X, resp * np.where(np.arange(len(X)) < half, 2.0, 1.0)[:, None], at)
    assert_same(
        family.m_step(repeated), family.m_step(weighted), "a weight of 2 must equal a repeated row"
    )


def check_kernel(family: Family, params: Any, X: Array, resp: Array) -> None:
    """A pass sees the densities and collects the statistics that the methods state."""
    kernel, rows = family.kernel(params), family.prepare(_read_only(X.copy()))
    # Passes share what was prepared, and overwrite the densities.
    kernel(_read_only(rows))[0][:] = np.nan
    log_prob, accumulate = kernel(rows)
    stated = family.log_prob(X, params) - np.reshape(family.log_base_measure(X), (-1, 1))
    np.testing.assert_allclose(
        log_prob.T, stated, rtol=RTOL, atol=RTOL, err_msg="kernel and log_prob must agree"
    )
    assert_same(
        family.m_step(accumulate(np.ascontiguousarray(resp.T))),
        family.m_step(family.suffstats(X, resp, params)),
        "kernel and suffstats must agree",
    )


def _read_only(prepared: Any) -> Any:
    """The same, its arrays in nested tuples and lists made read-only."""
    if isinstance(prepared, (tuple, list)):
        for part in prepared:
            _read_only(part)
    elif isinstance(prepared, np.ndarray):
        prepared.flags.writeable = False
    return prepared


def check_components_apart(family: Family, X: Array, resp: Array) -> None:
    """The M-step of one-hot responsibilities is the fit to each group's rows alone."""
    if family.ordered or family.coupled:
        return  # A component is not fitted by itself.
    groups = resp.argmax(axis=1)
    together = family.mean(family.weighted_mle(X, np.eye(resp.shape[1])[groups]))
    for k, mean in enumerate(together):
        rows = X[groups == k]
        alone = family.mean(family.weighted_mle(rows, np.ones((len(rows), 1))))
        np.testing.assert_allclose(
            mean,
            alone[0],
            rtol=1e-6,
            atol=1e-8 * float(np.abs(rows).max()),
            err_msg="one-hot responsibilities must fit each group alone",
        )


def check_empty_component(family: Family, X: Array, resp: Array) -> None:
    """A component without any row has parameters still."""
    weights = resp.copy()
    weights[:, 0] = 0.0
    finite: list[bool] = []
    params = family.m_step(family.suffstats(X, weights))
    map_params(lambda array: finite.append(bool(np.isfinite(array).all())), params)
    assert all(finite), f"parameters of a component without weight must be numbers: {params}"


def check_maximum(
    family: Family, params: Any, X: Array, resp: Array, rng: np.random.Generator
) -> None:
    """Neither neighbours of the weighted maximum-likelihood estimate do better, nor the truth."""

    def expected(params: Any) -> float:
        weighted = np.where(resp > 0, resp * family.log_prob(X, params), 0.0)
        return float(weighted.sum() + np.sum(family.log_prior(params)))

    best = expected(family.weighted_mle(X, resp))
    assert expected(params) <= best + RTOL * abs(best), (
        "m_step must maximise the weighted log-likelihood: the parameters passed in do better"
    )
    for size in TILTS:
        tilt = np.exp(size * rng.standard_normal(resp.shape))
        # Of an estimate that is no maximum one of two opposite neighbours does better.
        for weights in (resp * tilt, resp / tilt):
            other = expected(family.weighted_mle(X, weights))
            assert other <= best + RTOL * abs(best), (
                "m_step must maximise the weighted log-likelihood: parameters nearby do better"
            )


def check_bound_rises(family: Family, X: Array, resp: Array) -> None:
    """No pass of EM lowers the bound."""
    fall = _largest_fall(family, X, family.weighted_mle(X, resp), N_PASSES)
    assert fall <= 0.0, f"EM lowered the bound by {fall:.3g}"


def check_missing_estimates(family: Family, X: Array, resp: Array) -> None:
    """Passes over rows with missing values do not lower the bound from the fit to complete ones."""
    if family.allow_nan:
        start = family.weighted_mle(X, resp)
        fall = _largest_fall(family, holed(family, X), start, N_PASSES_MISSING)
        assert fall <= 0.0, f"EM lowered the bound by {fall:.3g} where values are missing"


def _largest_fall(family: Family, X: Array, params: Any, n_passes: int) -> float:
    """By how much a pass lowered the bound, 0 if by no more than rounding."""
    n_components = len(family.mean(params))
    theta = Theta(np.full(n_components, 1.0 / n_components), params)
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(n_passes):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.isfinite(bounds).all(), f"EM has no bound: {bounds}"
    fall = -float(np.diff(bounds).min())
    return fall if fall > 1e-10 * (1.0 + abs(bounds[-1])) else 0.0
