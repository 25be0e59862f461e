"""Gradients: autograd, the lecture's formulas (L14) and finite differences agree."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402
from sklearn_genmodel.vae._objectives import OBJECTIVES  # noqa: E402

D, N, K, C = 7, 5, 2, 3


@pytest.fixture
def problem():
    """A linear model with unit scales, rows and noise, in double precision."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(D, N))
    vae = VAEEstimator(
        K,
        encoder=(),
        decoder=(),
        decoder_scale="unit",
        encoder_scale="unit",
        standardize=False,
        max_epochs=1,
        dtype="float64",
        random_state=0,
    ).fit(X)
    rows = vae._rows(X)[1]
    noise = torch.as_tensor(rng.normal(size=(C, D, K)))
    return vae.module_.requires_grad_(True), rows, noise, X


def gradients(module, objective, rows, noise, kl_weight=1.0):
    module.zero_grad()
    OBJECTIVES[objective](module, rows, noise, kl_weight, 0.0).loss.backward()
    return {name: p.grad.numpy().copy() for name, p in module.named_parameters()}


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_autograd_equals_the_formulas(problem, beta):
    module, rows, noise, X = problem
    found = gradients(module, "elbo", rows, noise, beta)
    weight = {name: p.detach().numpy() for name, p in module.named_parameters()}
    V, a = weight["encoder.layers.0.weight"], weight["encoder.layers.0.bias"]
    W, b = weight["decoder.layers.0.weight"], weight["decoder.layers.0.bias"]
    mu_e = X @ V.T + a
    z = mu_e + noise.numpy()
    # d LB1 / d mu_D = x - mu_D, for every draw c.
    residual = X - (z @ W.T + b)
    d_w = np.einsum("cdn,cdk->nk", residual, z) / C
    d_b = residual.sum(axis=(0, 1)) / C
    # d LB / d mu_E = mean_c W' (x - mu_D) - beta mu_E.
    d_mu = (residual @ W).mean(axis=0) - beta * mu_e
    expected = {
        "decoder.layers.0.weight": d_w,
        "decoder.layers.0.bias": d_b,
        "encoder.layers.0.weight": d_mu.T @ X,
        "encoder.layers.0.bias": d_mu.sum(axis=0),
    }
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        assert_allclose(found[name], -gradient / D, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_autograd_equals_finite_differences(problem, objective):
    module, rows, noise, _ = problem
    found = gradients(module, objective, rows, noise)
    for name, parameter in module.named_parameters():
        values = parameter.data.view(-1)
        for i in range(len(values)):
            losses = []
            for step in (1e-5, -2e-5):
                values[i] += step
                losses.append(OBJECTIVES[objective](module, rows, noise, 1.0, 0.0).loss.item())
            values[i] += 1e-5
            slope = (losses[0] - losses[1]) / 2e-5
            assert_allclose(found[name].ravel()[i], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("beta", [1.0, 0.3, 2.0])
@pytest.mark.parametrize("prior", ["standard_normal", MixturePrior(3, warmup=0.0), VampPrior(3)])
def test_doubly_reparametrised_gradients_have_the_same_mean(prior, beta):
    """DReG and IWAE estimate one gradient, of all parameters and at every weight of the KL."""
    X = np.random.default_rng(0).normal(size=(D, N))
    vae = VAEEstimator(K, prior=prior, encoder=(3,), decoder=(3,), activation="tanh")
    module = vae.set_params(max_epochs=2, dtype="float64", random_state=0).fit(X).module_
    rows, generator = vae._rows(X)[1], torch.Generator().manual_seed(0)
    n_repeats, n_copies = 40, 500
    copies = rows.take(torch.arange(D).repeat(n_copies))
    draws = {"iwae": [], "dreg": []}
    for _ in range(n_repeats):
        noise = torch.randn(4, D * n_copies, K, generator=generator, dtype=torch.float64)
        for objective, found in draws.items():
            found.append(gradients(module, objective, copies, noise, beta))
    for name in draws["iwae"][0]:
        iwae, dreg = (np.array([g[name] for g in draws[key]]) for key in ("iwae", "dreg"))
        # The same noise makes the difference of the two vary less than either.
        difference = iwae - dreg
        error = difference.std(axis=0, ddof=1) / np.sqrt(n_repeats)
        assert (np.abs(difference.mean(axis=0)) < 4.5 * error + 1e-12).all(), name


def test_doubly_reparametrised_gradients_have_less_variance(problem):
    module, rows, _, _ = problem
    generator = torch.Generator().manual_seed(0)
    name = "encoder.layers.0.bias"
    draws = {"iwae": [], "dreg": []}
    for _ in range(400):
        noise = torch.randn(16, D, K, generator=generator, dtype=torch.float64)
        for objective, found in draws.items():
            found.append(gradients(module, objective, rows, noise)[name])
    iwae, dreg = (np.array(draws[objective]) for objective in ("iwae", "dreg"))
    assert (dreg.var(axis=0) < iwae.var(axis=0)).all()


def test_iwae_and_dreg_agree_on_the_decoder(problem):
    module, rows, noise, _ = problem
    iwae, dreg = (gradients(module, objective, rows, noise) for objective in ("iwae", "dreg"))
    for name in iwae:
        if name.startswith("decoder"):
            assert_allclose(iwae[name], dreg[name], rtol=1e-9, atol=1e-12)


def test_one_draw_makes_iwae_the_elbo_in_expectation(problem):
    """With C = 1 the importance-weighted bound is the ELBO; the KL term is sampled."""
    module, rows, _, _ = problem
    generator = torch.Generator().manual_seed(0)
    values = {"elbo": [], "iwae": []}
    with torch.no_grad():
        for _ in range(800):
            noise = torch.randn(1, D, K, generator=generator, dtype=torch.float64)
            for objective, found in values.items():
                found.append(OBJECTIVES[objective](module, rows, noise, 1.0, 0.0).loss.item())
    difference = np.array(values["elbo"]) - np.array(values["iwae"])
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(800)


def test_free_bits_stop_the_gradient_of_small_kl_terms(problem):
    module, rows, noise, _ = problem
    evaluate = OBJECTIVES["elbo"]
    plain = evaluate(module, rows, noise, 1.0, 0.0)
    free = evaluate(module, rows, noise, 1.0, 1e3)
    without = evaluate(module, rows, noise, 0.0, 0.0)
    assert_allclose(free.loss.item(), without.loss.item() + 1e3 * K, rtol=1e-12)
    assert_allclose(free.sums, plain.sums)


def test_rows_that_fill_a_batch_up_have_no_free_bits(problem):
    """Rows of weight 0 change nothing but the number that the loss is divided by."""
    module, rows, noise, _ = problem
    index = torch.cat([torch.arange(D), torch.arange(3)])
    filled = rows.take(index)._replace(weights=torch.cat([rows.weights, torch.zeros(3)]))
    for free_bits in (0.0, 0.3, 1e3):
        plain = OBJECTIVES["elbo"](module, rows, noise, 1.0, free_bits).loss.item()
        found = OBJECTIVES["elbo"](module, filled, noise[:, index], 1.0, free_bits).loss.item()
        assert_allclose(found * (D + 3), plain * D, rtol=1e-12)


def test_a_batch_whose_estimate_of_the_kl_is_negative_counts_as_it_is():
    """Far draws make log q(z | x) - log p(z) negative; cut off at 0 the bound would be biased."""
    X = np.random.default_rng(0).normal(size=(D, N))
    prior = VampPrior(3)
    vae = VAEEstimator(
        K, prior=prior, max_epochs=1, learning_rate=1e-6, dtype="float64", random_state=0
    ).fit(X)
    noise = torch.full((C, D, K), 3.0, dtype=torch.float64)
    found = OBJECTIVES["elbo"](vae.module_, vae._rows(X)[1], noise, 1.0, 0.0)
    assert found.sums[2] < 0
    assert_allclose(found.loss.item(), -found.sums[0].item() / D, rtol=1e-12)


DATA = {
    "gaussian": lambda rng: rng.normal(size=(D, N)) * [1, 2, 3, 4, 5],
    "bernoulli": lambda rng: (rng.random((D, N)) < 0.5).astype(float),
    "poisson": lambda rng: rng.poisson(3.0, size=(D, N)).astype(float),
}


@pytest.mark.parametrize("likelihood", list(DATA))
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"encoder": (), "decoder": (4, 3)},
        {"encoder_scale": "unit", "decoder_scale": "unit"},
        {"encoder_scale": 0.5, "decoder_scale": "learned_scalar", "missing": True},
        {"missing": True},
    ],
)
def test_the_closed_form_is_autograd(likelihood, activation, arguments):
    """Values and gradients of the step for dense networks, with weights, holes and draws."""
    from sklearn_genmodel.vae._data import make_rows
    from sklearn_genmodel.vae._flat import FlatParameters
    from sklearn_genmodel.vae._steps import autograd_step, is_dense, make_step

    rng = np.random.default_rng(0)
    X = DATA[likelihood](rng)
    arguments = dict(arguments)
    if arguments.pop("missing", False):
        X[rng.random(X.shape) < 0.3] = np.nan
        X[0] = 1.0
    arguments = {"encoder": (6,), "decoder": (6, 5), **arguments}
    vae = VAEEstimator(
        K, likelihood=likelihood, activation=activation, dtype="float64", **arguments
    )
    vae.set_params(max_epochs=2, random_state=0).fit(X)
    module = vae.module_
    rows = make_rows(X, rng.random(D), module.likelihood, vae._scaling, module.like)
    noise = torch.as_tensor(rng.normal(size=(C, D, K)))
    assert is_dense(module, "elbo", 0.0)
    flat = FlatParameters(module)
    results = []
    for make in (make_step, autograd_step):
        flat.gradient.fill_(0.0)
        sums = make(module, flat, "elbo", 0.0, autocast=False)(rows, noise, 0.7)
        results.append((sums.numpy().copy(), flat.gradient.numpy().copy()))
    assert np.abs(results[1][1]).max() > 1e-3
    for closed, automatic in zip(*results, strict=True):
        assert_allclose(closed, automatic, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "arguments",
    [
        {"objective": "iwae"},
        {"free_bits": 0.1},
        {"activation": "gelu"},
        {"decoder_scale": "network"},
        {"likelihood": "student_t"},
    ],
)
def test_what_the_closed_form_leaves_to_autograd(arguments):
    from sklearn_genmodel.vae._steps import is_dense

    X = np.random.default_rng(0).normal(size=(D, N))
    vae = VAEEstimator(K, max_epochs=1, **arguments).fit(X)
    assert not is_dense(vae.module_, vae.objective, vae.free_bits)
