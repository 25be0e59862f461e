"""Time of one EM pass of Gaussian mixtures: same process, same data, same start, in turns.

On one thread the processor's time counts, so that what else runs on the machine does not; with two
threads it is the clock's, after a rest. The smallest over the turns is taken. Before anything is
timed the packages must agree on the log-likelihood of the start and, except for those in single
precision, on the means after the pass. Absolute times mean little on a shared machine; the ratio is
the result.

Where one component is all, or the covariance is tied, our passes leave out what no responsibility
changes. It is collected once a fit, before the first pass; "once" is what that takes, in passes.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from _gaussian_passes import COVARIANCE_TYPES, LACKS, PEERS, PRECISION, make_start, ours
from _machine import cpu_seconds, in_turns, installed, one_thread, rested_seconds

from sklearn_genmodel.em import row_threads

# (n, d, K), and how many times scikit-learn's time per pass of ours it is meant to be.
NAMED = {
    (1_000_000, 2, 3): 15.0,
    (1_000_000, 4, 8): 15.0,
    (200_000, 10, 5): 6.0,
    (200_000, 20, 10): 4.5,
    (100_000, 50, 20): 3.0,
}
LOWEST, TWO_THREADS = 1.5, 1.7
DIMENSIONS, COMPONENTS = (1, 2, 5, 10, 20, 50, 100, 256), (1, 2, 5, 10, 20, 64)
QUICK_DIMENSIONS, QUICK_COMPONENTS = (1, 2, 5, 20, 50, 256), (1, 5, 20)
ROUNDING = 1e-10
Size = tuple[int, int, int]


def rows_for(n_features: int, n_components: int, covariance_type: str, seconds: float) -> int:
    """Number of rows for which scikit-learn's pass takes about so many seconds."""
    d = n_features
    per_component = {
        "full": 4e-8 + 8e-9 * d + 2.5e-10 * d * d,
        "tied": 4e-8 + 6e-9 * d + 1.2e-10 * d * d,
        "diag": 3e-8 + 1e-9 * d,
        "spherical": 3e-8 + 1e-9 * d,
    }[covariance_type]
    rows = seconds / (n_components * per_component + 1e-8 * d + 3e-8)
    return int(np.clip(round(rows, -2), max(2000, 8 * d), min(1_000_000, 2**26 // d)))


def compare(
    size: Size, covariance_type: str, peers: list[str], turns: int, enough: float = 20.0
) -> dict[str, Any]:
    """Seconds a pass of ours and of the peers."""
    start = make_start(*size, covariance_type)
    runs: dict[str, Callable[[], Any]] = {"ours": ours(start)}
    for name in peers:
        if (name, covariance_type) not in LACKS:
            runs[name] = PEERS[name](start)
    results: dict[str, Any] = {}
    begun = cpu_seconds(lambda: results.update(ours=runs["ours"]()))
    check(results | {name: runs[name]() for name in list(runs)[1:]}, (size, covariance_type))
    seconds = in_turns(runs, turns, enough=enough)
    found = line(size, covariance_type, seconds)
    return found | {"once": max(begun / seconds["ours"] - 1.0, 0.0)}


def check(results: dict[str, Any], where: Any) -> None:
    """Stop unless all packages computed the same."""
    bound, means = results["ours"]
    for name, (other, others_means) in results.items():
        precision = PRECISION.get(name, ROUNDING)
        gap = abs(other - bound) / abs(bound)
        apart = np.abs(others_means - means).max() / np.abs(means).max()
        if not (gap < precision and apart < max(precision, 1e-8) * 100):
            sys.exit(f"{where}: {name}'s log-likelihood is {gap:.1e} off, its means {apart:.1e}")


def line(size: Size, covariance_type: str, seconds: dict[str, float]) -> dict[str, Any]:
    """A record of one problem."""
    n, d, K = size
    return {"covariance": covariance_type, "n": n, "d": d, "K": K, "seconds": seconds}


def two_threads(size: Size, covariance_type: str, turns: int) -> dict[str, Any]:
    """Seconds by the clock: ours on one and on two threads, scikit-learn on two."""
    start = make_start(*size, covariance_type)
    with one_thread(2):
        theirs = PEERS["scikit-learn"](start)
        with row_threads(2) as mapper:
            # Our context holds BLAS to one thread; scikit-learn's turn lifts that.
            sides = {
                "ours, 1 thread": ours(start),
                "ours, 2 threads": ours(start, mapper),
                "scikit-learn, 2 threads": lambda: _on_two(theirs),
            }
            seconds = in_turns(sides, turns, rested_seconds)
    return line(size, covariance_type, seconds)


def _on_two(run: Callable[[], Any]) -> None:
    with one_thread(2):
        run()


def measure(*, quick: bool) -> dict[str, Any]:
    """All parts: the sizes named, the grid, two threads."""
    warnings.simplefilter("ignore")
    peers = [name for name in PEERS if installed(name)]
    turns = 3 if quick else 5
    named, grid, threads = [], [], []
    with one_thread():
        for size, kind in product(NAMED, COVARIANCE_TYPES):
            others = peers if kind == "full" and not quick else ["scikit-learn"]
            named.append(show(compare(size, kind, others, turns)))
        dimensions = QUICK_DIMENSIONS if quick else DIMENSIONS
        components = QUICK_COMPONENTS if quick else COMPONENTS
        for kind, d, K in product(COVARIANCE_TYPES, dimensions, components):
            size = rows_for(d, K, kind, 0.06 if quick else 0.2), d, K
            grid.append(show(compare(size, kind, ["scikit-learn"], turns, 3.0)))
    for size, kind in product(NAMED, ("full",) if quick else COVARIANCE_TYPES):
        threads.append(show(two_threads(size, kind, turns)))
    return {"named": named, "grid": grid, "two threads": threads}


def show(record: dict[str, Any]) -> dict[str, Any]:
    """Print a record and return it."""
    size = f"{record['covariance']:<10}{record['n']:>8} x {record['d']:<4}K={record['K']:<3}"
    seconds = record["seconds"]
    first = next(iter(seconds.values()))
    others = ", ".join(f"{name} {s / first:.2f}" for name, s in list(seconds.items())[1:])
    once = f"; once {record['once']:.1f} passes" if "once" in record else ""
    print(f"{size} {1e3 * first:9.2f} ms; times that: {others}{once}", flush=True)
    return record


def main() -> None:
    """Print a line a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--covariance-types", nargs="+", default=["full"], choices=COVARIANCE_TYPES)
    parser.add_argument("--size", type=int, nargs=3, action="append", metavar=("N", "D", "K"))
    parser.add_argument("--peers", nargs="+", default=["scikit-learn"], choices=PEERS)
    parser.add_argument("--grid", action="store_true", help="all dimensions and components instead")
    parser.add_argument("--two-threads", action="store_true", help="on one and on two threads")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.two_threads:
        for kind, size in product(arguments.covariance_types, arguments.size or NAMED):
            show(two_threads(size, kind, arguments.turns))
        return
    with one_thread():
        for kind in arguments.covariance_types:
            sizes = [tuple(size) for size in arguments.size or NAMED]
            if arguments.grid:
                pairs = product(DIMENSIONS, COMPONENTS)
                sizes = [(rows_for(d, K, kind, 0.1), d, K) for d, K in pairs]
            for size in sizes:
                show(compare(size, kind, arguments.peers, arguments.turns, 5.0))


if __name__ == "__main__":
    main()
