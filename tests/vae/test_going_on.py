"""Training that goes on: in parts, from the last parameters, and after a fit was killed."""

import copy
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

torch = pytest.importorskip("torch")

from sklearn_genmodel.callbacks import Checkpoint  # noqa: E402
from sklearn_genmodel.vae import MixturePrior, VAEEstimator  # noqa: E402


@pytest.fixture(scope="module")
def X():
    return load_wine().data


def with_dropout(n_inputs, n_outputs):
    hidden = torch.nn.Linear(n_inputs, 16), torch.nn.ReLU(), torch.nn.Dropout(0.3)
    return torch.nn.Sequential(*hidden, torch.nn.Linear(16, n_outputs))


def test_partial_fit_goes_on(X):
    """Optimiser, warm-up and scaling carry over: n calls are one fit of n epochs."""
    arguments = {"max_epochs": 6, "kl_warmup": 0.5, "early_stopping": False, "random_state": 0}
    # Of more than ten batches, an epoch is one pass.
    whole = VAEEstimator(**arguments, batch_size=16).fit(X)
    parts = VAEEstimator(**arguments, batch_size=16)
    for _ in range(6):
        parts.partial_fit(X)
    assert_array_equal(parts.score_samples(X), whole.score_samples(X))
    assert [e.kl_weight for e in parts.history_] == [e.kl_weight for e in whole.history_]
    scaling = parts._scaling
    parts.partial_fit(10.0 * X[:1])
    assert parts._scaling is scaling
    assert parts.n_iter_ == 7
    with pytest.raises(ValueError, match="features"):
        parts.partial_fit(X[:, :3])


def test_warm_start_goes_on_from_the_last_parameters(X):
    vae = VAEEstimator(max_epochs=60, random_state=0, early_stopping=False).fit(X)
    before = vae.score(X)
    vae.set_params(warm_start=True, max_epochs=1, kl_warmup=0.0).fit(X)
    assert abs(vae.score(X) - before) < 0.3
    cold = VAEEstimator(max_epochs=1, random_state=0, kl_warmup=0.0).fit(X)
    assert cold.score(X) < before - 1.0
    with pytest.raises(ValueError, match=r"n_latent.*warm_start=False"):
        vae.set_params(n_latent=3).fit(X)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", torch.optim.RMSprop], ids=str)
def test_weight_decay_may_change_between_calls(X, optimizer):
    """A model whose decay is set anew goes on as one that has it, and the same moments."""
    arguments = {"optimizer": optimizer, "max_epochs": 4, "random_state": 0}
    for before, after in ((0.0, 0.1), (0.1, 0.0), (0.1, 0.3)):
        changed = VAEEstimator(weight_decay=before, **arguments).partial_fit(X)
        # A decay that is next to nothing has the groups of one, and leaves steps as they are.
        grouped = VAEEstimator(weight_decay=before or 1e-300, **arguments).partial_fit(X)
        changed.set_params(weight_decay=after).partial_fit(X)
        grouped.set_params(weight_decay=after or 1e-300).partial_fit(X)
        assert_array_equal(changed.transform(X), grouped.transform(X))
        same = VAEEstimator(weight_decay=before, **arguments).partial_fit(X).partial_fit(X)
        layer = changed.module_.decoder.layers[-1], same.module_.decoder.layers[-1]
        norms = [part.weight.norm().item() for part in layer]
        assert (norms[0] < norms[1]) == (after > before)


def test_precision_may_change_between_calls(X):
    """One epoch more in double precision, by each of two ways, and back."""
    arguments = {"max_epochs": 5, "random_state": 0, "early_stopping": False, "batch_size": 16}
    single = VAEEstimator(**arguments).fit(X)
    resumed = copy.deepcopy(single).set_params(dtype="float64", max_epochs=6).resume(X)
    double = copy.deepcopy(single).set_params(dtype="float64").partial_fit(X)
    assert double.module_.like.dtype == torch.float64
    assert_array_equal(resumed.transform(X), double.transform(X))
    # The draws of an epoch are others in another precision, but its step is as long.
    longer = clone(single).set_params(max_epochs=6).fit(X).transform(X)
    step = np.abs(longer - single.transform(X)).max()
    assert np.abs(double.transform(X) - single.transform(X)).max() < 2 * step
    back = double.set_params(dtype="float32").partial_fit(X)
    assert back.module_.like.dtype == torch.float32


