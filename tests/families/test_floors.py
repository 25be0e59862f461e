"""Floors of covariances: near-singular components are survived, and what a floor costs."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq, minimize, minimize_scalar
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Beta, Columns, GaussianParams, ScipyFamily, Uniform
from sklearn_genmodel.families._covariances._decompositions import lifted_at_equal_volume
from sklearn_genmodel.families._covariances._singular import thinnest
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._gaussian import Gaussian

CONSTRAINED = ["VEI", "EVI", "VEE", "EVV", "VEV", "VVE", "EVE", "EEV"]
CODES = ["EII", "VII", "EEI", "VVI", "EEE", "VVV", *CONSTRAINED]


def test_floor_at_equal_volume_is_the_constrained_maximum():
    """scipy's optimum of -sum w / v at a fixed product of the v, which exceed their bounds."""
    values = np.array([[4.0, 0.01, 25.0, 1.0], [0.1, 2.0, 0.05, 100.0]])
    bounds = np.array([0.1, 0.2, 0.3, 0.9])
    ours = np.log(lifted_at_equal_volume(values, bounds))
    volume = np.log(np.maximum(values, bounds)).sum(axis=1).mean()
    for log_values, found in zip(np.log(values), ours, strict=True):
        best = minimize(
            lambda logs, log_values=log_values: np.exp(log_values - logs).sum(),
            np.full(4, volume / 4),
            bounds=[(low, None) for low in np.log(bounds)],
            constraints={"type": "eq", "fun": lambda logs: logs.sum() - volume},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found, best.x, atol=1e-5)
    # Alone, a component has nothing to pay for.
    alone = lifted_at_equal_volume(values[:1], bounds)
    np.testing.assert_allclose(alone, np.maximum(values[:1], bounds))


