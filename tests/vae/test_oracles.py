"""Exact answers: linear models whose optimum is known, quadrature, and the inequalities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import load_wine

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402

LINEAR = {"encoder": (), "decoder": (), "early_stopping": False, "lr_schedule": "cosine"}
LIKELIHOODS = [
    "bernoulli",
    "beta",
    "categorical",
    "gaussian",
    "negative_binomial",
    "poisson",
    "student_t",
    "zero_inflated_negative_binomial",
]


@pytest.fixture(scope="module")
def wine():
    X = load_wine().data
    return (X - X.mean(axis=0)) / X.std(axis=0)


def unit_optimum(X, n_latent):
    """Largest mean ELBO of a linear decoder with unit scales, over all encoders (LECTURE, L11)."""
    eigenvalues = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]
    cost = np.where(eigenvalues > 1, 2 * np.sqrt(eigenvalues) - 1, eigenvalues)
    cost[n_latent:] = eigenvalues[n_latent:]
    return -0.5 * (X.shape[1] * np.log(2 * np.pi) + cost.sum())


def affine(layer):
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


def rows_for(likelihood, n_rows=30, n_columns=4, seed=0):
    """Rows in the support of a likelihood, driven by one latent variable."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_rows, 1)) * rng.normal(size=n_columns) + 0.5
    noise = rng.normal(size=signal.shape)
    return {
        "bernoulli": lambda: (signal + noise > 0).astype(float),
        "beta": lambda: 1 / (1 + np.exp(-(signal + 0.5 * noise))),
        "categorical": lambda: np.clip(np.round(signal + noise + 1), 0, [1, 2, 3, 4][:n_columns]),
        "gaussian": lambda: 100.0 + 5.0 * (signal + 0.5 * noise),
        "student_t": lambda: signal + 0.3 * rng.standard_t(3, size=signal.shape),
    }.get(likelihood, lambda: rng.poisson(np.exp(0.5 * signal + 0.3 * noise)).astype(float))()


def small_vae(likelihood="gaussian", n_latent=2, **arguments):
    arguments = {"encoder": (16,), "decoder": (16,), "max_epochs": 15, **arguments}
    return VAEEstimator(n_latent, likelihood=likelihood, random_state=0, **arguments)


def quadrature(vae, X, n_nodes):
    """log p(x) of every row by the trapezoidal rule over a standard normal z, in nats."""
    nodes = np.linspace(-7.0, 7.0, n_nodes)
    n_latent = vae.n_latent
    grid = np.stack(np.meshgrid(*[nodes] * n_latent, indexing="ij"), axis=-1).reshape(-1, n_latent)
    log_prior = norm.logpdf(grid).sum(axis=1) + n_latent * np.log(nodes[1] - nodes[0])
    module = vae.module_.double()
    with torch.no_grad():
        outputs = module.decode(torch.as_tensor(grid))[:, None]
        cells = torch.as_tensor(module.likelihood.to_cells(vae._scaling.to_model(X)))
        log_prob = module.likelihood.log_prob(cells, outputs).sum(-1).numpy()
    return logsumexp(log_prob + log_prior[:, None], axis=0) + vae._scaling.log_jacobian(X)


@pytest.mark.parametrize("encoder", [(), (64,), (32, 32)])
def test_unit_scales_reach_the_optimum_and_never_exceed_it(wine, encoder):
    optimum = unit_optimum(wine, 5)
    assert_allclose(optimum, -17.57375901, atol=1e-8)
    vae = VAEEstimator(
        5,
        **{**LINEAR, "encoder": encoder},
        decoder_scale="unit",
        encoder_scale="unit",
        activation="tanh",
        max_epochs=200,
        learning_rate=1e-2,
        n_draws=16,
        batch_size=178,
        random_state=0,
    ).fit(wine)
    W, b = affine(vae.module_.decoder.layers[-1])
    means = vae.transform(wine)
    # E |x - W (m + epsilon) - b|^2 = |x - W m - b|^2 + |W|^2
    squares = ((wine - means @ W.T - b) ** 2).sum(axis=1) + (W**2).sum()
    exact = -0.5 * (13 * np.log(2 * np.pi) + squares + (means**2).sum(axis=1))
    terms = vae.elbo(wine)
    assert_allclose(terms.elbo, exact, rtol=0, atol=1e-9)
    assert optimum - 1e-3 < exact.mean() <= optimum
    assert_allclose(terms.kl, 0.5 * (means**2).sum(axis=1), rtol=0, atol=1e-9)
    singular = np.linalg.svd(W)[1] ** 2
    assert_allclose(singular, [1.1693, 0.5802, 0.2025, 0, 0], atol=2e-2)


