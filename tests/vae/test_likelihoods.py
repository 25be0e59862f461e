"""Densities against scipy, draws against means, and codes, zeros and shares at their edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit, log_softmax
from sklearn.datasets import load_digits

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import ConvDecoder, ConvEncoder, VAEEstimator  # noqa: E402
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS  # noqa: E402
from sklearn_genmodel.vae._scale import RATE  # noqa: E402

N = 3
RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(50, N))
MORE = RNG.normal(size=(50, N))
SCALE = 1.7


def zero_inflated(x, log_mean, odds):
    mean, share = np.exp(log_mean), expit(odds)
    counted = stats.nbinom(SCALE, SCALE / (SCALE + mean)).logpmf(x) + np.log1p(-share)
    return np.where(x == 0, np.logaddexp(np.log(share), counted), counted)


REFERENCES = {
    "gaussian": (lambda x, o, _: stats.norm(o, SCALE).logpdf(x), OUTPUTS),
    "student_t": (lambda x, o, _: stats.t(1 + 9.0 ** tanh_7(9), o, SCALE).logpdf(x), OUTPUTS),
    "bernoulli": (lambda x, o, _: stats.bernoulli(expit(o)).logpmf(x), OUTPUTS),
    "poisson": (lambda x, o, _: stats.poisson(np.exp(o)).logpmf(x), OUTPUTS),
    "negative_binomial": (
        lambda x, o, _: stats.nbinom(SCALE, SCALE / (SCALE + np.exp(o))).logpmf(x),
        OUTPUTS,
    ),
    "zero_inflated_negative_binomial": (zero_inflated, np.concatenate([OUTPUTS, MORE], axis=1)),
    "beta": (
        lambda x, o, _: stats.beta(SCALE * expit(o), SCALE * expit(-o)).logpdf(x),
        OUTPUTS,
    ),
}


def tanh_7(dof):
    """The bound on scales, seen from the first degrees of freedom: log(9) is squashed to this."""
    return 7.0 * np.tanh(np.log(dof) / 7.0) / np.log(dof)


def cells(name):
    rng = np.random.default_rng(1)
    if name in {"gaussian", "student_t"}:
        return 3.0 * rng.normal(size=(50, N))
    if name == "beta":
        return rng.beta(0.5, 0.5, size=(50, N)).clip(1e-9, 1 - 1e-9)
    return rng.integers(0, 2 if name == "bernoulli" else 9, size=(50, N)).astype(float)


@pytest.mark.parametrize("name", list(REFERENCES))
def test_densities_are_scipys(name):
    reference, outputs = REFERENCES[name]
    X = cells(name)
    likelihood = LIKELIHOODS[name](N, SCALE).double()
    given = torch.as_tensor(likelihood.to_cells(X))
    found = likelihood.log_prob(given, torch.as_tensor(outputs)).detach().numpy()
    expected = reference(X, outputs[:, :N], outputs[:, N:])
    assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", list(REFERENCES))
def test_draws_have_the_mean_and_the_density(name):
    _, outputs = REFERENCES[name]
    likelihood = LIKELIHOODS[name](N, SCALE).double()
    row = torch.as_tensor(outputs[:1]).expand(40_000, -1)
    with torch.no_grad():
        draws = likelihood.sample(row, np.random.default_rng(0))
        mean = likelihood.mean(row[:1]).numpy()[0]
        # E[-log p(x)] is the entropy, which the spread of the draws must match: its mean over
        # half of the draws is that over the other half.
        given = torch.as_tensor(likelihood.to_cells(draws))
        log_prob = likelihood.log_prob(given, row).numpy()
    error = draws.std(axis=0) / 200.0
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * error).all()
    assert np.isfinite(log_prob).all()
    support = likelihood.support
    assert support.contains(draws).all()


def test_categorical_columns_of_different_length():
    X = np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 1.0], [1.0, 3.0]])
    likelihood = LIKELIHOODS["categorical"]([2, 4]).double()
    assert likelihood.n_outputs == 2 + 4
    outputs = RNG.normal(size=(4, 6))
    expected = [
        log_softmax(outputs[:, :2], axis=1)[range(4), [0, 1, 0, 1]],
        log_softmax(outputs[:, 2:], axis=1)[range(4), [2, 0, 1, 3]],
    ]
    found = likelihood.log_prob(torch.as_tensor(X), torch.as_tensor(outputs)).numpy()
    assert_allclose(found, np.stack(expected, axis=1), rtol=1e-12)
    draws = likelihood.sample(torch.as_tensor(outputs[:1]).expand(50_000, -1), RNG)
    for column, part in ((0, outputs[0, :2]), (1, outputs[0, 2:])):
        shares = np.bincount(draws[:, column].astype(int), minlength=len(part)) / 50_000
        assert_allclose(shares, np.exp(log_softmax(part)), atol=0.012)
    assert_array_equal(
        likelihood.mean(torch.as_tensor(outputs))[:, 1], outputs[:, 2:].argmax(axis=1)
    )
    assert_array_equal(likelihood.features(X)[0], [1, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("outlier", [1e4, 1e6])
def test_an_outlier_costs_the_other_rows_nothing(outlier):
    """Normal columns and one row far away: scipy's fits of t distributions, column by column."""
    clean = np.random.default_rng(0).normal(size=(500, 2))
    X = np.concatenate([clean, [[outlier, outlier]]])
    fits = [stats.t(*stats.t.fit(column)) for column in X.T]
    expected = sum(fit.logpdf(own).mean() for fit, own in zip(fits, clean.T, strict=True))
    vae = VAEEstimator(1, likelihood="student_t", random_state=0).fit(X)
    assert abs(vae.score(clean) - expected) < 0.15


