"""Log-density of shares, given by their log-odds: these are as exact near 1 as near 0."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from sklearn_genmodel.vae._counts import in_double

__all__ = ["beta"]

# From here on Stirling's series is exact to rounding.
LARGE = 16.0


def beta(log_odds: Any, a: Any, b: Any) -> Any:
    """Log-density of shares x, with respect to x.

    Parameters
    ----------
    log_odds : tensor
        log x - log(1 - x).
    a, b : tensors
        Above 0, in double precision where the device has it: of small shares b is as large as
        they are small, and logarithms of its Gamma function lose digits in single precision.

    Returns
    -------
    log_prob : tensor
    """
    precise = in_double(log_odds)
    share, rest = functional.logsigmoid(precise), functional.logsigmoid(-precise)
    return ((a - 1.0) * share + (b - 1.0) * rest - _log_beta(a, b)).to(log_odds.dtype)


def _log_beta(a: Any, b: Any) -> Any:
    """log B(a, b), without a difference of log Gamma(a + b) and that of a large shape."""
    small, large = torch.minimum(a, b), torch.maximum(a, b)
    near, far = large.clamp(max=LARGE), large.clamp(min=LARGE)
    direct = torch.lgamma(near + small) - torch.lgamma(near)
    # log Gamma(t) = (t - 1/2) log t - t + log(2 pi) / 2 + remainder(t), at t = far + small and far
    series = small * torch.log(far + small) + (far - 0.5) * torch.log1p(small / far) - small
    series = series + _remainder(far + small) - _remainder(far)
    return torch.lgamma(small) - torch.where(large < LARGE, direct, series)


def _remainder(t: Any) -> Any:
    """1 / (12 t) - 1 / (360 t^3) + 1 / (1260 t^5) - 1 / (1680 t^7), of t from 16 on."""
    r = (1.0 / t).square()
    return (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / t
