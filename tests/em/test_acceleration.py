"""Acceleration: fewer passes to the same optimum, never a lower one."""

import numpy as np
import pytest

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths, load_old_faithful
from sklearn_genmodel.em import Convergence, Rows, Theta, accelerator, lower_bound, run_em
from sklearn_genmodel.em import blocked_step as make_step
from sklearn_genmodel.families import Gaussian, Poisson, PoissonParams

ACCELERATIONS = ["auto", "anderson", "squarem"]
# Maximum of the two-component Poisson mixture of the deaths data (R, flexmix; direct evaluation).
DEATHS_OPTIMUM = -1989.94585988299


def run(family, rows, theta, acceleration, tol=1e-9, max_iter=20_000):
    """One run from given parameters."""
    return run_em(
        make_step(family, rows),
        theta,
        Convergence(tol, max_iter),
        evaluate=lambda theta: lower_bound(family, theta, rows),
        accelerator=accelerator(acceleration, family),
    )


def deaths(rates):
    """The deaths counts and a start with these rates."""
    data = load_deaths()
    theta = Theta(np.full(len(rates), 1.0 / len(rates)), PoissonParams(np.array(rates)[:, None]))
    return Rows(data.data, data.sample_weight), theta


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_slow_counts_reach_the_optimum_in_few_passes(acceleration):
    rows, theta = deaths([1.0, 2.5])
    plain = run(Poisson(), rows, theta, None)
    fast = run(Poisson(), rows, theta, acceleration)
    assert fast.lower_bound * 1096 == pytest.approx(DEATHS_OPTIMUM, rel=1e-8)
    assert fast.n_iter * 10 < plain.n_iter


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_never_below_plain_em_from_the_same_start(acceleration, seed, covariance_type):
    family, rng = Gaussian(covariance_type), np.random.default_rng(seed)
    X = np.concatenate([rng.standard_normal((150, 2)), rng.standard_normal((100, 2)) + 1.5])
    resp = np.eye(2)[(X @ rng.standard_normal(2) > 1.0).astype(int)] * 0.9 + 0.05
    theta = Theta(resp.mean(axis=0), family.weighted_mle(X, resp))
    tol = 1e-7
    plain = run(family, Rows(X), theta, None, tol)
    fast = run(family, Rows(X), theta, acceleration, tol)
    assert fast.lower_bound >= plain.lower_bound - 2 * tol
    assert np.diff(fast.lower_bounds).min() >= 0.0


@pytest.mark.parametrize("acceleration", [None, *ACCELERATIONS])
def test_tol_zero_runs_exactly_max_iter_passes(acceleration):
    rows, theta = deaths([1.0, 2.5])
    result = run(Poisson(), rows, theta, acceleration, tol=0.0, max_iter=83)
    assert result.n_iter == 83
    assert len(result.lower_bounds) == 84
    assert lower_bound(Poisson(), result.theta, rows) == pytest.approx(result.lower_bound)


def test_easy_problems_are_left_to_plain_em():
    X = load_old_faithful().data
    fits = [
        EMMixture(2, init=(X[:, 0] > 3).astype(int), acceleration=name).fit(X)
        for name in (None, "auto")
    ]
    assert fits[0].n_iter_ == fits[1].n_iter_
    assert fits[0].lower_bound_ == fits[1].lower_bound_


def test_a_proposal_that_goes_downhill_is_dropped():
    class Reckless:
        """Proposes nonsense every other pass."""

        def __init__(self):
            self.rejected, self.turn = 0, 0

        def propose(self, theta, image, convergence):
            self.turn += 1
            if self.turn % 2:
                return Theta(image.weights, PoissonParams(image.params.rates * 50.0))
            return image

        def reject(self):
            self.rejected += 1

    rows, theta = deaths([1.0, 2.5])
    reckless = Reckless()
    result = run_em(
        make_step(Poisson(), rows),
        theta,
        Convergence(0.0, 40),
        evaluate=lambda theta: lower_bound(Poisson(), theta, rows),
        accelerator=reckless,
    )
    plain = run(Poisson(), rows, theta, None, tol=0.0, max_iter=40 - reckless.rejected)
    assert reckless.rejected > 5
    assert result.lower_bound == pytest.approx(plain.lower_bound, abs=1e-12)


def test_a_family_that_breaks_the_contract_is_found_out():
    class Wrong(Poisson):
        """Its M-step returns twice the rate that fits best."""

        def m_step(self, stats):
            return PoissonParams(2.0 * super().m_step(stats).rates)

    rows, theta = deaths([1.0, 2.5])
    with pytest.raises(ArithmeticError, match="m_step does not maximise"):
        run(Wrong(), rows, theta, None)