@pytest.mark.parametrize(
    "changed",
    [
        {"prior": MixturePrior(2)},
        {"decoder_scale": "unit"},
        {"encoder_scale": 0.5},
        {"encoder": (32,)},
        {"decoder": with_dropout},
        {"activation": "tanh"},
        {"standardize": False},
        {"likelihood": "student_t"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_going_on_needs_the_same_model(X, changed):
    vae = VAEEstimator(max_epochs=1, warm_start=True).fit(X).set_params(**changed)
    (name,) = changed
    for go_on in (vae.fit, vae.partial_fit, vae.resume):
        with pytest.raises(ValueError, match=f"has {name}=.*warm_start=False"):
            go_on(X)
    assert not hasattr(vae, "predict_proba")


def test_equal_arguments_make_the_same_model(X):
    vae = VAEEstimator(max_epochs=1, warm_start=True, decoder_scale=1.0, prior=MixturePrior(2))
    vae.fit(X).set_params(decoder_scale=1, encoder=[128], prior=MixturePrior(2)).fit(X)
    vae.set_params(decoder_scale=np.float32(1), prior=MixturePrior(np.int64(2))).fit(X)
    vae.set_params(encoder=(np.int64(128),), standardize=np.True_, n_latent=np.int64(2)).fit(X)
    with pytest.raises(ValueError, match=r"has prior=MixturePrior\(n_components=2\)"):
        vae.set_params(prior__n_components=3).fit(X)


SAVING = """
import os, pickle, signal, sys
import numpy as np
from sklearn_genmodel.vae import MixturePrior, VAEEstimator

class Save:
    n_epochs = 0
    def setup(self, estimator, context): pass
    def teardown(self, estimator, context): pass
    def on_fit_task_begin(self, estimator, context): pass
    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.parent is None:
            return
        self.n_epochs += 1
        with open(sys.argv[1], "wb") as file:
            pickle.dump(fitted_estimator, file)
        if self.n_epochs == 5:
            os.kill(os.getpid(), signal.SIGKILL)

def run():
    X = np.random.default_rng(0).normal(size=(90, 4))
    vae = VAEEstimator(max_epochs=12, batch_size=20, prior=MixturePrior(2), random_state=0)
    vae.set_callbacks(Save()).fit(X)
"""


def test_a_killed_run_resumes_to_the_same_weights(tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback")
    (tmp_path / "saving.py").write_text(SAVING)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "checkpoint.pickle"
    command = [sys.executable, "-c", "import saving; saving.run()", str(path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False)
    assert done.returncode == -signal.SIGKILL
    X = np.random.default_rng(0).normal(size=(90, 4))
    resumed = pickle.loads(path.read_bytes())
    assert resumed.n_iter_ == 5
    resumed.set_callbacks().__dict__.pop("_skl_callbacks", None)
    resumed.resume(X)
    whole = VAEEstimator(max_epochs=12, batch_size=20, prior=MixturePrior(2), random_state=0)
    whole.fit(X)
    assert resumed.n_iter_ == whole.n_iter_ == 12
    for own, other in zip(resumed.module_.parameters(), whole.module_.parameters(), strict=True):
        assert_array_equal(own.detach(), other.detach())
    assert [e[:4] for e in resumed.history_] == [e[:4] for e in whole.history_]


KILLED = """
import os, signal, sys
import numpy as np
from sklearn_genmodel.callbacks import Checkpoint
from sklearn_genmodel.vae import MixturePrior, VAEEstimator

class Killing(Checkpoint):
    n_saved = 0
    def save(self, fingerprint, state):
        super().save(fingerprint, state)
        self.n_saved += 1
        if self.n_saved == 7:
            os.kill(os.getpid(), signal.SIGKILL)

X = np.random.default_rng(0).normal(size=(90, 4))
vae = VAEEstimator(max_epochs=12, batch_size=20, prior=MixturePrior(2), random_state=0)
vae.set_callbacks(Killing(sys.argv[1], every=0)).fit(X)
"""


def test_a_checkpoint_lets_a_killed_fit_go_on(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    X = np.random.default_rng(0).normal(size=(90, 4))
    vae = VAEEstimator(max_epochs=12, batch_size=20, prior=MixturePrior(2), random_state=0)
    with pytest.raises(ValueError, match="other data or arguments"):
        clone(vae).set_callbacks(Checkpoint(path)).fit(X[:80])
    with pytest.raises(ValueError, match="other data or arguments"):
        clone(vae).set_params(beta=2.0).set_callbacks(Checkpoint(path)).fit(X)
    resumed = clone(vae).set_callbacks(Checkpoint(path, every=0)).fit(X)
    whole = vae.fit(X)
    assert not path.exists()
    assert resumed.n_iter_ == whole.n_iter_ == 12
    for own, other in zip(resumed.module_.parameters(), whole.module_.parameters(), strict=True):
        assert_array_equal(own.detach(), other.detach())
    assert [e[:4] for e in resumed.history_] == [e[:4] for e in whole.history_]


class Cut(Checkpoint):
    """Saves after every epoch, and raises after three."""

    n_saved = 0

    def save(self, fingerprint, state):
        super().save(fingerprint, state)
        self.n_saved += 1
        if self.n_saved == 3:
            raise KeyboardInterrupt


def affine(n_inputs, n_outputs):
    return torch.nn.Linear(n_inputs, n_outputs)


def warm(seed, X):
    vae = VAEEstimator(max_epochs=2, random_state=seed, warm_start=True).fit(X)
    return vae.set_params(max_epochs=5, random_state=0)


@pytest.mark.parametrize(
    ("started", "other"),
    [
        (lambda X: VAEEstimator(random_state=np.random.RandomState(1)),) * 2,
        (lambda X: warm(0, X), lambda X: warm(1, X)),
        (
            lambda X: VAEEstimator(encoder=lambda n, m: torch.nn.Linear(n, m, bias=False)),
            lambda X: VAEEstimator(encoder=lambda n, m: torch.nn.Sequential(affine(n, m))),
        ),
    ],
    ids=["generator", "start", "function"],
)
def test_a_checkpoint_knows_its_fit(X, tmp_path, started, other):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    one, two = started(X).set_params(max_epochs=5), other(X).set_params(max_epochs=5)
    if started is other:
        two.set_params(random_state=np.random.RandomState(2))
    again, whole = copy.deepcopy(one), copy.deepcopy(one)
    with pytest.raises(KeyboardInterrupt):
        one.set_callbacks(Cut(path, every=0)).fit(X)
    with pytest.raises(ValueError, match="other data or arguments"):
        two.set_callbacks(Checkpoint(path)).fit(X)
    again.set_params(verbose=0).set_callbacks(Checkpoint(path)).fit(X)
    if again.random_state is not None:
        assert_array_equal(again.transform(X), whole.fit(X).transform(X))
    assert not path.exists()


def test_a_checkpoint_knows_its_version(X, tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    vae = VAEEstimator(max_epochs=5, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        clone(vae).set_callbacks(Cut(path, every=0)).fit(X)
    monkeypatch.setattr("sklearn_genmodel.vae._fitting.VERSION", 4)
    with pytest.raises(ValueError, match="or by another version of the library"):
        clone(vae).set_callbacks(Checkpoint(path)).fit(X)


def test_a_checkpoint_knows_labels(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"
    X = np.random.default_rng(0).choice(["a", "b"], (60, 3)).astype(object)
    vae = VAEEstimator(likelihood="categorical", max_epochs=5, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        clone(vae).set_callbacks(Cut(path, every=0)).fit(X)
    with pytest.raises(ValueError, match="other data or arguments"):
        clone(vae).set_callbacks(Checkpoint(path)).fit(np.where(X == "a", "x", "y"))
    clone(vae).set_callbacks(Checkpoint(path)).fit(X)


def test_going_on_by_hand_leaves_checkpoints_alone(X, tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "of another"
    path.write_bytes(b"fit")
    vae = VAEEstimator(max_epochs=2, random_state=0).fit(X).set_params(max_epochs=4)
    vae.set_callbacks(Checkpoint(path, every=0)).resume(X)
    assert path.read_bytes() == b"fit"


class Factory:
    """Networks by an object that can be called."""

    def __init__(self, activation):
        self.activation = activation

    def __call__(self, n_inputs, n_outputs):
        hidden = torch.nn.Linear(n_inputs, 8), self.activation()
        return torch.nn.Sequential(*hidden, torch.nn.Linear(8, n_outputs))


def closure(activation):
    """Networks by a function that holds what it was made with."""

    def make(n_inputs, n_outputs):
        return Factory(activation)(n_inputs, n_outputs)

    return make


@pytest.mark.parametrize("factory", [Factory, closure])
def test_networks_are_told_by_what_makes_them(X, tmp_path, factory):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "checkpoint"

    def vae(activation):
        return VAEEstimator(max_epochs=5, random_state=0, encoder=factory(activation))

    with pytest.raises(KeyboardInterrupt):
        vae(torch.nn.ReLU).set_callbacks(Cut(path, every=0)).fit(X)
    with pytest.raises(ValueError, match="other data or arguments"):
        vae(torch.nn.Tanh).set_callbacks(Checkpoint(path)).fit(X)
    whole = vae(torch.nn.ReLU).fit(X)
    again = vae(torch.nn.ReLU).set_callbacks(Checkpoint(path)).fit(X)
    assert_array_equal(again.transform(X), whole.transform(X))
    whole.set_params(warm_start=True, encoder=factory(torch.nn.Tanh))
    with pytest.raises(ValueError, match="The model to go on with has encoder="):
        whole.fit(X)


def test_rows_that_move_are_not_taken_for_a_step_that_is_too_long():
    """A stream that leaves and comes back: no epoch is lost, and each place is learned."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=(300, 4))
    vae = VAEEstimator(2, random_state=0)
    for n_epochs, shift in ((40, 0.0), (30, 40.0), (30, 0.0)):
        started = vae.partial_fit(X + shift).score(X + shift)
        for _ in range(n_epochs):
            vae.partial_fit(X + shift)
        assert vae.score(X + shift) > started
    vae.set_params(max_epochs=vae.n_iter_ + 10).resume(X - 1e3)
    assert not any(epoch.rolled_back for epoch in vae.history_)
    assert {epoch.lr for epoch in vae.history_} == {1e-3}


def test_a_run_with_lost_epochs_resumes_to_the_same_weights(X):
    arguments = {"likelihood": "poisson", "optimizer": "sgd", "learning_rate": 1e6}
    vae = VAEEstimator(**arguments, kl_warmup=0.0, early_stopping=False, random_state=0)
    counts = np.round(X)
    whole = clone(vae).set_params(max_epochs=36).fit(counts)
    lost = [epoch.rolled_back for epoch in whole.history_]
    n_before = lost.index(True) + 3
    assert any(lost[n_before:])
    parts = clone(vae).set_params(max_epochs=n_before).fit(counts)
    parts.set_params(max_epochs=36).resume(counts)
    assert [epoch.rolled_back for epoch in parts.history_] == lost
    assert_array_equal(parts.transform(counts), whole.transform(counts))
