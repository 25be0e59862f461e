"""Importance-weighted log-densities of rows, in the memory that is next to the processor."""

from __future__ import annotations

from functools import cache
from itertools import product
from threading import get_ident
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import to_array
from sklearn_genmodel.vae._module import LOG_2PI, VAEModule
from sklearn_genmodel.vae._networks import Workspace
from sklearn_genmodel.vae._outputs import RowDensities, row_densities
from sklearn_genmodel.vae._scoring import block_size, shared_draws
from sklearn_genmodel.vae._threads import computes_alone, over_chunks

__all__ = ["log_evidence"]

Array = NDArray[np.float64]

# Of so many draws together, what does not depend on the number of columns is computed.
DRAWS_AT_A_TIME = 2**16


def log_evidence(module: VAEModule, rows: Rows, n_draws: int, decoder: Any) -> Array:
    """Importance-weighted estimate of log p(x) of every row, in the units of the model.

    Parameters
    ----------
    module : VAEModule
        In double precision where that is quick.
    rows : Rows
    n_draws : int
    decoder : torch.nn.Module
        The module's decoder in the precision of training, which most of all time is spent in.
        Everything else is computed in that of the module.

    Returns
    -------
    log_prob : ndarray of shape (n_rows,)

    References
    ----------
    Burda, Y., Grosse, R. and Salakhutdinov, R. (2016). Importance weighted autoencoders.
    International Conference on Learning Representations.
    """
    log_sum = np.full(len(rows.weights), np.nan)
    complete = np.ones(len(log_sum), bool) if rows.mask is None else to_array(rows.mask).all(axis=1)
    # What is left is of rows so far away that single precision cannot hold what a decoder makes
    # of them. Rows with missing cells stand apart, so that those beside a row do not round it.
    for network, whole in product((decoder, module.decoder), (True, False)):
        left = np.flatnonzero((complete == whole) & ~np.isfinite(log_sum))
        if len(left):
            part = rows.take(torch.as_tensor(left, device=rows.inputs.device))
            # To rotate costs as much as the scores of a few rows, and is kept for the decoder.
            rotate = whole and network is decoder
            densities = row_densities(module.likelihood, network, rotate=rotate)
            part = part._replace(mask=None) if whole else part
            log_sum[left] = _log_sum(module, part, n_draws, densities)
    return log_sum - np.log(n_draws)


def _log_sum(module: VAEModule, rows: Rows, n_draws: int, densities: RowDensities) -> Array:
    """Log of the sum of the importance weights of every row.

    The decoder sees blocks of one size, the last filled up with rows that are dropped, so that in
    single precision too the score of a row does not depend on what other rows are scored with it.
    """
    noise = shared_draws(module, n_draws, whiten=False)[:, 0]
    # log q(z | x), but for the scales: (z - mean) / scale is the noise.
    log_density = -0.5 * (noise.square() + LOG_2PI).sum(-1)
    n_rows, decoder = len(rows.weights), densities.network
    with torch.inference_mode():
        components = module.components()
    n_terms = n_draws * len(components.log_weights)
    n_in_cache = Workspace.n_in_cache(decoder, n_draws)
    if n_in_cache is None:
        size = block_size(rows.cells.shape[1], n_draws)
    else:
        size = max(1, min(n_in_cache, DRAWS_AT_A_TIME // n_terms, n_rows))

    @cache
    def workspace(_: int) -> Workspace:
        return Workspace(decoder, size, n_draws, module.n_latent, like=noise)

    @torch.inference_mode()
    def estimate(chunk: Rows) -> Array:
        decode = workspace(get_ident())
        dtype = decode.inputs.dtype
        means, log_scales = module.posterior(chunk.inputs)
        scales = torch.exp(log_scales)
        log_weights = components.log_prob_of_draws(means, scales, noise) - log_density
        means, scales = means.to(dtype)[:, None], scales.to(dtype)[:, None]
        single, log_prob = noise.to(dtype), densities.of_rows(chunk)
        measured = []
        for start in range(0, len(means), size):
            part = slice(start, start + size)
            torch.addcmul(means[part], scales[part], single, out=decode.inputs)
            measured.append(log_prob.measure(part, decode()))
        log_weights += log_prob.in_nats(torch.cat(measured))
        return to_array(torch.logsumexp(log_weights, 1) + log_scales.sum(-1))

    filled = torch.arange(-(-n_rows // size) * size, device=rows.inputs.device)
    blocks = rows.take(filled.clamp(max=n_rows - 1)) if n_rows % size else rows
    n_together = max(1, DRAWS_AT_A_TIME // (size * n_terms))
    chunks = list(blocks.split(size * n_together))
    # Rows too far away for single precision are told by what comes out.
    with np.errstate(over="ignore", invalid="ignore"):
        parts = over_chunks(estimate, chunks, alone=computes_alone(module))
    return np.concatenate(parts)[:n_rows]
