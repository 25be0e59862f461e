"""Threads over chunks of rows: each computes alone, and none waits for another's part of a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch

from sklearn_genmodel.em import SharedLimit, row_threads
from sklearn_genmodel.vae._device import one_thread
from sklearn_genmodel.vae._module import VAEModule
from sklearn_genmodel.vae._networks import is_dense_on_cpu

__all__ = ["computes_alone", "over_chunks"]


def computes_alone(module: VAEModule) -> bool:
    """Whether threads may each run the module's networks: those of users need not bear several."""
    return is_dense_on_cpu(module.encoder) and is_dense_on_cpu(module.decoder)


def over_chunks(function: Callable[[Any], Any], chunks: Iterable[Any], *, alone: bool) -> list[Any]:
    """Map over chunks of rows.

    The products of small networks are too short for several threads to share, and on a busy
    machine those that are done wait ten times as long for the others as they compute.

    Parameters
    ----------
    function : callable
    chunks : iterable
        Gone through one after the other if not ``alone``.
    alone : bool
        Whether to compute each chunk on one thread, several at a time on as many as torch uses.

    Returns
    -------
    results : list
    """
    if not alone:
        # numpy's threads and torch's would wait for each other in turns.
        with row_threads(1):
            return list(map(function, chunks))
    chunks = list(chunks)
    n_threads = min(torch.get_num_threads(), len(chunks))
    with row_threads(n_threads) as mapper:
        if n_threads < 2:
            with one_thread():
                return list(mapper(function, chunks))
        with _threads_of_torch():
            return list(mapper(partial(_on_one_thread, function), chunks))


def _on_one_thread(function: Callable[[Any], Any], chunk: Any) -> Any:
    torch.set_num_threads(1)
    return function(chunk)


# What one thread sets is what new threads begin with from then on: it is set back.
_threads_of_torch = SharedLimit(lambda: partial(torch.set_num_threads, torch.get_num_threads()))