@pytest.mark.parametrize(
    ("decoder_scale", "learning_rate", "optimum"),
    [("learned_scalar", 1e-2, -16.1552599), ("learned", 3e-3, -15.433657597)],
)
def test_learned_scales_reach_the_likelihood(wine, decoder_scale, learning_rate, optimum):
    """Probabilistic PCA and factor analysis: the gap of the bound closes."""
    vae = VAEEstimator(
        2,
        **LINEAR,
        decoder_scale=decoder_scale,
        max_epochs=400,
        learning_rate=learning_rate,
        n_draws=4,
        batch_size=178,
        random_state=0,
    ).fit(wine)
    W, b = affine(vae.module_.decoder.layers[-1])
    variance = np.exp(2 * vae.module_.likelihood.scale().detach().double().numpy())
    covariance = W @ W.T + np.diag(np.broadcast_to(variance, 13))
    log_density = multivariate_normal(b, covariance).logpdf(wine)
    assert optimum - 5e-3 < vae.elbo(wine).elbo.mean() <= log_density.mean() <= optimum + 1e-6
    assert_allclose(vae.score_samples(wine), log_density, rtol=0, atol=0.1)
    holes = wine.copy()
    holes[::2, :5] = np.nan
    seen = multivariate_normal(b[5:], covariance[5:, 5:]).logpdf(wine[::2, 5:])
    # The encoder never saw holes: a proposal, not the posterior.
    vae.set_params(n_score_draws=20_000)
    assert_allclose(vae.score_samples(holes[::2]), seen, rtol=0, atol=0.25)


def test_a_decoder_that_ignores_z_gives_the_marginals(wine):
    X = 3.0 + 10.0 * wine
    vae = small_vae("gaussian", max_epochs=1).fit(X)
    with torch.no_grad():
        for parameter in vae.module_.parameters():
            parameter.zero_()
    sd = X.std(axis=0)
    marginal = -0.5 * ((X - X.mean(axis=0)) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    terms = vae.elbo(X)
    assert_allclose(terms.elbo, marginal.sum(axis=1), rtol=1e-6)
    assert_allclose(vae.score_samples(X), marginal.sum(axis=1), rtol=1e-6)
    assert_allclose(terms.kl, 0.0, atol=1e-12)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("n_latent", "n_nodes"), [(1, 500), (2, 120)])
def test_scores_agree_with_quadrature(likelihood, n_latent, n_nodes):
    X = rows_for(likelihood)
    vae = small_vae(likelihood, n_latent, n_score_draws=4000, max_epochs=30).fit(X)
    exact = quadrature(vae, X, n_nodes)
    assert_allclose(exact, quadrature(vae, X, 2 * n_nodes // 3), rtol=0, atol=1e-3)
    # Importance sampling is worst where the encoder is: few rows may be off by more.
    error = np.abs(vae.score_samples(X) - exact)
    assert error.mean() < 2e-2
    assert vae.elbo(X).elbo.mean() < exact.mean()


@pytest.mark.parametrize("prior", ["standard_normal", MixturePrior(3), VampPrior(4)])
def test_both_forms_of_the_bound_agree(prior):
    X = rows_for("gaussian")
    terms = small_vae(prior=prior).fit(X).elbo(X)
    assert_allclose(terms.elbo, terms.reconstruction - terms.kl, rtol=0, atol=1e-12)
    assert_allclose(terms.elbo, terms.expected_log_joint + terms.entropy, rtol=0, atol=1e-11)


def test_more_draws_tighten_the_bound():
    """ELBO <= IWAE_5 <= IWAE_50 <= log p(x), in expectation."""
    X = rows_for("bernoulli", n_rows=20)
    vae = small_vae("bernoulli", 1, max_epochs=3).fit(X)
    exact = quadrature(vae, X, 500).mean()
    module, rng = vae.module_, np.random.default_rng(0)
    rows = vae._rows(X)[1]

    def bound(n_draws, n_repeats=4000):
        noise = torch.as_tensor(rng.standard_normal((n_draws * n_repeats, 1, 1)))
        with torch.no_grad():
            log_likelihood, log_prior, log_q = module.log_terms(rows, noise)
        log_weights = (log_likelihood + log_prior - log_q).numpy().reshape(n_repeats, n_draws, -1)
        values = (logsumexp(log_weights, axis=1) - np.log(n_draws)).mean(axis=1)
        return values.mean(), values.std() / np.sqrt(n_repeats)

    bounds = [bound(1), bound(5), bound(50, 1000)]
    assert_allclose(bounds[0][0], vae.elbo(X).elbo.mean(), atol=4 * bounds[0][1] + 1e-3)
    for (low, _), (high, error) in zip(bounds, [*bounds[1:], (exact, 0.0)], strict=True):
        assert low < high + 3 * error


def test_draws_leave_the_mean_and_divide_the_variance():
    """C draws: the expectation of the bound stays, the variance of its estimate falls to 1 / C."""
    from sklearn_genmodel.vae._objectives import elbo_terms

    X = rows_for("gaussian", n_rows=20)
    vae = small_vae().fit(X)
    module, rows = vae.module_.double(), vae._rows(X)[1]
    generator = torch.Generator().manual_seed(0)

    def estimates(n_draws, n_repeats=4000):
        noise = torch.randn(n_repeats, n_draws, 20, 2, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            values = [elbo_terms(module, rows, part)[0].sum().item() for part in noise]
        return np.mean(values), np.var(values), np.std(values) / np.sqrt(n_repeats)

    one, four = estimates(1), estimates(4)
    assert abs(one[0] - four[0]) < 4 * (one[2] + four[2])
    assert_allclose(four[1] / one[1], 0.25, rtol=0.15)
