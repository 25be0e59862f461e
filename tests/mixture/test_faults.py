"""The fault table: what may go wrong in mid-fit, and the test that shows what becomes of it.

| fault                                   | test                                                |
| --------------------------------------- | --------------------------------------------------- |
| kill -9, and the fit started again      | test_checkpoint: test_kill_9_in_mid_fit             |
| a chunk source that raises in mid-pass  | test_streams: test_a_source_that_raises_...         |
| NaN in chunk 7                          | here: test_nan_in_chunk_seven                       |
| a full disk under the checkpoint        | test_checkpoint: test_a_full_disk_is_told_...       |
| KeyboardInterrupt                       | test_callbacks: test_an_interrupt_leaves_...        |
| a worker thread that fails, or is ended | here: test_a_worker_that_dies                       |
| 1,000 nasty inputs                      | test_nasty_inputs                                   |
"""

import ctypes
import threading
import time
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Exponential

RNG = np.random.default_rng(0)
ROWS = RNG.exponential(size=(40_000, 2)) * np.where(RNG.random((40_000, 1)) < 0.5, 1.0, 5.0)


class Dying(Exponential):
    """Fails, on a thread of its own, in one of its blocks."""

    blocks_left = 0
    fault = None

    def kernel(self, params):
        return partial(self._block, super().kernel(params))

    def _block(self, kernel, rows):
        if threading.current_thread() is not threading.main_thread():
            type(self).blocks_left -= 1
            if type(self).blocks_left == 0:
                type(self).fault()
        return kernel(rows)


def raises(error):
    """A fault that is an exception like any other."""

    def fault():
        raise error

    return fault


def is_ended():
    """A fault from outside: the interpreter is told to end this thread."""
    identity = ctypes.c_ulong(threading.get_ident())
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(SystemExit))
    for _ in range(1000):
        time.sleep(0.001)


FAULTS = {
    "memory": (raises(MemoryError("no memory for a block")), MemoryError),
    "bug": (raises(KeyError("a bug of a family")), KeyError),
    "exit": (raises(SystemExit(3)), SystemExit),
    "interrupt": (raises(KeyboardInterrupt()), KeyboardInterrupt),
    "ended": (is_ended, SystemExit),
}


@pytest.mark.parametrize("blocks", [1, 40])
@pytest.mark.parametrize("name", FAULTS)
def test_a_worker_that_dies(name, blocks):
    """The fit ends with that error, leaves no thread behind and the estimator as it was."""
    fault, error = FAULTS[name]
    mixture = EMMixture(2, family=Dying(), n_init=2, random_state=0, n_jobs=2)
    Dying.blocks_left = 0
    mixture.fit(ROWS)
    before, threads = mixture.params_, threading.active_count()
    Dying.blocks_left, Dying.fault = blocks, fault
    with pytest.raises(error):
        mixture.fit(ROWS + 1.0)
    assert Dying.blocks_left <= 0
    assert threading.active_count() == threads
    assert mixture.params_ is before
    again = mixture.fit(ROWS)
    assert_array_equal(again.params_.rates, before.rates)


class Chunks:
    """Ten chunks that can be read again; a cell of the eighth, chunk 7, is spoiled."""

    def __init__(self, values, spoiled):
        self.values, self.spoiled = values, spoiled

    def __iter__(self):
        for i, chunk in enumerate(np.array_split(self.values, 10)):
            copied = chunk.copy()
            if i == 7:
                copied[5, 1] = self.spoiled
            yield copied


def test_nan_in_chunk_seven():
    """It is a missing cell, as in memory; a family that takes none names its place."""
    chunks = Chunks(np.log(ROWS), np.nan)
    streamed = EMMixture(2, n_init=2, random_state=0).fit(chunks)
    whole = EMMixture(2, n_init=2, random_state=0).fit(np.concatenate(list(chunks)))
    np.testing.assert_allclose(streamed.lower_bound_, whole.lower_bound_, rtol=1e-12)
    directions = Chunks(ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True), np.nan)
    with pytest.raises(ValueError, match=r"Chunk 7 .*Row 5 .*NaN.* column 1"):
        EMMixture(2, family="von_mises_fisher", n_init=2).fit(directions)
