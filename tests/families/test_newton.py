"""Roots, maxima and special functions against SciPy and known values."""

from decimal import Context, Decimal

import numpy as np
import pytest
from scipy import optimize, special

from sklearn_genmodel.families import VonMises, VonMisesParams
from sklearn_genmodel.families._numerics._bessel import (
    bessel_ratio,
    inverse_bessel_ratio,
    log_bessel,
)
from sklearn_genmodel.families._numerics._newton import (
    LARGEST_SHAPE,
    dirichlet_concentrations,
    gamma_shapes,
    increasing_root,
)
from sklearn_genmodel.families._numerics._numerical_mle import maximize
from sklearn_genmodel.families._numerics._roots import falling_root
from sklearn_genmodel.families._numerics._special import (
    digamma_gap,
    digamma_gap_slope,
    inverse_digamma,
    log_ratio,
    stirling_remainder,
    trigamma,
)

WIDE = np.exp(np.linspace(-14.0, 14.0, 200))


def test_roots_of_flat_and_steep_functions():
    """Newton's method alone leaves the bracket on the first and crawls on the second."""
    powers = np.array([1 / 9, 1.0, 9.0])

    def function(x):
        return np.sign(x) * np.abs(x) ** powers - 0.5, powers * np.abs(x) ** (powers - 1.0)

    root = increasing_root(function, np.full(3, 5.0), np.full(3, -10.0), np.full(3, 10.0))
    np.testing.assert_allclose(root, 0.5 ** (1.0 / powers), atol=1e-12)


def test_the_nearer_end_where_there_is_no_root():
    root = increasing_root(
        lambda x: (x + np.array([5.0, -5.0]), np.ones(2)), np.zeros(2), -np.ones(2), np.ones(2)
    )
    np.testing.assert_allclose(root, [-1.0, 1.0], atol=1e-12)


def test_gamma_functions_are_scipys():
    np.testing.assert_allclose(trigamma(WIDE), special.polygamma(1, WIDE), rtol=1e-13)
    np.testing.assert_allclose(inverse_digamma(special.digamma(WIDE)), WIDE, rtol=1e-13)
    small = WIDE[WIDE < 100]
    np.testing.assert_allclose(digamma_gap(small), np.log(small) - special.digamma(small), 1e-12)
    slope = 1.0 / small - special.polygamma(1, small)
    np.testing.assert_allclose(digamma_gap_slope(small), slope, rtol=1e-10)


@pytest.mark.parametrize("spread", [1e-12, 1e-3, 0.3, 3.0, 300.0])
def test_logarithms_of_ratios_keep_all_digits(spread):
    """Against arithmetic of 60 digits; ratios themselves may be beyond double precision."""
    rng, context = np.random.default_rng(0), Context(prec=60)
    origin = np.exp(rng.normal(scale=5.0, size=300))
    x = origin * np.exp(spread * rng.normal(size=300).clip(-2.0, 2.0))
    x[:3], origin[:3] = [1e-300, 1e200, np.nan], [1e100, 1e-200, 1.0]
    exact = [
        float(context.ln(context.divide(Decimal(a), Decimal(b)))) if a == a else a
        for a, b in zip(x.tolist(), origin.tolist(), strict=True)
    ]
    np.testing.assert_allclose(log_ratio(x, origin), exact, rtol=5e-16)


def test_series_meet_the_direct_forms():
    """Recurrences over one step, which neither form uses, hold across the switch at 16."""
    a = np.linspace(12.0, 20.0, 81)
    steps = stirling_remainder(a) - stirling_remainder(a + 1.0)
    np.testing.assert_allclose(steps, (a + 0.5) * np.log1p(1.0 / a) - 1.0, rtol=1e-9)
    steps = digamma_gap(a) - digamma_gap(a + 1.0)
    np.testing.assert_allclose(steps, 1.0 / a - np.log1p(1.0 / a), rtol=1e-9)


