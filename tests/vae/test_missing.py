"""Missing cells: left out of bounds and scores, filled by what was seen of the row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import VAEEstimator  # noqa: E402
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS  # noqa: E402


def linear_rows(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(
        size=(n_rows, 6)
    )


def with_holes(X, share, seed=0):
    holes = np.random.default_rng(seed).random(X.shape) < share
    return np.where(holes, np.nan, X), holes


def test_what_stands_for_a_missing_cell_does_not_matter():
    """The bound of a row with holes is that of a model that never had these columns."""
    X = linear_rows()
    vae = VAEEstimator(max_epochs=5, random_state=0).fit(X)
    holes = X.copy()
    holes[:, [1, 4]] = np.nan
    terms, full = vae.elbo(holes), vae.elbo(X)
    module, scaling = vae.module_.double(), vae._scaling
    z = torch.as_tensor(vae.transform(holes))
    # At z = posterior mean: log-densities of the columns that were seen.
    cells = torch.as_tensor(scaling.to_model(X))
    log_prob = module.likelihood.log_prob(cells, module.decode(z)).detach().numpy()
    log_prob = log_prob - np.log(scaling.scale)
    rows = vae._rows(holes)[1]
    at_mean = module.log_likelihood(rows, z[None]).detach().numpy()[0]
    expected = log_prob[:, [0, 2, 3, 5]].sum(axis=1)
    assert_allclose(at_mean + scaling.log_jacobian(holes), expected, rtol=1e-9)
    assert (terms.reconstruction != full.reconstruction).all()


def test_a_row_with_nothing_seen_scores_zero():
    X = linear_rows()
    vae = VAEEstimator(max_epochs=40, random_state=0).fit(with_holes(X, 0.3)[0])
    empty = np.full((1, 6), np.nan)
    # q is not the prior exactly: the estimate of log 1 is off by its Monte Carlo error.
    assert abs(vae.set_params(n_score_draws=20_000).score_samples(empty)[0]) < 0.1
    assert vae.elbo(empty).elbo[0] <= 0


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_imputation_beats_the_mean_and_keeps_what_was_seen(objective):
    X = linear_rows()
    missing, holes = with_holes(X, 0.3)
    vae = VAEEstimator(
        objective=objective, n_draws=5, max_epochs=60, learning_rate=1e-2, random_state=0
    ).fit(missing)
    filled = vae.impute(missing)
    assert_array_equal(filled[~holes], X[~holes])
    error = np.mean((filled - X)[holes] ** 2)
    by_mean = np.mean((SimpleImputer().fit_transform(missing) - X)[holes] ** 2)
    assert error < 0.5 * by_mean


def test_draws_spread_like_the_data():
    """Draws keep the variance of a column, which means shrink."""
    X = linear_rows(600)
    missing, holes = with_holes(X, 0.4)
    vae = VAEEstimator(random_state=1).fit(missing)
    by_mean, drawn = vae.impute(missing), vae.impute(missing, draw=True)
    assert_array_equal(drawn, vae.impute(missing, draw=True))
    assert not np.array_equal(drawn, vae.impute(missing, draw=True, random_state=2))
    ratios = [np.var(table[holes]) / np.var(X[holes]) for table in (by_mean, drawn)]
    assert ratios[0] < 0.95
    assert abs(ratios[1] - 1.0) < 0.2


@pytest.mark.parametrize(
    "likelihood", ["bernoulli", "beta", "categorical", "negative_binomial", "poisson", "student_t"]
)
def test_every_likelihood_takes_holes(likelihood):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(80, 4)).astype(float)
    X = 0.3 + 0.4 * X if likelihood == "beta" else X
    missing, holes = with_holes(X, 0.3)
    vae = VAEEstimator(likelihood=likelihood, max_epochs=3, random_state=0).fit(missing)
    assert np.isfinite(vae.score_samples(missing)).all()
    filled = vae.impute(missing)
    assert_array_equal(filled[~holes], X[~holes])
    if likelihood in {"bernoulli", "beta"}:
        assert ((filled > 0) & (filled < 1))[holes].all()
    if likelihood == "categorical":
        assert np.isin(filled, [0.0, 1.0]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_missing_share_of_next_to_nothing_is_left_out(dtype):
    """Single precision cannot hold the density of x = 0.5 beside shares of 1e-42."""
    likelihood = LIKELIHOODS["beta"](2, "learned").to(dtype)
    likelihood.scale.log_unit.copy_(torch.tensor([2e42, 5.0]).double().log())
    X, mask = torch.tensor([[0.0, np.log(0.3 / 0.7)]]), torch.tensor([[0.0, 1.0]])
    outputs = torch.tensor([[np.log(1e-42), np.log(0.4 / 0.6)]], dtype=dtype, requires_grad=True)
    found = likelihood.row_log_prob(X.to(dtype), outputs, mask.to(dtype))
    assert_allclose(found.item(), stats.beta(2, 3).logpdf(0.3), rtol=1e-6)
    found.sum().backward()
    for gradient in (outputs.grad[0], likelihood.scale.raw.grad):
        assert gradient[0] == 0
        assert gradient[1].isfinite()


def test_small_shares_with_holes_are_fitted():
    """As well as two gamma distributions that they were drawn from."""
    rng = np.random.default_rng(0)
    truth = stats.gamma(2.0, scale=1e-42)
    X, _ = with_holes(truth.rvs((500, 2), random_state=rng), 0.2)
    vae = VAEEstimator(1, likelihood="beta", max_epochs=20, random_state=0).fit(X)
    assert abs(vae.score(X) - np.nansum(truth.logpdf(X), axis=1).mean()) < 0.15


@pytest.mark.slow
def test_breast_cancer_with_half_of_the_cells_missing():
    """Better than iterative ridge (0.333) after a short fit; the benchmark trains longer."""
    X = load_breast_cancer().data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    missing, holes = with_holes(X, 0.5)
    vae = VAEEstimator(
        10,
        objective="iwae",
        n_draws=5,
        activation="tanh",
        learning_rate=3e-3,
        max_epochs=80,
        early_stopping=False,
        random_state=0,
    ).fit(missing)
    error = np.mean((vae.impute(missing) - X)[holes] ** 2)
    assert error < 0.333
