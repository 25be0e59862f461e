"""Contract 1: what a component distribution must offer to be mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel, WeightedRows
from sklearn_genmodel.families._hooks import EngineHooks

__all__ = ["Family"]


class Family(EngineHooks):
    """A family of distributions whose members can be the components of a mixture.

    A family holds hyper-parameters only, as any scikit-learn estimator does before `fit`. Its
    parameters are a `NamedTuple` of arrays whose first axis is the component (an array that all
    components share lacks that axis), and travel through every method as an explicit value.

    To write your own family, subclass this class and give it

    1. ``support``, the set of values a column may hold, and ``allow_nan``, whether NaN stands for a
       missing value that the family can deal with (class attributes; `column_supports` where
       columns differ);
    2. ``log_prob(X, params)``, the log-density in nats, all constants included;
    3. ``weighted_mle(X, resp)``, the parameters that maximise the weighted log-likelihood of each
       component; or, where sums over rows are enough, ``suffstats`` and ``m_step``, which need no
       copy of the data;
    4. ``sample``, ``mean`` and ``n_parameters``.

    Where log p(x) = eta . T(x) + log h(x), subclass `ExponentialFamily` instead: it asks for less
    and is much faster. The simplest one to read is ``Poisson``.
    :func:`sklearn_genmodel.testing.check_family` runs the whole contract on a family.

    Examples
    --------
    >>> from sklearn_genmodel.families import Poisson
    >>> Poisson().n_parameters(n_components=3, n_features=2)
    6
    """

    @property
    def grows(self) -> bool:
        """Whether statistics grow with the data, as rows do, so that no stream is learned from."""
        return type(self).suffstats is Family.suffstats

    def log_prob(self, X: Array, params: Any) -> Array:
        """Log-density of every row under every component, in nats.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        params : NamedTuple
            Parameters of this family.

        Returns
        -------
        log_prob : ndarray of shape (n_samples, n_components)
        """
        raise NotImplementedError(f"{type(self).__name__} must define log_prob(X, params)")

    def weighted_mle(self, X: Array, resp: Array) -> Any:
        """Parameters that maximise sum_i resp[i, k] log p(X[i]; params_k) for every k (L7).

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        resp : ndarray of shape (n_samples, n_components)
            Non-negative weights: responsibilities times sample weights.

        Returns
        -------
        params : NamedTuple
        """
        return self.m_step(self.suffstats(X, resp))

    def pooled(self, X: Array, sample_weight: Array) -> Any:
        """One-component fit to all rows: the yardstick for starts and degenerate components.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,)

        Returns
        -------
        params : NamedTuple
        """
        return self.m_step(self.suffstats(X, sample_weight[:, None]))

    def suffstats(self, X: Array, resp: Array, params: Any = None) -> Any:
        """Expected sufficient statistics, additive over rows (L6).

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        resp : ndarray of shape (n_samples, n_components)
            Non-negative weights: responsibilities times sample weights.
        params : NamedTuple, default=None
            Current parameters, for families with an inner latent variable; None at a start.

        Returns
        -------
        stats : object with ``+``
            The statistics of two sets of rows, added, are those of their union.
        """
        return WeightedRows(((X, resp),))

    def m_step(self, stats: Any) -> Any:
        """Parameters that maximise the expected log-likelihood, from `suffstats`.

        Parameters
        ----------
        stats : object returned by `suffstats`

        Returns
        -------
        params : NamedTuple
        """
        if type(self).weighted_mle is Family.weighted_mle:
            raise NotImplementedError(f"{type(self).__name__} must define weighted_mle or m_step")
        return self.weighted_mle(stats.rows, stats.resp)

    def sample(self, params: Any, labels: NDArray[np.intp], rng: np.random.Generator) -> Array:
        """Draw one row from component ``labels[i]`` for every i.

        Parameters
        ----------
        params : NamedTuple
        labels : ndarray of int, shape (n_samples,)
        rng : numpy.random.Generator

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        """
        raise NotImplementedError(f"{type(self).__name__} must define sample(params, labels, rng)")

    def mean(self, params: Any) -> Array:
        """Mean of every component.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        means : ndarray of shape (n_components, n_features)
        """
        raise NotImplementedError(f"{type(self).__name__} must define mean(params)")

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free parameters of all components together, mixing weights excluded.

        Parameters
        ----------
        n_components, n_features : int

        Returns
        -------
        n_parameters : int
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define n_parameters(n_components, n_features)"
        )

    def covariance(self, params: Any) -> Array:
        """Covariance matrix of every component.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        covariances : ndarray of shape (n_components, n_features, n_features)
        """
        raise NotImplementedError(f"{type(self).__name__} does not state its covariances")

    def marginal(self, params: Any, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """Distribution of some columns of every component.

        Parameters
        ----------
        params : NamedTuple
        columns : ndarray of int
            Positions of the columns that stay, in the order wanted.

        Returns
        -------
        family : Family
        params : NamedTuple
        """
        raise NotImplementedError(f"{type(self).__name__} does not state its marginals")

    def conditional(self, params: Any, x: Array) -> tuple[Family, Any]:
        """Distribution of the columns that are missing from a row, given those that are not.

        Parameters
        ----------
        params : NamedTuple
        x : ndarray of shape (n_features,)
            NaN where a column is missing.

        Returns
        -------
        family : Family
        params : NamedTuple
            Of the missing columns, in their order.
        """
        raise NotImplementedError(f"{type(self).__name__} does not state its conditionals")

    def log_prior(self, params: Any) -> Array | float:
        """Log-density of the prior at the parameters of every component, up to a constant.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        log_prior : ndarray of shape (n_components,) or 0.0
        """
        return 0.0

    def log_base_measure(self, X: Array) -> Array | float:
        """log h(x): the part of the log-density that no parameter touches.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        log_base_measure : ndarray of shape (n_samples,) or 0.0
        """
        return 0.0

    def prepare(self, X: Array) -> Any:
        """What a kernel reads of a block of rows: all that depends on no parameter.

        It is made once for the passes of a fit if there is memory for it, else in every pass;
        kernels must leave it as it is.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)

        Returns
        -------
        prepared : object
            The rows themselves; else arrays and numbers, in tuples or lists, nested at will.
            Whatever else is in it is not kept.
        """
        return X

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows.

        What is computed once a pass is computed here; what an E-step and an M-step share, such as
        a feature matrix, lives in the closure for as long as the block does.

        Parameters
        ----------
        params : NamedTuple

        Returns
        -------
        kernel : callable
            ``kernel(prepare(X_block))`` returns ``(log_prob, accumulate)``: the log-densities
            without `log_base_measure`, as (n_components, n_rows), and a function that maps weights
            of that shape to the block's sufficient statistics, before the same thread's next block.
            The log-densities are overwritten: they are to share no memory with what was prepared.
        """

        def block(X: Array) -> tuple[Array, Accumulate]:
            log_prob = self.log_prob(X, params).T - self.log_base_measure(X)
            return log_prob, lambda resp: self.suffstats(X, resp.T, params)

        return block
