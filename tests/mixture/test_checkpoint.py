"""Fits that are killed and go on."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.callbacks import Checkpoint
from sklearn_genmodel.families import Gaussian

pytest.importorskip("sklearn.callback")
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(150, 2)), RNG.normal(1.5, 1.0, size=(150, 2))])
SETTINGS = {"n_components": 3, "n_init": 2, "tol": 0.0, "max_iter": 60, "random_state": 0}


class Killed(BaseException):
    """Raised where a process would have died."""


class DyingCheckpoint(Checkpoint):
    """Saves after every pass, and raises after some."""

    def __init__(self, path, passes):
        super().__init__(path, every=0)
        self.passes = passes

    def save(self, fingerprint, state):
        super().save(fingerprint, state)
        self.passes -= 1
        if self.passes == 0:
            raise Killed


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
@pytest.mark.parametrize("passes", [1, 7, 40])
def test_a_fit_goes_on_bit_for_bit(tmp_path, passes, family):
    data = X if family == "gaussian" else np.floor(np.exp(X))
    unbroken = EMMixture(family=family, **SETTINGS).fit(data)
    dying = EMMixture(family=family, **SETTINGS)
    with pytest.raises(Killed):
        dying.set_callbacks(DyingCheckpoint(tmp_path / "state", passes)).fit(data)
    checkpoint = Checkpoint(tmp_path / "state")
    resumed = EMMixture(family=family, **SETTINGS).set_callbacks(checkpoint).fit(data)
    assert_array_equal(resumed.lower_bounds_, unbroken.lower_bounds_)
    for ours, theirs in zip(resumed.params_, unbroken.params_, strict=True):
        assert_array_equal(ours, theirs)
    assert resumed.n_iter_ == unbroken.n_iter_
    assert not (tmp_path / "state").exists()


def test_kill_9_in_mid_fit(tmp_path):
    script = textwrap.dedent(
        f"""
        import numpy as np
        from sklearn_genmodel import EMMixture
        from sklearn_genmodel.callbacks import Checkpoint
        X = np.load({str(tmp_path / "X.npy")!r})
        mixture = EMMixture(3, n_init=2, tol=0.0, max_iter=1500, random_state=0)
        mixture.set_callbacks(Checkpoint({str(tmp_path / "state")!r}, every=0))
        mixture.fit(X)
        np.savez({str(tmp_path / "fit.npz")!r}, *mixture.params_)
        """
    )
    np.save(tmp_path / "X.npy", X)
    victim = subprocess.Popen([sys.executable, "-c", script])
    while not (tmp_path / "state").exists():
        time.sleep(0.01)
        assert victim.poll() is None
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not (tmp_path / "fit.npz").exists()
    subprocess.run([sys.executable, "-c", script], check=True)
    unbroken = EMMixture(3, n_init=2, tol=0.0, max_iter=1500, random_state=0).fit(X)
    with np.load(tmp_path / "fit.npz") as fit:
        for name, expected in zip(fit, unbroken.params_, strict=True):
            assert_array_equal(fit[name], expected)


def test_another_fit_is_refused(tmp_path):
    with pytest.raises(Killed):
        EMMixture(**SETTINGS).set_callbacks(DyingCheckpoint(tmp_path / "state", 3)).fit(X)
    other = EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state"))
    with pytest.raises(ValueError, match="other data or arguments"):
        other.fit(X + 1.0)
    with pytest.raises(ValueError, match="other data or arguments"):
        other.fit(X, resp_prior=np.eye(3)[np.arange(300) % 3])
    with pytest.raises(ValueError, match="other data or arguments"):
        other.set_params(n_components=2).fit(X)


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "state").write_bytes(content)
    mixture = EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state"))
    with pytest.raises(ValueError, match="ove it away"):
        mixture.fit(X)


def test_a_full_disk_is_told_once_and_survived(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    mixture = EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state", every=0))
    with pytest.warns(RuntimeWarning, match="No space left") as told:
        mixture.fit(X)
    assert len(told) == 1
    assert mixture.n_iter_ == 60
    assert not list(tmp_path.iterdir())


def test_what_a_crash_leaves_of_a_saving_is_removed(tmp_path, monkeypatch):
    def die(descriptor):
        raise Killed

    (tmp_path / "state.other").write_text("somebody else's")
    mixture = EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state", every=0))
    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(Killed):
        mixture.fit(X)
    monkeypatch.undo()
    (left,) = set(tmp_path.iterdir()) - {tmp_path / "state.other"}
    assert left.name.startswith("state.")
    # A fit with another path leaves it; one with the same removes it, before it saves anything.
    EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "stat", every=0)).fit(X)
    assert left.exists()
    EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state")).fit(X)
    assert [path.name for path in tmp_path.iterdir()] == ["state.other"]


def test_two_fits_with_one_path_do_not_mix_what_they_save(tmp_path, monkeypatch):
    first, second = (Checkpoint(tmp_path / "state", every=0) for _ in range(2))

    def meanwhile(descriptor):
        monkeypatch.undo()
        second.save("second", 2)
        assert second.load("second") == 2

    monkeypatch.setattr(os, "fsync", meanwhile)
    first.save("first", 1)
    assert first.load("first") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_checkpoint_knows_every_weight(tmp_path):
    """Weights whose sums and first moments agree are told apart."""
    weights = np.tile([1.0, 4.0, 1.0], 100), np.tile([2.0, 2.0, 2.0], 100)
    dying = EMMixture(**SETTINGS).set_callbacks(DyingCheckpoint(tmp_path / "state", 3))
    with pytest.raises(Killed):
        dying.fit(X, sample_weight=weights[0])
    other = EMMixture(**SETTINGS).set_callbacks(Checkpoint(tmp_path / "state"))
    with pytest.raises(ValueError, match="other data or arguments"):
        other.fit(X, sample_weight=weights[1])


def test_a_fit_goes_on_where_nothing_can_be_saved(tmp_path):
    class Local(Gaussian):
        """What pickle does not find."""

    (tmp_path / "file").write_text("no folder")
    expected = EMMixture(**SETTINGS).fit(X).lower_bound_
    for family, path in ((Local(), tmp_path / "state"), (Gaussian(), tmp_path / "file" / "state")):
        mixture = EMMixture(family=family, **SETTINGS).set_callbacks(Checkpoint(path, every=0))
        with pytest.warns(RuntimeWarning, match="could not be saved") as warned:
            mixture.fit(X)
        assert len(warned) == 1
        assert mixture.lower_bound_ == expected


class Counting(Checkpoint):
    n_saved = 0

    def _replace(self, content):
        self.n_saved += 1
        super()._replace(content)


def test_checkpoints_are_written_every_so_often(tmp_path, monkeypatch):
    """Neither at the first pass, nor at every pass once the first is written."""
    clock = iter(np.arange(0.0, 1e6, 0.25))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    X = np.random.default_rng(0).normal(size=(200, 2))
    settings = {"n_init": 1, "tol": 0.0, "max_iter": 60, "random_state": 0}
    rare, often = Counting(tmp_path / "rare", every=1e5), Counting(tmp_path / "often", every=5.0)
    EMMixture(2, **settings).set_callbacks(rare).fit(X)
    assert rare.n_saved == 0
    EMMixture(2, **settings).set_callbacks(often).fit(X)
    assert 1 <= often.n_saved <= 20
