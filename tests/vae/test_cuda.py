"""On CUDA: captured steps are the eager ones, one seed gives one result, pickles have no device."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, _training  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

RNG = np.random.default_rng(0)
X = np.tanh(RNG.normal(size=(1000, 3)) @ RNG.normal(size=(3, 12)))
X += 0.2 * RNG.normal(size=X.shape)


def fitted(**arguments):
    defaults = {"max_epochs": 6, "batch_size": 64, "random_state": 0, "device": "cuda"}
    return VAEEstimator(3, **{**defaults, **arguments}).fit(X)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"objective": "iwae", "n_draws": 3},
        {"prior": MixturePrior(3, warmup=0.5)},
        {"likelihood": "student_t", "lr_schedule": "cosine"},
        {"dtype": "bfloat16"},
        {"learning_rate": 3e3},
    ],
    ids=["elbo", "iwae", "mixture", "student_t", "bfloat16", "rolled back"],
)
def test_captured_steps_are_the_eager_ones(arguments, monkeypatch):
    captured = fitted(**arguments)
    again = fitted(**arguments)
    monkeypatch.setattr(_training, "graphed", lambda advance, *_: advance)
    eager = fitted(**arguments)
    models = (captured, again, eager)
    for mine, same, other in zip(*(m.module_.parameters() for m in models), strict=True):
        assert torch.equal(mine, same)
        assert torch.equal(mine, other)


def test_a_pickle_goes_on_here_and_on_the_cpu():
    whole = fitted(max_epochs=6, early_stopping=False)
    half = fitted(max_epochs=3, early_stopping=False)
    copied = pickle.loads(pickle.dumps(half))
    assert copied.module_.like.device.type == "cpu"
    assert_allclose(copied.score_samples(X), half.score_samples(X), rtol=1e-4, atol=1e-3)
    resumed = pickle.loads(pickle.dumps(half)).set_params(max_epochs=6).resume(X)
    for mine, other in zip(resumed.module_.parameters(), whole.module_.parameters(), strict=True):
        assert_array_equal(mine.detach().cpu(), other.detach().cpu())
    bound = copied.history_[-1].elbo
    assert copied.set_params(device="cpu").partial_fit(X).history_[-1].elbo > bound - 1.0


def test_the_device_agrees_with_the_cpu():
    on_gpu, on_cpu = fitted(max_epochs=30), fitted(max_epochs=30, device="cpu")
    assert abs(on_gpu.score(X) - on_cpu.score(X)) < 0.3
    assert np.isfinite(on_gpu.sample(20)).all()
    assert on_gpu.impute(np.where(RNG.random(X.shape) < 0.2, np.nan, X)).shape == X.shape
