"""One EM pass on labels and counts against StepMix's and pomegranate's: same rows, same start.

Run it where the peers are installed: see ``requirements-peers.txt``. All run in this process, on
one thread, in turns; the smallest time over the turns is taken. Each starts from the M-step of the
same responsibilities; before anything is timed, the log-likelihoods after equal numbers of passes
must agree (pomegranate computes in single precision). A turn is five passes in a row, as a fit
makes them. Absolute times mean little on a shared machine; the ratio is the result.

Ours is timed twice: on all rows, and on the distinct rows with their weights, which is what
`EMMixture.fit` does by itself where it at least halves the rows. The time that this takes once a
fit is shown next to it, and so is what a first pass over all rows takes beyond the others, to
prepare what they share. The peers always see all rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_genmodel import families
from sklearn_genmodel.em import Rows, Theta, blocked_step, kept
from sklearn_genmodel.em._distinct import canonical_rows

# A pass takes the parameters on and returns the mean log-likelihood per row, in nats, of those
# that came in.
Pass = Callable[[], float]

# Name, (n, d, K), number of levels, 0 for counts. Some shrink to few distinct rows, some do not.
PROBLEMS = [
    ("binary", (100_000, 10, 5), 2),
    ("binary", (100_000, 30, 5), 2),
    ("four levels", (100_000, 6, 5), 4),
    ("four levels", (20_000, 20, 5), 4),
    ("counts", (200_000, 3, 5), 0),
    ("counts", (200_000, 10, 5), 0),
    ("counts", (100_000, 30, 10), 0),
]
PASSES_BEFORE, PASSES_A_TURN = 3, 5
SINGLE, DOUBLE = 1e-5, 1e-10
HEADER = ("data", "n", "d", "K", "peer", "peer ms", "ours ms", "ratio", "distinct rows", "ours ms")
HEADER += ("ratio", "merging ms", "preparing ms", "log-lik gap")


class Problem(NamedTuple):
    """Rows and responsibilities to start from; `n_levels` is 0 for counts."""

    name: str
    X: Any
    resp: Any
    n_levels: int

    def family(self) -> Any:
        """Our family of these data."""
        if self.n_levels == 0:
            return families.Poisson()
        if self.n_levels == 2:
            return families.Bernoulli()
        levels = [list(range(self.n_levels))] * self.X.shape[1]
        return families.Categorical(levels=levels)


def problem(name: str, shape: tuple[int, int, int], n_levels: int, seed: int = 0) -> Problem:
    """Draw rows from a mixture, and blur their labels into responsibilities."""
    n_samples, n_features, n_components = shape
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_components, size=n_samples)
    if n_levels == 0:
        rates = rng.gamma(2.0, 2.0, size=(n_components, n_features))
        X = rng.poisson(rates[labels]).astype(float)
    else:
        probs = rng.dirichlet(np.ones(n_levels), size=(n_components, n_features))
        cumulative = probs.cumsum(axis=2)[labels, :, :-1]
        X = (rng.random((n_samples, n_features))[:, :, None] > cumulative).sum(axis=2).astype(float)
    resp = 0.5 * np.eye(n_components)[labels]
    resp += 0.5 * rng.dirichlet(np.ones(n_components), size=n_samples)
    return Problem(name, X, resp, n_levels)


def our_pass(problem: Problem, rows: Rows) -> Pass:
    """A pass of ours over these rows."""
    family = problem.family()
    step = blocked_step(family, kept(rows))
    theta = Theta(problem.resp.mean(axis=0), family.weighted_mle(problem.X, problem.resp))

    def run() -> float:
        nonlocal theta
        theta, bound = step(theta)
        return bound

    return run


def stepmix_pass(problem: Problem) -> Pass:
    """A pass of StepMix as its `em` makes it: E-step, exponential, M-step."""
    from stepmix.stepmix import StepMix

    n_samples, n_components = problem.resp.shape
    measurement = "binary" if problem.n_levels == 2 else "categorical"
    model = StepMix(n_components, measurement=measurement, progress_bar=0)
    X, sample_weight = problem.X, np.ones(n_samples)
    model._initialize_parameters_measurement(X, np.random.RandomState(0), init_emission=False)
    model._conditional_likelihood = False
    model._m_step(X, problem.resp, sample_weight=sample_weight)

    def run() -> float:
        bound, log_resp = model._e_step(X, sample_weight=sample_weight)
        model._m_step(X, np.exp(log_resp), sample_weight=sample_weight)
        return float(bound)

    return run


def pomegranate_pass(problem: Problem, *, check_data: bool) -> Pass:
    """A pass of pomegranate as its `fit` makes it: summarize, from_summaries."""
    import torch
    from pomegranate.distributions import Bernoulli, Poisson
    from pomegranate.gmm import GeneralMixtureModel

    distribution = Bernoulli if problem.n_levels == 2 else Poisson
    X = torch.tensor(problem.X, dtype=torch.float32)
    means = problem.resp.T @ problem.X / problem.resp.sum(axis=0)[:, None]
    start = [
        distribution(torch.tensor(mean, dtype=torch.float32), check_data=check_data)
        for mean in means
    ]
    priors = torch.tensor(problem.resp.mean(axis=0), dtype=torch.float32)
    model = GeneralMixtureModel(start, priors=priors, check_data=check_data)

    def run() -> float:
        log_likelihood = float(model.summarize(X))
        model.from_summaries()
        return log_likelihood / len(X)

    return run


def peers(problem: Problem) -> Iterator[tuple[str, Callable[[Problem], Pass], float]]:
    """The peers that fit such data: name, maker of a pass, relative precision."""
    if problem.n_levels:
        yield "StepMix", stepmix_pass, DOUBLE
    if problem.n_levels in (0, 2):
        for check_data, name in ((True, "pomegranate"), (False, "pomegranate unchecked")):
            yield name, lambda p, check=check_data: pomegranate_pass(p, check_data=check), SINGLE


def gap(passes: list[Pass]) -> float:
    """Largest relative difference of the log-likelihoods over the first passes."""
    bounds = np.array([[run() for run in passes] for _ in range(PASSES_BEFORE)])
    return float((np.ptp(bounds, axis=1) / np.abs(bounds).max(axis=1)).max())


def seconds(run: Callable[[], Any], n_calls: int = 1) -> float:
    """Wall time of one call, of several in a row."""
    start = time.perf_counter()
    for _ in range(n_calls):
        run()
    return (time.perf_counter() - start) / n_calls


def compare(problem: Problem, turns: int) -> Iterator[tuple[str, ...]]:
    """Lines of the table, one for each peer."""
    rows = Rows(problem.X)
    merging = min(seconds(lambda: canonical_rows(rows)) for _ in range(3))
    merged = canonical_rows(rows)
    for name, make, precision in peers(problem):
        first = min(seconds(our_pass(problem, rows)) for _ in range(3))
        passes = [our_pass(problem, rows), our_pass(problem, merged), make(problem)]
        difference = gap(passes)
        if difference > precision:
            sys.exit(f"{problem.name}, {name}: log-likelihoods differ by {difference:.1e} relative")
        timings = ([seconds(run, PASSES_A_TURN) for run in passes] for _ in range(turns))
        whole, distinct, theirs = map(min, zip(*timings, strict=True))
        size = (*problem.X.shape, problem.resp.shape[1])
        yield (
            problem.name,
            *map(str, size),
            name,
            f"{1e3 * theirs:.2f}",
            f"{1e3 * whole:.2f}",
            f"{theirs / whole:.1f}",
            str(len(merged)),
            f"{1e3 * distinct:.2f}",
            f"{theirs / distinct:.1f}",
            f"{1e3 * merging:.1f}",
            f"{1e3 * max(first - whole, 0.0):.1f}",
            f"{difference:.0e}",
        )


def measure(*, quick: bool) -> dict[str, Any]:
    """Lines of the table under their header, for `run.py`; nothing where a peer is absent."""
    if any(find_spec(name) is None for name in ("stepmix", "pomegranate", "torch")):
        return {"header": HEADER, "lines": []}
    import torch

    torch.set_num_threads(1)
    lines = []
    with threadpool_limits(1):
        for name, (n, d, K), n_levels in PROBLEMS:
            size = (n // 10 if quick else n, d, K)
            for line in compare(problem(name, size, n_levels), 5 if quick else 15):
                print("  ".join(line), flush=True)
                lines.append(line)
    return {"header": HEADER, "lines": lines}


def main() -> None:
    """Print one line for each problem and peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15, help="timings of each side")
    arguments = parser.parse_args()
    absent = [name for name in ("stepmix", "pomegranate", "torch") if find_spec(name) is None]
    if absent:
        print(f"{', '.join(absent)} not installed: see benchmarks/requirements-peers.txt")
        return
    import torch

    torch.set_num_threads(1)
    print("  ".join(f"{cell:>{max(len(cell), 9)}}" for cell in HEADER))
    problems = PROBLEMS
    if not hasattr(families, "Categorical"):
        print("sklearn_genmodel.families has no Categorical: left out")
        problems = [entry for entry in PROBLEMS if entry[2] in (0, 2)]
    with threadpool_limits(1):
        for name, shape, n_levels in problems:
            for line in compare(problem(name, shape, n_levels), arguments.turns):
                widths = (max(len(cell), 9) for cell in HEADER)
                padded = zip(line, widths, strict=True)
                print("  ".join(f"{cell:>{width}}" for cell, width in padded), flush=True)


if __name__ == "__main__":
    main()
