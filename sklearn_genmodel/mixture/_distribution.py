"""What can be done with a mixture whose parameters are known, fitted or given."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._compat import as_generator
from sklearn_genmodel._validation import check_number, check_rows, check_support, check_weights
from sklearn_genmodel.em import Rows, Theta, map_rows, row_threads
from sklearn_genmodel.families import Family
from sklearn_genmodel.mixture._arguments import check_resp
from sklearn_genmodel.mixture._summary import summary_table
from sklearn_genmodel.variational import ELBO, discrete_elbo, entropy, log_normalize

__all__ = ["MixtureDistribution"]

Array = NDArray[np.float64]


class MixtureDistribution(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):
    """Densities, responsibilities, samples and criteria of a mixture.

    Needs ``family_`` (a `Family`), ``weights_``, ``params_``, ``n_features_in_``, ``n_jobs`` and
    ``random_state``; `EMMixture` provides them.
    """

    family_: Family
    weights_: Array
    params_: Any
    n_features_in_: int
    n_jobs: int | None
    random_state: Any

    def score_samples(self, X: Any) -> Array:
        """Log-density of every row under the mixture, in nats (L4).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            log p(x) in the units of the data, all constants included.
        """
        return self._map(X, lambda joint: log_normalize(joint)[0])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Weighted mean log-density of the rows, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        log_density = self.score_samples(X)
        return _weighted_sum(log_density, sample_weight) / _total(log_density, sample_weight)

    def predict_proba(self, X: Any) -> Array:
        """Responsibilities: posterior probability of every component (L7).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Rows sum to 1.
        """
        return self._map(X, lambda joint: log_normalize(joint)[1].T)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int, shape (n_samples,)
        """
        return self._map(X, lambda joint: joint.argmax(axis=0))

    def transform(self, X: Any) -> Array:
        """Responsibilities as features; the same as `predict_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
        """
        return self.predict_proba(X)

    def elbo(self, X: Any, resp: Any = None) -> ELBO:
        """Terms of the lower bound of log p(x), in both forms (L2, L3).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        resp : array-like of shape (n_samples, n_components), default=None
            Distribution q over the components for every row. None is the posterior, for which the
            bound equals the log-density.

        Returns
        -------
        terms : ELBO
            Named tuple of arrays of shape (n_samples,), in nats: ``elbo``, ``expected_log_joint``,
            ``entropy``, ``expected_log_likelihood``, ``kl_prior``, ``kl_posterior``.

        Raises
        ------
        ValueError
            If `resp` is not a distribution over the components for every row.
        """
        weights, params = self._theta()
        alike = np.ones_like(weights)
        log_likelihood = self._map(X, lambda joint: joint.T, Theta(alike, params))
        if resp is not None:
            resp = check_resp(resp, log_likelihood.shape)
        return discrete_elbo(log_likelihood, weights, resp)

    def sample(
        self, n_samples: int = 1, random_state: Any = None
    ) -> tuple[Array, NDArray[np.intp]]:
        """Draw rows from the mixture (L15).

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState, Generator or None, default=None
            None takes the estimator's own ``random_state``.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        labels : ndarray of int, shape (n_samples,)
            Component that each row was drawn from.
        """
        theta = self._theta()
        check_number("n_samples", n_samples, numbers.Integral, low=1)
        rng = as_generator(self.random_state if random_state is None else random_state)
        labels = rng.choice(len(theta.weights), size=n_samples, p=theta.weights)
        return self.family_.sample(theta.params, labels, rng), labels

    def n_parameters(self) -> int:
        """Number of free parameters: those of the components and n_components - 1 weights.

        Returns
        -------
        n_parameters : int
        """
        n_components = len(self._theta().weights)
        return n_components - 1 + self.family_.n_parameters(n_components, self.n_features_in_)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion, -2 log L + 2 n_parameters; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        aic : float
        """
        return -2.0 * self._log_likelihood(X, sample_weight) + 2.0 * self.n_parameters()

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion, -2 log L + n_parameters log n; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
            n is the sum of the weights.

        Returns
        -------
        bic : float

        References
        ----------
        Schwarz, G. (1978). Estimating the dimension of a model. Annals of Statistics 6, 461-464.
        """
        log_density = self.score_samples(X)
        penalty = self.n_parameters() * np.log(_total(log_density, sample_weight))
        return float(penalty - 2.0 * _weighted_sum(log_density, sample_weight))

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Integrated completed likelihood: BIC + 2 entropy of the responsibilities.

        Prefers clusters that are well apart; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
            n is the sum of the weights.

        Returns
        -------
        icl : float

        References
        ----------
        Biernacki, C., Celeux, G. and Govaert, G. (2000). Assessing a mixture model for clustering
        with the integrated completed likelihood. IEEE Transactions on Pattern Analysis and Machine
        Intelligence 22, 719-725.
        """
        uncertainty = _weighted_sum(entropy(self.predict_proba(X)), sample_weight)
        return self.bic(X, sample_weight) + 2.0 * uncertainty

    def summary(self) -> str:
        """Table of the components: weight and mean of every column.

        Returns
        -------
        table : str
        """
        theta = self._theta()
        n_features = self.n_features_in_
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(n_features)])
        n_components = len(theta.weights)
        what = f"{type(self.family_).__name__} component{'s' * (n_components > 1)}"
        facts = f"{type(self).__name__}: {n_components} {what}, {self.n_parameters()} parameters"
        if hasattr(self, "lower_bound_"):
            ending = "converged" if self.converged_ else "not converged"
            n_iter = self.init_results_[0].n_iter
            facts += f", {self.lower_bound_:.6g} nats per row, {ending} in {n_iter} passes"
        return summary_table(facts, theta.weights, self.family_.mean(theta.params), list(names))

    def _theta(self) -> Theta:
        check_is_fitted(self, "params_")
        return Theta(self.weights_, self.params_)

    def _log_likelihood(self, X: Any, sample_weight: Any) -> float:
        return _weighted_sum(self.score_samples(X), sample_weight)

    def _map(self, X: Any, function: Callable[[Array], Array], theta: Theta | None = None) -> Any:
        """Apply a function of the log-joint, (n_components, n_rows), to blocks of checked rows."""
        theta = theta or self._theta()
        X = check_rows(self, X, reset=False, allow_nan=self.family_.allow_nan)
        check_support(self, X, self.family_.support, fitting=False)
        with row_threads(self.n_jobs) as mapper:
            return map_rows(self.family_, theta, Rows(X, None, mapper), function)


def _weighted_sum(values: Array, sample_weight: Any) -> float:
    weights = check_weights(sample_weight, len(values))
    if weights is None:
        return float(values.sum())
    seen = weights > 0
    return float(values[seen] @ weights[seen])


def _total(values: Array, sample_weight: Any) -> float:
    weights = check_weights(sample_weight, len(values))
    return float(len(values) if weights is None else weights.sum())
