"""Checks that any family, yours included, can be put through."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from sklearn.base import clone

from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Family, Support
from sklearn_genmodel.families._arrays import map_params

__all__ = ["check_family"]

Array = NDArray[np.float64]

N_SAMPLES = 2000
N_PASSES = 30
RTOL = 1e-8
# Five standard errors: a correct family fails once in about two million draws.
STANDARD_ERRORS = 5.0


def check_family(family: Family, params: Any, *, random_state: int = 0) -> None:
    """Run the contract of a family; the first point that fails raises.

    Rows are sampled from `params` and must come back: inside the support, with the means stated,
    with a density that integrates to 1 (for one column). Statistics must add over rows, a weight
    of 2 must equal a repeated row, each component must be fitted by itself, the M-step must be a
    maximum, EM must never lower the bound, and parameters must survive pickling, relabelling and
    a trip to unconstrained coordinates.

    Parameters
    ----------
    family : Family
    params : NamedTuple
        Parameters of two or more components that differ, of moderate size.
    random_state : int, default=0

    Raises
    ------
    AssertionError
        Says which point of the contract does not hold. What the family's own methods raise when
        they are called as the contract says comes through as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Poisson, PoissonParams
    >>> from sklearn_genmodel.testing import check_family
    >>> check_family(Poisson(), PoissonParams(rates=np.array([[1.0, 5.0], [4.0, 2.0]])))
    """
    rng = np.random.default_rng(random_state)
    assert hasattr(params, "_fields"), "parameters must be a NamedTuple of arrays"
    _check_hyper_parameters(family)
    n_components, n_features = family.mean(params).shape
    assert n_components > 1, "pass parameters of two or more components that differ"
    labels = rng.integers(n_components, size=N_SAMPLES)
    twin = deepcopy(rng)
    X = family.sample(params, labels, rng)
    assert X.shape == (N_SAMPLES, n_features), "sample must return one row a label"
    again = family.sample(params, labels, twin)
    assert np.array_equal(X, again, equal_nan=True), "sample must draw from the rng it is given"
    resp = rng.dirichlet(np.ones(n_components), size=N_SAMPLES)
    family = family.for_rows(X, None, n_components)
    _check_samples(family, params, X, labels)
    _check_density(family, params, X, labels)
    _check_missing(family, params, X)
    _check_statistics(family, X, resp)
    _check_kernel(family, params, X, resp)
    _check_components_apart(family, X, resp)
    _check_maximum(family, X, resp, rng)
    _check_bound_rises(family, X, resp)
    _check_parameters(family, params, n_features)


def _check_hyper_parameters(family: Family) -> None:
    copy = clone(family)
    assert repr(copy) == repr(family), "a family holds hyper-parameters only, set in __init__"
    made = type(copy)(**copy.get_params(deep=False))
    assert vars(copy) == vars(made), "__init__ must store its arguments, and nothing else"


def _check_samples(family: Family, params: Any, X: Array, labels: NDArray[np.intp]) -> None:
    supports = family.column_supports(X.shape[1])
    inside = [support.contains(column) for support, column in zip(supports, X.T, strict=True)]
    assert np.all(inside), "samples must lie in the support"
    family.check_rows(X)
    for k, mean in enumerate(family.mean(params)):
        rows = X[labels == k]
        deviations = _wrapped(rows - mean, supports)
        error = deviations.std(axis=0) / np.sqrt(len(rows)) + RTOL * (1.0 + np.abs(mean))
        far = np.abs(deviations.mean(axis=0)) > STANDARD_ERRORS * error
        assert not far.any(), f"samples of component {k} do not have the mean that mean() states"


def _wrapped(deviations: Array, supports: Sequence[Support]) -> Array:
    """Deviations within half a period, in columns that have one."""
    periods = np.array([support.period or 0.0 for support in supports])
    turns = np.round(deviations / np.where(periods > 0.0, periods, np.inf))
    return np.asarray(deviations - turns * periods)


def _check_density(family: Family, params: Any, X: Array, labels: NDArray[np.intp]) -> None:
    log_prob = family.log_prob(X, params)
    assert log_prob.shape == (len(X), len(family.mean(params))), "log_prob is rows x components"
    own = log_prob[np.arange(len(X)), labels]
    assert np.isfinite(own).all(), "log_prob must be finite at rows that were sampled"
    assert not np.isnan(log_prob).any(), "log_prob may be minus infinity, but never NaN"
    if X.shape[1] == 1:
        for k in range(log_prob.shape[1]):
            mass = _total_mass(family, params, k, X)
            np.testing.assert_allclose(
                mass, 1.0, atol=1e-6, err_msg=f"the density of component {k} must sum to 1"
            )


def _total_mass(family: Family, params: Any, k: int, X: Array) -> float:
    """Sum or integral of the density of a component over its support."""

    def density(x: float | Array) -> Any:
        return np.exp(family.log_prob(np.reshape(x, (-1, 1)), params)[:, k])

    center, width = float(X.mean()), float(np.ptp(X)) + 1.0
    (support,) = family.column_supports(1)
    low, high = max(support.low, center - 50 * width), min(support.high, center + 50 * width)
    if support.integer or support.levels is not None:
        return float(density(np.arange(np.ceil(low), np.floor(high) + 1.0)).sum())
    if support.period is not None:
        low, high = center - 0.5 * support.period, center + 0.5 * support.period
    inner = np.quantile(X, [0.1, 0.5, 0.9])
    edges = np.unique(np.clip([low, *inner, high], low, high))
    sides = pairwise(edges.tolist())
    return sum(quad(lambda x: density(x)[0], a, b, limit=500, epsabs=1e-9)[0] for a, b in sides)


def _check_missing(family: Family, params: Any, X: Array) -> None:
    """A missing value leaves the density of the others: a marginal; nothing observed leaves 1."""
    if not family.allow_nan:
        return
    nothing = family.log_prob(np.full_like(X[:1], np.nan), params)
    assert not nothing.any(), "the log-density of a row with nothing observed must be 0"
    if X.shape[1] > 1 and type(family).marginal is not Family.marginal:
        kept = np.arange(1, X.shape[1])
        holed = X.copy()
        holed[:, 0] = np.nan
        marginal, own = family.marginal(params, kept)
        np.testing.assert_allclose(
            family.log_prob(holed, params),
            marginal.log_prob(X[:, kept], own),
            rtol=RTOL,
            atol=RTOL,
            err_msg="a missing value must leave the marginal density of the others",
        )


def _check_statistics(family: Family, X: Array, resp: Array) -> None:
    whole = family.m_step(family.suffstats(X, resp))
    at = family.take(whole, np.arange(resp.shape[1]))
    half = len(X) // 2
    parts = family.suffstats(X[:half], resp[:half], at) + family.suffstats(
        X[half:], resp[half:], at
    )
    _assert_same(
        family.m_step(family.suffstats(X, resp, at)),
        family.m_step(parts),
        "statistics must add over rows",
    )
    repeated = family.suffstats(
        np.concatenate([X, X[:half]]), np.concatenate([resp, resp[:half]]), at
    )
    weighted = family.suffstats(X, resp * np.where(np.arange(len(X)) < half, 2.0, 1.0)[:, None], at)
    _assert_same(
        family.m_step(repeated), family.m_step(weighted), "a weight of 2 must equal a repeated row"
    )


def _check_kernel(family: Family, params: Any, X: Array, resp: Array) -> None:
    kernel, rows = family.kernel(params), family.prepare(_read_only(X.copy()))
    # Passes share what was prepared, and overwrite the densities.
    kernel(_read_only(rows))[0][:] = np.nan
    log_prob, accumulate = kernel(rows)
    stated = family.log_prob(X, params) - np.reshape(family.log_base_measure(X), (-1, 1))
    np.testing.assert_allclose(
        log_prob.T, stated, rtol=RTOL, atol=RTOL, err_msg="kernel and log_prob must agree"
    )
    _assert_same(
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


def _check_components_apart(family: Family, X: Array, resp: Array) -> None:
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


def _check_maximum(family: Family, X: Array, resp: Array, rng: np.random.Generator) -> None:
    """No neighbour of the weighted maximum-likelihood estimate does better."""

    def expected(params: Any) -> float:
        weighted = np.where(resp > 0, resp * family.log_prob(X, params), 0.0)
        return float(weighted.sum() + np.sum(family.log_prior(params)))

    best = expected(family.weighted_mle(X, resp))
    for size in (1e-3, 1e-1):
        weights = resp * np.exp(size * rng.standard_normal(resp.shape))
        other = expected(family.weighted_mle(X, weights))
        assert other <= best + RTOL * abs(best), (
            "m_step must maximise the weighted log-likelihood: parameters nearby do better"
        )


def _check_bound_rises(family: Family, X: Array, resp: Array) -> None:
    n_components = resp.shape[1]
    theta = Theta(np.full(n_components, 1.0 / n_components), family.weighted_mle(X, resp))
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(N_PASSES):
        theta, bound = step(theta)
        bounds.append(bound)
    fall = np.diff(bounds).min()
    assert fall >= -1e-10 * (1.0 + abs(bounds[-1])), f"EM lowered the bound by {-fall:.3g}"


def _check_parameters(family: Family, params: Any, n_features: int) -> None:
    n_components = len(family.mean(params))
    _assert_same(pickle.loads(pickle.dumps(params)), params, "parameters must survive pickling")
    order = np.arange(n_components)[::-1]
    taken = family.take(params, order)
    np.testing.assert_array_equal(family.mean(taken), family.mean(params)[order])
    n_parameters = family.n_parameters(n_components, n_features)
    assert isinstance(n_parameters, int), "n_parameters must return an int"
    assert n_parameters >= 0, "n_parameters cannot be negative"
    if family.has_coordinates:
        _check_coordinates(family, params, taken, n_parameters)


def _check_coordinates(family: Family, params: Any, like: Any, n_parameters: int) -> None:
    vector = family.to_vector(params, like)
    assert len(vector) >= n_parameters, "an unconstrained coordinate for each free parameter"
    assert np.isfinite(vector).all(), "coordinates must be finite"
    _assert_same(family.from_vector(vector, like), params, "from_vector must undo to_vector")


def _assert_same(one: Any, other: Any, message: str) -> None:
    def compare(a: Any, b: Any) -> None:
        scale = np.abs(b).max() if np.size(b) else 1.0
        np.testing.assert_allclose(a, b, rtol=RTOL, atol=1e-10 * scale, err_msg=message)

    map_params(compare, one, other)
