"""Where training starts: at the moments of columns of any spread, seen from what drew them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import expit

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import VAEEstimator  # noqa: E402
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS  # noqa: E402


@pytest.mark.parametrize("extra", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("r", [0.2, 1.0, 20.0, 200.0])
def test_counts_start_at_their_dispersion(r, extra):
    """Also what is beyond extra zeros, of which the share is found too."""
    rng, mean = np.random.default_rng(0), 30.0
    X = stats.nbinom(r, r / (r + mean)).rvs((20_000, 1), random_state=rng).astype(float)
    X[rng.random(X.shape) < extra] = 0.0
    X = np.append(X, [[np.nan]], axis=0)
    inflated = LIKELIHOODS["zero_inflated_negative_binomial"](1, "learned")
    log_mean, odds = inflated.start(X, None)
    # A small r and extra zeros are much the same.
    small = r < 1.0
    assert_allclose(inflated.scale.log_unit, np.log(r), atol=0.5 if small else 0.2)
    assert_allclose(log_mean, np.log(mean), atol=0.3 if small else 0.05)
    assert_allclose(expit(odds), max(extra, 0.1), atol=0.15 if small else 0.02)
    if extra == 0.0:
        counted = LIKELIHOODS["negative_binomial"](1, "learned")
        assert_allclose(counted.start(X, None), np.log(mean), atol=0.05)
        assert_allclose(counted.scale.log_unit, np.log(r), atol=0.1)


def test_columns_without_counts_start_with_a_mean_of_next_to_nothing():
    X = np.zeros((200, 2))
    X[0, 1] = 1.0
    for name in ("zero_inflated_negative_binomial", "negative_binomial"):
        likelihood = LIKELIHOODS[name](2, "learned")
        outputs = likelihood.start(X, np.ones(200))
        assert np.isfinite(outputs).all()
        assert (np.exp(outputs[:2]) < 0.02).all()
        assert_allclose(likelihood.scale.log_unit[0], np.log(100.0))


def test_counts_with_extra_zeros_are_fitted_as_well_as_what_drew_them():
    rng, r, mean, extra = np.random.default_rng(0), 200.0, 50.0, 0.3
    counts = stats.nbinom(r, r / (r + mean))
    X = np.where(rng.random((1000, 3)) < extra, 0, counts.rvs((1000, 3), random_state=rng))
    X = X.astype(float)
    expected = np.log(extra * (X == 0) + (1.0 - extra) * counts.pmf(X)).sum(axis=1).mean()
    name = "zero_inflated_negative_binomial"
    vae = VAEEstimator(1, likelihood=name, max_epochs=40, random_state=0).fit(X)
    assert abs(vae.score(X) - expected) < 0.15


@pytest.mark.parametrize("dof", [1.5, 3.0, 8.0, 1e3])
def test_heavy_tails_start_where_they_are(dof):
    """Degrees of freedom, up to 10, and the scale that goes with them."""
    X = stats.t(dof, 3.0, 2.0).rvs((20_000, 1), random_state=0)
    likelihood = LIKELIHOODS["student_t"](1, "learned")
    assert_allclose(likelihood.start(X, np.ones(len(X))), 3.0, atol=0.1)
    assert_allclose(likelihood.dof().detach(), min(dof, 10.0), rtol=0.15)
    assert_allclose(likelihood.scale.log_unit, np.log(2.0), atol=0.12)
    # Half of a column may be alike.
    X[np.random.default_rng(0).random(len(X)) < 0.6] = 3.0
    likelihood.start(X, None)
    assert_allclose(likelihood.dof().detach(), 10.0, rtol=0.1)


@pytest.mark.parametrize("dof", [1.5, 3.0])
def test_heavy_tails_are_fitted_as_well_as_what_drew_them(dof):
    truth = stats.t(dof, 3.0, 2.0)
    X = truth.rvs((1000, 3), random_state=0)
    vae = VAEEstimator(1, likelihood="student_t", max_epochs=60, random_state=0).fit(X)
    assert abs(vae.score(X) - truth.logpdf(X).sum(axis=1).mean()) < 0.1


def test_shares_of_one_precision_start_at_the_smallest():
    """A column of tiny shares does not make the other one start far too narrow."""
    truth = stats.beta(2, 3)
    X = truth.rvs((300, 2), random_state=0) * [1.0, 1e-12]
    likelihood = LIKELIHOODS["beta"](2, "learned_scalar")
    likelihood.start(X, None)
    assert_allclose(likelihood.scale.log_unit, np.log(2 + 3), atol=0.2)
    vae = VAEEstimator(likelihood="beta", decoder_scale="learned_scalar", random_state=0)
    # More than the first column's truth, and a density of 1 for any share of the second.
    assert vae.set_params(max_epochs=5).fit(X).score(X) > truth.logpdf(X[:, 0]).mean()
