"""Mixtures made from parameters, and from other mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._compat import column_positions
from sklearn_genmodel._validation import FrameSchema, Table, given_row, place_of
from sklearn_genmodel.families import Family
from sklearn_genmodel.mixture._arguments import check_params
from sklearn_genmodel.mixture._continued import model_arguments
from sklearn_genmodel.mixture._reading import component_family
from sklearn_genmodel.variational import log_normalize

__all__ = ["DerivedMixtures"]

Array = NDArray[np.float64]


class DerivedMixtures:
    """Where mixtures come from, other than from `fit`."""

    family_: Family
    weights_: Array
    params_: Any
    n_features_in_: int
    random_state: Any
    _schema: FrameSchema | None = None

    @classmethod
    def from_params(cls, family: str | Family, weights: Any, params: Any) -> Any:
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
        known = clone(component_family(family))
        weights, params = check_params(known, weights, params)
        mixture: Any = cls(len(weights), family=family)  # type: ignore[call-arg]
        mixture.family_, mixture.weights_, mixture.params_ = known, weights, params
        mixture.n_features_in_ = known.mean(params).shape[1]
        mixture._model_arguments = model_arguments(mixture)
        return mixture

    def marginal(self, columns: Any) -> Any:
        """Distribution of some of the columns.

        Parameters
        ----------
        columns : list of str or int, slice, or boolean mask
            Names or positions of the columns that stay, in the order wanted.

        Returns
        -------
        mixture : EMMixture
            As if it had been fitted: it scores, samples, and states means and covariances.

        Raises
        ------
        ValueError
            If no column is named, or one twice, or only such as the mixture leaves out of account.
        NotImplementedError
            If the family does not state its marginals.

        Examples
        --------
        >>> from sklearn_genmodel import EMMixture
        >>> from sklearn_genmodel.datasets import load_old_faithful
        >>> X = load_old_faithful().data
        >>> mixture = EMMixture(2, random_state=0).fit(X)
        >>> mixture.marginal([1]).component_means().round(1)
        array([[80. ],
               [54.5]])
        """
        check_is_fitted(self, "params_")
        kept = np.array(self._places(columns), dtype=np.intp)
        if not len(kept) or len(set(kept.tolist())) < len(kept):
            raise ValueError(f"columns={columns!r} must name at least one column, and none twice.")
        if not self._modelled[kept].any():
            raise ValueError(f"columns={columns!r}: the mixture leaves them out of account.")
        family, params = self.family_.marginal(self.params_, kept)
        return self._derived(self.weights_, family, params, kept)

    def conditional(self, given: Any) -> Any:
        """Distribution of the columns that are not given, given those that are.

        weights_k changes to weights_k p_k(given) / sum over all k of the same.

        Parameters
        ----------
        given : dict, Series, frame of one row, or array-like of shape (n_features,)
            Values by the names or positions of their columns; or a row with NaN (None) where a
            column is not given. What has names is read by them, in any order, if the fit saw names.

        Returns
        -------
        mixture : EMMixture
            Over the columns not given, in their order.

        Raises
        ------
        ValueError
            If all columns are given, one is unknown or given twice, or a value cannot be one of
            its column.

        Examples
        --------
        >>> from sklearn_genmodel import EMMixture
        >>> from sklearn_genmodel.datasets import load_old_faithful
        >>> X = load_old_faithful().data
        >>> mixture = EMMixture(2, random_state=0).fit(X)
        >>> mixture.conditional({0: 2.0}).mean().round(1)
        array([54.2])
        """
        check_is_fitted(self, "params_")
        x = given_row(self, given, self.family_.column_supports(self.n_features_in_))
        missing = np.flatnonzero(np.isnan(x))
        if not self._modelled[missing].any():
            raise ValueError("All columns are given: leave out at least one, or pass NaN for it.")
        family, params = self.family_.conditional(self.params_, x)
        weights = self._weights_given(x)
        if not weights.any():
            raise ValueError(f"{given!r} is impossible under every component.")
        return self._derived(weights, family, params, missing)

    def _weights_given(self, x: Array) -> Array:
        """Mixing weights among rows that share what is known of this one; all 0 if none can."""
        known = np.flatnonzero(~np.isnan(x))
        if not len(known):
            return self.weights_
        # Not the density of a row with gaps: not every family has one.
        family, params = self.family_.marginal(self.params_, known)
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights_)
        log_joint = family.log_prob(x[None, known], params)[0] + log_weights
        if np.isneginf(log_joint).all():
            return np.zeros_like(self.weights_)
        return log_normalize(log_joint[:, None])[1][:, 0]

    @property
    def _modelled(self) -> NDArray[np.bool_]:
        """Which columns the families take account of, (n_features,)."""
        supports = self.family_.column_supports(self.n_features_in_)
        return np.array([support.levels != () for support in supports])

    def _places(self, columns: Any) -> list[int]:
        """Positions of columns that are chosen by names, positions, a slice or a mask."""
        listed = isinstance(columns, (list, tuple, np.ndarray)) and len(columns)
        if listed and not isinstance(columns[0], (bool, np.bool_)):
            return [place_of(self, column) for column in columns]
        try:
            return list(column_positions(self._columns_table().source, columns))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{columns!r} are no columns of the fit: {error}.") from error

    def _columns_table(self) -> Table:
        """An empty table with the columns of the fit."""
        names = tuple(getattr(self, "feature_names_in_", range(self.n_features_in_)))
        empty = np.empty((0, len(names)))
        if self._schema is not None:
            return Table(self._schema.frame(list(empty.T)), names)
        return Table(empty, names)

    def _derived(
        self, weights: Array, family: Family, params: Any, columns: NDArray[np.intp]
    ) -> Any:
        """A mixture over some columns of this one."""
        mixture: Any = type(self)(len(weights), family=family)  # type: ignore[call-arg]
        mixture.random_state = self.random_state
        mixture._model_arguments = model_arguments(mixture)
        mixture.family_, mixture.weights_, mixture.params_ = family, weights, params
        mixture.n_features_in_ = len(columns)
        if hasattr(self, "feature_names_in_"):
            mixture.feature_names_in_ = self.feature_names_in_[columns]
        if self._schema is not None:
            mixture._schema = self._schema.select(columns.tolist())
        return mixture
