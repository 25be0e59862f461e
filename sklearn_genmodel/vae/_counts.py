"""Log-masses of counts, which keep their digits in single precision where counts are large.

x log rate - rate - log x! is a small difference of large numbers. What depends on x alone is
computed in double precision here, and the rest as x t - x (e^t - 1) with t = log(rate / x), both of
which are small where the rate is near the count (the deviance; Loader 2000).

References
----------
Loader, C. (2000). Fast and accurate computation of binomial probabilities.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

__all__ = ["in_double", "negative_binomial", "poisson"]


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
    # Of a count of 0 the terms are 0 and -e^t + 1 with t = log rate.
    positive = in_double(X).clamp(min=1.0)
    logs = torch.log(positive)
    constant = torch.lgamma(positive + 1.0) - positive * logs + positive
    t = log_rate - logs.to(X.dtype)
    return X * t - X.clamp(min=1.0) * torch.expm1(t) - constant.to(X.dtype)


def negative_binomial(X: Any, log_mean: Any, log_r: Any) -> Any:
    """Log-mass of counts with variance mean + mean^2 / r.

    In single precision r should not exceed 1e6 by far: r log p is of its size.

    Parameters
    ----------
    X : tensor
    log_mean, log_r : tensors
        Of shapes that X broadcasts to.

    Returns
    -------
    log_prob : tensor
    """
    x, exact_r = in_double(X), torch.exp(in_double(log_r))
    choices = torch.lgamma(x + exact_r) - torch.lgamma(exact_r) - torch.lgamma(x + 1.0)
    log_odds = log_mean - log_r
    successes = X * functional.logsigmoid(log_odds)
    return choices.to(X.dtype) + successes - torch.exp(log_r) * functional.softplus(log_odds)


def in_double(values: Any) -> Any:
    """In double precision, where the device has it."""
    return values if values.device.type == "mps" else values.double()
