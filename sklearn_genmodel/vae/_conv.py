"""Convolutional networks for images, as factories that an estimator can clone and save."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

__all__ = ["ConvDecoder", "ConvEncoder"]

STRIDE = 2


class _Conv(BaseEstimator):
    """Sizes of the images after every halving."""

    def __init__(self, image_shape: Any, channels: Any = (16, 32)) -> None:
        self.image_shape = image_shape
        self.channels = channels

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Planes, height and width of a row; both arguments are checked."""
        shape: Any = self.image_shape
        if not _whole_numbers(shape) or len(shape) not in {2, 3}:
            raise ValueError(
                f"image_shape={shape!r}: give (height, width) or (planes, height, width), whole "
                "numbers above 0."
            )
        if not _whole_numbers(self.channels):
            raise ValueError(f"channels={self.channels!r}: give a tuple of whole numbers above 0.")
        planes, height, width = (1, *shape)[-3:]
        return planes, height, width

    def _sizes(self, n_pixels: int) -> tuple[int, list[tuple[int, int]]]:
        """Number of planes, and height and width from the image to the deepest layer."""
        planes, height, width = self._shape
        if planes * height * width != n_pixels:
            raise ValueError(
                f"image_shape={self.image_shape!r} has {planes * height * width} cells, but the "
                f"network is asked for {n_pixels}: give (height, width) or (planes, height, width)."
            )
        sizes: list[Any] = [(height, width)]
        for _ in self.channels:
            sizes.append(tuple(math.ceil(size / STRIDE) for size in sizes[-1]))
        return planes, sizes


def _whole_numbers(values: Any) -> bool:
    return bool(np.iterable(values)) and all(map(_is_size, values))


def _is_size(value: Any) -> bool:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and int(value) > 0


class ConvEncoder(_Conv):
    """Convolutions that halve an image, then an affine map.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (planes, height, width) of a row.
    channels : tuple of int, default=(16, 32)
        Channels after every halving.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_genmodel.vae import ConvDecoder, ConvEncoder, VAEEstimator
    >>> vae = VAEEstimator(
    ...     likelihood="poisson",
    ...     encoder=ConvEncoder((8, 8)),
    ...     decoder=ConvDecoder((8, 8)),
    ...     max_epochs=1,
    ...     random_state=0,
    ... )
    >>> vae.fit(load_digits().data).sample().shape
    (1, 64)
    """

    def __call__(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """Make the network: (n_rows, n_inputs) to (n_rows, n_outputs)."""
        planes, sizes = self._sizes(n_inputs)
        layers: list[Any] = [nn.Unflatten(1, (planes, *sizes[0]))]
        for before, after in zip((planes, *self.channels), self.channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, STRIDE, 1, dtype=torch.float32), nn.ReLU()]
        height, width = sizes[-1]
        n_hidden = (planes, *self.channels)[-1] * height * width
        last = nn.Linear(n_hidden, n_outputs, dtype=torch.float32)
        return nn.Sequential(*layers, nn.Flatten(), last)


class ConvDecoder(_Conv):
    """An affine map, then transposed convolutions that double an image.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (planes, height, width) of a row.
    channels : tuple of int, default=(16, 32)
        Channels before every doubling, the last of which is the first to be used.

    See Also
    --------
    ConvEncoder : The other half.

    Examples
    --------
    >>> import torch
    >>> from sklearn_genmodel.vae import ConvDecoder
    >>> network = ConvDecoder((8, 8))(2, 64)
    >>> network(torch.zeros(5, 2)).shape
    torch.Size([5, 64])
    """

    def __call__(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """Make the network: (n_rows, n_inputs) to (n_rows, n_outputs)."""
        n_pixels = math.prod(self._shape)
        if n_outputs % n_pixels:
            # The message of the encoder, which is asked for the cells themselves.
            self._sizes(n_outputs)
        planes, sizes = self._sizes(n_pixels)
        # A likelihood with several parameters per cell asks for as many planes each.
        n_planes = planes * (n_outputs // n_pixels)
        height, width = sizes[-1]
        deepest = (planes, *self.channels)[-1]
        layers: list[Any] = [
            nn.Linear(n_inputs, deepest * height * width, dtype=torch.float32),
            nn.Unflatten(1, (deepest, height, width)),
        ]
        depths = (*self.channels[::-1], n_planes)
        for i, size in enumerate(reversed(sizes[:-1])):
            odd = tuple((s + 1) % STRIDE for s in size)
            depth = depths[i : i + 2]
            conv = nn.ConvTranspose2d(*depth, 3, STRIDE, 1, odd, dtype=torch.float32)
            layers += [nn.ReLU(), conv]
        return nn.Sequential(*layers, nn.Flatten())
