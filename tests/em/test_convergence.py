"""The stopping rule, on sequences whose limit is known."""

import numpy as np
import pytest

from sklearn_genmodel.em import Convergence


def feed(bounds, tol=1e-6, max_iter=10_000):
    """Feed bounds to the rule until it says stop; return it and how many it took."""
    rule = Convergence(tol, max_iter)
    for bound in bounds:
        rule.update(bound)
        if rule.finished:
            break
    return rule


@pytest.mark.parametrize("rate", [0.3, 0.9, 0.99, 0.999])
def test_stops_within_tol_of_the_limit_of_a_linear_sequence(rate):
    limit = -2.0
    rule = feed(limit - rate ** np.arange(20_000), tol=1e-6, max_iter=20_000)
    assert rule.converged
    assert 0.0 <= limit - rule.lower_bound <= 1.01e-6


@pytest.mark.parametrize("rate", [0.9, 0.99])
def test_gap_and_rate_are_those_of_the_sequence(rate):
    bounds = 5.0 - 3.0 * rate ** np.arange(30)
    rule = feed(bounds, tol=1e-300)
    assert rule.rate == pytest.approx(rate, rel=1e-6)
    assert rule.gap == pytest.approx(5.0 - bounds[-1], rel=1e-5)
    assert rule.passes_left > 0


def test_a_small_step_alone_does_not_stop():
    """Gains of 1e-7 that hardly shrink: 1e-4 is still to come, and the usual rule would stop."""
    bounds = -1.0 - 1e-4 * 0.999 ** np.arange(500)
    assert not feed(bounds, tol=1e-6).converged


@pytest.mark.parametrize("slow", [0.995, 0.999, 0.9998])
def test_a_slow_mode_below_a_fast_one_is_waited_for(slow):
    """Predictions are below tol from the third gain on, and grow as the rate rises from 0.6."""
    distances = [1e-8 * 0.6**k / 0.4 + 3.4e-9 * slow**k / (1.0 - slow) for k in range(60_000)]
    rule = feed(-np.array(distances), tol=1e-7, max_iter=60_000)
    assert rule.converged
    assert -rule.lower_bound <= 1.01e-7


def test_tol_zero_runs_to_max_iter():
    rule = feed(np.zeros(50), tol=0.0, max_iter=20)
    assert rule.n_iter == 20
    assert not rule.converged


def test_gains_before_an_extrapolation_do_not_count():
    rule = Convergence(1e-6, 100)
    for bound in (0.0, 0.5, 0.75):
        rule.update(bound)
    assert rule.rate == pytest.approx(0.5)
    rule.update(0.9, plain=False)
    assert rule.gap == np.inf


@pytest.mark.parametrize("seed", range(5))
def test_gains_that_are_rounding_end_a_run(seed):
    """On singular data the bound goes up by its rounding, pass after pass, for ever."""
    gains = 1e-9 * np.random.default_rng(seed).gamma(2.0, size=500)
    rule = feed(32.0 + np.cumsum(gains), tol=1e-6)
    assert rule.converged
    assert rule.n_iter < 100


@pytest.mark.parametrize("seed", range(5))
def test_rounding_of_a_steady_climb_does_not_end_it(seed):
    """Gains of 1e-8 that hardly shrink are 1e-3 away from the limit, however they are rounded."""
    noise = 1e-14 * np.random.default_rng(seed).standard_normal(2000)
    bounds = -50.0 - 1e-3 * 0.99999 ** np.arange(2000)
    assert not feed(bounds * (1.0 + noise), tol=1e-6).converged