def test_gamma_shapes_are_brents():
    gaps = np.exp(np.linspace(-12.0, 6.0, 25))
    expected = [
        optimize.brentq(
            lambda u, g=gap: u - special.digamma(np.exp(u)) - g, -20.0, 20.0, xtol=1e-14
        )
        for gap in gaps
    ]
    np.testing.assert_allclose(np.log(gamma_shapes(gaps)), expected, atol=1e-8)
    assert gamma_shapes(np.zeros(1))[0] == pytest.approx(LARGEST_SHAPE)


@pytest.mark.parametrize("total", [1e-3, 1.0, 50.0, 1e6, 1e12])
def test_dirichlet_concentrations_solve_their_equations(total):
    a = total * np.array([[0.2, 0.3, 0.5], [0.01, 0.09, 0.9]])
    centers = a / a.sum(axis=1, keepdims=True)
    gaps = digamma_gap(a.sum(axis=1, keepdims=True)) - digamma_gap(a)
    np.testing.assert_allclose(dirichlet_concentrations(centers, gaps), a, rtol=1e-8)


@pytest.mark.parametrize("order", [1.0, 1.5, 25.0, 150.0, 600.0])
def test_bessel_ratios(order):
    x = np.exp(np.linspace(np.log(1e-8), np.log(1e6), 60))
    ratio, above = bessel_ratio(order, x), bessel_ratio(order + 1.0, x)
    # I_(v-1) - I_(v+1) = (2 v / x) I_v, divided by I_(v-1)
    np.testing.assert_allclose(1.0 - ratio * above, 2.0 * order / x * ratio, rtol=1e-9)
    np.testing.assert_allclose(inverse_bessel_ratio(order, ratio), x, rtol=1e-8)
    difference = log_bessel(order, x) - log_bessel(order - 1.0, x)
    np.testing.assert_allclose(difference, np.log(ratio / x), rtol=1e-10)


def test_bessel_functions_of_large_arguments():
    """As mpmath computes them with 40 digits."""
    cases = [
        (0.0, 1e10, -12.4318639981624012),
        (0.5, 3e8, -20.4382315658251479),
        (149.0, 2e8, -2858.43626874967027),
        (24.0, 1e15, -847.118960208516749),
    ]
    for order, x, expected in cases:
        np.testing.assert_allclose(log_bessel(order, np.array([x])), [expected], rtol=1e-14)


def test_angles_of_no_concentration():
    params = VonMisesParams(np.array([[0.3]]), np.array([[0.0]]))
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        density = VonMises().log_prob(np.array([[1.0]]), params)
        covariance = VonMises().covariance(params)
    np.testing.assert_allclose(density, [[-np.log(2.0 * np.pi)]])
    np.testing.assert_allclose(covariance, [[[np.pi**2 / 3.0]]])


def test_falling_roots():
    """Roots of exp(-x) - c, far from the start, at an end, and beyond both ends."""
    levels = np.array([1e-30, 0.5, 1.0, 2.0, 1e-60])
    low, high = np.zeros(5), np.full(5, 100.0)
    roots = falling_root(lambda x: np.exp(-x) - levels, np.full(5, 3.0), low, high)
    np.testing.assert_allclose(roots, [-np.log(1e-30), np.log(2.0), 0.0, 0.0, 100.0], atol=1e-14)


def test_maxima_keep_their_digits_far_from_the_start():
    """Location and log scale of normal data by Newton's method, from afar and off-centre."""
    x = np.random.default_rng(0).standard_normal(100) * 1e-3 + 1e3

    def objective(points):
        location, log_scale = points[..., 0, None], points[..., 1, None]
        return (-0.5 * ((x - location) / np.exp(log_scale)) ** 2 - log_scale).mean(axis=-1)

    (found,) = maximize(objective, np.array([[900.0, 6.0]]))
    np.testing.assert_allclose(found, [x.mean(), np.log(x.std())], rtol=1e-9)