@pytest.mark.parametrize("seed", [3, 8, 29])
@pytest.mark.parametrize("code", CODES)
def test_components_that_are_constant_in_a_column_are_survived(code, seed):
    """The floor then decides: no pass may lower the bound, no start may break down."""
    X = np.random.default_rng(seed).integers(0, 2, (27, 4)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = EMMixture(3, family=Gaussian(code), n_init=2, max_iter=60, random_state=0).fit(X)
    assert (np.diff(mixture.lower_bounds_) >= -1e-9 * abs(mixture.lower_bound_)).all()
    assert mixture.score(X) == pytest.approx(mixture.lower_bound_, rel=1e-9)


@pytest.mark.parametrize("code", CONSTRAINED)
def test_a_floor_costs_no_more_than_one_matrix_for_all(code):
    """One matrix for all is of every structure, and its best above a floor is known."""
    structure = structure_of(code)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        roots = rng.standard_normal((3, 3, 3)) * 10.0 ** rng.uniform(-6, 0, (3, 1, 3))
        counts, minimum = rng.uniform(3, 30, 3), np.full(3, 1e-3)
        scatter = counts[:, None, None] * roots @ roots.swapaxes(1, 2)
        one = scatter.sum(axis=0) / counts.sum()
        if code[2] == "I":
            alike = np.tile(np.maximum(np.diagonal(one), minimum), (3, 1))
            packed = np.einsum("kjj->kj", scatter)
        else:
            values, vectors = np.linalg.eigh(one)
            alike = np.tile((vectors * np.maximum(values, 1e-3)) @ vectors.T, (3, 1, 1))
            packed = scatter[:, *np.triu_indices(3)]
        found = structure.constrained(packed, counts, 3, minimum)
        assert np.linalg.eigvalsh(structure.dense(found, 3, 3)).min() >= 1e-3 * (1 - 1e-9)
        best = structure.expected_log_prob(found, packed, counts)
        assert best >= structure.expected_log_prob(alike, packed, counts) - 1e-9 * abs(best)


def test_a_floor_at_equal_volume_costs_little_beside_the_best():
    """Given the volume the best is known; scipy finds the volume. Unfloored gains are thousands."""
    structure = structure_of("EVI")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        counts, minimum = rng.uniform(3, 30, 3), np.full(3, 1e-3)
        scatter = counts[:, None] * 10.0 ** rng.uniform(-9, 1, (3, 3))

        def loss(excess, scatter=scatter, counts=counts, minimum=minimum):
            # The values that solve max(w t, b) for one log-volume above the floor's.
            log_ratios = np.log(scatter / minimum)
            shifts = [
                brentq(lambda t, row=row: np.maximum(row + t, 0.0).sum() - excess, -99.0, 99.0)
                for row in log_ratios
            ]
            values = minimum * np.exp(np.maximum(log_ratios + np.array(shifts)[:, None], 0.0))
            return 0.5 * (counts[:, None] * np.log(values) + scatter / values).sum()

        best = -minimize_scalar(loss, bounds=(1e-9, 40.0), method="bounded").fun
        found = structure.constrained(scatter, counts, 3, minimum)
        assert structure.expected_log_prob(found, scatter, counts) >= best - 15.0


@pytest.mark.parametrize("code", ["VEI", "VEE"])
def test_extrapolations_far_below_the_floor_are_not_kept(code):
    """A tenth of it is what may be left, as the unit of the floor changes from pass to pass."""
    rng = np.random.default_rng(118)
    flat = rng.standard_normal((20, 2)) * [1.0, 1e-9]
    X = np.r_[flat, rng.standard_normal((20, 2)) + 2.0]
    mixture = EMMixture(3, family=Gaussian(code), n_init=1, max_iter=100, random_state=118)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        matrices = mixture.fit(X).component_covariances()
    values = np.linalg.eigvalsh(matrices / np.multiply.outer(X.std(axis=0), X.std(axis=0)))
    assert values.min() >= 0.099 * mixture.family.reg_covar


def test_thickness_in_units_of_next_to_nothing_is_a_number():
    """A diagonal matrix is as thin as its smallest ratio, however large the others are."""
    matrices = np.stack([np.eye(2), np.full((2, 2), 0.5) + 0.5 * np.eye(2)])
    with np.errstate(all="raise"):
        found = thinnest(matrices, np.diag([4.0, 1e-320]))
    assert found[0] == pytest.approx(0.25)
    assert np.isfinite(found).all()


def test_a_prior_keeps_narrow_shares_from_being_degenerate():
    X = 0.5 + 1e-9 * np.random.default_rng(0).normal(size=(40, 1))
    EMMixture(1, family=Beta(prior=1.0)).fit(X)
    with pytest.warns(UserWarning, match="degenerate"):
        EMMixture(1, family=Beta()).fit(X)


@pytest.mark.filterwarnings("ignore:Every start ended with a degenerate")
@pytest.mark.parametrize("in_groups", [False, True])
def test_the_floor_beside_another_family_is_a_share_of_all_the_data(in_groups):
    """Of a component on equal rows its own share of the data says nothing."""
    X = np.concatenate([np.zeros(60), np.linspace(-10.0, 10.0, 60)])[:, None]
    families = [Gaussian(reg_covar=1e-4), Uniform()]
    if in_groups:
        families = [Columns([("x", family, [0])]) for family in families]
    init = np.repeat([0, 1], 60)
    mixture = EMMixture(2, family=families, init=init, tol=1e-12, max_iter=200).fit(X)
    (variance, _) = mixture.component_covariances()
    assert_allclose(variance, [[1e-4 * X.var()]], rtol=1e-6)


def test_components_on_few_rows_are_degenerate():
    """Three points of a plane determine a normal distribution, whatever they look like."""
    family, pooled = Gaussian(), GaussianParams(np.zeros((1, 2)), np.eye(2)[None])
    params = GaussianParams(np.zeros((2, 2)), np.repeat(np.eye(2)[None], 2, axis=0))
    assert_array_equal(family.degenerate(params, np.array([3.0, 97.0]), pooled), [True, False])
    assert_array_equal(family.degenerate(params, np.array([10.0, 90.0]), pooled), [False, False])


def test_thin_components_are_by_chance_on_few_rows_only():
    family, pooled = Gaussian(), GaussianParams(np.zeros((1, 2)), np.eye(2)[None])
    thin = GaussianParams(np.zeros((2, 2)), np.array([np.diag([1.0, 1e-4]), np.eye(2)]))
    assert_array_equal(family.degenerate(thin, np.array([6.0, 994.0]), pooled), [True, False])
    assert_array_equal(family.degenerate(thin, np.array([500.0, 500.0]), pooled), [False, False])


@pytest.mark.parametrize("family", ["gaussian", "gamma", "laplace"])
def test_all_rows_are_no_spike_however_few(family):
    """Warnings are errors here."""
    X = np.array([[1.0, 2.0], [2.0, 3.5], [4.0, 1.0]])
    EMMixture(1, family=family).fit(X)


@pytest.mark.filterwarnings("ignore:Every start ended with a degenerate")
def test_a_scale_does_not_vanish_on_equal_values():
    X = np.concatenate([np.zeros(40), np.linspace(5.0, 6.0, 40)])[:, None]
    init = np.repeat([0, 1], 40)
    mixture = EMMixture(2, family=ScipyFamily("norm"), init=init, max_iter=60).fit(X)
    assert mixture.component_covariances().min() >= 1e-18 * X.var()
