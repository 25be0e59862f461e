"""Memory of a fit above that of its input, and of a fit to a file that is never loaded.

Every fit runs in a process of its own, and the operating system tells its peak. In memory: the peak
after the fit against that before, when the input was made and a small fit had loaded everything. On
file: 10 million rows, the peak of the whole process against that of an interpreter which has only
started, and the parameters against those of the fit to the same rows in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("ours", "scikit-learn", "StepMix", "pomegranate", "tgmm")
BLOCK = 10_000
PASSES = 3
FILE_SIZE, QUICK_FILE_SIZE = (10_000_000, 5, 4), (2_000_000, 5, 4)
LIMIT_MIB, TOLERANCE = 300.0, 1e-9
# Seconds after which a fit is given up.
LONGEST = 300


def peak_mib() -> float:
    """Largest resident size of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # The other counter starts with what the parent of the process held.
        line = next(w for w in status.read_text().splitlines() if w.startswith("VmHWM"))
        return int(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def rows(start: int, stop: int, n_features: int, n_components: int) -> Any:
    """Rows of well separated clusters: the same numbers wherever a block begins a run of them."""
    rng = np.random.default_rng(start)
    block = rng.standard_normal((stop - start, n_features))
    block += 4.0 * rng.integers(n_components, size=(len(block), 1))
    return block


def in_memory(n_samples: int, n_features: int, n_components: int) -> Any:
    """All rows, made block by block."""
    X = np.empty((n_samples, n_features))
    for start in range(0, n_samples, BLOCK):
        X[start : start + BLOCK] = rows(
            start, min(start + BLOCK, n_samples), n_features, n_components
        )
    return X


def fit(package: str, X: Any, n_components: int, n_jobs: int) -> None:
    """Fit a few passes from the package's default start, full covariances."""
    warnings.simplefilter("ignore")
    if package == "ours":
        from sklearn_genmodel import EMMixture

        EMMixture(n_components, max_iter=PASSES, tol=0, random_state=0, n_jobs=n_jobs).fit(X)
    elif package == "scikit-learn":
        from sklearn.mixture import GaussianMixture

        GaussianMixture(n_components, max_iter=PASSES, tol=0, random_state=0).fit(X)
    elif package == "StepMix":
        from stepmix.stepmix import StepMix

        model = StepMix(n_components, measurement="gaussian_full", abs_tol=0, progress_bar=0)
        model.set_params(max_iter=PASSES, random_state=0).fit(X)
    elif package == "pomegranate":
        import torch
        from pomegranate.distributions import Normal
        from pomegranate.gmm import GeneralMixtureModel

        normals = [Normal() for _ in range(n_components)]
        model = GeneralMixtureModel(normals, max_iter=PASSES, tol=-np.inf, random_state=0)
        model.fit(torch.from_numpy(X).to(torch.float32))
    else:
        import torch
        from tgmm import GaussianMixture as TorchMixture

        model = TorchMixture(n_components, max_iter=PASSES, tol=1e-300, random_state=0)
        model.fit(torch.from_numpy(X))


def child_in_memory(package: str, size: list[int], n_jobs: int) -> dict[str, Any]:
    """Fit once; the input's size and the growth of the peak."""
    X = in_memory(*size)
    fit(package, X[:5000].copy(), 2, n_jobs)
    before = peak_mib()
    fit(package, X, size[2], n_jobs)
    return {"input MiB": X.nbytes / 2**20, "above MiB": peak_mib() - before}


def child_file(path: str, size: list[int], n_jobs: int, *, loaded: bool) -> dict[str, Any]:
    """Fit to rows of a file, mapped or loaded; the peak, and all parameters."""
    from sklearn_genmodel import EMMixture

    n_samples, n_features, n_components = size
    imported = peak_mib()
    X = np.memmap(path, np.float64, "r", shape=(n_samples, n_features))
    mixture = EMMixture(n_components, random_state=0, n_jobs=n_jobs)
    start = time.perf_counter()
    mixture.fit(np.array(X) if loaded else X)
    parameters = [mixture.weights_, *mixture.params_]
    return {
        "imported MiB": imported,
        "peak MiB": peak_mib(),
        "seconds": time.perf_counter() - start,
        "passes": int(mixture.n_iter_),
        "parameters": np.concatenate([np.ravel(array) for array in parameters]).tolist(),
    }


def start_child(*arguments: object) -> dict[str, Any]:
    """Run this file in a fresh process, and read the last line that it prints."""
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    options = {"capture_output": True, "text": True, "env": environment, "timeout": LONGEST}
    try:
        done = subprocess.run(command, check=False, **options)
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {LONGEST} s"}
    if done.returncode:
        return {"failed": (done.stderr.splitlines() or [f"exit {done.returncode}"])[-1][:100]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def bare_interpreter() -> float:
    """Peak of an interpreter that has only started, in MiB."""
    code = "print([w for w in open('/proc/self/status') if w.startswith('VmHWM')][0].split()[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024.0


def from_file(size: tuple[int, int, int]) -> dict[str, Any]:
    """The fit to a file against the fit to the same rows in memory."""
    n_samples, n_features, n_components = size
    handle, path = tempfile.mkstemp(suffix=".f64")
    try:
        with os.fdopen(handle, "wb") as file:
            for start in range(0, n_samples, BLOCK):
                rows(start, start + BLOCK, n_features, n_components).tofile(file)
        mapped = start_child("mapped", path, *size)
        loaded = start_child("loaded", path, *size)
    finally:
        Path(path).unlink()
    if "failed" in mapped or "failed" in loaded:
        return {"size": size, "mapped": mapped, "loaded": loaded}
    one, other = (np.array(result.pop("parameters")) for result in (mapped, loaded))
    bare = bare_interpreter()
    return {
        "size": size,
        "file MiB": n_samples * n_features * 8 / 2**20,
        "interpreter MiB": bare,
        "above MiB": mapped["peak MiB"] - bare,
        "difference": float(np.abs(one - other).max() / np.abs(other).max()),
        "mapped": mapped,
        "loaded": loaded,
    }


def measure(*, quick: bool) -> dict[str, Any]:
    """Both parts."""
    from _machine import installed

    size = (100_000, 10, 20) if quick else (1_000_000, 10, 20)
    packages = [name for name in PACKAGES if name == "ours" or installed(name)]
    growth = {}
    for name in packages:
        growth[name] = start_child("memory", name, *size)
        print(name, growth[name], flush=True)
    file = from_file(QUICK_FILE_SIZE if quick else FILE_SIZE)
    print(file, flush=True)
    return {"size": size, "packages": growth, "file": file}


def main() -> None:
    """Print the result of one fit in a fresh process."""
    if sys.argv[1:2] == ["--child"]:
        what, name, *size = sys.argv[2:]
        numbers = [int(number) for number in size[:3]]
        n_jobs = int(size[3]) if len(size) > 3 else 1
        if what == "memory":
            result = child_in_memory(name, numbers, n_jobs)
        else:
            result = child_file(name, numbers, n_jobs, loaded=what == "loaded")
        print(json.dumps(result))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=3, default=[1_000_000, 10, 20])
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--package", default="ours", choices=PACKAGES)
    arguments = parser.parse_args()
    print(start_child("memory", arguments.package, *arguments.size, arguments.n_jobs))


if __name__ == "__main__":
    main()
