"""From a checked table to tensors: standardised columns, encoder inputs, masks and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_genmodel.vae._column_statistics import ROUNDING, locations, units
from sklearn_genmodel.vae._likelihood import Likelihood

__all__ = ["Rows", "Scaling", "find_scaling", "make_rows"]

Array = NDArray[np.float64]


class Scaling(NamedTuple):
    """Affine maps between the data and the model: cells by ``(x - offset) / scale``.

    ``offset`` and ``scale`` have one entry per column of the data, ``input_offset`` and
    ``input_scale`` one per input of the encoder, as has ``squashed``: whether arsinh is applied to
    the input afterwards.
    """

    offset: Array
    scale: Array
    input_offset: Array
    input_scale: Array
    squashed: NDArray[np.bool_]

    def to_model(self, X: Array) -> Array:
        """Cells in the units of the model."""
        return (X - self.offset) / self.scale

    def to_start(self, X: Array) -> Array:
        """The same, with 0 where a column varies by rounding alone, to find first scales of."""
        cells = self.to_model(X)
        varies = np.abs(cells) * self.scale > ROUNDING * np.abs(self.offset)
        cells[:, ~varies.any(axis=0)] *= 0.0
        return cells

    def to_data(self, values: Array) -> Array:
        """Cells in the units of the data."""
        return self.offset + self.scale * values

    def log_jacobian(self, X: Array) -> Array:
        """What turns log-densities of rows in the model's units into those of the data: (n,)."""
        # A product of matrices would round a row as its place among the others tells it to.
        log_scale, missing = np.log(self.scale), np.isnan(np.ascontiguousarray(X))
        if not missing.any():
            return np.full(len(X), -log_scale.sum())
        return -np.where(missing, 0.0, log_scale).sum(axis=1)


class Rows(NamedTuple):
    """Rows on a device.

    ``inputs`` (n_rows, n_inputs) go into the encoder, ``cells`` (n_rows, n_features) into the
    likelihood, ``mask`` is 1 where a cell was seen (None if all were), ``weights`` (n_rows,) have
    mean 1.
    """

    inputs: Any
    cells: Any
    mask: Any
    weights: Any

    def map(self, function: Callable[[Any], Any]) -> Rows:
        """Apply a function to every tensor; one that is used twice stays one."""
        inputs = function(self.inputs)
        cells = inputs if self.cells is self.inputs else function(self.cells)
        mask = None if self.mask is None else function(self.mask)
        return Rows(inputs, cells, mask, function(self.weights))

    @property
    def n_bytes(self) -> int:
        """Memory that the tensors take."""
        different = {id(values): values for values in self if values is not None}
        return sum(values.nbytes for values in different.values())

    def take(self, index: Any) -> Rows:
        """Rows by their positions."""
        return self.map(lambda values: values.index_select(0, index))

    def takes(self, indices: Iterable[Any]) -> Iterator[Rows]:
        """Rows by their positions, part by part."""
        return map(self.take, indices)

    def block(self, block: slice) -> Rows:
        """Rows of a slice, as views."""
        return self.map(lambda values: values[block])

    def split(self, size: int) -> list[Rows]:
        """Batches of one size, as views."""
        starts = range(0, len(self.weights), size)
        return [self.block(slice(start, start + size)) for start in starts]


def find_scaling(
    X: Array, weights: Array | None, likelihood: Likelihood, *, standardize: bool
) -> Scaling:
    """Locations and units of the columns that are seen, as far as the likelihood allows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN where a cell is missing.
    weights : ndarray of shape (n_samples,) or None
    likelihood : Likelihood
    standardize : bool
        False leaves data and inputs as they are.

    Returns
    -------
    scaling : Scaling
    """
    features = likelihood.features(X)
    n_features, n_inputs = X.shape[1], features.shape[1]
    if not standardize:
        return Scaling(
            offset=np.zeros(n_features),
            scale=np.ones(n_features),
            input_offset=np.zeros(n_inputs),
            input_scale=np.ones(n_inputs),
            squashed=np.zeros(n_inputs, dtype=bool),
        )
    rescaled = np.broadcast_to(likelihood.rescaled, n_features)
    robust = np.broadcast_to(likelihood.has_outliers, n_features)
    squashed = likelihood.inputs_with_outliers
    return Scaling(
        offset=np.where(rescaled, locations(X, weights, robust), 0.0),
        scale=np.where(rescaled, units(X, weights, robust), 1.0),
        input_offset=locations(features, weights, squashed),
        input_scale=likelihood.spread(features, weights),
        squashed=squashed,
    )


def make_rows(
    X: Array, weights: Array | None, likelihood: Likelihood, scaling: Scaling, like: Any
) -> Rows:
    """Put checked rows on a device.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,) or None
    likelihood : Likelihood
    scaling : Scaling
    like : tensor
        Gives dtype and device.

    Returns
    -------
    rows : Rows
    """
    missing = np.isnan(X)
    is_complete = not missing.any()
    features = likelihood.features(X)
    # Memory is written to once where rows are many: reading it anew costs more than the sums.
    inputs = np.subtract(features, scaling.input_offset, dtype=np.float64)
    inputs /= scaling.input_scale
    if not np.isfinite(inputs).all():
        np.nan_to_num(inputs, copy=False)
    if scaling.squashed.any():
        np.arcsinh(inputs, out=inputs, where=scaling.squashed)
    relative = np.ones(len(X)) if weights is None else weights * (len(X) / weights.sum())
    on_device, on_device_weights = _tensor(inputs, like), _tensor(relative, like)
    alike = features is X and all(map(np.array_equal, scaling[:2], scaling[2:4]))
    if alike and is_complete and not scaling.squashed.any():
        return Rows(on_device, on_device, None, on_device_weights)
    cells = np.where(missing, 0.0, likelihood.to_cells(scaling.to_model(X)))
    mask = None if is_complete else _tensor(~missing, like)
    return Rows(on_device, _tensor(cells, like), mask, on_device_weights)


def _tensor(values: Any, like: Any) -> Any:
    """Numbers that nobody else holds, on the device of others."""
    return torch.from_numpy(values).to(like)
