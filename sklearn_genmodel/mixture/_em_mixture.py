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
    check_weights,
    fitted_names,
    unchanged_on_error,
)
from sklearn_genmodel.em import Fit, FitOptions, Rows, fit_mixture, row_sample, row_threads
from sklearn_genmodel.families import Family
from sklearn_genmodel.mixture._arguments import (
    check_arguments,
    check_init,
    check_resp_prior,
)
from sklearn_genmodel.mixture._constraints import read_m_step
from sklearn_genmodel.mixture._continued import check_warm_start, model_arguments
from sklearn_genmodel.mixture._distribution import MixtureDistribution
from sklearn_genmodel.mixture._journal import CheckpointJournal
from sklearn_genmodel.mixture._nested import NestedFamily
from sklearn_genmodel.mixture._online import OnlineMixture
from sklearn_genmodel.mixture._progress import Progress
from sklearn_genmodel.mixture._reading import component_family, read_training_rows
from sklearn_genmodel.mixture._training_rows import check_training_rows

__all__ = ["EMMixture"]

Array = NDArray[np.float64]

# Distinct rows of a stream from which priors that need all values learn where the data are.
PRIOR_ROWS = 2**16


class EMMixture(NestedFamily, OnlineMixture, CallbackSupportMixin, MixtureDistribution):
    """Mixture of distributions, fitted by the EM algorithm.

    p(x) = sum_k weights_k p(x; params_k), with parameters that maximise the log-likelihood of the
    data (L4 to L7). By default EM is started from many partitions of the rows, the best runs are
    continued, slow ones are accelerated, and a run ends when the predicted distance to its limit
    is small.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.
    family : str, Family or list, default="gaussian"
        Distribution of the components: a name such as "gaussian", "poisson" or "categorical", or
        any object of :mod:`sklearn_genmodel.families`, one of your own included; tables of mixed
        columns take a :class:`~sklearn_genmodel.families.Columns`. A list gives every component a
        family of its own.
    init : {"auto", "kmeans", "k-means++", "random"} or array, default="auto"
        Where EM starts. "auto" takes turns through all kinds of partition and then moves single
        components as long as that helps; "random" takes random rows as centres. An array of shape
        (n_samples, n_components) gives responsibilities, one of shape (n_samples,) gives labels
        0 ... n_components - 1.
    n_init : int or "auto", default="auto"
        Number of starts. "auto" is 24, fewer (4 at least) where a pass is costly, 1 for an array;
        with init="auto", on data that are not large, 24 or 72 more of another kind.
    max_iter : int, default=500
        Largest number of passes of the chosen run. A pass is one E-step and one M-step.
    tol : float, default=1e-6
        Largest predicted distance, in nats per row, between the bound reached and its limit.
        0 runs exactly `max_iter` passes.
    acceleration : {"auto", "anderson", "squarem"} or None, default="auto"
        Extrapolation of slow runs. "auto" makes Newton steps learned from the passes where many
        are left; None is plain EM.
    weight_concentration : float, default=1.0
        Concentration of a Dirichlet prior on the mixing weights. 1 is no prior; below 1, a
        component whose rows weigh less than 1 - concentration is dropped, all but the largest if
        all do, so that `n_components` is a bound. It may be negative: 1 - p / 2, p the number of
        parameters of a component, is that of Figueiredo and Jain (2002).
    fixed : dict or None, default=None
        Parameters that are not estimated: from a name (``"weights"``, ``"rates"``, ...) to an array
        of its shape, NaN where it is free. For a `Columns`, a dict of these by group.
    tied : dict or None, default=None
        Parameters that are equal: from a name to "components", "columns", "all", or an array of
        integers (n_components, n_features) that are equal where the parameter is to be.
    learning_decay : float, default=0.7
        How fast `partial_fit` settles: the t-th batch has a share of t^(-learning_decay). Between
        0.5, not included, and 1, which never forgets.
    warm_start : bool, default=False
        Whether `fit` starts from the parameters of the last one; from its responsibilities where
        another `fixed`, `tied`, `weight_concentration` or option of the family asks for another
        model.
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
        The family fitted, with the columns, levels and priors that it found in the data.
    lower_bound_ : float
        Mean log-likelihood per row (per unit of weight) of these parameters, in nats; penalised by
        the log-density of the priors (up to constants, over the same number) if there are any.
    lower_bounds_ : ndarray of shape (`n_iter_` + 1,)
        The bound before the chosen run and after every pass of it; never decreasing.
    n_iter_ : int
        Number of passes of the chosen run.
    converged_ : bool
        Whether the predicted distance to the limit fell below `tol`.
    init_results_ : list of StartResult
        Every start: its bound, its passes, and why it was dropped if it was; the chosen first.
    n_batches_ : int
        Number of batches, after `partial_fit`.
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
        family: Any = "gaussian",
        init: Any = "auto",
        n_init: int | str = "auto",
        max_iter: int = 500,
        tol: float = 1e-6,
        acceleration: str | None = "auto",
        weight_concentration: float = 1.0,
        fixed: Any = None,
        tied: Any = None,
        learning_decay: float = 0.7,
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
        self.weight_concentration = weight_concentration
        self.fixed = fixed
        self.tied = tied
        self.learning_decay = learning_decay
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @unchanged_on_error
    @with_callbacks
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, resp_prior: Any = None
    ) -> EMMixture:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            NaN, None and NA are missing values. What does not fit in memory may be a memmap,
            anything with a shape and slices, an iterable of arrays or frames that starts anew each
            time, or a dataset of pyarrow.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of 2 counts a row twice.
        resp_prior : array-like of shape (n_samples, n_components), default=None
            What is known of the component of every row, multiplied with the mixing weights: one 1
            among zeros is a known label, a 0 forbids a component, equal numbers say nothing.

        Returns
        -------
        self : EMMixture

        Raises
        ------
        ValueError
            If the data or an argument cannot be used, or every start breaks down. Nothing is
            changed then.
        """
        check_arguments(self)
        family = clone(component_family(self.family))
        rng = as_generator(self.random_state)
        family, rows, options = self._check_data(X, sample_weight, resp_prior, family)
        self._forget()
        journal = CheckpointJournal(self, family, rows, rng, options.init)
        progress = Progress(self, family, rows, FitTask(self, X, y, sample_weight))
        # What underflows is 0, whatever the caller wants to be told of his own numbers.
        with np.errstate(under="ignore"), row_threads(self.n_jobs) as mapper:
            rows = replace(rows, map=mapper)
            fitted = fit_mixture(family, rows, options, rng, progress, progress.report, journal)
        numbered = rows.resp_prior is not None or bool(self.fixed or self.tied)
        self._m_step = options.m_step
        self._n_constraints = options.m_step.n_constraints(family)
        self._store(family, fitted, keep_order=numbered or not isinstance(options.init, str))
        progress.end(fitted)
        journal.finish()
        return self

    def __sklearn_tags__(self) -> Any:
        """Tags of scikit-learn: densities, transformers, and what the family's support says."""
        tags = super().__sklearn_tags__()
        # An unknown family has the usual tags; `fit` says what is wrong with it.
        with suppress(TypeError, ValueError):
            family = component_family(self.family)
            tags.input_tags.allow_nan = family.allow_nan
            tags.input_tags.positive_only = family.support.low >= 0
            tags.input_tags.string = tags.input_tags.categorical = family.reads_tables
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.weights_)

    def _check_data(
        self, X: Any, sample_weight: Any, resp_prior: Any, family: Family
    ) -> tuple[Family, Rows, FitOptions]:
        """The family that knows the data, rows of positive weight, and where to start on them."""
        last_names = fitted_names(self)
        family, X = read_training_rows(self, X, family)
        weights = check_weights(sample_weight, len(X))
        told = check_resp_prior(self, family, resp_prior, len(X))
        init: Any = check_init(self.init, len(X), self.n_components)
        rows = Rows(X, weights, resp_prior=told).of_some_weight()
        if weights is not None and not isinstance(init, str):
            init = init[weights > 0]
        check_training_rows(self, family, rows)
        in_memory = isinstance(rows.X, np.ndarray)
        known = rows if in_memory or family.reads_sources else row_sample(rows, PRIOR_ROWS)
        family = family.for_rows(known.X, known.sample_weight, self.n_components)
        if self.warm_start and hasattr(self, "params_"):
            init = check_warm_start(self, family, rows, last_names)
        m_step = read_m_step(self, family, rows)
        options = FitOptions(
            self.n_components, init, self.n_init, self.max_iter, self.tol, self.acceleration, m_step
        )
        return family, rows, options

    def _forget(self) -> None:
        """Drop the results of an earlier fit; remember which model is asked for."""
        self._online, self._model_arguments = None, model_arguments(self)
        for name in [name for name in vars(self) if name.endswith("_") and "_in_" not in name]:
            delattr(self, name)

    def _store(self, family: Family, fitted: Fit, *, keep_order: bool) -> None:
        """Set the fitted attributes; components go by weight, or as a given start numbers them.

        In a list of families they go by weight within each kind.
        """
        result = fitted.result
        order = np.arange(len(result.theta.weights))
        if not keep_order:
            alike = family.alike(len(order))
            order[np.argsort(alike, kind="stable")] = np.lexsort((-result.theta.weights, alike))
        self.family_ = family
        self.weights_ = result.theta.weights[order]
        self.params_ = family.take(result.theta.params, order)
        self.lower_bound_ = result.lower_bound
        self.lower_bounds_ = result.lower_bounds
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        self.init_results_ = fitted.starts
