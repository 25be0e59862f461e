"""Several mixtures in one pass are what each of them is by itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import scale

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Theta
from sklearn_genmodel.em._contender_runs import ContenderRuns
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.em._steps import blocked_step, stacked_step, theta_from_resp
from sklearn_genmodel.families import Columns, Gaussian, Poisson, StudentT
from sklearn_genmodel.families._arrays import map_params

N_MIXTURES, N_COMPONENTS = 4, 3
X = load_iris().data
GAPS = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
COUPLED = ["EII", "EEI", "EEE", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV"]


def starts(family, rows, *, seed=0):
    """Mixtures some passes from random responsibilities."""
    rng = np.random.default_rng(seed)
    pooled = family.weighted_mle(rows.X, np.ones((len(rows), 1)))
    step = blocked_step(family, rows)
    thetas = []
    for _ in range(N_MIXTURES):
        resp = rng.dirichlet(np.full(N_COMPONENTS, 0.2), len(rows))
        theta = theta_from_resp(family, rows, resp, pooled)
        for _ in range(3):
            theta, _ = step(theta)
        thetas.append(theta)
    return thetas


def side_by_side(family, rows, thetas):
    """One pass of all, and the mixtures that come of it."""
    beside = family.side_by_side(len(thetas))
    params = beside.stack([theta.params for theta in thetas])
    theta = Theta(np.concatenate([theta.weights for theta in thetas]), params)
    updated, bounds = stacked_step(beside, rows)(theta, len(thetas))
    parts = list(np.arange(len(theta.weights)).reshape(len(thetas), -1))
    found = beside.unstack(updated.params, parts)
    return [
        Theta(updated.weights[part], own) for part, own in zip(parts, found, strict=True)
    ], bounds


def assert_same(one, other):
    def compare(a, b):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)

    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9)
    map_params(compare, one.params, other.params)


def assert_passes_are_those_alone(family, rows, thetas):
    step = blocked_step(family, rows)
    found, bounds = side_by_side(family, rows, thetas)
    for theta, own, bound in zip(thetas, found, bounds, strict=True):
        alone, lower_bound = step(theta)
        assert bound == pytest.approx(lower_bound, rel=1e-12)
        assert_same(own, alone)


@pytest.mark.parametrize("data", [X, GAPS], ids=["complete", "gaps"])
@pytest.mark.parametrize("code", [*COUPLED, "VVV", "VVI"])
def test_a_pass_is_that_of_every_mixture(code, data):
    weights = np.random.default_rng(2).uniform(0.5, 2.0, len(X))
    rows = Rows(data, weights)
    family = Gaussian(code)
    assert_passes_are_those_alone(family, rows, starts(family, rows))


@pytest.mark.parametrize("reg_covar", [1e-6, 0.05])
@pytest.mark.parametrize("noise", ["tied_diag", "tied_spherical"])
def test_factors_with_common_noise_are_those_of_every_mixture(noise, reg_covar):
    rows = Rows(scale(load_wine().data))
    family = Gaussian("factor", n_factors=2, noise=noise, reg_covar=reg_covar)
    assert_passes_are_those_alone(family, rows, thetas := starts(family, rows))
    # Noise below the floor, as an extrapolation leaves it, concerns its own mixture only.
    thetas[2].params.covariances.noise[:] *= 1e-9
    assert_passes_are_those_alone(family, rows, thetas)


@pytest.mark.parametrize("code", COUPLED)
def test_the_floor_is_that_of_every_mixture(code):
    """Some mixtures are at their floor, others are not."""
    rows, family = Rows(X), Gaussian(code, reg_covar=0.05)
    thetas = starts(family, rows)
    # A component on next to nothing: its mixture alone has to be floored.
    thetas[1].params.means[0] = X[0]
    thetas[1].weights[:] = [1e-9, 0.5, 0.5]
    assert_passes_are_those_alone(family, rows, thetas)


@pytest.mark.parametrize("n_mixtures", [1, 3])
@pytest.mark.parametrize("code", COUPLED[3:])
def test_a_fit_that_fails_is_replaced_in_every_mixture(code, n_mixtures, monkeypatch):
    """By one matrix for all of its components, raised to the floor."""

    def fail(*_):
        raise np.linalg.LinAlgError("as near-singular scatters do")

    rows, family = Rows(X), Gaussian(code, reg_covar=1.5)
    beside = family.side_by_side(n_mixtures)
    pooled = family.weighted_mle(X, np.ones((len(X), 1)))
    monkeypatch.setattr(type(beside.structure), "fit", fail)
    resp = np.random.default_rng(0).dirichlet(np.ones(2), size=(n_mixtures, len(X)))
    found = theta_from_resp(beside, rows, np.concatenate(resp, axis=1), pooled)
    parts = list(np.arange(2 * n_mixtures).reshape(n_mixtures, 2))
    for own, params in zip(resp, beside.unstack(found.params, parts), strict=True):
        alone = theta_from_resp(family, rows, own, pooled)
        np.testing.assert_allclose(params.means, alone.params.means)
        np.testing.assert_allclose(params.covariances, alone.params.covariances)


@pytest.mark.parametrize("code", COUPLED)
def test_a_prior_is_that_of_every_mixture(code):
    rows = Rows(X)
    family = Gaussian(code, prior="default").for_rows(X, None, N_COMPONENTS)
    assert_passes_are_those_alone(family, rows, starts(family, rows))


def test_groups_of_columns_are_side_by_side_if_each_can_be():
    counts = np.random.default_rng(3).poisson(3.0, size=(len(X), 1)).astype(float)
    data = np.concatenate([X, counts], axis=1)
    groups = [
        ("a", Gaussian("tied"), [0, 1]),
        ("b", Gaussian("VEE"), [2, 3]),
        ("c", Poisson(), [4]),
    ]
    family, rows = Columns(groups), Rows(data)
    assert_passes_are_those_alone(family, rows, starts(family, rows))


@pytest.mark.parametrize(
    "family",
    [
        Gaussian("factor", loadings="common"),
        StudentT("tied"),
        Columns([("a", StudentT("tied"), [0, 1]), ("b", Poisson(), [2])]),
    ],
    ids=repr,
)
def test_what_cannot_be_side_by_side_says_so(family):
    assert family.coupled
    assert family.side_by_side(2) is None
    assert not ContenderRuns(family, Rows(X), MStep(), 1e-8, None).side_by_side


def test_components_without_anything_in_common_are_side_by_side_as_they_are():
    for family in (Gaussian(), Poisson(), StudentT()):
        assert family.side_by_side(7) is family


class FragileRuns(Poisson):
    """Breaks where runs of several starts share a pass, not where starts are made together."""

    def kernel(self, params):
        linear = super().kernel(params)
        several = len(params.rates) > 2 and np.ptp(params.rates) > 0.0
        if several:
            raise FloatingPointError("too many")
        return linear


def test_starts_that_break_together_are_run_one_by_one():
    counts = np.random.default_rng(0).poisson(np.repeat([2.0, 20.0], 60))[:, None]
    init = {"n_init": 8, "init": "random", "random_state": 0}
    robust = EMMixture(2, family="poisson", **init).fit(counts)
    fragile = EMMixture(2, family=FragileRuns(), **init).fit(counts)
    assert_allclose(fragile.params_.rates, robust.params_.rates, rtol=1e-6)
