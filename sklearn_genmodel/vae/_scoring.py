"""Bounds and importance-weighted expectations of rows, with draws that all rows share.

The draws come from a fixed seed, so that a score is a function of the row alone: it does not
change between calls, nor with the rows that are scored beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import to_array
from sklearn_genmodel.vae._module import VAEModule, expected_log_prior, gaussian_entropy
from sklearn_genmodel.vae._networks import widest_layer
from sklearn_genmodel.vae._streaming import StreamedRows
from sklearn_genmodel.vae._threads import computes_alone, over_chunks

__all__ = [
    "Bound",
    "block_size",
    "bound_of_rows",
    "by_blocks",
    "count_active",
    "decoded",
    "importance_weighted",
    "resampled_outputs",
    "shared_draws",
]

Array = NDArray[np.float64]

SEED = 0
# Cells of the widest array: calls cost little beside what they do, and memory stays small.
CELLS_AT_A_TIME = 2**20
NARROWEST = 64
ACTIVE_VARIANCE = 1e-2


class Bound(NamedTuple):
    """Terms of the lower bound of log p(x), one value per row, in nats (L3).

    ``elbo`` = ``reconstruction`` - ``kl`` = ``expected_log_joint`` + ``entropy``, where
    ``reconstruction`` is E_q[log p(x | z)], ``kl`` is KL(q || p(z)), ``expected_log_joint`` is
    E_q[log p(x, z)] and ``entropy`` is H(q).
    """

    elbo: Array
    reconstruction: Array
    kl: Array
    expected_log_joint: Array
    entropy: Array


def shared_draws(module: VAEModule, n_draws: int, *, whiten: bool) -> Any:
    """Standard normal draws, the same in every call: (n_draws, 1, n_latent).

    They are pairs of opposite points of a scrambled Sobol sequence. Whitened draws have exactly
    the mean 0 and the covariance I, so that expectations of quadratics, such as the bound of a
    linear Gaussian model, are exact; the others are each distributed as a normal draw is, as an
    unbiased estimate of p(x) needs.

    References
    ----------
    Owen, A. B. (1998). Scrambling Sobol' and Niederreiter-Xing points. Journal of Complexity 14,
    466-489.
    """
    # Integers of NumPy lack methods of Python's.
    n_pairs = -(-int(n_draws) // 2)
    sobol = qmc.Sobol(module.n_latent, rng=np.random.default_rng(SEED))
    uniform = sobol.random_base2(max(n_pairs - 1, 0).bit_length())[:n_pairs]
    half = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    if whiten and n_pairs >= 2 * module.n_latent and n_draws % 2 == 0:
        lower = np.linalg.cholesky(half.T @ half / n_pairs)
        half = np.linalg.solve(lower, half.T).T
    draws = np.concatenate([half, -half])[:n_draws, None]
    return torch.as_tensor(draws, dtype=module.like.dtype, device=module.like.device)


def by_blocks(
    module: VAEModule,
    rows: Rows | StreamedRows,
    n_draws: int,
    function: Callable[[Rows], tuple[Any, ...]],
    *,
    in_turn: bool = False,
) -> tuple[Array, ...]:
    """Apply a function to blocks of rows, and join each of the arrays that it returns.

    Parameters
    ----------
    module : VAEModule
        What the function computes with.
    rows : Rows or StreamedRows
    n_draws : int
        Draws per row, for the size of a block.
    function : callable
        From rows to tensors whose first axis is the rows.
    in_turn : bool
        Whether blocks must come one after the other, because all draw from one generator.

    Returns
    -------
    arrays : tuple of ndarray
    """

    @torch.inference_mode()
    def arrays(block: Rows) -> tuple[Array, ...]:
        return tuple(map(to_array, function(block)))

    width = max(rows.cells.shape[1], widest_layer(module))
    blocks = rows.split(block_size(width, n_draws))
    alone = isinstance(rows, Rows) and computes_alone(module) and not in_turn
    parts = over_chunks(arrays, blocks, alone=alone)
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def bound_of_rows(module: VAEModule, rows: Rows, n_draws: int) -> Bound:
    """Lower bound of every row in the units of the model, and its terms in both forms.

    Parameters
    ----------
    module : VAEModule
    rows : Rows
    n_draws : int

    Returns
    -------
    bound : Bound
    """
    noise = shared_draws(module, n_draws, whiten=True)

    def terms(block: Rows) -> tuple[Any, Any, Any]:
        means, log_scales = module.posterior(block.inputs)
        z = means + torch.exp(log_scales) * noise
        components = module.components()
        if components.is_single:
            log_prior = expected_log_prior(means, log_scales, components).sum(1)
        else:
            log_prior = components.log_prob(z).mean(0)
        entropy = gaussian_entropy(log_scales).sum(1)
        return module.log_likelihood(block, z).mean(0), log_prior, entropy

    reconstruction, log_prior, entropy = by_blocks(module, rows, n_draws, terms)
    kl = -(log_prior + entropy)
    return Bound(reconstruction - kl, reconstruction, kl, reconstruction + log_prior, entropy)


def importance_weighted(
    module: VAEModule, rows: Rows, n_draws: int, function: Callable[[Any], Any]
) -> Array:
    """E[f(z) | x] of every row, by self-normalised importance weights.

    Parameters
    ----------
    module : VAEModule
    rows : Rows
    n_draws : int
    function : callable
        From latents (n_draws, n_rows, n_latent) to values (n_draws, n_rows, n_values).

    Returns
    -------
    expectation : ndarray of shape (n_rows, n_values)
    """
    noise = shared_draws(module, n_draws, whiten=False)

    def expectation(block: Rows) -> tuple[Any]:
        means, log_scales = module.posterior(block.inputs)
        log_likelihood, log_prior, log_q = module.log_terms(block, noise)
        shares = torch.softmax(log_likelihood + log_prior - log_q, 0)
        values = function(means + torch.exp(log_scales) * noise)
        return (torch.einsum("cd,cdv->dv", shares, values),)

    return by_blocks(module, rows, n_draws, expectation)[0]


def resampled_outputs(module: VAEModule, rows: Rows, n_draws: int, rng: np.random.Generator) -> Any:
    """Outputs of the decoder at one z per row, resampled by importance from fresh draws of q.

    Parameters
    ----------
    module : VAEModule
    rows : Rows
    n_draws : int
    rng : Generator

    Returns
    -------
    outputs : tensor of shape (n_rows, n_outputs)
    """

    def outputs(block: Rows) -> tuple[Any]:
        shape = (n_draws, len(block.weights), module.n_latent)
        noise = torch.as_tensor(rng.standard_normal(shape)).to(module.like)
        means, log_scales = module.posterior(block.inputs)
        log_likelihood, log_prior, log_q = module.log_terms(block, noise)
        shares = torch.softmax(log_likelihood + log_prior - log_q, 0)
        uniform = torch.as_tensor(rng.random(shape[1])).to(module.like)
        chosen = (shares.cumsum(0) < uniform).sum(0).clamp(max=n_draws - 1)
        draws = noise.gather(0, chosen[None, :, None].expand(1, -1, shape[2]))[0]
        return (module.decode(means + torch.exp(log_scales) * draws),)

    return torch.as_tensor(by_blocks(module, rows, n_draws, outputs, in_turn=True)[0])


def decoded(module: VAEModule, Z: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the decoder's outputs for blocks of latents, and join what it returns.

    Parameters
    ----------
    module : VAEModule
    Z : tensor of shape (n_rows, n_latent)
    function : callable
        From outputs (n_rows, n_outputs) to values of as many rows.

    Returns
    -------
    values : tensor
    """

    @torch.inference_mode()
    def values(block: Any) -> Any:
        return function(module.decode(block))

    size = block_size(max(module.likelihood.n_outputs, widest_layer(module)), 1)
    return torch.cat(over_chunks(values, Z.split(size), alone=computes_alone(module)))


def count_active(module: VAEModule, rows: Rows | StreamedRows) -> int:
    """Number of latent units whose posterior mean varies over the rows: variance above 0.01.

    References
    ----------
    Burda, Y., Grosse, R. and Salakhutdinov, R. (2016). Importance weighted autoencoders, section
    5. International Conference on Learning Representations.
    """
    means, _ = by_blocks(module, rows, 1, lambda block: module.posterior(block.inputs))
    return int(np.sum(means.var(axis=0) > ACTIVE_VARIANCE))


def block_size(width: int, n_draws: int) -> int:
    """Rows of a block whose cells, for so many draws, fit into memory several times over."""
    return max(1, CELLS_AT_A_TIME // (n_draws * max(width, NARROWEST)))
