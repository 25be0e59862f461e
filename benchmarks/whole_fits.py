"""Whole fits at tol=1e-6 from the default start against scikit-learn's at its own tol=1e-6.

Real and synthetic data, processor time on one thread, in turns in one process. Our default looks
for the best of many starts, where scikit-learn's makes one; what a single start from k-means takes
is measured next to it, and so are the passes of the runs, for the two rules of stopping differ.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from _machine import one_thread
from _peer_fits import COMMON, _record_spikes, _records
from pass_speed import NAMED, rows_for
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Theta
from sklearn_genmodel.families import Gaussian, Poisson, PoissonParams

TOL, UNLIMITED = 1e-6, 100_000
# Two runs to one optimum differ by less than tol, in nats per row.
LOGLIK_SLACK = 1e-6
# n, d, K, distance of the components' means from their centre in standard deviations.
SYNTHETIC = [
    (1_000, 2, 2, 1.0),
    (10_000, 2, 5, 3.0),
    (20_000, 5, 5, 3.0),
    (20_000, 10, 5, 3.0),
    (5_000, 20, 10, 4.0),
    (5_000, 50, 5, 5.0),
    (100_000, 2, 3, 3.0),
    (100_000, 4, 8, 3.0),
    (50_000, 10, 20, 4.0),
    (500_000, 2, 3, 4.0),
]
LARGE = 20_000
# The grid of `pass_speed`: rows for a pass of scikit-learn's of so many seconds, at least so many
# for each component and column. The passes of scikit-learn are capped, which makes its time less
# than it would be, and may leave its log-likelihood lower; the summary counts these fits.
GRID_DIMENSIONS, GRID_COMPONENTS = (1, 5, 20, 50, 256), (1, 2, 5, 20, 64)
QUICK_GRID = (1, 5, 20), (2, 5)
PASS_SECONDS, ROWS_PER_COLUMN, MOST_VALUES = 0.02, 20, 2**22
GRID_SPREAD, GRID_PASSES, NAMED_PASSES = 4.0, 200, 30


class Problem(NamedTuple):
    """Rows, and what is to be fitted to them."""

    name: str
    X: Any
    n_components: int
    covariance_type: str


def synthetic(n: int, d: int, K: int, spread: float) -> Any:
    """Gaussian clusters of unequal size and unequal, correlated covariance."""
    rng = np.random.default_rng(n + d + K)
    means = spread * rng.standard_normal((K, d)) / np.sqrt(d)
    labels = rng.choice(K, size=n, p=rng.dirichlet(np.full(K, 5.0)))
    shapes = np.eye(d) + 0.5 * rng.standard_normal((K, d, d)) / np.sqrt(d)
    X = rng.standard_normal((n, d))
    for k in range(K):
        X[labels == k] = X[labels == k] @ shapes[k] + means[k]
    return X


def problems(*, quick: bool) -> list[Problem]:
    """Classic data of the records, data that scikit-learn has, synthetic data."""
    found = []
    records = _records.mixture_fits(_records.load_records(), ["gaussian"])
    shared = [r for r in records if r["covariance"] in COMMON and r["K"] > 1]
    for record in shared[:: 12 if quick else 3]:
        X = _records.load_data(record)[0]
        found.append(Problem(record["id"], X, record["K"], record["covariance"]))
    bunches = {"wine": (datasets.load_wine, 3), "breast-cancer": (datasets.load_breast_cancer, 2)}
    bunches["digits"] = (datasets.load_digits, 10)
    for name, (load, K) in bunches.items():
        X = load().data
        X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
        if name == "digits":
            X = np.ascontiguousarray((X @ np.linalg.svd(X, full_matrices=False)[2].T)[:, :16])
        kinds = ("diag",) if quick else COMMON
        found += [Problem(f"{name}-{kind}", X, K, kind) for kind in kinds]
    for n, d, K, spread in SYNTHETIC:
        X = synthetic(n, d, K, spread)
        kinds = COMMON if n <= LARGE and not quick else ("full",)
        if not quick or n <= LARGE:
            found += [Problem(f"synthetic-{n}x{d}-{K}-{kind}", X, K, kind) for kind in kinds]
    return found


def grid(*, quick: bool) -> Iterator[Problem]:
    """Large data: the sizes that `pass_speed` names, then dimensions by components."""
    kinds = ("full",) if quick else COMMON
    dimensions, components = QUICK_GRID if quick else (GRID_DIMENSIONS, GRID_COMPONENTS)
    sizes = [(kind, *size) for size in ([] if quick else NAMED) for kind in kinds]
    for kind, d, K in product(kinds, dimensions, components):
        n = max(rows_for(d, K, kind, PASS_SECONDS), ROWS_PER_COLUMN * d * K)
        sizes.append((kind, min(n, MOST_VALUES // d), d, K))
    for kind, n, d, K in sizes:
        name = f"grid-{n}x{d}-{K}-{kind}"
        yield Problem(name, synthetic(n, d, K, GRID_SPREAD), K, kind)


def most_passes(problem: Problem) -> int:
    """How many passes scikit-learn may make on large data."""
    size = *problem.X.shape, problem.n_components
    return NAMED_PASSES if size in NAMED else GRID_PASSES


def compare(problem: Problem, turns: int, max_iter: int = UNLIMITED) -> dict[str, Any]:
    """Times, passes and log-likelihoods of the three sides."""
    _, X, K, kind = problem
    family = Gaussian(kind)
    sides: dict[str, Any] = {
        "ours": lambda: EMMixture(K, family=family, tol=TOL, random_state=0),
        "ours, one start": lambda: EMMixture(
            K, family=family, tol=TOL, init="kmeans", n_init=1, random_state=0
        ),
        "scikit-learn": lambda: GaussianMixture(
            K, covariance_type=kind, tol=TOL, max_iter=max_iter, random_state=0
        ),
    }
    seconds = dict.fromkeys(sides, float("inf"))
    fitted = {}
    for _ in range(turns):
        for name, make in sides.items():
            start = time.process_time()
            fitted[name] = make().fit(X)
            seconds[name] = min(seconds[name], time.process_time() - start)
        if sum(seconds.values()) > 5.0:
            break
    parameters = {
        "ours": (fitted["ours"].weights_, fitted["ours"].params_.covariances),
        "scikit-learn": (fitted["scikit-learn"].weights_, fitted["scikit-learn"].covariances_),
    }
    return {
        "problem": problem.name,
        "n": len(X),
        "d": X.shape[1],
        "K": K,
        "covariance": kind,
        "seconds": seconds,
        "capped": not fitted["scikit-learn"].converged_,
        "passes": {name: total_passes(fit) for name, fit in fitted.items()},
        "loglik": {name: float(fit.score_samples(X).sum()) for name, fit in fitted.items()},
        "sound": {
            name: _record_spikes.is_admissible(*found, kind, X)
            for name, found in parameters.items()
        },
    }


def total_passes(fitted: Any) -> int:
    """Passes of the run that was chosen, those before it was chosen included."""
    starts = getattr(fitted, "init_results_", None)
    return int(starts[0].n_iter if starts else fitted.n_iter_)


def measure(*, quick: bool) -> dict[str, Any]:
    """Every problem, and the numbers of passes on slow and easy ones."""
    warnings.simplefilter("ignore")
    lines = []
    with one_thread():
        for problem in problems(quick=quick):
            lines.append(compare(problem, 1 if quick else 2))
            show(lines[-1])
        large = []
        for problem in grid(quick=quick):
            large.append(compare(problem, 1, most_passes(problem)))
            show(large[-1])
        summarize("small and middle", lines)
        summarize("grid", large)
        return {"fits": lines, "grid": large, "passes": passes()}


def summarize(name: str, lines: list[dict[str, Any]]) -> None:
    """Print the geometric mean of the ratios, and how often our log-likelihood is the lower."""
    ratios = [line["seconds"]["scikit-learn"] / line["seconds"]["ours"] for line in lines]
    lower = sum(
        line["loglik"]["ours"] < line["loglik"]["scikit-learn"] - LOGLIK_SLACK * line["n"]
        for line in lines
    )
    mean = float(np.exp(np.mean(np.log(ratios))))
    capped = sum(line["capped"] for line in lines)
    print(
        f"{name}: {len(lines)} fits, ratio {mean:.2f} (geometric mean), {min(ratios):.2f} to"
        f" {max(ratios):.2f}; lower log-likelihood in {lower};"
        f" scikit-learn stopped by a cap in {capped}",
        flush=True,
    )


def passes() -> list[dict[str, Any]]:
    """Passes with and without acceleration from one start: two slow problems, two easy ones."""
    rng = np.random.default_rng(0)
    # Deaths a day, of women over 80 in London, 1910 to 1912 (Hasselblad 1969).
    deaths = np.repeat(np.arange(10.0), [162, 267, 271, 185, 111, 61, 27, 8, 3, 1])[:, None]
    near = np.concatenate([rng.normal(0.0, 1.0, 500), rng.normal(2.0, 1.0, 500)])[:, None]
    nearer = np.concatenate([rng.normal(0.0, 1.0, 500), rng.normal(1.5, 1.0, 500)])[:, None]
    full = Gaussian("full")
    start = Theta(np.array([0.5, 0.5]), PoissonParams(np.array([[1.0], [3.0]])))
    lines = [count_passes("deaths counts from (0.5, 1, 3)", Poisson(), deaths, start, 1e-9)]
    for apart, X in (("2", near), ("1.5", nearer)):
        labels = KMeans(2, random_state=0, n_init=1).fit(X).labels_
        name = f"two Gaussians {apart} standard deviations apart"
        lines.append(count_passes(name, full, X, labels, 1e-8))
    for n, d, K, spread in ((5_000, 2, 3, 8.0), (5_000, 10, 5, 12.0)):
        X = synthetic(n, d, K, spread)
        labels = KMeans(K, random_state=0, n_init=1).fit(X).labels_
        lines.append(count_passes(f"easy, {n:,} x {d}, K = {K}", full, X, labels, TOL))
    return lines


def count_passes(name: str, family: Any, X: Any, start: Any, tol: float) -> dict[str, Any]:
    """Passes of plain EM and of the default, from the same start, with the same rule to stop."""
    found, logliks = {}, {}
    for acceleration in (None, "auto"):
        if isinstance(start, Theta):
            mixture = EMMixture.from_params(family, *start).set_params(warm_start=True)
        else:
            mixture = EMMixture(int(start.max()) + 1, family=family, init=start)
        mixture.set_params(acceleration=acceleration, tol=tol, max_iter=UNLIMITED).fit(X)
        found[str(acceleration)] = int(mixture.n_iter_)
        logliks[str(acceleration)] = float(mixture.score_samples(X).sum())
    line = {"problem": name, "tol": tol, "passes": found, "loglik": logliks}
    print(line, flush=True)
    return line


def show(line: dict[str, Any]) -> None:
    """Print a problem."""
    seconds, loglik = line["seconds"], line["loglik"]
    theirs = seconds["scikit-learn"]
    print(
        f"{line['problem']:<30} ours {seconds['ours']:8.3f} s,"
        f" ratio {theirs / seconds['ours']:7.2f};"
        f" one start {theirs / seconds['ours, one start']:7.2f}; log-likelihood"
        f" {loglik['ours'] - loglik['scikit-learn']:+.1e}; passes {list(line['passes'].values())}",
        flush=True,
    )


def main() -> None:
    """Print a line a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--grid", action="store_true", help="only the grid of large sizes")
    parser.add_argument("--kind", choices=COMMON, help="with --grid, only this covariance type")
    arguments = parser.parse_args()
    if not arguments.grid:
        measure(quick=not arguments.full)
        return
    warnings.simplefilter("ignore")
    lines = []
    with one_thread():
        for problem in grid(quick=not arguments.full):
            if arguments.kind in (None, problem.covariance_type):
                lines.append(compare(problem, 1, most_passes(problem)))
                show(lines[-1])
    summarize("grid", lines)


if __name__ == "__main__":
    main()
