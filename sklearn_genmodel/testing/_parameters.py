"""Whether a family holds hyper-parameters only, and its parameters are what they are counted as."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_genmodel._identity import identity
from sklearn_genmodel.families import Family
from sklearn_genmodel.families._arrays import map_params
from sklearn_genmodel.testing._comparisons import RTOL, Array, assert_same

__all__ = ["check_hyper_parameters", "check_n_parameters", "check_parameters", "check_starts"]

FEW_ROWS = 200
# Of how much weights change, and which share of the largest move is one that counts.
TILT, COUNTS = 1e-2, 1e-3
SMALLEST_MOVE = 1e-9


def check_hyper_parameters(family: Family) -> None:
    """The constructor stores its arguments, and nothing else."""
    copy = clone(family)
    assert repr(copy) == repr(family), "a family holds hyper-parameters only, set in __init__"
    arguments = copy.get_params(deep=False)
    made = type(copy)(**arguments)
    stores = "__init__ must store its arguments, and nothing else"
    assert identity(vars(copy)) == identity(vars(made)), stores
    more = set(vars(made)) - set(arguments) - {f"_{name}" for name in arguments}
    assert not more, f"{stores}: {', '.join(sorted(more))}"


def check_parameters(family: Family, params: Any, X: Array) -> None:
    """Parameters survive pickling, relabelling and a trip to unconstrained coordinates."""
    assert_same(pickle.loads(pickle.dumps(params)), params, "parameters must survive pickling")
    order = np.arange(len(family.mean(params)))[::-1]
    taken = family.take(params, order)
    np.testing.assert_array_equal(family.mean(taken), family.mean(params)[order])
    np.testing.assert_allclose(
        family.log_prob(X, taken),
        family.log_prob(X, params)[:, order],
        rtol=RTOL,
        atol=RTOL,
        err_msg="take must take all parameters of a component",
    )
    if family.has_coordinates:
        vector = family.to_vector(params, taken)
        n_parameters = family.n_parameters(len(order), X.shape[1])
        assert len(vector) >= n_parameters, "an unconstrained coordinate for each free parameter"
        assert np.isfinite(vector).all(), "coordinates must be finite"
        assert_same(family.from_vector(vector, taken), params, "from_vector must undo to_vector")


def check_n_parameters(
    family: Family, params: Any, X: Array, resp: Array, rng: np.random.Generator
) -> None:
    """There are as many parameters as there are numbers, at most, and as many as move, at least."""
    n_parameters = family.n_parameters(resp.shape[1], X.shape[1])
    assert isinstance(n_parameters, int), "n_parameters must return an int"
    assert n_parameters >= 0, "n_parameters cannot be negative"
    sizes: list[int] = []
    map_params(lambda array: sizes.append(np.size(array)), params)
    assert n_parameters <= sum(sizes), (
        f"n_parameters returns {n_parameters}, but the parameters hold {sum(sizes)} numbers"
    )
    if family.has_coordinates:
        rows = slice(FEW_ROWS)
        n_free = _n_free(family, params, X[rows], resp[rows], n_parameters + 1, rng)
        assert n_free <= n_parameters, (
            f"n_parameters returns {n_parameters}, but more of the estimates move freely"
        )


def _n_free(
    family: Family, params: Any, X: Array, resp: Array, n_tilts: int, rng: np.random.Generator
) -> int:
    """In how many directions an M-step moves, of as many as there are tilts of the weights."""
    weights = resp * np.exp(TILT * rng.standard_normal((n_tilts, *resp.shape)))
    # Beside a prior estimates depend on the total too.
    weights *= resp.sum(axis=0) / weights.sum(axis=1, keepdims=True)
    center, *points = (
        family.to_vector(family.m_step(family.suffstats(X, own, params)), params)
        for own in (resp, *weights)
    )
    moves = np.array(points) - center
    lengths = np.linalg.svd(moves, compute_uv=False) if moves.size else np.zeros(1)
    return int((lengths > max(COUNTS * lengths[0], SMALLEST_MOVE)).sum())


def check_starts(family: Family, X: Array, resp: Array) -> None:
    """What a search for starts asks: coordinates of every row, and which components are sound."""
    Z = family.embed(X)
    assert np.ndim(Z) == 2, "embed must return rows of coordinates"
    assert len(Z) == len(X), "embed must return as many rows as it is given"
    assert np.isfinite(Z).all(), "embed must return numbers for rows without gaps"
    params, pooled = family.weighted_mle(X, resp), family.pooled(X, np.ones(len(X)))
    flags = family.degenerate(params, resp.sum(axis=0), pooled)
    assert not np.any(flags), "degenerate must spare components that are fitted to many rows"
