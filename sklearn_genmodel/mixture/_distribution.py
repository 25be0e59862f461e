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
from sklearn_genmodel._validation import check_number, decode_rows
from sklearn_genmodel.em import Rows, Theta, map_rows, row_threads
from sklearn_genmodel.mixture._arguments import check_resp
from sklearn_genmodel.mixture._criteria import InformationCriteria, total_weight, weighted_sum
from sklearn_genmodel.mixture._derived import DerivedMixtures
from sklearn_genmodel.mixture._persistence import SavedMixture
from sklearn_genmodel.mixture._reading import read_rows
from sklearn_genmodel.variational import ELBO, discrete_elbo, log_normalize

__all__ = ["MixtureDistribution"]

Array = NDArray[np.float64]


class MixtureDistribution(
    SavedMixture,
    DerivedMixtures,
    InformationCriteria,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    DensityMixin,
    BaseEstimator,
):
    """Densities, responsibilities, samples and criteria of a mixture.

    Needs ``family_`` (a `Family`), ``weights_``, ``params_``, ``n_features_in_``, ``n_jobs`` and
    ``random_state``; `EMMixture` provides them.
    """

    n_jobs: int | None
    random_state: Any
    fit: Callable[..., Any]

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
        return weighted_sum(log_density, sample_weight) / total_weight(log_density, sample_weight)

    def predict_proba(self, X: Any) -> Array:
        """Responsibilities: posterior probability of every component (L7).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Rows sum to 1. One that is impossible under every component says nothing about them,
            and gets their mixing weights.
        """
        weights = self._theta().weights
        return self._map(X, lambda joint: _posterior(joint, weights).T)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int, shape (n_samples,)
        """
        weights = self._theta().weights
        labels: NDArray[np.intp] = self._map(X, lambda joint: _most_probable(joint, weights))
        return labels

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

    def fit_predict(
        self, X: Any, y: Any = None, sample_weight: Any = None, **fit_params: Any
    ) -> NDArray[np.intp]:
        """Fit the mixture and return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
        **fit_params : dict
            What else `fit` takes: ``resp_prior``. The labels are those of the rows alone.

        Returns
        -------
        labels : ndarray of int, shape (n_samples,)
        """
        return self.fit(X, y, sample_weight=sample_weight, **fit_params).predict(X)

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, **fit_params: Any
    ) -> Array:
        """Fit the mixture and return the responsibilities of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
        **fit_params : dict
            What else `fit` takes: ``resp_prior``. Responsibilities are those of the rows alone.

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
        """
        return self.fit(X, y, sample_weight=sample_weight, **fit_params).transform(X)

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

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Any, NDArray[np.intp]]:
        """Draw rows from the mixture (L15).

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState, Generator or None, default=None
            None takes the estimator's own ``random_state``.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features) or frame
            A frame with the columns and types of the one that was fitted, if it was one; numbers
            in columns of integers are rounded.
        labels : ndarray of int, shape (n_samples,)
            Component that each row was drawn from.
        """
        theta = self._theta()
        check_number("n_samples", n_samples, numbers.Integral, low=1)
        rng = as_generator(self.random_state if random_state is None else random_state)
        labels = rng.choice(len(theta.weights), size=n_samples, p=theta.weights)
        X = self.family_.sample(theta.params, labels, rng)
        return decode_rows(X, self.family_.column_supports(X.shape[1]), self._schema), labels

    def component_means(self) -> Array:
        """Mean of every component.

        Returns
        -------
        means : ndarray of shape (n_components, n_features)
            Labels count by their positions among the levels.
        """
        params = self._theta().params
        return self.family_.mean(params)

    def component_covariances(self) -> Array:
        """Covariance matrix of every component.

        Returns
        -------
        covariances : ndarray of shape (n_components, n_features, n_features)
        """
        params = self._theta().params
        return self.family_.covariance(params)

    def mean(self) -> Array:
        """Mean of the mixture.

        Returns
        -------
        mean : ndarray of shape (n_features,)
        """
        return np.asarray(self._theta().weights @ self.component_means())

    def covariance(self) -> Array:
        """Covariance matrix of the mixture: that within components and that of their means.

        Returns
        -------
        covariance : ndarray of shape (n_features, n_features)
        """
        weights, means = self._theta().weights, self.component_means() - self.mean()
        within = np.einsum("k,kij->ij", weights, self.component_covariances())
        return np.asarray(within + (means * weights[:, None]).T @ means)

    def _theta(self) -> Theta:
        check_is_fitted(self, "params_")
        return Theta(self.weights_, self.params_)

    def _resp(self, rows: Rows) -> Array:
        """Responsibilities of checked rows, (n_samples, n_components)."""
        theta = self._theta()
        return map_rows(self.family_, theta, rows, lambda joint: _posterior(joint, theta.weights).T)

    def _map(self, X: Any, function: Callable[[Array], Any], theta: Theta | None = None) -> Any:
        """Apply a function of the log-joint, (n_components, n_rows), to blocks of checked rows."""
        theta = theta or self._theta()
        X = read_rows(self, X, self.family_)
        with np.errstate(under="ignore"), row_threads(self.n_jobs) as mapper:
            return map_rows(self.family_, theta, Rows(X, None, mapper), function)


def _posterior(log_joint: Array, weights: Array) -> Array:
    """p(z = k | x), (n_components, n_rows); the mixing weights where x is impossible."""
    log_evidence, posterior = log_normalize(log_joint)
    impossible = np.isneginf(log_evidence)
    posterior[:, impossible] = weights[:, None]
    return posterior


def _most_probable(log_joint: Array, weights: Array) -> NDArray[np.intp]:
    """Positions of the largest, (n_rows,); that of the mixing weights where x is impossible."""
    labels = log_joint.argmax(axis=0)
    largest = np.take_along_axis(log_joint, labels[None], axis=0)[0]
    return np.where(np.isneginf(largest), weights.argmax(), labels)
