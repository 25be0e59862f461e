"""Independent over-dispersed counts."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._columnwise import ColumnwiseFamily, diagonal_covariance
from sklearn_genmodel.families._numerics._newton import increasing_root
from sklearn_genmodel.families._numerics._poisson_draws import poisson_draws
from sklearn_genmodel.families._numerics._special import (
    digamma_gap,
    digamma_gap_slope,
    stirling_remainder,
)
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["NegativeBinomial", "NegativeBinomialParams"]

LOG_2PI = float(np.log(2.0 * np.pi))
# With a size of 1e12 means, probabilities are those of the Poisson distribution to 1e-10.
POISSON_SIZE = 1e12
SMALLEST_SIZE = 1e-150
# Current log sizes that far from the estimate by moments are no better start than that.
NEAR = 2.0


class NegativeBinomialParams(NamedTuple):
    """Parameters of negative binomial components, each of shape (n_components, n_features).

    ``sizes`` and ``means`` are above 0; the variance is mean + mean^2 / size.
    """

    sizes: Array
    means: Array


class NegativeBinomial(ColumnwiseFamily):
    """Over-dispersed counts: every column negative binomial, independent given the component.

    log p(x) = sum_j log Gamma(x_j + r_j) - log Gamma(r_j) - log x_j!
                     + r_j log(r_j / (r_j + mu_j)) + x_j log(mu_j / (r_j + mu_j))

    with sizes r and means mu: a Poisson distribution whose rate is gamma-distributed. Missing
    values (NaN) are allowed: the likelihood is that of the values observed.

    Parameters
    ----------
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    See Also
    --------
    Poisson : Counts whose variance is their mean.
    ZeroInflated : Counts with more zeros than their family explains.

    Notes
    -----
    The estimate of the mean is the sample mean. That of the size is unique, and finite if and only
    if the variance exceeds the mean (Levin and Reeds 1977); otherwise it is set to 1e12 times the
    mean (1e12 at least), where log-probabilities are those of the Poisson distribution to 1e-10.
    Probabilities are computed by Loader's saddle-point expansion, whose terms do not cancel.

    References
    ----------
    Levin, B. and Reeds, J. (1977). Compound multinomial likelihood functions are unimodal: proof of
    a conjecture of I. J. Good. Annals of Statistics 5, 79-87.

    Loader, C. (2000). Fast and accurate computation of binomial probabilities. Technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import NegativeBinomial
    >>> X = np.array([[0], [1], [0], [5], [2], [0], [40], [90], [61], [30]])
    >>> mixture = EMMixture(2, family=NegativeBinomial(), random_state=0).fit(X)
    >>> mixture.params_.means.round(1).ravel()
    array([ 1.3, 55.2])
    """

    support: ClassVar[Support] = COUNTS
    cost: ClassVar[int] = 64

    def column_log_prob(self, values: Array, params: NegativeBinomialParams) -> Array:
        """Log-probabilities, in nats."""
        r, mu = params.sizes[:, None], params.means[:, None]
        x = np.maximum(values, 1.0)
        # log p(0) = -r log(1 + mu / r)
        zero = -r * np.log1p(mu / r)
        shifted, total = x + r, r + mu
        # D(u) = u - 1 - log u, for u = (x + r) / (mu + r) and u = (x + r) mu / ((mu + r) x)
        t, ratio = (x - mu) / total, shifted / total
        logs = _log(t, ratio)
        near_size = t - logs
        t = r / total * ((mu - x) / x)
        near_count = t - _log(t, ratio * (mu / x))
        remainders = stirling_remainder(shifted) - stirling_remainder(r) - stirling_remainder(x)
        # log(r / (2 pi x (x + r))) / 2
        scale = 0.5 * (np.log(r / total) - np.log(x) - LOG_2PI - logs)
        log_prob: Array = scale + remainders - r * near_size - x * near_count
        log_prob[:, values == 0] = zero
        return log_prob

    def column_mle(
        self, values: Array, weights: Array, current: NegativeBinomialParams | None
    ) -> NegativeBinomialParams:
        """Sample means, and sizes by Newton's method."""
        means = np.maximum(weights @ values, TINY)
        squares = ((values - means[:, None]) ** 2 * weights).sum(axis=1)
        sizes = _largest_sizes(means)
        # Where counts vary no more than Poisson's, no finite size is best (Levin and Reeds 1977).
        wide = np.flatnonzero(squares > means)
        if len(wide):
            near = None if current is None else current.sizes[wide]
            sizes[wide] = _sizes(values, weights[wide], means[wide], squares[wide], near)
        return NegativeBinomialParams(sizes, means)

    def sample(
        self, params: NegativeBinomialParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: gamma rates, then counts."""
        sizes, means = params.sizes[labels], params.means[labels]
        return poisson_draws(rng.standard_gamma(sizes) * (means / sizes), rng)

    def mean(self, params: NegativeBinomialParams) -> Array:
        """The means."""
        return params.means

    def covariance(self, params: NegativeBinomialParams) -> Array:
        """Variances mean + mean^2 / size on the diagonals."""
        return diagonal_covariance(params.means * (1.0 + params.means / params.sizes))

    def to_vector(self, params: NegativeBinomialParams, like: NegativeBinomialParams) -> Array:
        """Square roots of the means and of 1 / size, which is 0 for Poisson components."""
        return np.sqrt(np.concatenate([params.means.ravel(), 1.0 / params.sizes.ravel()]))

    def from_vector(self, vector: Array, like: NegativeBinomialParams) -> NegativeBinomialParams:
        """Inverse of `to_vector`."""
        means, inverse_sizes = (vector**2).reshape(2, *like.means.shape)
        means = np.maximum(means, TINY)
        inverse_sizes = np.clip(inverse_sizes, 1.0 / _largest_sizes(means), 1.0 / SMALLEST_SIZE)
        return NegativeBinomialParams(1.0 / inverse_sizes, means)

    def embed(self, X: Array) -> Array:
        """Square roots, in which long tails are shorter."""
        return np.sqrt(X)


def _log(t: Array, ratio: Array) -> Array:
    """log u for u = ratio = 1 + t, from whichever of the two has more digits."""
    logs: Array = np.log1p(np.maximum(t, -0.5))
    far = t < -0.5
    logs[far] = np.log(ratio[far])
    return logs


def _largest_sizes(means: Array) -> Array:
    """Sizes of what is as good as Poisson's."""
    return POISSON_SIZE * np.maximum(means, 1.0)


def _sizes(
    values: Array, weights: Array, means: Array, squares: Array, near: Array | None
) -> Array:
    """Sizes of components whose counts vary more than Poisson's; `near` are those of before."""
    largest = _largest_sizes(means)
    excess = np.maximum(squares - means, np.maximum(means**2 / largest, TINY))
    start = 2.0 * np.log(means) - np.log(excess)
    if near is not None:
        log_sizes = np.log(near)
        start = np.where(np.abs(log_sizes - start) < NEAR, log_sizes, start)

    def equation(log_sizes: Array) -> tuple[Array, Array]:
        return _size_equation(values, weights, means, np.exp(log_sizes))

    low = np.full_like(means, np.log(SMALLEST_SIZE))
    return np.exp(increasing_root(equation, start, low, np.log(largest)))


def _size_equation(
    values: Array, weights: Array, means: Array, sizes: Array
) -> tuple[Array, Array]:
    """Minus size (size + mean) d log-likelihood / d size, and its slope in log size."""
    r, total = sizes[:, None], (sizes + means)[:, None]
    both = np.concatenate([r, values + r], axis=1)
    shifted, gap, gap_slope = both[:, 1:], digamma_gap(both), digamma_gap_slope(both)
    # E digamma(x + r) - digamma(r) - log(1 + mu / r), with digamma(a) = log a - gap(a)
    scores = _log((values - means[:, None]) / total, shifted / total)
    scores += gap[:, :1] - gap[:, 1:]
    slopes = 1.0 / shifted - 1.0 / total
    slopes += gap_slope[:, :1] - gap_slope[:, 1:]
    score, slope = (np.einsum("kv,kv->k", weights, terms) for terms in (scores, slopes))
    scale = sizes * total[:, 0]
    return -scale * score, -scale * (sizes * slope + (1.0 + sizes / total[:, 0]) * score)
