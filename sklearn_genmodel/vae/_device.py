"""Where tensors live, how many threads work on them, and where random numbers come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock
from typing import Any

import torch

from sklearn_genmodel.vae._distributed import current_ranks

__all__ = [
    "few_threads",
    "inference_dtype",
    "one_thread",
    "private_seed",
    "resolve_device",
    "resume_generator",
]

# Below this many parameters, handing work to threads costs more than the work.
SMALL_NETWORK = 2_000_000
_SEEDING = RLock()


def resolve_device(device: Any) -> Any:
    """Turn the argument `device` into a torch device that exists.

    Parameters
    ----------
    device : str or torch.device
        "auto" is CUDA, then MPS, then the CPU.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown to torch, or is not there.
    """
    if device == "auto":
        return _own(torch.device(_best_device()))
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is unknown: choose 'auto', 'cpu', 'cuda', 'cuda:0' or 'mps'."
        ) from error
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if not here.get(chosen.type, False):
        raise ValueError(
            f"device={device!r} was asked for, but torch {torch.__version__} finds no such device "
            "on this machine: choose device='auto' or 'cpu', or install a build of torch for it."
        )
    return _own(chosen)


def inference_dtype(device: Any, dtype: Any) -> Any:
    """Precision of scores: double on the CPU, that of training elsewhere."""
    return torch.float64 if device.type == "cpu" else dtype


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def few_threads(n_parameters: int) -> AbstractContextManager[None]:
    """One thread for a small network, and as many as before afterwards."""
    return one_thread() if n_parameters < SMALL_NETWORK else nullcontext()


@contextmanager
def private_seed(seed: int, device: Any = None) -> Iterator[None]:
    """Seed torch's global generators for the block, and restore them.

    Networks draw weights from them, and dropout draws what it drops. One thread at a time does so.

    Parameters
    ----------
    seed : int
    device : torch.device or None
        Where else than on the CPU numbers are drawn, if it is CUDA.
    """
    generators = [torch.default_generator]
    if device is not None and device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    with _SEEDING:
        states = [generator.get_state() for generator in generators]
        try:
            for generator in generators:
                generator.manual_seed(seed)
            yield
        finally:
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)


def resume_generator(generator: Any, state: Any, seed: int) -> None:
    """Let a generator go on where another was; seed it anew if that was of another kind of device.

    Parameters
    ----------
    generator : torch.Generator
    state : tensor
        What the other's ``get_state`` returned.
    seed : int
    """
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
    else:
        generator.manual_seed(seed)


def _own(device: Any) -> Any:
    """Of several GPUs the one that belongs to this process among those that train together."""
    ranks = current_ranks()
    if device.type == "cuda" and device.index is None and ranks.size > 1:
        return ranks.device
    return device


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if _has_mps() else "cpu"
