"""Counts of outcomes."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sklearn_genmodel.families._all_rows import statistics_of_all
from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._parameter_checks import check_distributions
from sklearn_genmodel.families._prior import Prior
from sklearn_genmodel.families._support import COUNTS, Support
from sklearn_genmodel.families._whole_rows import WholeRows

__all__ = ["Multinomial", "MultinomialParams"]


class MultinomialParams(NamedTuple):
    """Parameters of multinomial components: ``probs``, (n_components, n_features).

    The probabilities of a component sum to 1.
    """

    probs: Array


class Multinomial(WholeRows):
    """Rows of counts with a given total: words of a document, votes of a district.

    log p(x) = sum_j x_j log p_j + log (sum_j x_j)! - sum_j log x_j!

    The total of a row is not modelled: the density is that of the counts given their sum. A row
    that is missing altogether (all NaN) contributes nothing; a row with some values missing is an
    error. A probability is never exactly 0: an outcome that a component never shows gets the
    smallest positive float.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Dirichlet prior, as a number of pseudo-observations s (rows) per component whose mean counts
        m are those of all the data, or are the ``means`` given, of shape (n_features,):
        concentrations s m + 1. The estimate is the posterior mode. None is maximum likelihood.
    n_trials : int or None, default=None
        Total of the rows that `sample` draws and that `mean` refers to. None is the mean total of
        the data in `fit`, rounded, and at least 1; without data, it is 1.

    See Also
    --------
    Categorical : One outcome per column.
    Dirichlet : Shares in place of counts.

    References
    ----------
    Nigam, K., McCallum, A. K., Thrun, S. and Mitchell, T. (2000). Text classification from labeled
    and unlabeled documents using EM. Machine Learning 39, 103-134.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Multinomial
    >>> X = np.array([[8, 1, 1], [15, 3, 2], [7, 2, 1], [1, 1, 18], [0, 2, 8]])
    >>> mixture = EMMixture(2, family=Multinomial(), random_state=0).fit(X)
    >>> mixture.params_.probs.round(2)
    array([[0.75, 0.15, 0.1 ],
           [0.03, 0.1 , 0.87]])
    """

    support: ClassVar[Support] = COUNTS

    def __init__(self, prior: Prior = None, n_trials: int | None = None) -> None:
        super().__init__(prior)
        self.n_trials = n_trials

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Take the mean total of the rows, and center the prior at the data."""
        if self.n_trials is not None and self._trials:
            return super().for_rows(X, sample_weight, n_components)
        stats = statistics_of_all(self, X, sample_weight)
        n_trials = max(1, round(stats[1:].sum() / max(stats[0], TINY)))
        known = Multinomial(self.prior, n_trials)
        return known.for_rows(X, sample_weight, n_components)

    def floats(self, params: Any) -> Any:
        """Parameters that a user wrote down: probabilities sum to 1."""
        params = super().floats(params)
        check_distributions("probs", params.probs)
        return params

    def coefficients(self, params: MultinomialParams) -> tuple[Array, Array]:
        """Log-probabilities; there is no constant."""
        probs = np.maximum(params.probs, TINY)
        return np.log(probs), np.zeros(len(probs))

    def from_means(self, means: Array) -> MultinomialParams:
        """Shares of the counts."""
        floored = np.maximum(means, TINY)
        return MultinomialParams(np.maximum(floored / floored.sum(axis=1, keepdims=True), TINY))

    def log_base_rows(self, X: Array) -> Array:
        """Logarithms of multinomial coefficients."""
        terms: Array = gammaln(X.sum(axis=1) + 1.0) - gammaln(X + 1.0).sum(axis=1)
        return terms

    def fault(self, X: Array) -> tuple[NDArray[np.bool_], str]:
        """All rows of counts will do."""
        return np.zeros(len(X), dtype=bool), ""

    def sample(
        self, params: MultinomialParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row of `n_trials` counts from component ``labels[i]`` for every i."""
        return rng.multinomial(self._trials, params.probs[labels]).astype(np.float64)

    def mean(self, params: MultinomialParams) -> Array:
        """n p."""
        return self._trials * params.probs

    def covariance(self, params: MultinomialParams) -> Array:
        """n (diag(p) - p p')."""
        probs = params.probs
        outer = probs[:, :, None] * probs[:, None, :]
        return np.asarray(self._trials * (probs[:, :, None] * np.eye(probs.shape[1]) - outer))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Probabilities, of which the last follows from the others."""
        return n_components * (n_features - 1)

    def to_vector(self, params: MultinomialParams, like: MultinomialParams) -> Array:
        """Spherical angles of sqrt(p): finite and regular where a probability goes to 0."""
        tails = np.cumsum(params.probs[:, ::-1], axis=1)[:, ::-1]
        return np.arctan2(np.sqrt(tails[:, 1:]), np.sqrt(params.probs[:, :-1])).ravel()

    def from_vector(self, vector: Array, like: MultinomialParams) -> MultinomialParams:
        """Inverse of `to_vector`."""
        angles = vector.reshape(len(like.probs), -1)
        ones = np.ones((len(angles), 1))
        tails = np.concatenate([ones, np.cumprod(np.sin(angles) ** 2, axis=1)], axis=1)
        heads = np.concatenate([np.cos(angles) ** 2, ones], axis=1)
        return self.from_means(tails * heads)

    def embed(self, X: Array) -> Any:
        """Square roots of shares, whose distance is Hellinger's."""
        totals = X.sum(axis=1, keepdims=True)
        return np.sqrt(X / np.maximum(totals, 1.0))

    @property
    def _trials(self) -> int:
        n_trials: Any = self.n_trials
        if n_trials is None:
            return 1
        is_number = isinstance(n_trials, Real) and not isinstance(n_trials, bool)
        if not is_number or not 1 <= n_trials < np.inf or int(n_trials) != n_trials:
            raise ValueError(f"n_trials={n_trials!r} must be an integer of at least 1, or None.")
        return int(n_trials)
