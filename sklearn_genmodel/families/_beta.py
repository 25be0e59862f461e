"""Independent beta columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._centered import CenteredColumns
from sklearn_genmodel.families._numerics._newton import LARGEST_SHAPE, dirichlet_concentrations
from sklearn_genmodel.families._numerics._special import (
    HALF_LOG_2PI,
    log_ratio,
    stirling_remainder,
    trigamma,
)
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._spikes import AT_LIMIT
from sklearn_genmodel.families._support import SHARES, Support

__all__ = ["Beta", "BetaParams"]


class BetaParams(NamedTuple):
    """Parameters of beta components: ``alphas`` and ``betas``, both (n_components, n_features).

    The mean of a column is alpha / (alpha + beta).
    """

    alphas: Array
    betas: Array


class Beta(CenteredColumns):
    """Shares between 0 and 1: every column beta distributed, independent given the component.

    log p(x) = sum_j (a_j - 1) log x_j + (b_j - 1) log(1 - x_j) - log B(a_j, b_j)

    Missing values (NaN) are allowed: the likelihood is that of the values observed. The sum a + b
    is at most 1e14, so that a component on one repeated value keeps a finite likelihood; a search
    drops such components. 0 and 1 themselves have no density: move them inwards by half a unit of
    the precision of the data.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component and column whose means of
        log x and of log(1 - x) are those of all the data, or are the ``means`` given: an array of
        shape (2, n_features) or what broadcasts to it. None is maximum likelihood.

    See Also
    --------
    Dirichlet : Shares that sum to 1.
    Binomial : Shares of a known number of trials.

    Notes
    -----
    The M-step solves the likelihood equations by Newton's method in one unknown, log(a + b), to
    rounding.

    References
    ----------
    Ji, Y., Wu, C., Liu, P., Wang, J. and Coombes, K. R. (2005). Applications of beta-mixture models
    in bioinformatics. Bioinformatics 21, 2118-2122.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Beta
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.beta(2.0, 8.0, 600), rng.beta(30.0, 10.0, 400)])[:, None]
    >>> mixture = EMMixture(2, family=Beta(), random_state=0).fit(X)
    >>> mixture.weights_.round(1)
    array([0.6, 0.4])
    """

    support: ClassVar[Support] = SHARES

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """The logarithms of the share and of what it leaves."""
        return np.log(X), np.log1p(-X)

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """Geometric means of two shares of a whole are at most 1 together."""
        return np.asarray(np.exp(means).sum(axis=0) <= 1.0 + SLACK)

    def centers(self, params: BetaParams) -> Array:
        """The means, kept off 0 and 1."""
        return np.clip(self.mean(params), SHARES.low, SHARES.high)

    def restore(self, Z: Array) -> Array:
        """Inverse of `embed`."""
        return np.clip(expit(Z), SHARES.low, SHARES.high)

    def statistics_about(self, X: Array, origin: Array) -> tuple[Array, Array]:
        """-c log(x / c) - (1 - c) log((1 - x) / (1 - c)), and logit x - logit c."""
        above, below = log_ratio(X, origin), _log_complements(X, origin)
        divergence = _divergence(X - origin, origin, above, below)
        return divergence, above - below

    def means_about(self, means: Array, origin: Array) -> Array:
        """The same from means of log x and log(1 - x)."""
        above, below = means[0] - np.log(origin), means[1] - np.log1p(-origin)
        return np.stack([-origin * above - (1.0 - origin) * below, above - below])

    def coefficients_about(self, params: BetaParams, origin: Array) -> tuple[Array, ...]:
        """-A, A (m - c) and the rest, with A = a + b and m = a / A."""
        a, b = params
        total = a + b
        center = self.centers(params)
        above, below = log_ratio(origin, center), _log_complements(origin, center)
        divergence = _divergence(origin - center, center, above, below)
        remainder = stirling_remainder(total) - stirling_remainder(a) - stirling_remainder(b)
        # -log B(a, b) without a log m + b log(1 - m), which the divergence has
        peak = 0.5 * (np.log(a) + np.log(b) - np.log(total)) - HALF_LOG_2PI + remainder
        return -total, total * (center - origin), peak - total * divergence

    def recentred(self, sums: Array, old: Array, new: Array) -> Array:
        """The divergence is affine in the logit."""
        divergence, logits, counts = sums
        above, below = log_ratio(old, new), _log_complements(old, new)
        shift = _divergence(old - new, new, above, below)
        moved = divergence + (old - new) * logits + shift * counts
        return np.stack([moved, logits + (above - below) * counts, counts])

    def from_means_about(self, means: Array, origin: Array) -> BetaParams:
        """digamma(a) - digamma(a + b) = mean(log x), the same for b and 1 - x."""
        divergence, logits = means
        gaps = [(1.0 - origin) * logits - divergence, -origin * logits - divergence]
        centers = np.stack([origin, 1.0 - origin], axis=-1)
        concentrations = dirichlet_concentrations(centers, np.stack(gaps, axis=-1))
        return BetaParams(concentrations[..., 0], concentrations[..., 1])

    def log_base_terms(self, X: Array) -> Array:
        """-log x - log(1 - x)."""
        logs: Array = np.log(X) + np.log1p(-X)
        return -logs

    def sample(
        self, params: BetaParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        values = rng.beta(params.alphas[labels], params.betas[labels])
        return np.clip(values, SHARES.low, SHARES.high)

    def mean(self, params: BetaParams) -> Array:
        """a / (a + b)."""
        return params.alphas / (params.alphas + params.betas)

    def covariance(self, params: BetaParams) -> Array:
        """Diagonal: m (1 - m) / (a + b + 1)."""
        a, b = params
        variances = a / (a + b) * (b / (a + b)) / (a + b + 1.0)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def spread(self, params: BetaParams) -> Array:
        """Variance of logit x."""
        return trigamma(params.alphas) + trigamma(params.betas)

    def degenerate(
        self, params: BetaParams, n_rows: Array, pooled: BetaParams
    ) -> NDArray[np.bool_]:
        """The same, and components of the largest total of the shapes."""
        totals = params.alphas + params.betas
        at_limit = (AT_LIMIT * totals >= LARGEST_SHAPE).any(axis=1) & (self.prior is None)
        return np.asarray(super().degenerate(params, n_rows, pooled) | at_limit)

    def to_vector(self, params: BetaParams, like: BetaParams) -> Array:
        """Logarithms."""
        return np.log(params).ravel()

    def from_vector(self, vector: Array, like: BetaParams) -> BetaParams:
        """Inverse of `to_vector`."""
        return BetaParams(*np.exp(vector).reshape(2, *like.alphas.shape))

    def embed(self, X: Array) -> Array:
        """Logits."""
        return np.asarray(logit(X))


def _log_complements(x: Array, origin: Array) -> Array:
    """log((1 - x) / (1 - origin)), from the difference: 1 - x loses the digits of small shares."""
    z = (origin - x) / (1.0 - origin)
    near = np.abs(z) < 0.5
    return np.where(near, np.log1p(np.where(near, z, 0.0)), np.log1p(-x) - np.log1p(-origin))


def _divergence(difference: Array, origin: Array, above: Array, below: Array) -> Array:
    """-c log(x / c) - (1 - c) log((1 - x) / (1 - c)), term by term less what cancels.

    c (x - c) / c - (1 - c) (x - c) / (1 - c) = 0 is added, so that both terms are positive.
    """
    terms: Array = (difference - origin * above) + (-difference - (1.0 - origin) * below)
    return terms
