"""Log-masses of counts, of any size in single precision too.

x log rate - rate - log x! is a small difference of large numbers. By Stirling's formula it is
-x (e^t - 1 - t) - log(2 pi x) / 2 - error(x) with t = log(rate / x), where nothing cancels: a rate
that is near the count is known by its logarithm as well as it needs to be.

References
----------
Loader, C. (2000). Fast and accurate computation of binomial probabilities.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

__all__ = ["negative_binomial", "poisson"]

LOG_2PI = math.log(2.0 * math.pi)
# From here on the series has the digits of double precision.
LARGE = 16.0
SERIES = (1 / 12, 1 / 360, 1 / 1260, 1 / 1680, 1 / 1188)


def poisson(X: Any, log_rate: Any) -> Any:
    """Log-mass of counts.

    Parameters
    ----------
    X : tensor
    log_rate : tensor
        Of a shape that X broadcasts to.

    Returns
    -------
    log_prob : tensor
    """
    is_zero = X == 0
    x = torch.where(is_zero, 1.0, X)
    constant = 0.5 * (LOG_2PI + torch.log(x)) + _stirling_error(x)
    positive = -x * _deviance(log_rate - torch.log(x)) - constant
    return torch.where(is_zero, -torch.exp(log_rate), positive)


def negative_binomial(X: Any, log_mean: Any, log_r: Any) -> Any:
    """Log-mass of counts with variance mean + mean^2 / r.

    For x above 0 that is the one of r successes among n = x + r trials, each with probability
    p = r / (r + mean), times r / n.

    Parameters
    ----------
    X : tensor
    log_mean, log_r : tensors
        Of shapes that X broadcasts to.

    Returns
    -------
    log_prob : tensor
    """
    is_zero = X == 0
    x, r = torch.where(is_zero, 1.0, X), torch.exp(log_r)
    n, log_x = x + r, torch.log(x)
    log_n = torch.log(n)
    # log(n p / r), and log(n (1 - p) / x)
    successes = log_n - torch.logaddexp(log_r, log_mean)
    failures = successes + log_mean - log_x
    positive = (
        _stirling_error(n)
        - _stirling_error(r)
        - _stirling_error(x)
        - r * _deviance(successes)
        - x * _deviance(failures)
        + 0.5 * (log_r - log_n - log_x - LOG_2PI)
    )
    return torch.where(is_zero, -r * functional.softplus(log_mean - log_r), positive)


def _deviance(t: Any) -> Any:
    """e^t - 1 - t."""
    return torch.expm1(t) - t


def _stirling_error(x: Any) -> Any:
    """log Gamma(x + 1) - ((x + 1/2) log x - x + log(2 pi) / 2), for x above 0."""
    is_large = x >= LARGE
    small, large = torch.where(is_large, 1.0, x), torch.where(is_large, x, LARGE)
    direct = torch.lgamma(small + 1.0) - (small + 0.5) * torch.log(small) + small - 0.5 * LOG_2PI
    inverse = 1.0 / large
    square, series = inverse.square(), SERIES[-1]
    for coefficient in SERIES[-2::-1]:
        series = coefficient - series * square
    return torch.where(is_large, series * inverse, direct)
