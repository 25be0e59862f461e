"""From the outputs of a decoder to log p(x | z), in as few outputs as it takes.

Normal cells whose deviations s are the same for all rows see the last layer W h + b in one way:
through |(x - b) / s - W' h|, where W' = W / s. With W' = Q R, Q with orthonormal columns and R with
zeros below its diagonal, that length has two parts. One, |Q' (x - b) / s - R h|, is of no more
numbers than the layer before the last has units, and half of its square of weights is zeros; the
other, what of (x - b) / s is not in the range of Q, is the same for every z.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from sklearn_genmodel.vae._components import LOG_2PI
from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._networks import Dense

__all__ = ["RowDensities", "row_densities"]

# From a slice of the rows and outputs (n_rows, n_draws, n_outputs) to nats (n_rows, n_draws).
LogProb = Callable[[slice, Any], Any]


class RowDensities(NamedTuple):
    """Densities of rows given z, from the outputs of a network, which may be overwritten."""

    network: Any
    of_rows: Callable[[Rows], LogProb]


def row_densities(likelihood: Likelihood, decoder: Any, *, complete: bool) -> RowDensities:
    """Densities of rows of which all cells were seen, or may not have been.

    Parameters
    ----------
    likelihood : Likelihood
    decoder : torch.nn.Module
        Its precision may be lower than that of the likelihood, which is that of the densities.
    complete : bool

    Returns
    -------
    densities : RowDensities
    """
    deviations = likelihood.normal_deviations() if complete else None
    if deviations is None or type(decoder) is not Dense:
        return RowDensities(decoder, partial(_of_cells, likelihood))
    return _of_rotated(decoder, deviations)


def _of_cells(likelihood: Likelihood, rows: Rows) -> LogProb:
    def log_prob(part: slice, outputs: Any) -> Any:
        mask = None if rows.mask is None else rows.mask[part, None]
        return likelihood.row_log_prob(rows.cells[part, None], outputs, mask)

    return log_prob


def _of_rotated(decoder: Dense, deviations: Any) -> RowDensities:
    *hidden, last = decoder.layers
    with torch.no_grad():
        bias = last.bias.to(deviations.dtype)
        basis, weight = torch.linalg.qr(last.weight.to(deviations.dtype) / deviations[:, None])
        layer = nn.utils.skip_init(nn.Linear, weight.shape[1], len(weight), device=weight.device)
        layer = layer.to(last.weight.dtype)
        layer.weight.copy_(weight.triu())
        layer.bias.zero_()
    network = Dense([*hidden, layer], decoder.activation)
    constant = -(torch.log(deviations) + 0.5 * LOG_2PI).sum()

    def of_rows(rows: Rows) -> LogProb:
        cells = (rows.cells - bias) / deviations
        targets = cells @ basis
        rest = cells - targets @ basis.T if basis.shape[0] > basis.shape[1] else 0.0 * targets
        constants = (constant - 0.5 * rest.square().sum(1))[:, None]
        targets = targets.to(last.weight.dtype)[:, None]

        def log_prob(part: slice, outputs: Any) -> Any:
            lengths = torch.linalg.vector_norm(outputs.sub_(targets[part]), dim=-1)
            lengths = lengths.to(constants.dtype)
            return torch.addcmul(constants[part], lengths, lengths, value=-0.5)

        return log_prob

    return RowDensities(network, of_rows)
