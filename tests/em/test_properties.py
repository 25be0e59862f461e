"""What holds for any data: properties of EM, over inputs that hypothesis makes up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta, blocked_step, distinct_rows, lower_bound
from sklearn_genmodel.em import _rows as rows_module
from sklearn_genmodel.families import Bernoulli, Gaussian, Poisson

FAMILIES = {
    "full": Gaussian("full"),
    "tied": Gaussian("tied"),
    "diag": Gaussian("diag"),
    "spherical": Gaussian("spherical"),
    "poisson": Poisson(),
    "bernoulli": Bernoulli(),
}
# The same examples in every run: whether a build passes is not to depend on luck.
few_examples = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def problems(draw, families=tuple(FAMILIES)):
    """A family, rows in its support, weights, and a start."""
    name = draw(st.sampled_from(families))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, k = draw(st.integers(12, 60)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-3, 3, d) + rng.uniform(-5, 5, d)
    if name == "poisson":
        X = rng.poisson(rng.uniform(0.1, 20.0, d), (n, d)).astype(float)
    if name == "bernoulli":
        X = (rng.random((n, d)) < rng.random(d)).astype(float)
    weights = rng.integers(1, 4, n).astype(float)
    resp = rng.dirichlet(np.ones(k), n)
    theta = Theta(resp.mean(axis=0), FAMILIES[name].weighted_mle(X, resp))
    return FAMILIES[name], X, weights, theta, rng


def assert_same(one, other, rtol=1e-8):
    """Two sets of parameters are equal to rounding."""
    np.testing.assert_allclose(one.weights, other.weights, rtol=rtol, atol=1e-10)
    for a, b in zip(one.params, other.params, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-10 * np.abs(b).max())


@few_examples
@given(problems())
def test_the_bound_never_decreases(problem):
    family, X, weights, theta, _ = problem
    step, bounds = blocked_step(family, Rows(X, weights)), []
    for _ in range(25):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() >= -1e-11 * (1.0 + abs(bounds[-1]))


@few_examples
@given(problems())
def test_identities_of_the_bound(problem):
    """L2 and L3, for the posterior and for any other distribution over the components."""
    family, X, _, theta, rng = problem
    mixture = EMMixture.from_params(family, theta.weights, theta.params)
    log_density = mixture.score_samples(X)
    scale = 1.0 + np.abs(log_density).max()
    for resp in (None, rng.dirichlet(np.ones(len(theta.weights)), len(X))):
        terms = mixture.elbo(X, resp)
        for form in (
            terms.expected_log_joint + terms.entropy,
            terms.expected_log_likelihood - terms.kl_prior,
            log_density - terms.kl_posterior,
        ):
            np.testing.assert_allclose(terms.elbo, form, atol=1e-10 * scale)
        assert (terms.kl_posterior >= -1e-10 * scale).all()


@few_examples
@given(problems(), st.integers(1, 7))
def test_blocks_are_the_whole(problem, size):
    family, X, weights, theta, _ = problem
    whole, bound = blocked_step(family, Rows(X, weights))(theta)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "SMALLEST_BLOCK", size)
        patch.setattr(rows_module, "LARGEST_BLOCK", size)
        patch.setattr(rows_module, "BLOCKS_PER_CHUNK", 2)
        blocked, blocked_bound = blocked_step(family, Rows(X, weights))(theta)
    assert_same(blocked, whole)
    assert blocked_bound == pytest.approx(bound, rel=1e-12)


@few_examples
@given(problems())
def test_a_weight_is_a_repetition(problem):
    family, X, weights, theta, _ = problem
    weighted, bound = blocked_step(family, Rows(X, weights))(theta)
    repeated, repeated_bound = blocked_step(
        family, Rows(np.repeat(X, weights.astype(int), axis=0))
    )(theta)
    assert_same(weighted, repeated)
    assert bound == pytest.approx(repeated_bound, rel=1e-12)


@few_examples
@given(problems())
def test_the_order_of_rows_and_components_does_not_matter(problem):
    family, X, weights, theta, rng = problem
    rows, components = rng.permutation(len(X)), rng.permutation(len(theta.weights))
    there, bound = blocked_step(family, Rows(X, weights))(theta)
    relabelled = Theta(theta.weights[components], family.take(theta.params, components))
    step = blocked_step(family, Rows(X[rows], weights[rows]))
    again, same_bound = step(relabelled)
    assert_same(again, Theta(there.weights[components], family.take(there.params, components)))
    assert same_bound == pytest.approx(bound, rel=1e-12)


@few_examples
@given(problems(families=("full",)))
def test_full_covariance_is_affine_equivariant(problem):
    """EM on A x + b is EM on x, and the density changes by log |det A| alone."""
    _, X, _, _, rng = problem
    family, d, n = Gaussian("full", reg_covar=0.0), X.shape[1], 60
    X, weights = rng.standard_normal((n, d)) ** 3, rng.uniform(0.5, 2.0, n)
    A = np.linalg.qr(rng.standard_normal((d, d)))[0] @ np.diag(rng.uniform(0.5, 2.0, d))
    shift = rng.uniform(-3.0, 3.0, d)
    image = X @ A.T + shift
    resp = rng.dirichlet(np.ones(2), len(X)) * weights[:, None]
    before = Theta(np.full(2, 0.5), family.weighted_mle(X, resp))
    after = Theta(np.full(2, 0.5), family.weighted_mle(image, resp))
    for _ in range(5):
        before, bound = blocked_step(family, Rows(X, weights))(before)
        after, image_bound = blocked_step(family, Rows(image, weights))(after)
        assert image_bound + np.linalg.slogdet(A)[1] == pytest.approx(bound, rel=1e-7, abs=1e-7)
    scale = np.abs(image).max()
    expected = before.params.means @ A.T + shift
    np.testing.assert_allclose(after.params.means, expected, rtol=0, atol=1e-6 * scale)


@few_examples
@given(problems())
def test_distinct_rows_keep_the_likelihood(problem):
    family, X, weights, theta, _ = problem
    merged = Rows(*distinct_rows(X, weights))
    assert merged.total_weight == pytest.approx(weights.sum())
    assert lower_bound(family, theta, merged) == pytest.approx(
        lower_bound(family, theta, Rows(X, weights)), rel=1e-12
    )


@settings(max_examples=8, deadline=None, derandomize=True)
@given(problems())
def test_default_fits_know_neither_order_nor_repetition(problem):
    """The whole default fit, starts included: bit for bit the same."""
    family, X, weights, theta, rng = problem
    k = min(len(theta.weights), len(distinct_rows(X, None)[0]))
    order = rng.permutation(len(X))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        fits = [
            EMMixture(k, family=family, random_state=0).fit(X, sample_weight=weights),
            EMMixture(k, family=family, random_state=0).fit(X[order], sample_weight=weights[order]),
            EMMixture(k, family=family, random_state=0).fit(
                np.repeat(X, weights.astype(int), axis=0)
            ),
        ]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.weights_, fits[0].weights_)
        assert other.lower_bound_ == fits[0].lower_bound_
