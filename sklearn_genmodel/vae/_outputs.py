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
from weakref import WeakKeyDictionary

import torch
from torch import nn

from sklearn_genmodel.vae._components import LOG_2PI
from sklearn_genmodel.vae._data import Rows
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._networks import Dense

__all__ = ["RowDensities", "row_densities"]


class LogProb(NamedTuple):
    """Densities of some rows given z, in two steps, the first of which is taken in parts.

    ``measure`` takes a slice of the rows and outputs (n_rows, n_draws, n_outputs), which it may
    overwrite, and returns what matters of them, (n_rows, n_draws); ``in_nats`` makes log p(x | z)
    of that, of all rows.
    """

    measure: Callable[[slice, Any], Any]
    in_nats: Callable[[Any], Any]


class RowDensities(NamedTuple):
    """Densities of rows given z, from the outputs of a network."""

    network: Any
    of_rows: Callable[[Rows], LogProb]


def row_densities(likelihood: Likelihood, decoder: Any, *, rotate: bool) -> RowDensities:
    """Densities of rows given z.

    Parameters
    ----------
    likelihood : Likelihood
    decoder : torch.nn.Module
        Its precision may be lower than that of the likelihood, which is that of the densities.
    rotate : bool
        Whether outputs may be rotated, as they may if all cells of the rows were seen.

    Returns
    -------
    densities : RowDensities
    """
    deviations = likelihood.normal_deviations() if rotate else None
    if deviations is None or type(decoder) is not Dense:
        return RowDensities(decoder, partial(_of_cells, likelihood))
    return _of_rotated(decoder, deviations.detach())


def _of_cells(likelihood: Likelihood, rows: Rows) -> LogProb:
    def log_prob(part: slice, outputs: Any) -> Any:
        mask = None if rows.mask is None else rows.mask[part, None]
        return likelihood.row_log_prob(rows.cells[part, None], outputs, mask)

    return LogProb(log_prob, lambda log_prob: log_prob)


class _Rotation(NamedTuple):
    """Q, and R as a layer, of a last layer and deviations."""

    weight: Any
    deviations: Any
    basis: Any
    layer: Any


# Of every decoder the last, which costs as much as the scores of a few rows.
_rotations: WeakKeyDictionary[Dense, _Rotation] = WeakKeyDictionary()


def _rotation(decoder: Dense, deviations: Any) -> _Rotation:
    last = decoder.layers[-1]
    known = _rotations.get(decoder)
    if known and _same(known.weight, last.weight) and _same(known.deviations, deviations):
        return known
    with torch.no_grad():
        basis, weight = torch.linalg.qr(last.weight.to(deviations.dtype) / deviations[:, None])
        shape = weight.shape[::-1]
        layer = nn.utils.skip_init(nn.Linear, *shape, bias=False, device=weight.device)
        layer = layer.to(last.weight.dtype)
        layer.weight.copy_(weight.triu())
    found = _Rotation(last.weight.detach().clone(), deviations.clone(), basis, layer)
    _rotations[decoder] = found
    return found


def _same(one: Any, other: Any) -> bool:
    alike = one.dtype == other.dtype and one.device == other.device
    return alike and bool(torch.equal(one, other))


def _of_rotated(decoder: Dense, deviations: Any) -> RowDensities:
    *hidden, last = decoder.layers
    _, _, basis, layer = _rotation(decoder, deviations)
    bias = last.bias.detach().to(deviations.dtype)
    constant = -(torch.log(deviations) + 0.5 * LOG_2PI).sum()

    def of_rows(rows: Rows) -> LogProb:
        cells = (rows.cells - bias) / deviations
        targets = cells @ basis
        constants = constant.expand(len(cells), 1)
        if len(basis) > len(basis.T):
            rest = cells - targets @ basis.T
            constants = constant - 0.5 * rest.square().sum(1, keepdim=True)
        targets = targets.to(layer.weight.dtype)[:, None]

        def measure(part: slice, outputs: Any) -> Any:
            return torch.linalg.vector_norm(outputs.sub_(targets[part]), dim=-1)

        def in_nats(lengths: Any) -> Any:
            return torch.add(constants, lengths.to(constants.dtype).square_(), alpha=-0.5)

        return LogProb(measure, in_nats)

    return RowDensities(Dense([*hidden, layer], decoder.activation), of_rows)
