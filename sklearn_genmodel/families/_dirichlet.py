"""Shares of a whole."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._numerics._newton import LARGEST_SHAPE, dirichlet_concentrations
from sklearn_genmodel.families._numerics._special import HALF_LOG_2PI, stirling_remainder, trigamma
from sklearn_genmodel.families._prior import SLACK
from sklearn_genmodel.families._spikes import AT_LIMIT, spikes
from sklearn_genmodel.families._support import SHARES, Support
from sklearn_genmodel.families._whole_rows import WholeRows

__all__ = ["Dirichlet", "DirichletParams"]

# Sums of rows may miss 1 by the rounding of single precision.
TOLERANCE = 1e-6


class DirichletParams(NamedTuple):
    """Parameters of Dirichlet components: ``concentrations``, (n_components, n_features)."""

    concentrations: Array


class Dirichlet(WholeRows):
    """Compositions: rows of positive shares that sum to 1.

    log p(x) = sum_j (a_j - 1) log x_j + log Gamma(sum_j a_j) - sum_j log Gamma(a_j)

    with concentrations a; the density is over all shares but the last, as in SciPy. A row that is
    missing altogether (all NaN) contributes nothing; a row with some values missing is an error, as
    is a row that does not sum to 1 to within 1e-6. The sum of the concentrations is at most 1e14,
    so that a component on one repeated row keeps a finite likelihood; a search drops such
    components.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Conjugate prior, as a number of pseudo-observations per component whose means of log x are
        those of all the data, or are the ``means`` given, of shape (n_features,). None is maximum
        likelihood.

    See Also
    --------
    Beta : Shares that do not depend on each other.
    Multinomial : Counts of outcomes.

    Notes
    -----
    The M-step solves the likelihood equations by Newton's method in one unknown, the logarithm of
    the sum of the concentrations, to rounding. Zeros have no density: replace them by half the
    smallest share that could have been measured, and divide by the sum.

    References
    ----------
    Minka, T. P. (2000). Estimating a Dirichlet distribution. Technical report, MIT.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Dirichlet
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate(
    ...     [rng.dirichlet([8.0, 2.0, 2.0], 300), rng.dirichlet([1.0, 9.0, 5.0], 200)]
    ... )
    >>> mixture = EMMixture(2, family=Dirichlet(), random_state=0).fit(X)
    >>> mixture.family_.mean(mixture.params_).round(1)
    array([[0.7, 0.2, 0.2],
           [0.1, 0.6, 0.3]])
    """

    support: ClassVar[Support] = Support(SHARES.description, SHARES.low, SHARES.high)

    def statistics(self, X: Array) -> Array:
        """Logarithms."""
        return np.asarray(np.log(X))

    def possible_means(self, means: Array) -> NDArray[np.bool_]:
        """Geometric means of the shares of a whole are at most 1 together."""
        return np.asarray(np.exp(means).sum() <= 1.0 + SLACK)

    def coefficients(self, params: DirichletParams) -> tuple[Array, Array]:
        """Concentrations, and minus the log of the multivariate beta function."""
        a = params.concentrations
        total = a.sum(axis=1)
        # log Gamma(a) = (a - 1/2) log a - a + log(2 pi) / 2 + remainder(a)
        entropies = ((a - 0.5) * np.log(a / total[:, None]) + stirling_remainder(a)).sum(axis=1)
        excess = (a.shape[1] - 1) * (0.5 * np.log(total) - HALF_LOG_2PI)
        return a, excess + stirling_remainder(total) - entropies

    def from_means(self, means: Array) -> DirichletParams:
        """digamma(a_j) - digamma(sum a) = mean(log x_j)."""
        largest = means.max(axis=1, keepdims=True)
        total = largest + np.log(np.exp(means - largest).sum(axis=1, keepdims=True))
        centers = np.exp(means - total)
        gaps = np.broadcast_to(total, means.shape)
        return DirichletParams(dirichlet_concentrations(centers, gaps))

    def log_base_rows(self, X: Array) -> Array:
        """Minus the sum of the logarithms."""
        log_sums: Array = np.log(X).sum(axis=1)
        return -log_sums

    def fault(self, X: Array) -> tuple[NDArray[np.bool_], str]:
        """Rows that do not sum to 1."""
        outside = np.abs(X.sum(axis=1) - 1.0) > TOLERANCE
        return outside, "does not sum to 1: Dirichlet takes shares of a whole, divide by the sum"

    def sample(
        self, params: DirichletParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: log gammas, normalised."""
        a = params.concentrations[labels]
        # Gamma(a) is Gamma(a + 1) U^(1/a), whose logarithm does not underflow for small a.
        logs = np.log(rng.standard_gamma(a + 1.0)) - rng.standard_exponential(a.shape) / a
        shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        return np.clip(shares, SHARES.low, SHARES.high)

    def mean(self, params: DirichletParams) -> Array:
        """Concentrations over their sum."""
        a = params.concentrations
        return np.asarray(a / a.sum(axis=1, keepdims=True))

    def covariance(self, params: DirichletParams) -> Array:
        """(diag(m) - m m') / (1 + sum a)."""
        means = self.mean(params)
        total = params.concentrations.sum(axis=1)[:, None, None]
        outer = means[:, :, None] * means[:, None, :]
        return np.asarray((means[:, :, None] * np.eye(means.shape[1]) - outer) / (1.0 + total))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One concentration per component and column."""
        return n_components * n_features

    def degenerate(
        self, params: DirichletParams, n_rows: Array, pooled: DirichletParams
    ) -> NDArray[np.bool_]:
        """Components on too few rows, or too narrow for the number of their rows."""
        if self.prior is not None:
            return np.zeros(len(n_rows), dtype=bool)
        one, all_rows = trigamma(params.concentrations), trigamma(pooled.concentrations)
        at_limit = AT_LIMIT * params.concentrations.sum(axis=1) >= LARGEST_SHAPE
        return spikes(one, all_rows[0], n_rows) | at_limit

    def to_vector(self, params: DirichletParams, like: DirichletParams) -> Array:
        """Logarithms."""
        return np.log(params.concentrations).ravel()

    def from_vector(self, vector: Array, like: DirichletParams) -> DirichletParams:
        """Inverse of `to_vector`."""
        return DirichletParams(np.exp(vector).reshape(like.concentrations.shape))

    def embed(self, X: Array) -> Array:
        """Centred log-ratios (Aitchison 1982)."""
        logs = np.log(X)
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))