def test_an_outlier_does_not_hide_what_the_other_rows_have_in_common():
    clean = np.random.default_rng(0).normal(size=(500, 2)) @ [[1, 1, 1], [0, 0.1, 0]]
    X = np.concatenate([clean, [[1e6, 1e6, 1e6]]])
    vae = VAEEstimator(1, likelihood="student_t", random_state=0).fit(X)
    assert vae.active_units_ == 1
    correlation = np.corrcoef(vae.transform(clean)[:, 0], clean[:, 0])
    assert abs(correlation[0, 1]) > 0.9


def test_the_unit_of_a_column_with_outliers_is_that_of_nine_tenths():
    rng = np.random.default_rng(0)
    X, weights = stats.t(2, 3.0, 5.0).rvs((400, 4), random_state=rng), rng.integers(0, 4, 400)
    X[:, 1] = np.where(rng.random(400) < 0.97, 1.0, 3.0)
    X[:, 2] = rng.choice([-3.0, 0.0, 3.0], 400, p=[0.1, 0.8, 0.1])
    # What a subtraction leaves, beside a few values.
    noise = (0.1 + 0.2 - 0.3) * rng.integers(-1, 2, 400)
    X[:, 3] = np.where(rng.random(400) < 0.05, rng.normal(size=400), noise)
    vae = VAEEstimator(1, likelihood="student_t", max_epochs=1).fit(X, sample_weight=weights)
    repeated = np.repeat(X, weights, axis=0)
    low, middle, high = np.quantile(repeated, [0.05, 0.5, 0.95], axis=0, method="inverted_cdf")
    assert_allclose(vae._scaling.offset, middle)
    normal = (high - low)[0] / (stats.norm.ppf(0.95) - stats.norm.ppf(0.05))
    # The standard deviation where nine tenths are alike, and where it is the smaller one.
    deviations = repeated.std(axis=0)
    assert normal < deviations[0]
    assert_allclose(vae._scaling.scale, [normal, *deviations[1:]])
    inputs = vae._rows(X)[1].inputs
    assert_allclose(inputs, np.arcsinh((X - middle) / vae._scaling.scale))
    vae.set_params(standardize=False).fit(X)
    assert_array_equal(vae._rows(X)[1].inputs, X)


@pytest.mark.parametrize("scale", ["learned", "learned_scalar", "network", "unit", 0.5])
@pytest.mark.parametrize(
    "name",
    ["gaussian", "student_t", "negative_binomial", "zero_inflated_negative_binomial", "beta"],
)
def test_every_scale_trains(name, scale):
    X = cells(name)
    vae = VAEEstimator(likelihood=name, decoder_scale=scale, max_epochs=5, random_state=0).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert np.isfinite(vae.sample(10)).all()
    kl = vae.history_[-1].kl
    assert kl >= 0


