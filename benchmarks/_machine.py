"""What the figures were measured on, and how: the machine, its libraries, clocks."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

PACKAGES = ("numpy", "scipy", "scikit-learn", "stepmix", "pomegranate", "tgmm", "torch")
# They change which BLAS kernels run, for both sides, and are no part of a user's machine.
TUNING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
# Seconds after which the threads of OpenBLAS, which wait awake for more work, are asleep.
REST = 0.5


def description() -> dict[str, Any]:
    """The machine in words."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory GiB": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": platform.platform(aliased=True),
        "Python": platform.python_version(),
        "BLAS": sorted({_library(e) for e in threadpool_info() if e["user_api"] == "blas"}),
        "versions": {name: _version(name) for name in PACKAGES},
        "date": time.strftime("%Y-%m-%d"),
    }


@contextmanager
def one_thread(n_threads: int = 1) -> Iterator[None]:
    """Hold BLAS, OpenMP and, where it is installed, PyTorch to so many threads."""
    try:
        import torch

        torch.set_num_threads(n_threads)
    except ImportError:
        pass
    with threadpool_limits(n_threads):
        yield


def cpu_seconds(run: Callable[[], Any]) -> float:
    """Processor time of a call on one thread: what else runs on the machine does not count."""
    start = time.process_time()
    run()
    return time.process_time() - start


def rested_seconds(run: Callable[[], Any]) -> float:
    """Time by the clock, once the threads of BLAS are asleep."""
    time.sleep(REST)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(
    runs: dict[str, Callable[[], Any]],
    turns: int,
    clock: Callable[[Callable[[], Any]], float] = cpu_seconds,
    enough: float = float("inf"),
) -> dict[str, float]:
    """Smallest time of each run, taken in turns; after two turns, `enough` seconds end it."""
    best = dict.fromkeys(runs, float("inf"))
    spent = 0.0
    for turn in range(turns):
        for name, run in runs.items():
            taken = clock(run)
            best[name] = min(best[name], taken)
            spent += taken
        if turn >= 1 and spent > enough:
            break
    return best


def _processor() -> str:
    """Model name and the sizes of the caches, where Linux tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = [line for line in lines if line.startswith("flags")]
    vector = "AVX-512" if flags and "avx512f" in flags[0] else "AVX2 or less"
    return f"{names[0] if names else platform.processor() or platform.machine()}, {vector}"


def _library(entry: dict[str, Any]) -> str:
    words = (entry.get("internal_api"), entry.get("version"), entry.get("architecture"))
    return " ".join(word for word in words if word)


def installed(name: str) -> bool:
    """Whether a package can be used here."""
    return _version(name) != "not installed"


def _version(name: str) -> str:
    try:
        return version(name.lower())
    except PackageNotFoundError:
        return "not installed"
