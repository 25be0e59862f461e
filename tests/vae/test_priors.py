"""Priors: mixtures that cluster, pseudo-inputs, and samples that follow them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, StandardNormal, VAEEstimator, VampPrior  # noqa: E402
from sklearn_genmodel.vae._components import Components  # noqa: E402


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, n_features=6, centers=3, cluster_std=1.0, random_state=0)


def test_components_are_a_gaussian_mixture():
    rng = np.random.default_rng(0)
    weights, means = np.array([0.2, 0.8]), rng.normal(size=(2, 3))
    scales, z = np.exp(rng.normal(size=(2, 3))), rng.normal(size=(10, 3))
    components = Components(*map(torch.as_tensor, (np.log(weights), means, np.log(scales))))
    density = sum(
        w * stats.norm(m, s).pdf(z).prod(axis=1)
        for w, m, s in zip(weights, means, scales, strict=True)
    )
    assert_allclose(components.log_prob(torch.as_tensor(z)), np.log(density), rtol=1e-12)


def correlated(n_components=2, n_latent=3):
    """Components with couplings, and the covariances that these stand for."""
    rng = np.random.default_rng(0)
    weights, means = np.full(n_components, 1 / n_components), rng.normal(size=(n_components, 3))
    scales = np.exp(0.3 * rng.normal(size=(n_components, n_latent)))
    couplings = np.tril(rng.normal(size=(n_components, n_latent, n_latent)), -1)
    roots = np.linalg.inv(couplings + np.eye(n_latent)) * scales[:, None, :]
    parts = np.log(weights), means, np.log(scales), couplings
    return Components(*map(torch.as_tensor, parts)), roots @ roots.swapaxes(1, 2)


@pytest.mark.parametrize("n_components", [1, 2])
def test_coupled_components_are_a_mixture_of_correlated_gaussians(n_components):
    components, covariances = correlated(n_components)
    z = np.random.default_rng(1).normal(size=(10, 3))
    density = np.mean(
        [
            stats.multivariate_normal(mean, covariance).pdf(z)
            for mean, covariance in zip(components.means.numpy(), covariances, strict=True)
        ],
        axis=0,
    )
    assert not components.is_single
    assert_allclose(components.log_prob(torch.as_tensor(z)), np.log(density), rtol=1e-12)


def test_draws_of_coupled_components_have_their_moments():
    components, covariances = correlated()
    labels = np.repeat([1, 0], 40_000)
    drawn = components.draw(labels, np.random.default_rng(0))
    for k in (0, 1):
        own = drawn[labels == k]
        spread = np.sqrt(np.diagonal(covariances[k]).max())
        assert_allclose(own.mean(axis=0), components.means[k], atol=5 * spread / 200)
        assert_allclose(np.cov(own.T), covariances[k], atol=0.05 * spread**2)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_components_start_as_the_mixture_of_what_the_encoder_says(covariance_type):
    """From two clouds far apart: weights, means and covariances are those of the clouds."""
    rng = np.random.default_rng(0)
    root = np.array([[1.0, 0.0], [0.9, 0.5]])
    clouds = np.concatenate([rng.normal(size=(900, 2)) @ root.T - 9, rng.normal(size=(300, 2)) + 9])
    posteriors = Components(
        torch.zeros(1200), torch.as_tensor(clouds), torch.full((1200, 2), -5.0).double()
    )
    weights = np.repeat([1.0, 0.0, 3.0], [900, 100, 200])
    module = MixturePrior(2, covariance_type=covariance_type).build(2, 4).double()
    module.start(posteriors, clouds, torch.as_tensor(weights), np.random.default_rng(0))
    components = module.components(None)
    order = torch.argsort(components.means[:, 0])
    assert_allclose(components.log_weights[order].exp().detach(), [0.6, 0.4], rtol=1e-6)
    parts = clouds[:900], clouds[1000:]
    with torch.no_grad():
        drawn = [components.draw(np.full(100_000, int(k)), rng) for k in order]
    for cloud, own in zip(parts, drawn, strict=True):
        assert_allclose(own.mean(axis=0), cloud.mean(axis=0), atol=0.02)
        shape = np.eye(2) if covariance_type == "diag" else np.ones((2, 2))
        assert_allclose(np.cov(own.T), np.cov(cloud.T, ddof=0) * shape, atol=0.03)


def test_components_without_rows_stay_out_of_the_way():
    latents = torch.as_tensor(np.random.default_rng(0).normal(size=(3, 2)))
    posteriors = Components(torch.zeros(3), latents, torch.full((3, 2), -1.0).double())
    module = MixturePrior(10).build(2, 4).double()
    module.start(posteriors, latents, torch.ones(3), np.random.default_rng(0))
    weights = module.components(None).log_weights.exp()
    assert_allclose(weights[:3].sum().item(), 1.0, atol=1e-6)


def test_a_mixture_prior_clusters(blobs):
    X, labels = blobs
    vae = VAEEstimator(
        2, prior=MixturePrior(3), max_epochs=60, learning_rate=5e-3, early_stopping=False
    ).set_params(random_state=0)
    vae.fit(X)
    assert adjusted_rand_score(labels, vae.predict(X)) > 0.95
    resp = vae.predict_proba(X)
    assert_allclose(resp.sum(axis=1), 1.0, rtol=1e-9)
    assert_array_equal(resp.argmax(axis=1), vae.predict(X))
    assert_allclose(vae.predict_proba(X[5:6])[0], resp[5], rtol=1e-9)


def test_components_are_as_probable_as_each_other_until_the_warm_up_is_over(blobs):
    """The prior is the standard normal then, which is the mixture of three of them."""
    X, _ = blobs
    vae = VAEEstimator(2, prior=MixturePrior(3), max_epochs=6, random_state=0).partial_fit(X)
    assert_allclose(vae.predict_proba(X), np.full((len(X), 3), 1 / 3), rtol=1e-12)
    normal = VAEEstimator(2, max_epochs=6, random_state=0).partial_fit(X)
    assert_allclose(vae.score(X), normal.score(X), rtol=1e-9)
    for _ in range(5):
        vae.partial_fit(X)
    assert vae.predict_proba(X).shape == (len(X), 3)
    assert vae.predict_proba(X).std() > 0.1


def test_samples_follow_the_prior(blobs):
    X, _ = blobs
    arguments = {"max_epochs": 60, "learning_rate": 5e-3, "early_stopping": False}
    vae = VAEEstimator(2, prior=MixturePrior(3), random_state=0, **arguments).fit(X)
    drawn = vae.sample(4000)
    # Which component has which number is chance, and with it the draws of one seed.
    assert (np.abs(drawn.mean(axis=0) - X.mean(axis=0)) < 0.15 * X.std(axis=0)).all()
    shares = np.bincount(vae.predict(drawn), minlength=3) / 4000
    weights = torch.softmax(vae.module_.prior.logits, 0).detach().numpy()
    assert_allclose(shares, weights, atol=4 * np.sqrt(0.25 / 4000))
    assert_allclose(drawn.std(axis=0), X.std(axis=0), rtol=0.15)
    without = vae.sample(4000, return_mean=True)
    assert (without.var(axis=0) < drawn.var(axis=0)).all()


def test_samples_of_pseudo_inputs_lie_where_rows_do(blobs):
    """Fewer samples between the clusters than a standard normal prior puts there."""
    X, labels = blobs
    centers = np.array([X[labels == k].mean(axis=0) for k in range(3)])

    def distance(prior):
        vae = VAEEstimator(2, prior=prior, max_epochs=60, learning_rate=5e-3, random_state=0)
        drawn = vae.set_params(early_stopping=False).fit(X).sample(1000)
        return np.linalg.norm(drawn[:, None] - centers, axis=2).min(axis=1).mean()

    assert distance(VampPrior(100)) < 0.9 * distance("standard_normal")


def test_a_mixture_prior_is_a_better_density_of_clusters(blobs):
    X, _ = blobs
    arguments = {"max_epochs": 60, "learning_rate": 5e-3, "random_state": 0}
    normal = VAEEstimator(2, **arguments, early_stopping=False).fit(X)
    mixture = VAEEstimator(2, prior=MixturePrior(3), **arguments, early_stopping=False).fit(X)
    assert mixture.score(X) > normal.score(X)


def test_no_components_nothing_to_predict(blobs):
    vae = VAEEstimator(max_epochs=1).fit(blobs[0])
    assert not hasattr(vae, "predict")
    assert not hasattr(vae, "predict_proba")


def test_the_standard_normal_by_name_and_as_an_object(blobs):
    X, _ = blobs
    named = VAEEstimator(max_epochs=2, random_state=0).fit(X)
    given = VAEEstimator(max_epochs=2, random_state=0, prior=StandardNormal()).fit(X)
    assert_array_equal(named.score_samples(X), given.score_samples(X))


def test_priors_are_cloned():
    vae = VAEEstimator(prior=MixturePrior(4, warmup=0.2))
    copied = clone(vae).set_params(prior__n_components=5)
    assert (copied.prior.n_components, copied.prior.warmup) == (5, 0.2)
    assert vae.prior.n_components == 4


@pytest.mark.parametrize("prior", [MixturePrior(2), VampPrior(4)], ids=str)
def test_only_matrices_of_the_networks_decay(blobs, prior):
    """Without gradients a step of AdamW multiplies what decays by 1 - lr times the decay."""
    from sklearn_genmodel.vae._flat import FlatParameters
    from sklearn_genmodel.vae._optimizers import make_optimizer

    X, _ = blobs
    module = VAEEstimator(2, prior=prior, max_epochs=4, random_state=0).fit(X).module_
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    make_optimizer("adam", 0.1, 2.0, FlatParameters(module)).step()
    factors = {"encoder": 1.0 - 0.1 * 2.0, "decoder": 1.0 - 0.1 * 2.0}
    for name, value in module.named_parameters():
        factor = factors.get(name.split(".")[0], 1.0) if name.endswith("weight") else 1.0
        assert_allclose(value.detach(), factor * before[name], rtol=1e-6, err_msg=name)


def test_paths_through_the_latent_space(blobs):
    X, _ = blobs
    vae = VAEEstimator(2, max_epochs=5, random_state=0).fit(X)
    path = vae.interpolate(X[0], X[1], 5)
    assert_allclose(path[[0, -1]], vae.reconstruct(X[:2]), rtol=1e-9)
    middle = vae.transform(X[:2]).mean(axis=0, keepdims=True)
    assert_allclose(path[2:3], vae.inverse_transform(middle), rtol=1e-9)
    moved = vae.traverse(1, [-1.0, 0.5], row=X[0])
    z = vae.transform(X[:1])
    assert_allclose(moved[1:], vae.inverse_transform([[z[0, 0], 0.5]]), rtol=1e-9)
    assert vae.traverse(0).shape == (9, 6)
    posterior = vae.posterior(X)
    assert_array_equal(posterior.means, vae.transform(X))
    assert (posterior.scales > 0).all()