def test_network_scales_follow_the_rows():
    """Noise that grows along the data is learned by scales from the decoder."""
    rng = np.random.default_rng(0)
    signal = rng.uniform(-1, 1, size=(800, 1))
    X = np.concatenate([signal, signal, rng.normal(size=(800, 1)) * np.exp(2 * signal)], axis=1)
    arguments = {"max_epochs": 50, "learning_rate": 1e-2, "n_latent": 1, "random_state": 0}
    one = VAEEstimator(decoder_scale="learned", **arguments).fit(X)
    own = VAEEstimator(decoder_scale="network", **arguments).fit(X)
    assert own.score(X) > one.score(X) + 0.2


def test_a_column_of_zeros_has_a_mean_of_zero():
    """Under overdispersion without bound any mean goes with zeros alone."""
    X = load_digits().data
    zero = X.max(axis=0) == 0
    vae = VAEEstimator(
        2,
        likelihood="negative_binomial",
        encoder=ConvEncoder((8, 8)),
        decoder=ConvDecoder((8, 8)),
        learning_rate=3e-3,
        max_epochs=12,
        random_state=0,
    ).fit(X)
    assert vae.reconstruct(X)[:, zero].max() < 0.5


@pytest.mark.parametrize("mean", [0.3, 40.0, 1e4, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_counts_of_any_size_in_any_precision(mean, dtype):
    """What a sum of x log rate, rate and log x! would lose in single precision."""
    rng = np.random.default_rng(0)
    log_mean = np.log(mean) + 0.1 * rng.normal(size=(50, N))
    log_mean = torch.as_tensor(log_mean).to(dtype)
    means = np.exp(log_mean.double().numpy())
    X = rng.poisson(mean * rng.gamma(20.0, 0.05, size=(50, N))).astype(float)
    near = rng.poisson(means).astype(float)
    counts, near_counts = torch.as_tensor(X).to(dtype), torch.as_tensor(near).to(dtype)
    poisson = LIKELIHOODS["poisson"](N, "unit").log_prob(near_counts, log_mean)
    binomial = LIKELIHOODS["negative_binomial"](N, 20.0).to(dtype).log_prob(counts, log_mean)
    rtol = 1e-9 if dtype == torch.float64 else 2e-4
    assert_allclose(poisson.numpy(), stats.poisson(means).logpmf(near), rtol=rtol, atol=rtol)
    expected = stats.nbinom(20.0, 20.0 / (20.0 + means)).logpmf(X)
    assert_allclose(binomial.numpy(), expected, rtol=rtol, atol=rtol)


def test_counts_may_be_as_large_as_integers_are():
    X = np.random.default_rng(0).poisson(2e15, size=(200, 2)).astype(float)
    vae = VAEEstimator(1, likelihood="poisson", max_epochs=2, random_state=0).fit(X)
    assert_allclose(vae.reconstruct(X).mean(), 2e15, rtol=0.25)
    assert vae.sample(5, random_state=0).min() > 1e15


def test_shares_may_be_as_small_as_numbers_are():
    likelihood = LIKELIHOODS["beta"](1, 2.0)
    X, outputs = np.array([[1e-300], [5e-324], [1.0 - 2.0**-53]]), np.zeros((3, 1))
    given = torch.as_tensor(likelihood.to_cells(X))
    found = likelihood.log_prob(given, torch.as_tensor(outputs))
    assert_allclose(found, np.zeros((3, 1)), atol=1e-12)
    skewed = likelihood.log_prob(given[:2], torch.full((2, 1), -1.0).double())
    a, b = 2.0 * expit(-1.0), 2.0 * expit(1.0)
    assert_allclose(skewed, stats.beta(a, b).logpdf(X[:2]), rtol=1e-12)
    for scale in ("unit", "learned", "network"):
        vae = VAEEstimator(1, likelihood="beta", decoder_scale=scale, max_epochs=3, random_state=0)
        assert np.isfinite(vae.fit(np.full((60, 3), 5e-324)).elbo(X * np.ones(3)).elbo).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("mean", "precision"), [(1e-5, 1.1e6), (1e-9, 1e10), (0.1, 0.3), (0.3, 9)])
def test_shares_near_1_are_as_good_as_near_0(mean, precision, dtype):
    """Of x and 1 - x: scipy's density, and its gradients by numerical differentiation."""
    a, b = mean * precision, (1.0 - mean) * precision
    X = np.random.default_rng(0).beta(a, b, size=(500, 1)).clip(1e-13, None)
    likelihood = LIKELIHOODS["beta"](1, "learned").to(dtype)
    likelihood.scale.log_unit.fill_(np.log(precision))
    tol = 1e-8 if dtype == torch.float64 else 2e-5

    def log_prob(odds, log_precision):
        scaled, m = np.exp(log_precision), expit(odds)
        return stats.beta(m * scaled, (1.0 - m) * scaled).logpdf(X).mean()

    odds, logs, step = np.log(mean) - np.log1p(-mean), np.log(precision), 1e-4
    slope_odds = (log_prob(odds + step, logs) - log_prob(odds - step, logs)) / (2 * step)
    slope_logs = (log_prob(odds, logs + step) - log_prob(odds, logs - step)) / (2 * step)
    for sign in (1.0, -1.0):
        # What 1 - x would round is left out.
        given = torch.as_tensor(sign * likelihood.to_cells(X)).to(dtype)
        output = torch.tensor([[sign * odds]], dtype=dtype, requires_grad=True)
        likelihood.zero_grad()
        found = likelihood.log_prob(given, output).double().mean()
        found.backward()
        assert_allclose(found.detach(), log_prob(odds, logs), rtol=tol, atol=tol)
        slopes = sign * output.grad[0, 0], likelihood.scale.raw.grad[0] / RATE
        assert_allclose(slopes, [slope_odds, slope_logs], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mean", [0.3, 1e-3, 1e-6, 1e-12, 1e-300])
def test_a_column_of_shares_starts_at_its_precision(mean):
    """Draws of a coefficient of variation of 0.3, as ratios of gammas: scipy's would be 0."""
    precision = (1.0 - mean) / (0.3**2 * mean) - 1.0
    rng, shapes = np.random.default_rng(0), np.multiply([mean, 1.0 - mean], precision)
    parts = rng.gamma(shapes, size=(2000, 2))
    X = parts[:, :1] / parts.sum(axis=1, keepdims=True)
    likelihood = LIKELIHOODS["beta"](1, "learned").double()
    odds = likelihood.start(X, None)
    assert_allclose(likelihood.scale.log_unit, np.log(precision), atol=0.15)
    assert_allclose(odds, np.log(mean) - np.log1p(-mean), atol=0.05)
    if mean > 1e-4:
        mirrored = LIKELIHOODS["beta"](1, "learned").double()
        assert_allclose(mirrored.start(1.0 - X, None), -odds, rtol=1e-9)
        assert_allclose(mirrored.scale.log_unit, likelihood.scale.log_unit, rtol=1e-9)


def test_small_shares_are_fitted():
    """As well as the distribution that they were drawn from, and those near 1 as those near 0."""
    mean, precision = 1e-5, 1.1e6
    truth = stats.beta(mean * precision, (1.0 - mean) * precision)
    X = truth.rvs((500, 3), random_state=0)
    expected = truth.logpdf(X).sum(axis=1).mean()
    for rows in (X, 1.0 - X):
        vae = VAEEstimator(1, likelihood="beta", max_epochs=30, random_state=0).fit(rows)
        assert abs(vae.score(rows) - expected) < 0.15
        assert abs(vae.history_[-1].elbo - vae.elbo(rows).elbo.mean()) < 0.05


@pytest.mark.parametrize("name", list(LIKELIHOODS))
def test_a_start_sees_a_weight_as_repeated_rows(name):
    rng = np.random.default_rng(0)
    X = cells("poisson" if name == "categorical" else name)
    X[rng.random(X.shape) < 0.1] = np.nan
    weights = rng.integers(1, 5, len(X))
    repeated = np.repeat(X, weights, axis=0)

    def started(rows, weights):
        kind = LIKELIHOODS[name]
        likelihood = kind([9] * N) if name == "categorical" else kind(N, "learned")
        outputs = likelihood.start(rows, weights)
        if name == "categorical":
            # Without half a pseudo-observation for every code: shares.
            counts = np.exp(outputs.reshape(N, 9)) - 0.5
            outputs = counts / counts.sum(axis=1, keepdims=True)
        buffers = dict(likelihood.named_buffers()).get("scale.log_unit", torch.zeros(N))
        features = likelihood.features(rows)
        return outputs, buffers.numpy(), likelihood.spread(features, weights)

    ones = np.ones(len(repeated))
    for one, other in zip(started(X, weights), started(repeated, ones), strict=True):
        # Half a pseudo-observation counts among as many rows as there are.
        assert_allclose(one, other, atol=1e-12 if name == "categorical" else 0.03)
    for one, other in zip(started(X, 1e6 * weights), started(X, weights), strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)
