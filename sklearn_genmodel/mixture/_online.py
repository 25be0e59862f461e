"""Fitting by batches that are seen once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from sklearn_genmodel._validation import check_weights, unchanged_on_error
from sklearn_genmodel.em import MStep, OnlineState, Rows, Theta, online_step, row_threads
from sklearn_genmodel.families import Family
from sklearn_genmodel.families._arrays import GROWING
from sklearn_genmodel.mixture._arguments import check_learning_decay
from sklearn_genmodel.mixture._constraints import read_m_step
from sklearn_genmodel.mixture._continued import changed_argument
from sklearn_genmodel.mixture._reading import component_family, read_rows

__all__ = ["OnlineMixture"]


def _statistics_are_of_fixed_size(mixture: Any) -> bool:
    """Whether there can be a `partial_fit`; one that cannot be says why."""
    # An unknown family has the method; `fit` says what is wrong with it.
    with suppress(TypeError, ValueError):
        if component_family(mixture.family).grows:
            raise AttributeError(GROWING)
    return True


class OnlineMixture:
    """`partial_fit` of a mixture, by online EM."""

    family_: Family
    weights_: Any
    params_: Any
    family: Any
    n_components: int
    weight_concentration: float
    n_jobs: int | None
    learning_decay: float
    _online: OnlineState | None = None
    # Files hold none, and nothing is fitted where parameters were given.
    _m_step: MStep | None = None
    # Pickles of earlier versions hold none.
    _model_arguments: dict[str, Any] | None = None

    @available_if(_statistics_are_of_fixed_size)
    @unchanged_on_error
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Learn from one batch of a stream, by a step of online EM (Cappe and Moulines 2009).

        The first batch is fitted as by `fit`, to find the start: it has to be large enough to show
        all components. After `fit`, which keeps no statistics, the first batch starts from the
        parameters found but replaces what they were found from. Every later one moves the
        expected statistics towards its own by a share of t^(-`learning_decay`), t being its number
        and batches counting by their weight, and then the parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : EMMixture
            With ``n_batches_``, the number of batches so far; ``lower_bound_`` is that of the first
            batch.

        Raises
        ------
        ValueError
            If the batch cannot be used or leaves a component without a density, the mixture was
            loaded from a file after other batches, or its arguments ask for another model by now.
            Nothing is changed then.
        AttributeError
            If the statistics of the family grow with the data, as those of `Weibull` do.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_genmodel import EMMixture
        >>> rng = np.random.default_rng(0)
        >>> mixture = EMMixture(2, family="poisson", random_state=0)
        >>> for _ in range(50):
        ...     batch = rng.poisson(np.where(rng.random(200) < 0.3, 2.0, 9.0))[:, None]
        ...     mixture = mixture.partial_fit(batch)
        >>> mixture.params_.rates.round().ravel()
        array([9., 2.])
        """
        check_learning_decay(self.learning_decay)
        if not hasattr(self, "params_"):
            self.fit(X, y, sample_weight)  # type: ignore[attr-defined]
        self._check_unchanged()
        X = read_rows(self, X, self.family_)
        weights = check_weights(sample_weight, len(X))
        # As in `fit`: what underflows is 0.
        with np.errstate(under="ignore"), row_threads(self.n_jobs) as mapper:
            rows = Rows(X, weights, mapper).of_some_weight()
            if self._m_step is None:
                self._m_step = read_m_step(self, self.family_, rows)
            theta, self._online = online_step(
                self.family_,
                Theta(self.weights_, self.params_),
                self._online,
                rows,
                self._m_step,
                self.learning_decay,
            )
        self.weights_, self.params_ = theta
        self.n_batches_ = self._online.n_batches
        return self

    def _check_unchanged(self) -> None:
        """Refuse to go on with other components than were found, or without what was seen."""
        if self._online is None and hasattr(self, "n_batches_"):
            raise ValueError(
                f"This mixture was loaded from a file, which holds none of the statistics of its "
                f"{self.n_batches_} batch(es): pickle it to go on with them, or call fit anew."
            )
        n_components, wanted = len(self.weights_), component_family(self.family)
        dropped = self.weight_concentration < 1 and n_components < self.n_components
        if n_components != self.n_components and not dropped:
            raise ValueError(
                f"n_components={self.n_components}, but the mixture to go on with has "
                f"{n_components}: call fit for a new one."
            )
        if type(wanted) is not type(self.family_):
            raise ValueError(
                f"family={self.family!r}, but the mixture to go on with has components of "
                f"{type(self.family_).__name__}: call fit for a new one."
            )
        if (changed := changed_argument(self)) is not None:
            name, old, new = changed
            raise ValueError(
                f"{name}={new!r}, but the mixture to go on with was made with {old!r}: call fit "
                "for a new one."
            )
