"""What a family says of the data that it takes, and what it learns of them before a fit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_genmodel._validation import Table
from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._support import REALS, Support

__all__ = ["DataHooks"]


class DataHooks(BaseEstimator):
    """Supports, columns, levels: the part of the family contract that the boundary asks for."""

    support: ClassVar[Support] = REALS
    allow_nan: ClassVar[bool] = False
    reads_tables: ClassVar[bool] = False
    # Whether a pass computes something for every pattern of missing values.
    by_pattern: ClassVar[bool] = False

    @property
    def reads_sources(self) -> bool:
        """Whether `for_rows` and `beside_others` take rows that are not in memory.

        Those are anything with a shape and slices. Families that want arrays get a sample.
        """
        return type(self).for_rows is DataHooks.for_rows

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """What each column may hold.

        Parameters
        ----------
        n_features : int

        Returns
        -------
        supports : tuple of Support, of length n_features
        """
        return (self.support,) * n_features

    def for_table(self, table: Table) -> Any:
        """Return this family with the columns and the levels of a table filled in.

        Asked at the start of a fit if ``reads_tables``; the table then need not be numeric.

        Parameters
        ----------
        table : Table

        Returns
        -------
        family : Family
        """
        return self

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Any:
        """Return this family with what its hyper-parameters leave to the data filled in.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            If ``reads_sources``, anything with a shape and slices.
        sample_weight : ndarray of shape (n_samples,) or None
        n_components : int

        Returns
        -------
        family : Family
        """
        return self

    def beside_others(self, X: Array, sample_weight: Array | None) -> Any:
        """Return this family for data of which components of other families have a share.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            If ``reads_sources``, anything with a shape and slices.
        sample_weight : ndarray of shape (n_samples,) or None

        Returns
        -------
        family : Family
        """
        return self

    def boxes(self, n_components: int, n_features: int) -> tuple[Array, Array]:
        """Bounds beyond which components have no density, whatever their parameters are.

        Parameters
        ----------
        n_components, n_features : int

        Returns
        -------
        lows, highs : ndarray of shape (n_components, n_features)
            Infinite where there are none but those of the support.
        """
        shape = n_components, n_features
        return np.full(shape, -np.inf), np.full(shape, np.inf)

    def check_rows(self, X: Array) -> None:
        """Refuse rows that no component has a density for, beyond what supports of columns say.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            Names the row and what is wrong with it.
        """
