"""Two processes that train one model, on the CPU with gloo: against one process alone."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator  # noqa: E402
from sklearn_genmodel.vae._data import Rows  # noqa: E402
from sklearn_genmodel.vae._distributed import Ranks, current_ranks  # noqa: E402

ROOT = Path(__file__).parents[2]
X = load_wine().data
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2.0, len(X))

SCRIPT = """
import pickle, sys
import numpy as np
from sklearn.datasets import load_wine
from torch import distributed
from sklearn_genmodel.vae import MixturePrior, VAEEstimator

distributed.init_process_group("gloo")
arguments, n_rows, weighted = pickle.loads(open(sys.argv[1], "rb").read())
X = load_wine().data[:n_rows]
weights = np.random.default_rng(0).uniform(0.5, 2.0, 178)[:n_rows] if weighted else None
vae = VAEEstimator(**arguments).fit(X, sample_weight=weights)
with open(f"{sys.argv[2]}/{distributed.get_rank()}.pkl", "wb") as file:
    pickle.dump(vae, file)
# Neither leaves while the other may still wait for it.
distributed.barrier()
distributed.destroy_process_group()
"""


def fit_on_two(folder, n_rows=178, *, weighted=False, **arguments):
    """The estimators of both processes, and what they printed."""
    (folder / "fit.py").write_text(SCRIPT)
    (folder / "arguments.pkl").write_bytes(pickle.dumps((arguments, n_rows, weighted)))
    printed = run_two(folder / "fit.py", folder / "arguments.pkl", folder)
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in (0, 1)], printed


TROUBLE = """
import json, sys
import numpy as np
from sklearn.datasets import load_wine
from sklearn_genmodel.vae import VAEEstimator
from torch import distributed, nn

distributed.init_process_group("gloo")
rank, X = distributed.get_rank(), load_wine().data

def normalized(n_inputs, n_outputs):
    return nn.Sequential(nn.BatchNorm1d(n_inputs), nn.Linear(n_inputs, n_outputs))

def message(function):
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def end_in_the_first(vae):
    from sklearn_genmodel.vae import _progress
    def call(self, training):
        raise MemoryError("no room") if rank == 0 else AssertionError("called in another")
    _progress.Progress.__call__ = call
    vae.fit(X)

# Seeds by chance: the first process's are taken.
vae = VAEEstimator(max_epochs=4, encoder=normalized)
found = {
    "few rows": vae.fit(X[:9]).score(X[:9]),
    "other rows": message(lambda: vae.fit(X[: 50 + rank])),
    "error": message(lambda: end_in_the_first(vae)),
    "after": vae.score(X[:9]),
}
with open(f"{sys.argv[1]}/{rank}.json", "w") as file:
    json.dump(found, file)
# Neither leaves while the other may still wait for it.
distributed.barrier()
distributed.destroy_process_group()
"""


def run_two(script, *arguments):
    """What two processes that run a script printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--standalone", str(script), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def assert_same(one, other):
    for name, value in one.module_.state_dict().items():
        assert_array_equal(value, other.module_.state_dict()[name], err_msg=name)
    assert one.n_iter_ == other.n_iter_
    assert one.active_units_ == other.active_units_
    for here, there in zip(one.history_, other.history_, strict=True):
        assert_array_equal(here._replace(seconds=0.0), there._replace(seconds=0.0))


def test_whole_batches_give_the_result_of_one_process(tmp_path):
    """Without noise and with all rows in one batch, only the order of sums differs."""
    arguments = {
        "n_latent": 2,
        "encoder_scale": 1e-9,
        "batch_size": 1000,
        "max_epochs": 25,
        "dtype": "float64",
        "early_stopping": False,
        "random_state": 0,
        "verbose": 1,
    }
    (first, second), printed = fit_on_two(tmp_path, weighted=True, **arguments)
    assert_same(first, second)
    assert printed.count("parameters on device cpu") == 1
    alone = VAEEstimator(**arguments).fit(X, sample_weight=WEIGHTS)
    for name, value in alone.module_.state_dict().items():
        assert_allclose(first.module_.state_dict()[name], value, rtol=1e-6, atol=1e-8)
    assert_allclose(first.history_[-1].elbo, alone.history_[-1].elbo, rtol=1e-9)


def test_minibatches_of_shards_learn_what_those_of_all_rows_do(tmp_path):
    """An odd number of rows, early stopping, a prior that starts late."""
    arguments = {
        "n_latent": 2,
        "batch_size": 32,
        "max_epochs": 60,
        "learning_rate": 5e-3,
        "prior": MixturePrior(3),
        "random_state": 0,
    }
    (first, second), _ = fit_on_two(tmp_path, n_rows=177, **arguments)
    assert_same(first, second)
    alone = [
        VAEEstimator(**arguments | {"random_state": seed}).fit(X[:177]).score(X)
        for seed in range(6)
    ]
    spread = np.std(alone, ddof=1)
    assert_allclose(first.score(X), np.mean(alone), atol=3 * spread * np.sqrt(1 + 1 / 6))
    assert_array_equal(first.predict(X), second.predict(X))


def test_trouble_in_one_process_is_told_to_all(tmp_path):
    """A share without held-out rows, batch normalisation, other rows, an error in the first."""
    (tmp_path / "trouble.py").write_text(TROUBLE)
    run_two(tmp_path / "trouble.py", tmp_path)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert np.isfinite(first["few rows"])
    assert first["few rows"] == second["few rows"] == first["after"]
    assert first["other rows"] == second["other rows"]
    assert first["other rows"].startswith("ValueError: X or sample_weight differ between the 2")
    assert first["error"] == "MemoryError: no room"
    assert second["error"].startswith("RuntimeError: The first of 2 processes stopped with Memory")


@pytest.mark.parametrize("n_rows", [1, 4, 5])
def test_shards_are_of_one_size_and_hold_every_row_once(n_rows):
    values = torch.arange(float(n_rows))[:, None]
    rows = Rows(values, values, None, torch.ones(n_rows))
    shards = [Ranks(rank, 3).shard(rows) for rank in range(3)]
    assert {len(shard.weights) for shard in shards} == {-(-n_rows // 3)}
    seen = torch.cat([shard.inputs[shard.weights > 0, 0] for shard in shards])
    assert_array_equal(seen.sort().values, values[:, 0])


def test_a_process_alone_is_the_first_of_one():
    ranks = current_ranks()
    assert (ranks.rank, ranks.size) == (0, 1)
    rows = Rows(torch.ones(3, 1), torch.ones(3, 1), None, torch.ones(3))
    assert ranks.shard(rows) is rows
