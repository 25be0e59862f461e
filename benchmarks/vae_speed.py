"""One epoch of training against a bare PyTorch loop and against pythae, and scoring against pythae.

Same network (64-128-8-128-64), rows, batch size and model (Gaussian, learned encoder scales), one
thread each, in turns in one process. The result is the median, over the turns, of the ratio within
a turn: a shared machine is faster and slower by turns, and what is best of all is not of one phase.
pythae (PyPI) is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_genmodel.vae import VAEEstimator

N_FEATURES, N_HIDDEN, N_LATENT = 64, 128, 8
EPOCHS = 3


def problem(n_rows: int) -> Any:
    """Rows near a curved surface."""
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((n_rows, N_LATENT))
    X = np.tanh(Z @ rng.standard_normal((N_LATENT, N_FEATURES)))
    X += 0.2 * rng.standard_normal(X.shape)
    return (X - X.mean(axis=0)) / X.std(axis=0)


def ours(X: Any, batch_size: int) -> float:
    """Seconds of the fastest epoch of a fit."""
    vae = VAEEstimator(
        N_LATENT,
        encoder=(N_HIDDEN,),
        decoder=(N_HIDDEN,),
        decoder_scale="unit",
        batch_size=batch_size,
        max_epochs=EPOCHS,
        early_stopping=False,
        random_state=0,
        device="cpu",
    ).fit(X)
    return min(epoch.seconds for epoch in vae.history_)


def bare_loop(X: Any, batch_size: int) -> float:
    """Seconds of the fastest epoch of the shortest loop that trains the same model."""
    torch.manual_seed(0)
    rows = torch.tensor(X, dtype=torch.float32)
    encoder = nn.Sequential(
        nn.Linear(N_FEATURES, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, 2 * N_LATENT)
    )
    decoder = nn.Sequential(
        nn.Linear(N_LATENT, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, N_FEATURES)
    )
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], fused=True)
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for index in torch.randperm(len(rows)).split(batch_size):
            x = rows[index]
            mean, log_scale = encoder(x).chunk(2, 1)
            z = mean + log_scale.exp() * torch.randn_like(mean)
            squares = (x - decoder(z)).square().sum()
            kl = 0.5 * (mean.square() + (2 * log_scale).exp() - 1 - 2 * log_scale).sum()
            optimizer.zero_grad()
            ((0.5 * squares + kl) / len(x)).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def pythae_model() -> Any:
    """The same network in pythae."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(N_FEATURES, N_HIDDEN), nn.ReLU())
            self.mean = nn.Linear(N_HIDDEN, N_LATENT)
            self.log_variance = nn.Linear(N_HIDDEN, N_LATENT)

        def forward(self, x: Any) -> Any:
            h = self.hidden(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(N_LATENT, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, N_FEATURES)
            )

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    config = VAEConfig(input_dim=(N_FEATURES,), latent_dim=N_LATENT, reconstruction_loss="mse")
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def pythae_epoch(X: Any, batch_size: int) -> float:
    """Seconds of one epoch: the difference of a run of several and a run of one."""
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    data = torch.tensor(X, dtype=torch.float32)
    dataset = BaseDataset(data, torch.ones(len(data)))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=1,
            per_device_train_batch_size=batch_size,
            learning_rate=1e-3,
            no_cuda=True,
        )
        trainer = BaseTrainer(pythae_model(), dataset, training_config=config)
        trainer.prepare_training()
        seconds = []
        for epoch in range(1, EPOCHS + 1):
            start = time.perf_counter()
            trainer.train_step(epoch)
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def scoring_sides(X: Any, n_draws: int) -> dict[str, Callable[[], float]]:
    """Seconds per row of an importance-weighted log-likelihood: ours, and pythae's `get_nll`.

    pythae's cost is the same for every row: it gets a few.
    """
    vae = VAEEstimator(
        N_LATENT,
        encoder=(N_HIDDEN,),
        decoder=(N_HIDDEN,),
        decoder_scale="unit",
        max_epochs=1,
        n_score_draws=n_draws,
        random_state=0,
        device="cpu",
    ).fit(X[:500])
    few = torch.tensor(X[: max(len(X) // 20, 1)], dtype=torch.float32)

    def timed(score: Callable[[], Any], n_rows: int) -> float:
        start = time.perf_counter()
        score()
        return (time.perf_counter() - start) / n_rows

    sides = {"ours": lambda: timed(lambda: vae.score_samples(X), len(X))}
    if importlib.util.find_spec("pythae"):
        model = pythae_model()
        sides["pythae"] = lambda: timed(
            lambda: model.get_nll(few, n_samples=n_draws, batch_size=n_draws), len(few)
        )
    return sides


def ratios_in_turns(
    sides: dict[str, Callable[[], float]], turns: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of every side, and the median of its ratio to ours within a turn."""
    seconds = {name: np.empty(turns) for name in sides}
    for turn in range(turns):
        for name, side in sides.items():
            seconds[name][turn] = side()
    return {
        name: (float(np.median(own)), float(np.median(own / seconds["ours"])))
        for name, own in seconds.items()
    }


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=5, help="of epochs; of scoring three times so")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    threadpool_limits(1)
    X = problem(arguments.rows)
    sides = {"ours": partial(ours, X, 128), "bare loop": partial(bare_loop, X, 128)}
    if importlib.util.find_spec("pythae"):
        sides["pythae"] = partial(pythae_epoch, X, 128)
    for name, (seconds, ratio) in ratios_in_turns(sides, arguments.turns).items():
        print(f"epoch of {arguments.rows} rows, {name}: {seconds:.3f} s, {ratio:.2f} times ours")
    scored = X[: arguments.rows // 2]
    sides = scoring_sides(scored, 100)
    for name, (seconds, ratio) in ratios_in_turns(sides, 3 * arguments.turns).items():
        print(
            f"scoring {len(scored)} rows with 100 draws, {name}: {1e6 * seconds:.0f} us a row, "
            f"{ratio:.1f} times ours"
        )


if __name__ == "__main__":
    main()
