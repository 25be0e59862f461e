"""Scores of a VAE: of the row alone, of any number of threads, in as few outputs as it takes."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_wine
from threadpoolctl import threadpool_info, threadpool_limits

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import VAEEstimator, _networks, _scoring  # noqa: E402
from sklearn_genmodel.vae._module import VAEModule  # noqa: E402
from sklearn_genmodel.vae._outputs import row_densities  # noqa: E402


def test_scores_are_those_of_double_precision_and_of_the_row_alone():
    """The decoder may compute in single precision; a row's neighbours never matter."""
    X = load_wine().data
    vae = VAEEstimator(3, max_epochs=30, random_state=0).fit(X)
    scores = vae.score_samples(X)
    double = copy.deepcopy(vae)
    double.module_ = double.module_.double()
    assert_allclose(scores, double.score_samples(X), rtol=0, atol=2e-5)
    order = np.random.default_rng(0).permutation(len(X))
    # Single precision alone would tell rows apart by their place in a block: 1e-7.
    assert_allclose(vae.score_samples(X[order]), scores[order], rtol=1e-12)
    assert_allclose(vae.score_samples(np.tile(X, (3, 1))), np.tile(scores, 3), rtol=1e-12)
    alone = [vae.score_samples(X[[i]])[0] for i in (0, 77, 177)]
    assert_allclose(alone, scores[[0, 77, 177]], rtol=1e-12)


