"""Components of a density of one's own."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._validation import check_number
from sklearn_genmodel.families._arrays import Array, WeightedRows
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._numerics._numerical_mle import FEW_STEPS, MOST_STEPS
from sklearn_genmodel.families._own_functions import (
    check_functions,
    check_log_prob,
    most_likely,
    read_only,
    returned,
)
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["CustomFamily", "CustomParams"]

COST = 5000


class CustomParams(NamedTuple):
    """Parameters of custom components: ``theta``, shape (n_components, n_theta)."""

    theta: Array


@dataclass(frozen=True)
class StartedRows(WeightedRows):
    """Weighted rows, and the parameters from which a search for better ones starts."""

    current: CustomParams | None = None

    def __add__(self, other: WeightedRows) -> StartedRows:
        return StartedRows(self.parts + other.parts, self.current)


class CustomFamily(Family):
    """A density of one's own, given by functions of rows and of one component's parameters.

    log p(x) = log_prob(x, theta)

    where theta is a vector that may be any point of R^n_theta: take exponentials inside where a
    parameter is positive. For a distribution with more structure subclass `Family` instead.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(X, theta)``, with rows (n_samples, n_features) and theta (n_theta,), returns
        the log-density of every row, (n_samples,), in nats, all constants included.
    mean : callable
        ``mean(theta)`` returns the mean, (n_features,).
    n_theta : int or callable
        Number of parameters of a component; a callable takes n_features.
    weighted_mle : callable, default=None
        ``weighted_mle(X, weights)`` returns the theta that maximises the weighted log-likelihood;
        all weights are positive. None is a numerical maximum, from the current parameters.
    sample : callable, default=None
        ``sample(theta, n_samples, rng)`` returns rows (n_samples, n_features). None means that
        there is no sampling.
    start : array-like of shape (n_theta,) or callable, default=None
        From where to search at first; a callable takes rows and weights. None is the origin.
    support : Support, default=REALS
        What a column may hold.
    allow_nan : bool, default=False
        Whether the functions deal with NaN, which stands for a missing value.

    See Also
    --------
    ScipyFamily : Distributions of scipy.stats.

    Notes
    -----
    The family can be cloned, pickled and sent to other processes if the functions can: define
    them in a module, not as lambdas. The arrays that they are given are read-only: a copy may be
    worked on in place.

    Examples
    --------
    Hyperbolic secant components, with tails between Gaussian and Laplace:

    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> from sklearn_genmodel.families import CustomFamily
    >>> def log_prob(X, theta):
    ...     location, log_scale = theta
    ...     z = np.abs(X[:, 0] - location) * np.exp(-log_scale)
    ...     return np.log(2.0 / np.pi) - log_scale - z - np.log1p(np.exp(-2.0 * z))
    >>> def center(theta):
    ...     return theta[:1]
    >>> def start(X, weights):
    ...     return np.average(X[:, 0], weights=weights), np.log(X.std())
    >>> waiting = load_old_faithful().data[:, 1:]
    >>> family = CustomFamily(log_prob, center, n_theta=2, start=start)
    >>> mixture = EMMixture(2, family=family, n_init=4, random_state=0).fit(waiting)
    >>> mixture.params_.theta.round(2)
    array([[79.9 ,  1.44],
           [54.15,  1.43]])
    """

    def __init__(
        self,
        log_prob: Callable[[Array, Array], Array],
        mean: Callable[[Array], Array],
        n_theta: int | Callable[[int], int],
        *,
        weighted_mle: Callable[[Array, Array], Array] | None = None,
        sample: Callable[[Array, int, np.random.Generator], Array] | None = None,
        start: Any = None,
        support: Support = REALS,
        allow_nan: bool = False,
    ) -> None:
        # The arguments are called what the methods of every family are called, so they are kept
        # under names of their own.
        self._log_prob = log_prob
        self._mean = mean
        self._n_theta = n_theta
        self._weighted_mle = weighted_mle
        self._sample = sample
        self._start = start
        self._support = support
        self._allow_nan = allow_nan

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """The arguments of the constructor.

        Parameters
        ----------
        deep : bool, default=True
            Makes no difference: no argument has parameters of its own.

        Returns
        -------
        params : dict
        """
        return {name: getattr(self, f"_{name}") for name in self._get_param_names()}

    def set_params(self, **params: Any) -> CustomFamily:
        """Set arguments of the constructor.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : CustomFamily

        Raises
        ------
        ValueError
            If a name is no argument.
        """
        for name, value in params.items():
            if name not in self._get_param_names():
                raise ValueError(
                    f"CustomFamily has no argument {name!r}: {self._get_param_names()}."
                )
            setattr(self, f"_{name}", value)
        return self

    @property
    def support(self) -> Support:  # type: ignore[override]
        """The support given."""
        if not isinstance(self._support, Support):
            raise ValueError(
                f"support={self._support!r}: pass a Support of sklearn_genmodel.families, such as "
                "POSITIVE or Support('a percentage', low=0.0, high=100.0)."
            )
        return self._support

    @property
    def allow_nan(self) -> bool:  # type: ignore[override]
        """Whether the functions deal with missing values."""
        return self._allow_nan

    @property
    def grows(self) -> bool:
        """The statistics are the rows themselves."""
        return True

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> CustomFamily:
        """Check the arguments."""
        own = {"weighted_mle": self._weighted_mle, "sample": self._sample}
        given = {name: function for name, function in own.items() if function is not None}
        check_functions(log_prob=self._log_prob, mean=self._mean, **given)
        self._n_parameters(X.shape[1])
        return self

    def log_prob(self, X: Array, params: CustomParams) -> Array:
        """Log-density of every row under every component, in nats."""
        log_prob = np.stack([self._log_densities(X, theta) for theta in params.theta], axis=1)
        check_log_prob(log_prob, X, params.theta)
        return log_prob

    def suffstats(self, X: Array, resp: Array, params: CustomParams | None = None) -> StartedRows:
        """The rows with their weights."""
        return StartedRows(((X, resp),), params)

    def m_step(self, stats: StartedRows) -> CustomParams:
        """Weighted maximum-likelihood estimates, numerical ones if no others are given."""
        X, resp = stats.rows, stats.resp
        resp = np.where(resp.sum(axis=0) > 0, resp, resp.sum(axis=1, keepdims=True))
        groups = [tuple(read_only(X[w > 0], w[w > 0])) for w in resp.T]
        if self._weighted_mle is not None:
            theta = np.stack([self._estimate(*group) for group in groups])
        elif stats.current is not None:
            theta = most_likely(self._log_prob, groups, stats.current.theta, FEW_STEPS)
        else:
            first = self._first(groups, X.shape[1])
            theta = most_likely(self._log_prob, groups, first, MOST_STEPS)
        params = CustomParams(theta)
        if stats.current is None and (n := self.mean(params).shape[1]) != X.shape[1]:
            raise ValueError(f"mean returned {n} number(s) for {X.shape[1]} column(s) of X.")
        return params

    def sample(
        self, params: CustomParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i."""
        if self._sample is None:
            raise NotImplementedError(
                "This CustomFamily cannot sample: give it sample(theta, n_samples, rng)."
            )
        X = np.empty((len(labels), self.mean(params).shape[1]))
        for k, theta in enumerate(read_only(*params.theta)):
            own = np.flatnonzero(labels == k)
            drawn = self._sample(theta, len(own), rng)
            X[own] = returned("sample", drawn, X[own].shape, "rows, (n_samples, n_features)")
            if np.isnan(X[own]).any():
                raise ValueError(f"sample returned NaN at theta={theta.tolist()}.")
        return X

    def mean(self, params: CustomParams) -> Array:
        """The means."""
        means = [self._mean(theta) for theta in read_only(*params.theta)]
        shape = (np.size(means[0]),)
        return np.stack([returned("mean", own, shape, "a mean, (n_features,)") for own in means])

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """n_theta for each component."""
        return n_components * self._n_parameters(n_features)

    def to_vector(self, params: CustomParams, like: CustomParams) -> Array:
        """theta itself."""
        return params.theta.ravel()

    def from_vector(self, vector: Array, like: CustomParams) -> CustomParams:
        """Inverse of `to_vector`."""
        return CustomParams(vector.reshape(like.theta.shape))

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """What a density and an M-step cost, in multiplications."""
        return 1 + COST * n_features

    def _n_parameters(self, n_features: int) -> int:
        n_theta = self._n_theta(n_features) if callable(self._n_theta) else self._n_theta
        check_number("n_theta", n_theta, numbers.Integral, low=1)
        return int(n_theta)

    def _first(self, groups: list[tuple[Array, ...]], n_features: int) -> Array:
        """Where to search at first, (n_components, n_theta)."""
        start = np.zeros(self._n_parameters(n_features)) if self._start is None else self._start
        first = [start(*group) if callable(start) else start for group in groups]
        theta = np.stack([self._checked_theta("start", own, n_features) for own in first])
        for (rows, _), own in zip(groups, theta, strict=True):
            if not np.isfinite(self._log_densities(rows, own)).all():
                raise ValueError(
                    f"log_prob is not finite on all rows at the start, theta={own.tolist()}: "
                    "pass a start at which it is, or restrict `support`."
                )
        return theta

    def _estimate(self, rows: Array, weights: Array) -> Array:
        """The user's estimate of one component."""
        assert self._weighted_mle is not None
        found = self._weighted_mle(rows, weights)
        theta = self._checked_theta("weighted_mle", found, rows.shape[1])
        if not np.isfinite(theta).all():
            raise FloatingPointError(f"weighted_mle returned {theta.tolist()}: it must be finite")
        return theta

    def _checked_theta(self, name: str, theta: Any, n_features: int) -> Array:
        shape = (self._n_parameters(n_features),)
        return returned(name, theta, shape, "the parameters of one component, (n_theta,)")

    def _log_densities(self, X: Array, theta: Array) -> Array:
        """Those of one component; what log_prob returns must be one number a row."""
        found = self._log_prob(*read_only(X, theta))
        return returned("log_prob", found, (len(X),), "one value for each row, (n_samples,)")
