"""What epochs count and learn, and what a fitted model keeps."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator  # noqa: E402
from sklearn_genmodel.vae._data import Rows  # noqa: E402
from sklearn_genmodel.vae._objectives import elbo  # noqa: E402


@pytest.fixture(scope="module")
def X():
    return load_wine().data[:, :4]


QUIET = {
    "encoder_scale": 1e-6,
    "decoder_scale": "unit",
    "kl_warmup": 0.0,
    "early_stopping": False,
    "max_epochs": 1,
    "learning_rate": 1e-12,
    "dtype": "float64",
    "encoder": (),
    "decoder": (),
}


def test_rows_that_fill_the_last_batch_up_do_not_count(X):
    """Nothing is learned, and draws are all but the means: an epoch is the mean over the rows."""
    whole, odd = (
        VAEEstimator(batch_size=size, random_state=0, **QUIET).fit(X) for size in (178, 120)
    )
    assert_allclose(odd.history_[0].elbo, whole.history_[0].elbo, rtol=1e-6)


def test_a_history_is_weighted_where_cells_are_missing(X):
    """Rows with cells missing lack their units too: of weighted rows the mean is weighted."""
    X = X[:40].copy()
    X[:20, 0] = np.nan
    weights = np.where(np.arange(40) < 20, 3.0, 1.0)
    repeated = np.concatenate([np.repeat(X[:20], 3, axis=0), X[20:]])
    one = VAEEstimator(random_state=0, **QUIET).fit(X, sample_weight=weights)
    other = VAEEstimator(random_state=0, **QUIET).fit(repeated)
    assert_allclose(one.history_[0].elbo, other.history_[0].elbo, rtol=1e-4)


def test_a_large_beta_foretells_a_collapse():
    """A linear model uses a direction if its variance exceeds beta (Dai et al. 2018)."""
    X = np.random.default_rng(0).normal(size=(300, 3)) * [3.0, 1.0, 0.5]
    arguments = {"decoder_scale": 1.0, "encoder_scale": 1.0, "standardize": False, "max_epochs": 1}
    VAEEstimator(beta=4.0, **arguments).fit(X)
    with pytest.warns(UserWarning, match="No latent unit can be of use"):
        VAEEstimator(beta=20.0, **arguments).fit(X)


def test_epochs_beyond_the_last_keep_its_step(X):
    vae = VAEEstimator(lr_schedule="cosine", max_epochs=4, random_state=0)
    for _ in range(8):
        vae.partial_fit(X)
    steps = [epoch.lr for epoch in vae.history_]
    expected = 0.5e-3 * (1.0 + np.cos(np.pi * np.minimum(np.arange(8), 3) / 4))
    assert_allclose(steps, expected)


def test_patience_begins_once_the_warm_up_is_over(X):
    vae = VAEEstimator(
        kl_warmup=0.9, max_epochs=40, n_iter_no_change=2, tol=1e3, random_state=0
    ).fit(X)
    assert vae.n_iter_ >= 36


def test_a_lost_epoch_loses_what_its_optimiser_learned(X):
    """Of a step that is rolled back nothing is left but the smaller step."""
    vae = VAEEstimator(
        learning_rate=30.0, max_epochs=6, early_stopping=False, random_state=0, decoder_scale="unit"
    ).fit(X)
    assert vae.history_[0].rolled_back
    assert np.isfinite([epoch.elbo for epoch in vae.history_ if not epoch.rolled_back]).all()


def test_a_batch_is_learned_from_though_a_fit_was_over(X):
    vae = VAEEstimator(kl_warmup=0.0, n_iter_no_change=1, tol=1e3, random_state=0).fit(X)
    n_iter, before = vae.n_iter_, vae.transform(X)
    assert n_iter < 200
    vae.partial_fit(X)
    assert vae.n_iter_ == n_iter + 1
    assert not np.array_equal(vae.transform(X), before)


@pytest.mark.parametrize("prior", ["standard_normal", MixturePrior(2, warmup=0.0)])
def test_nats_are_free_for_every_latent_unit(X, prior):
    """So many that all are: what is left of the KL term is free_bits times n_latent a row."""
    vae = VAEEstimator(3, prior=prior, max_epochs=1, dtype="float64", random_state=0).fit(X)
    cells = torch.as_tensor(vae._scaling.to_model(X))
    rows = Rows(cells, cells, None, torch.ones(178, dtype=torch.float64))
    noise = torch.zeros((1, 178, 3), dtype=torch.float64)
    objective = elbo(vae.module_, rows, noise, 1.0, 1e4)
    fit = objective.sums[1].item()
    assert objective.loss.item() * 178 + fit == pytest.approx(1e4 * 3 * 178)


def test_a_fitted_model_keeps_a_prior_of_its_own(X):
    prior = MixturePrior(2)
    vae = VAEEstimator(prior=prior, max_epochs=1, random_state=0).fit(X)
    before = vae.predict_proba(X)
    prior.set_params(n_components=5)
    assert vae.module_.arguments["prior"].n_components == 2
    assert_array_equal(vae.predict_proba(X), before)


def test_components_are_told_apart_before_the_warm_up_is_over(X):
    vae = VAEEstimator(prior=MixturePrior(3, warmup=1.0), max_epochs=2, random_state=0)
    vae.partial_fit(X)
    assert vae.predict_proba(X).shape == (178, 3)


def test_imputed_frames_keep_their_index(X):
    frame = pd.DataFrame(X, index=np.arange(178) + 1000, columns=list("abcd"))
    frame.iloc[3, 1] = np.nan
    vae = VAEEstimator(max_epochs=1, random_state=0).fit(frame)
    assert_array_equal(vae.impute(frame).index, frame.index)
