"""Criteria for choosing among fitted mixtures, and their summary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._validation import check_weights, fitted_names
from sklearn_genmodel.em import StartResult
from sklearn_genmodel.families import Family
from sklearn_genmodel.mixture._summary import summary_table
from sklearn_genmodel.variational import entropy

__all__ = ["InformationCriteria", "total_weight", "weighted_sum"]

Array = NDArray[np.float64]


class InformationCriteria:
    """AIC, BIC and ICL of a mixture whose parameters are known."""

    family_: Family
    weights_: Array
    params_: Any
    n_features_in_: int
    converged_: bool
    n_iter_: int
    n_batches_: int
    init_results_: list[StartResult]
    _n_constraints: int = 0

    def n_parameters(self) -> int:
        """Number of free parameters: those of the components and n_components - 1 weights.

        What is fixed or tied does not count.

        Returns
        -------
        n_parameters : int
        """
        check_is_fitted(self, "params_")
        n_components = len(self.weights_)
        n_parameters = self.family_.n_parameters(n_components, self.n_features_in_)
        return n_components - 1 + n_parameters - self._n_constraints

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
        return -2.0 * weighted_sum(self.score_samples(X), sample_weight) + 2.0 * self.n_parameters()

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
        penalty = self.n_parameters() * np.log(total_weight(log_density, sample_weight))
        return float(penalty - 2.0 * weighted_sum(log_density, sample_weight))

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
        uncertainty = weighted_sum(entropy(self.predict_proba(X)), sample_weight)
        return self.bic(X, sample_weight) + 2.0 * uncertainty

    def summary(self) -> str:
        """Table of the components: weight and mean of every column.

        Returns
        -------
        table : str
        """
        check_is_fitted(self, "params_")
        names = fitted_names(self) or [f"x{j}" for j in range(self.n_features_in_)]
        n_components = len(self.weights_)
        what = f"{self.family_.title} component{'s' * (n_components > 1)}"
        facts = f"{type(self).__name__}: {n_components} {what}, {self.n_parameters()} parameters"
        if hasattr(self, "n_batches_"):
            # The bound is that of the first batch, whose parameters these are no longer.
            facts += f", after {self.n_batches_} batch{'es' * (self.n_batches_ > 1)}"
        elif hasattr(self, "lower_bound_"):
            n_iter = self.init_results_[0].n_iter
            ending = "converged" if self.converged_ else "not converged"
            facts += f", {self.lower_bound_:.6g} nats per row, {ending} in {n_iter} passes"
            # `max_iter`, which a fit that did not converge has reached, bounds those after these.
            searched = n_iter - self.n_iter_
            facts += f", {searched} of them in the search" * (searched > 0 and not self.converged_)
        return summary_table(facts, self.weights_, self.family_.mean(self.params_), names)

    def score_samples(self, X: Any) -> Array:
        """Log-density of every row, in nats."""
        raise NotImplementedError

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of every component."""
        raise NotImplementedError


def weighted_sum(values: Array, sample_weight: Any) -> float:
    """Sum of values times weights, in which rows of weight 0 have no part."""
    weights = check_weights(sample_weight, len(values))
    if weights is None:
        return float(values.sum())
    seen = weights > 0
    return float(values[seen] @ weights[seen])


def total_weight(values: Array, sample_weight: Any) -> float:
    """Sum of the weights: the number of values where there are none."""
    weights = check_weights(sample_weight, len(values))
    return float(len(values) if weights is None else weights.sum())
