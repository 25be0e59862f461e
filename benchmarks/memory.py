"""Peak memory of a fit above that of its input, measured by the operating system.

The fit runs in a process of its own; the input is made there first, and the peak before and after
the fit are compared. Prints one line.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import numpy as np


def peak_mib() -> float:
    """Largest resident size of this process so far, in MiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def child(n_samples: int, n_features: int, n_components: int, n_jobs: int) -> None:
    """Fit once and print the input's size and the growth of the peak."""
    from sklearn_genmodel import EMMixture

    rng = np.random.default_rng(0)
    X = np.empty((n_samples, n_features))
    for start in range(0, n_samples, 10_000):
        block = X[start : start + 10_000]
        block[:] = rng.standard_normal(block.shape)
        block += 4.0 * rng.integers(n_components, size=(len(block), 1))
    EMMixture(2, max_iter=2, tol=0, random_state=0).fit(X[:1000])
    before = peak_mib()
    EMMixture(n_components, max_iter=3, tol=0, random_state=0, n_jobs=n_jobs).fit(X)
    print(
        f"n={n_samples} d={n_features} K={n_components} n_jobs={n_jobs}: input "
        f"{X.nbytes / 2**20:.0f} MiB, peak above it {peak_mib() - before:.1f} MiB"
    )


def main() -> None:
    """Run the fit in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=3, default=[1_000_000, 10, 20])
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.size, arguments.n_jobs)
        return
    size = [str(number) for number in arguments.size]
    command = [sys.executable, __file__, "--child", "--n-jobs", str(arguments.n_jobs), "--size"]
    subprocess.run([*command, *size], check=True)


if __name__ == "__main__":
    main()
