"""One EM pass against one iteration of scikit-learn's GaussianMixture: same data, same start.

Both run in this process, on one thread, in turns. A side's time for one pass is the difference
between fits of many and of few passes, divided by the difference in passes, so that what a fit
does once does not count; the smallest over the turns is taken. The log-likelihood afterwards must
be equal. Absolute times mean little on a shared machine; the ratio is the result.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Gaussian, GaussianParams

SIZES = [(1_000_000, 2, 3), (200_000, 10, 5), (100_000, 50, 20)]
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
FEW, MANY = 2, 10


def problem(n_samples: int, n_features: int, n_components: int) -> tuple[Any, Any, Any]:
    """Overlapping clusters; means and the covariance of all rows to start from."""
    rng = np.random.default_rng(0)
    labels = rng.integers(n_components, size=n_samples)
    X = rng.standard_normal((n_samples, n_features))
    X += 2.0 * rng.standard_normal((n_components, n_features))[labels]
    return X, X[:n_components].copy(), np.cov(X.T, bias=True)


def shaped(covariance: Any, covariance_type: str, n_components: int) -> Any:
    """The start's covariance in the shape of a covariance type."""
    variances = np.diag(covariance)
    return {
        "full": np.tile(covariance, (n_components, 1, 1)),
        "tied": covariance,
        "diag": np.tile(variances, (n_components, 1)),
        "spherical": np.full(n_components, variances.mean()),
    }[covariance_type]


def ours(X: Any, means: Any, covariances: Any, covariance_type: str, n_iter: int) -> Any:
    """Fit ours for a number of passes from given parameters."""
    n_components = len(means)
    mixture = EMMixture.from_params(
        Gaussian(covariance_type, reg_covar=0.0),
        np.full(n_components, 1.0 / n_components),
        GaussianParams(means, covariances),
    )
    mixture.set_params(warm_start=True, max_iter=n_iter, tol=0, acceleration=None)
    return mixture.fit(X)


def theirs(X: Any, means: Any, covariances: Any, covariance_type: str, n_iter: int) -> Any:
    """Fit scikit-learn's for a number of iterations from given parameters."""
    matrix = covariance_type in ("full", "tied")
    mixture = GaussianMixture(
        len(means),
        covariance_type=covariance_type,
        weights_init=np.full(len(means), 1.0 / len(means)),
        means_init=means,
        precisions_init=np.linalg.inv(covariances) if matrix else 1.0 / covariances,
        init_params="random_from_data",
        max_iter=n_iter,
        tol=0,
        reg_covar=0.0,
    )
    return mixture.fit(X)


def seconds(fit: Callable[..., Any], *args: Any) -> float:
    """Wall time of one fit."""
    start = time.perf_counter()
    fit(*args)
    return time.perf_counter() - start


def compare(size: tuple[int, int, int], covariance_type: str, turns: int) -> dict[str, float]:
    """Seconds a pass on both sides, and how far apart the log-likelihoods end."""
    X, means, covariance = problem(*size)
    start = (X, means, shaped(covariance, covariance_type, len(means)), covariance_type)
    runs = [(fit, n_iter) for fit in (ours, theirs) for n_iter in (FEW, MANY)]
    times = [
        min(turn)
        for turn in zip(
            *([seconds(fit, *start, n) for fit, n in runs] for _ in range(turns)), strict=True
        )
    ]
    few_ours, many_ours, few_theirs, many_theirs = times
    gap = ours(*start, MANY).score(X) - theirs(*start, MANY).score(X)
    return {
        "ours": (many_ours - few_ours) / (MANY - FEW),
        "theirs": (many_theirs - few_theirs) / (MANY - FEW),
        "gap": abs(gap),
    }


def main() -> None:
    """Print one line a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--covariance-types", nargs="+", default=["full"], choices=COVARIANCE_TYPES)
    arguments = parser.parse_args()
    print(
        f"{'covariance':<11}{'n':>9}{'d':>4}{'K':>4}{'ours s':>9}{'theirs s':>10}{'ratio':>7}"
        f"{'log-lik gap':>13}"
    )
    # Neither side is meant to converge in so few passes.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        for covariance_type in arguments.covariance_types:
            for size in SIZES:
                result = compare(size, covariance_type, arguments.turns)
                n, d, k = size
                print(
                    f"{covariance_type:<11}{n:>9}{d:>4}{k:>4}{result['ours']:>9.4f}"
                    f"{result['theirs']:>10.4f}{result['theirs'] / result['ours']:>7.1f}"
                    f"{result['gap']:>13.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