@pytest.mark.parametrize(("n_columns", "n_draws", "hidden"), [(1, 37, (5,)), (2, 1, (1, 3))])
def test_scores_of_narrow_networks_are_those_of_the_row_alone(n_columns, n_draws, hidden):
    """Products with a single column have last few rows of their own, too."""
    X = load_wine().data[:, :n_columns]
    vae = VAEEstimator(2, decoder=hidden, max_epochs=3, n_score_draws=n_draws, random_state=0)
    scores = vae.fit(X).score_samples(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(vae.score_samples(X[order]), scores[order], rtol=1e-13)
    alone = [vae.score_samples(X[[i]])[0] for i in range(20)]
    assert_allclose(alone, scores[:20], rtol=1e-13)


@pytest.mark.parametrize("wide", [True, False], ids=["wide parts", "narrow parts"])
@pytest.mark.parametrize("likelihood", ["gaussian", "poisson"])
def test_scores_of_wide_networks_are_those_of_the_row_alone(likelihood, wide, monkeypatch):
    """BLAS rounds by the place in a product: with 16 outputs and more, on some processors."""
    monkeypatch.setattr(_networks, "has_small_kernels", lambda: wide)
    X = np.round(load_digits().data[:300, 1:])
    vae = VAEEstimator(3, likelihood=likelihood, max_epochs=2, n_score_draws=25, random_state=0)
    scores = vae.fit(X).score_samples(X)
    alone = [vae.score_samples(X[[i]])[0] for i in range(60)]
    assert_allclose(alone, scores[:60], rtol=1e-13)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(vae.score_samples(X[order]), scores[order], rtol=1e-13)


def test_several_callers_leave_the_threads_of_libraries_as_they_were():
    """Each would restore what it found, which may be what another has set."""
    X = np.tile(load_wine().data, (20, 1))
    vae = VAEEstimator(3, max_epochs=2, random_state=0).fit(X[:178])
    expected = vae.score_samples(X)
    with threadpool_limits(2, "blas"):
        before = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
        n_before = torch.get_num_threads()
        with ThreadPoolExecutor(4) as executor:
            for scores in executor.map(vae.score_samples, [X] * 8):
                assert_allclose(scores, expected, rtol=1e-13)
        after = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
        assert after == before
        assert torch.get_num_threads() == n_before


def test_scores_do_not_depend_on_threads():
    X = np.tile(load_wine().data, (20, 1))
    vae = VAEEstimator(3, max_epochs=3, random_state=0).fit(X[:178])
    n_before = torch.get_num_threads()
    try:
        scores = []
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            scores.append(vae.score_samples(X))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(n_before)
    assert_allclose(scores[1:], [scores[0]] * 2, rtol=1e-13)


def test_bounds_and_imputed_cells_do_not_depend_on_threads():
    """Blocks of rows are shared among threads, not the loops within a block."""
    X = np.tile(load_wine().data, (20, 1))
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    vae = VAEEstimator(3, max_epochs=3, random_state=0).fit(X[:178])
    n_before = torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            draws = vae.impute(X, draw=True, random_state=0)
            found.append([vae.elbo(X).elbo, vae.transform(X), vae.impute(X), draws])
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(n_before)
    for values in zip(*found, strict=True):
        assert_array_equal(values[1], values[0])
        assert_array_equal(values[2], values[0])


@pytest.mark.parametrize("likelihood", ["gaussian", "negative_binomial"])
def test_what_is_drawn_and_decoded_does_not_depend_on_blocks(likelihood, monkeypatch):
    """Blocks are decoded by one thread each, and are of a size that does not grow with the rows."""
    X = np.round(load_wine().data)
    vae = VAEEstimator(3, likelihood=likelihood, max_epochs=3, random_state=0).fit(X)
    Z = vae.transform(np.tile(X, (10, 1)))
    expected = vae.sample(2000, random_state=0), vae.inverse_transform(Z)
    assert_allclose(expected[1][-178:], vae.reconstruct(X), rtol=1e-10)
    seen, decode, n_before = [], VAEModule.decode, torch.get_num_threads()

    def watched(module, z):
        seen.append((len(z), torch.get_num_threads()))
        return decode(module, z)

    monkeypatch.setattr(VAEModule, "decode", watched)
    monkeypatch.setattr(_scoring, "CELLS_AT_A_TIME", 2**12)
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            found = vae.sample(2000, random_state=0), vae.inverse_transform(Z)
            for one, other in zip(found, expected, strict=True):
                assert_allclose(one, other, rtol=1e-10, atol=1e-12)
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(n_before)
    # A layer of 128 units is the widest.
    assert max(seen) == (2**12 // 128, 1)


def test_rows_beyond_single_precision_are_scored():
    X = load_wine().data
    vae = VAEEstimator(3, encoder=(), max_epochs=2, random_state=0).fit(X)
    far = np.concatenate([X[:2], 1e60 * X[2:3]])
    scores = vae.score_samples(far)
    assert np.isfinite(scores).all()
    assert scores[2] < -1e100
    assert_allclose(scores[:2], vae.score_samples(X[:2]), rtol=1e-12)


@pytest.mark.parametrize("decoder_scale", ["unit", "learned", "learned_scalar", 0.3])
@pytest.mark.parametrize("decoder", [(), (5,), (8, 40)])
def test_normal_rows_are_scored_in_rotated_outputs(decoder, decoder_scale):
    """|(x - b) / s - W h|^2 has two parts, whichever of W's sides is the longer."""
    X = load_wine().data
    vae = VAEEstimator(
        3,
        decoder=decoder,
        decoder_scale=decoder_scale,
        standardize=False,
        max_epochs=3,
        dtype="float64",
        random_state=0,
    ).fit(X)
    model, rows, _ = vae._rows(X)
    module = model.module
    densities = row_densities(module.likelihood, module.decoder, rotate=True)
    n_outputs = min(13, decoder[-1] if decoder else 3)
    assert densities.network.layers[-1].weight.shape[0] == n_outputs
    z = torch.randn(178, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.inference_mode():
        expected = module.likelihood.row_log_prob(rows.cells[:, None], module.decode(z), None)
        log_prob = densities.of_rows(rows)
        found = log_prob.in_nats(log_prob.measure(slice(None), densities.network(z)))
    assert_allclose(found, expected, rtol=1e-11)


def test_rows_with_missing_cells_leave_those_beside_them_alone():
    X = load_wine().data
    vae = VAEEstimator(3, max_epochs=3, random_state=0).fit(X)
    scores = vae.score_samples(X)
    with_holes = X.copy()
    with_holes[::3, 4] = np.nan
    found = vae.score_samples(with_holes)
    whole = np.arange(len(X)) % 3 > 0
    assert_array_equal(found[whole], scores[whole])
    assert_allclose(vae.score_samples(with_holes[::3]), found[::3], rtol=1e-13)
    # Marginals of 12 columns are not densities of 13.
    assert (np.abs(found[::3] - scores[::3]) > 0.1).all()


def test_scores_follow_a_decoder_that_is_changed():
    """What was rotated for one score is not taken for the next if weights or scales differ."""
    X = load_wine().data
    vae = VAEEstimator(3, max_epochs=2, random_state=0).fit(X)
    before = vae.score_samples(X)
    with torch.no_grad():
        for parameter in vae.module_.decoder.layers[-1].parameters():
            parameter.mul_(0.5)
    halved = vae.score_samples(X)
    again = copy.deepcopy(vae)
    assert (np.abs(halved - before) > 1e-3).mean() > 0.5
    assert_array_equal(again.score_samples(X), halved)
    with torch.no_grad():
        vae.module_.likelihood.scale.log_unit.add_(0.3)
    assert (np.abs(vae.score_samples(X) - halved) > 1e-3).all()
