"""Acceleration: fewer passes to the same optimum, never a lower one."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths, load_old_faithful
from sklearn_genmodel.em import Convergence, Rows, Theta, accelerator, lower_bound, run_em
from sklearn_genmodel.em import blocked_step as make_step
from sklearn_genmodel.em._chart import Chart
from sklearn_genmodel.families import Beta, Gaussian, Poisson, PoissonParams

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


def overlapping(distance, n_samples, seed):
    """Two overlapping Gaussians, and the start from a cut between them."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(0.0, 1.0, n_samples), rng.normal(distance, 1.0, n_samples)])
    family, labels = Gaussian(), KMeans(2, random_state=0, n_init=1).fit(X[:, None]).labels_
    params = family.weighted_mle(X[:, None], np.eye(2)[labels])
    return Rows(X[:, None]), Theta(np.bincount(labels) / len(X), params)


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


@pytest.mark.parametrize(("rates", "tol"), [([1.0, 3.0], 1e-9), ([0.5, 1.0, 3.0], 1e-8)])
def test_deaths_take_sixty_passes(rates, tol):
    rows, theta = deaths(rates)
    fast, plain = (run(Poisson(), rows, theta, name, tol) for name in ("auto", None))
    assert fast.n_iter <= 60
    assert plain.n_iter > 1000
    assert fast.lower_bound >= plain.lower_bound


@pytest.mark.parametrize(
    ("distance", "n_samples", "seed"),
    [
        (1.75, 500, 0),
        (1.75, 1000, 1),
        (1.75, 5000, 2),
        (1.5, 1000, 1),
        (1.5, 5000, 2),
    ],
)
def test_overlapping_gaussians_take_fifty_passes(distance, n_samples, seed):
    """EM moves along a ridge first, where its steps grow: Newton steps would turn back there."""
    rows, theta = overlapping(distance, n_samples, seed)
    fast, plain = (run(Gaussian(), rows, theta, name, 1e-8) for name in ("auto", None))
    assert fast.n_iter <= 50
    assert plain.n_iter > 1000
    assert fast.lower_bound >= plain.lower_bound
    limit = run(Gaussian(), rows, fast.theta, None, tol=1e-13)
    assert limit.lower_bound - fast.lower_bound < 1e-8


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


def test_a_proposal_that_goes_downhill_is_dropped():
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


def test_a_proposal_that_no_m_step_can_reach_is_taken_back():
    """A density that the M-step cannot hold raises the bound, and EM falls from it."""

    class Confined(Poisson):
        """Its M-step holds rates below 2.5."""

        def m_step(self, stats):
            return PoissonParams(np.minimum(super().m_step(stats).rates, 2.5))

    class Beyond(Reckless):
        """Proposes the free estimate once."""

        def propose(self, theta, image, convergence):
            self.turn += 1
            return Theta(image.weights, PoissonParams(BEST)) if self.turn == 4 else image

    rows, theta = deaths([1.0, 2.0])
    (BEST,) = run(Poisson(), rows, theta, None).theta.params

    def confined(max_iter, beyond):
        return run_em(
            make_step(Confined(), rows),
            theta,
            Convergence(0.0, max_iter),
            evaluate=lambda theta: lower_bound(Poisson(), theta, rows),
            accelerator=beyond,
        )

    beyond = Beyond()
    result = confined(30, beyond)
    # The proposal and the pass that found it out are lost.
    plain = run(Confined(), rows, theta, None, tol=0.0, max_iter=28)
    assert beyond.turn == 5
    assert result.theta.params.rates.max() == 2.5
    assert np.diff(result.lower_bounds).min() >= 0.0
    assert result.lower_bound == pytest.approx(plain.lower_bound, abs=1e-13)
    for max_iter in (4, 5, 6):
        assert len(confined(max_iter, Beyond()).lower_bounds) == max_iter + 1


@pytest.mark.parametrize("max_iter", [4, 5, 6, 7])
def test_the_last_pass_may_be_the_one_that_misleads(max_iter):
    """A bound for the start and one for every pass, whenever the run is cut short."""

    class Unbounded(Reckless):
        """Proposes once, and the step claims an infinite bound for it."""

        def propose(self, theta, image, convergence):
            self.turn += 1
            return Theta(image.weights, image.params) if self.turn == 4 else image

    rows, theta = deaths([1.0, 2.0])
    step, accelerated = make_step(Poisson(), rows), Unbounded()

    def lying(theta):
        image, bound = step(theta)
        return image, np.inf if accelerated.turn == 4 and not accelerated.rejected else bound

    result = run_em(
        lying,
        theta,
        Convergence(0.0, max_iter),
        evaluate=lambda theta: lower_bound(Poisson(), theta, rows),
        accelerator=accelerated,
    )
    assert len(result.lower_bounds) == max_iter + 1
    assert np.isfinite(result.lower_bounds).all()
    assert result.lower_bound == pytest.approx(lower_bound(Poisson(), result.theta, rows))


def test_hardly_any_pair_of_gaussians_takes_more():
    n_iter = [run(Gaussian(), *overlapping(1.5, 500, s), "auto", 1e-8).n_iter for s in range(12)]
    assert np.median(n_iter) <= 45
    assert max(n_iter) <= 75


@pytest.mark.parametrize("fixed", [[0.5, np.nan, np.nan], [np.nan, 0.2, np.nan], [0.2, 0.3, 0.5]])
def test_proposals_leave_fixed_weights_alone(fixed):
    like = Theta(np.full(3, 1 / 3), PoissonParams(np.ones((3, 2))))
    chart = Chart(Poisson(), like, np.array(fixed))
    free = np.isnan(fixed)
    for vector in np.random.default_rng(0).normal(size=(20, 9)):
        weights, own = chart.theta(vector).weights, vector[:3] ** 2
        np.testing.assert_array_equal(weights[~free], np.array(fixed)[~free])
        assert weights.sum() == pytest.approx(1.0)
        np.testing.assert_allclose(weights[free] * own[free].sum(), own[free] * weights[free].sum())


def test_a_weight_that_goes_to_0_beside_a_fixed_one():
    """Plain EM takes 11,159 passes to 0.25631730754, from where it has 1e-9 to go."""
    rng = np.random.default_rng(1004)
    rng.integers(2, size=3)
    labels = rng.integers(0, 3, 67)
    X = rng.beta(2.0 + 6.0 * labels[:, None], 5.0, size=(67, 1))
    rng.random()
    rng.integers(0, 3)
    fixed = {"weights": [0.5, np.nan, np.nan]}
    mixture = EMMixture(3, family=Beta(prior=0.3), fixed=fixed, n_init=6, random_state=0, tol=1e-9)
    mixture.fit(X, sample_weight=rng.random(67) + 0.05)
    assert mixture.n_iter_ < 100
    assert mixture.lower_bound_ > 0.25631730754
    assert mixture.weights_.max() == pytest.approx(0.5, abs=1e-6)


def test_a_family_that_breaks_the_contract_is_found_out():
    class Wrong(Poisson):
        """Its M-step returns twice the rate that fits best."""

        def m_step(self, stats):
            return PoissonParams(2.0 * super().m_step(stats).rates)

    rows, theta = deaths([1.0, 2.5])
    with pytest.raises(ArithmeticError, match="m_step does not maximise"):
        run(Wrong(), rows, theta, None)
