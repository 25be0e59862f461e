"""The estimator: validate, initialise, run, store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_genmodel._compat import CallbackSupportMixin, FitTask, as_generator, with_callbacks
from sklearn_genmodel._validation import (
    check_rows,
    check_support,
    check_weights,
    unchanged_on_error,
)
from sklearn_genmodel.em import Fit, FitOptions, Rows, fit_mixture, row_threads
from sklearn_genmodel.families import Family, resolve_family
from sklearn_genmodel.mixture._arguments import (
    check_arguments,
    check_init,
    check_params,
    check_warm_start,
)
from sklearn_genmodel.mixture._distribution import MixtureDistribution
from sklearn_genmodel.mixture._progress import Progress

__all__ = ["EMMixture"]

Array = NDArray[np.float64]


class EMMixture(CallbackSupportMixin, MixtureDistribution):
    """Mixture of distributions of one family, fitted by the EM algorithm.

    p(x) = sum_k weights_k p(x; params_k), with parameters that maximise the log-likelihood of the
    data (L4 to L7). By default EM is started from many partitions of the rows, the best runs are
    continued, slow ones are accelerated, and a run ends when the predicted distance to its limit
    is small.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.
    family : str or Family, default="gaussian"
        Distribution of the components: "gaussian", "poisson", "bernoulli", or any object of
        :mod:`sklearn_genmodel.families`, one of your own included.
    init : {"auto", "kmeans", "k-means++", "random"} or array, default="auto"
        Where EM starts. "auto" takes turns through all kinds of partition and then moves single
        components as long as that helps; "random" takes random rows as centres. An array of shape
        (n_samples, n_components) gives responsibilities, one of shape (n_samples,) gives labels
        0 ... n_components - 1.
    n_init : int or "auto", default="auto"
        Number of starts. "auto" is 24, fewer (4 at least) where a pass is costly, 1 for an array.
    max_iter : int, default=500
        Largest number of passes of the chosen run. A pass is one E-step and one M-step.
    tol : float, default=1e-6
        Largest predicted distance, in nats per row, between the bound reached and its limit.
        0 runs exactly `max_iter` passes.
    acceleration : {"auto", "anderson", "squarem"} or None, default="auto"
        Extrapolation of slow runs. "auto" is Anderson acceleration where many passes are left;
        None is plain EM.
    warm_start : bool, default=False
        Whether `fit` starts from the parameters of the last one.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the starts and of `sample`.
    n_jobs : int or None, default=None
        Number of threads over blocks of rows; -1 is every core. Results do not depend on it.
    verbose : int, default=0
        1 prints how the search for starts goes on and the outcome, 2 every pass as well.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing weights.
    params_ : NamedTuple
        Parameters of the components, by the field's names: ``means`` and ``covariances``,
        ``rates``, ``probs``.
    family_ : Family
        The family fitted.
    lower_bound_ : float
        Mean log-likelihood per row (per unit of weight) of these parameters, in nats.
    lower_bounds_ : ndarray of shape (`n_iter_` + 1,)
        The bound before the chosen run and after every pass of it; never decreasing.
    n_iter_ : int
        Number of passes of the chosen run.
    converged_ : bool
        Whether the predicted distance to the limit fell below `tol`.
    init_results_ : list of StartResult
        Every start: its bound, its passes, and why it was dropped if it was; the chosen first.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they all are strings.

    See Also
    --------
    sklearn.mixture.GaussianMixture : Gaussian components only, without weights.

    References
    ----------
    Dempster, A. P., Laird, N. M. and Rubin, D. B. (1977). Maximum likelihood from incomplete data
    via the EM algorithm. Journal of the Royal Statistical Society B 39, 1-38.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> X = load_old_faithful().data
    >>> mixture = EMMixture(n_components=2, random_state=0).fit(X)
    >>> print(mixture.summary())
    EMMixture: 2 Gaussian components, 11 parameters, ...
    component  weight  mean x0  mean x1
            0  0.6441   4.2897   79.968
            1  0.3559   2.0364   54.479
    >>> round(mixture.score(X) * len(X), 4)
    -1130.264
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        family: str | Family = "gaussian",
        init: Any = "auto",
        n_init: int | str = "auto",
        max_iter: int = 500,
        tol: float = 1e-6,
        acceleration: str | None = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.family = family
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.acceleration = acceleration
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @unchanged_on_error
    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> EMMixture:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of 2 counts a row twice.

        Returns
        -------
        self : EMMixture

        Raises
        ------
        ValueError
            If the data or an argument cannot be used, or every start breaks down. Nothing is
            changed then.
        """
        family = clone(resolve_family(self.family))
        check_arguments(self)
        rng = as_generator(self.random_state)
        rows, options = self._check_data(X, sample_weight, family)
        self._forget()
        progress = Progress(self, family, FitTask(self, X, y, sample_weight))
        with row_threads(self.n_jobs) as mapper:
            rows = replace(rows, map=mapper)
            fitted = fit_mixture(family, rows, options, rng, progress, progress.report)
        self._store(family, fitted, keep_order=not isinstance(options.init, str))
        progress.end(fitted)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.intp]:
        """Fit the mixture and return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        labels : ndarray of int, shape (n_samples,)
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Fit the mixture and return the responsibilities of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
        """
        return self.fit(X, y, sample_weight=sample_weight).transform(X)

    @classmethod
    def from_params(cls, family: str | Family, weights: Any, params: Any) -> EMMixture:
        """Make a mixture from parameters instead of data.

        Parameters
        ----------
        family : str or Family
        weights : array-like of shape (n_components,)
            Mixing weights; they sum to 1.
        params : NamedTuple
            Parameters of the family, such as ``GaussianParams(means, covariances)``.

        Returns
        -------
        mixture : EMMixture
            As if it had been fitted.

        Raises
        ------
        ValueError
            If the weights are no distribution, or the parameters do not fit them or the family.

        Examples
        --------
        >>> from sklearn_genmodel import EMMixture
        >>> from sklearn_genmodel.families import PoissonParams
        >>> mixture = EMMixture.from_params("poisson", [0.4, 0.6], PoissonParams([[1.0], [3.0]]))
        >>> mixture.predict([[0], [6]])
        array([0, 1])
        """
        known = clone(resolve_family(family))
        weights, params = check_params(known, weights, params)
        mixture = cls(len(weights), family=family)
        mixture.family_, mixture.weights_, mixture.params_ = known, weights, params
        mixture.n_features_in_ = known.mean(params).shape[1]
        return mixture

    def __sklearn_tags__(self) -> Any:
        """Tags of scikit-learn: densities, transformers, and what the family's support says."""
        tags = super().__sklearn_tags__()
        # An unknown family has the usual tags; `fit` says what is wrong with it.
        with suppress(TypeError, ValueError):
            family = resolve_family(self.family)
            tags.input_tags.allow_nan = family.allow_nan
            tags.input_tags.positive_only = family.support.low >= 0
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.weights_)

    def _check_data(self, X: Any, sample_weight: Any, family: Family) -> tuple[Rows, FitOptions]:
        """Rows of positive weight, and where to start on them."""
        X = check_rows(self, X, reset=True, allow_nan=family.allow_nan)
        weights = check_weights(sample_weight, len(X))
        init: Any = check_init(self.init, len(X), self.n_components)
        if weights is not None and not weights.all():
            seen = weights > 0
            X, weights = X[seen], weights[seen]
            init = init if isinstance(init, str) else init[seen]
        check_support(self, X, family.support, fitting=True)
        if self.warm_start and hasattr(self, "params_"):
            init = check_warm_start(self, family, X.shape[1])
        options = FitOptions(
            self.n_components, init, self.n_init, self.max_iter, self.tol, self.acceleration
        )
        return Rows(X, weights), options

    def _forget(self) -> None:
        """Drop the results of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_") and "_in_" not in name]:
            delattr(self, name)

    def _store(self, family: Family, fitted: Fit, *, keep_order: bool) -> None:
        """Set the fitted attributes; components go by weight, or as a given start numbers them."""
        result = fitted.result
        order = np.argsort(-result.theta.weights, kind="stable")
        order = np.sort(order) if keep_order else order
        self.family_ = family
        self.weights_ = result.theta.weights[order]
        self.params_ = family.take(result.theta.params, order)
        self.lower_bound_ = result.lower_bound
        self.lower_bounds_ = result.lower_bounds
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        self.init_results_ = fitted.starts
