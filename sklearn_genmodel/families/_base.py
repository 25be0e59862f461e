"""Contract 1: what a component distribution must offer to be mixed."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sklearn_genmodel.families._arrays import Accumulate, Array, Kernel, WeightedRows
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["Family"]


class Family(BaseEstimator):
    """A family of distributions whose members can be the components of a mixture.

    A family holds hyper-parameters only, as any scikit-learn estimator does before `fit`. Its
    parameters are a `NamedTuple` of arrays whose first axis is the component (an array that all
    components share lacks that axis), and travel through every method as an explicit value.

    To write your own family, subclass this class and give it

    1. ``support``, the set of values a column may hold, and ``allow_nan``, whether NaN stands for a
       missing value that the family can deal with (class attributes);
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

    support: ClassVar[Support] = REALS
    allow_nan: ClassVar[bool] = False

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
        return WeightedRows(X, resp)

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
        return self.weighted_mle(stats.X, stats.resp)

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

    @property
    def shared(self) -> frozenset[str]:
        """Names of the parameters that all components share, and that lack their axis."""
        return frozenset()

    def take(self, params: Any, components: NDArray[np.intp]) -> Any:
        """Parameters of the components with these indices, repeated or reordered at will.

        Parameters
        ----------
        params : NamedTuple
        components : ndarray of int, shape (n_taken,)

        Returns
        -------
        params : NamedTuple
        """
        fields = params._asdict()
        taken = {name: fields[name][components] for name in fields if name not in self.shared}
        return params._replace(**taken)

    def to_vector(self, params: Any, like: Any) -> Array:
        """Parameters in unconstrained coordinates (roots, arcs, log-Cholesky).

        Coordinates are to stay finite where a parameter goes to the edge of its space.

        Parameters
        ----------
        params : NamedTuple
        like : NamedTuple
            Parameters nearby that fix the origin and the units of the coordinates.

        Returns
        -------
        vector : ndarray of shape (n_coordinates,)
        """
        raise NotImplementedError(f"{type(self).__name__} has no unconstrained coordinates")

    def from_vector(self, vector: Array, like: Any) -> Any:
        """Inverse of `to_vector`.

        Parameters
        ----------
        vector : ndarray of shape (n_coordinates,)
        like : NamedTuple
            The parameters that fixed the coordinates.

        Returns
        -------
        params : NamedTuple
        """
        raise NotImplementedError(f"{type(self).__name__} has no unconstrained coordinates")

    def embed(self, X: Array) -> Array:
        """Coordinates in which Euclidean distance is sensible, for finding starts.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_coordinates)
        """
        return X

    def degenerate(self, params: Any, n_rows: Array, pooled: Any) -> NDArray[np.bool_]:
        """Which components owe their likelihood to a near-singularity, not to the data.

        Parameters
        ----------
        params : NamedTuple
        n_rows : ndarray of shape (n_components,)
            Number of distinct rows that each component stands for.
        pooled : NamedTuple
            The one-component fit to all the data, the yardstick.

        Returns
        -------
        degenerate : ndarray of bool, shape (n_components,)
        """
        return np.zeros(len(n_rows), dtype=bool)

    def dependent_columns(self, pooled: Any) -> NDArray[np.intp]:
        """Columns that others determine, so that only a floor keeps the likelihood bounded.

        Parameters
        ----------
        pooled : NamedTuple
            The one-component fit to all the data.

        Returns
        -------
        columns : ndarray of int
            Empty where the likelihood does not depend on a floor.
        """
        return np.empty(0, dtype=np.intp)

    def width(self, n_features: int) -> int:
        """Number of floats that a row occupies in a pass; blocks of rows are cut to fit a cache.

        Parameters
        ----------
        n_features : int

        Returns
        -------
        width : int
        """
        return 1 + n_features

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
            ``kernel(X_block)`` returns ``(log_prob, accumulate)``: the log-densities without
            `log_base_measure`, as (n_components, n_rows), and a function that maps weights of that
            shape to the block's sufficient statistics, before the same thread's next block.
        """

        def block(X: Array) -> tuple[Array, Accumulate]:
            log_prob = self.log_prob(X, params).T - self.log_base_measure(X)
            return log_prob, lambda resp: self.suffstats(X, resp.T, params)

        return block
