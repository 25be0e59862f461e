"""Tables of mixed columns: groups of columns, each with a family of its own."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from sklearn_genmodel._validation import Table
from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._categorical import Categorical
from sklearn_genmodel.families._chosen_columns import check_disjoint, positions_of
from sklearn_genmodel.families._ignore import Ignore
from sklearn_genmodel.families._inference import inferred_groups
from sklearn_genmodel.families._product import Part, Product
from sklearn_genmodel.families._registry import resolve_family
from sklearn_genmodel.families._support import NON_NEGATIVE, REALS, Support

__all__ = ["Columns"]


class Columns(Product):
    """Columns of different kinds: each group has a family, independent given the component.

    log p(x) = sum over groups of log p(x_group)

    Groups are given as in :class:`sklearn.compose.ColumnTransformer`. Hyper-parameters of a
    group's family are reached by its name: ``family__visits__prior`` from an `EMMixture`.

    Parameters
    ----------
    groups : list of (name, family, columns)
        ``family`` is a family or the name of one; ``columns`` a name, a position, a list of either,
        a slice, a boolean mask, or a callable that takes the table, such as
        :class:`sklearn.compose.make_column_selector`.
    remainder : {"error", "drop"} or Family, default="error"
        What to do with columns in no group: refuse, ignore, or give all of them to a family.

    See Also
    --------
    Columns.from_frame : Families chosen by the types and values of a data frame.

    References
    ----------
    Hunt, L. and Jorgensen, M. (1999). Mixture model clustering using the MULTIMIX program.
    Australian and New Zealand Journal of Statistics 41, 153-171.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Columns, Gaussian, Poisson
    >>> X = pd.DataFrame(
    ...     {
    ...         "age": [31.0, 29.5, 33.1, 64.2, 59.8, 70.0],
    ...         "visits": [0, 1, 0, 9, 7, 11],
    ...         "smoker": ["no", "no", "yes", "yes", None, "yes"],
    ...     }
    ... )
    >>> columns = Columns(
    ...     [
    ...         ("age", Gaussian("diag"), ["age"]),
    ...         ("visits", Poisson(), ["visits"]),
    ...         ("smoker", "categorical", ["smoker"]),
    ...     ]
    ... )
    >>> mixture = EMMixture(2, family=columns, random_state=0).fit(X)
    >>> mixture.params_.visits.rates.round(2).ravel()
    array([0.33, 9.  ])
    """

    reads_tables: ClassVar[bool] = True

    def __init__(self, groups: Any, remainder: Any = "error") -> None:
        self.groups = groups
        self.remainder = remainder

    @classmethod
    def from_frame(cls, X: Any, *, verbose: int = 1) -> Columns:
        """Choose families by the types and values of the columns of a data frame.

        Truth values and columns of 0 and 1 are Bernoulli, labels categorical. Whole numbers that
        are small, or skewed from 0 on, are negative binomial or Poisson; with a variance clearly
        below their mean, as no mixture of Poisson distributions has it, they are codes, and
        categorical if they are few. Skewed amounts above 0 are gamma, all other numbers jointly
        Gaussian, in any unit; but numbers in (0, 1) with some below 0.1 and some above 0.9 are
        shares, and beta.

        Parameters
        ----------
        X : DataFrame of pandas or polars
        verbose : int, default=1
            0 keeps silent; otherwise the choice and the reason for it are printed, a line a column.

        Returns
        -------
        columns : Columns

        Raises
        ------
        TypeError
            If X is no data frame, or a column holds dates or times.
        ValueError
            If a column holds nothing, one value only, or as many labels as rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn_genmodel.families import Columns
        >>> X = pd.DataFrame({"height": [1.7, 1.8, 1.6], "children": [0, 3, 1]})
        >>> columns = Columns.from_frame(X)
        height    gaussian: real numbers
        children  poisson: counts whose variance is about their mean
        >>> columns
        Columns(groups=[('gaussian', 'gaussian', ['height']),
                        ('poisson', 'poisson', ['children'])])
        """
        groups, reasons = inferred_groups(X)
        if verbose:
            print("\n".join(reasons))
        return cls(groups)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Hyper-parameters; those of the groups' families too, as name__parameter.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        groups: list[Any] = []
        # Groups that are none are told of where they are used.
        with suppress(TypeError):
            groups = self.checked_groups() if deep else []
        for name, family, _ in groups:
            if isinstance(name, str):
                nested = family.get_params(deep=True) if isinstance(family, Family) else {}
                params |= {name: family} | {f"{name}__{key}": nested[key] for key in nested}
        return params

    def set_params(self, **params: Any) -> Columns:
        """Set hyper-parameters; a group's family by its name, that family's as name__parameter.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : Columns
        """
        # As in scikit-learn's compositions: the groups, then their families, then what is in these.
        own = {key: params.pop(key) for key in ("groups", "remainder") if key in params}
        super().set_params(**own)
        nested = {key.partition("__")[0] for key in params if "__" in key}
        if not params:
            return self
        if "remainder" in nested and not self._has_remainder:
            raise ValueError(
                f"remainder={self.remainder!r} has no options, got {sorted(params)}: give a family."
            )
        groups = []
        # A family given by name has hyper-parameters once it is one.
        for name, family, key in self.checked_groups():
            wanted = params.pop(name, family)
            groups.append((name, resolve_family(wanted) if name in nested else wanted, key))
        self.groups = groups
        if "remainder" in nested:
            self.remainder = resolve_family(self.remainder)
        super().set_params(**params)
        return self

    @property
    def support(self) -> Support:  # type: ignore[override]
        """What all columns have in common: that no value is negative, at most."""
        positive = all(family.support.low >= 0.0 for family in self.members())
        return NON_NEGATIVE if positive else REALS

    def members(self) -> list[Family]:
        """The families of the groups, and of the remainder if it has one."""
        families = [resolve_family(family) for _, family, _ in self.checked_groups()]
        return [*families, resolve_family(self.remainder)] if self._has_remainder else families

    def for_table(self, table: Table) -> Family:
        """Find the columns of every group, and let its family see them."""
        chosen = self.positions(table)
        if not self.groups and not self._has_remainder:
            raise ValueError(f"{self!r} has no groups: give one, or a family as remainder.")
        parts = [(name, resolve_family(family)) for name, family, _ in self.groups]
        for name, family in parts:
            if family.ordered:
                raise ValueError(
                    f"Group {name!r} has a family for every component: pass a list of Columns, one "
                    "for each component, as the family of the mixture."
                )
        if "remainder" in chosen:
            parts.append(("remainder", self._remainder_family(table, chosen["remainder"])))
        check_disjoint(chosen, table)
        labelled = (chosen[name] for name, family in parts if isinstance(family, Categorical))
        table = table.seeking_levels(tuple(chain.from_iterable(labelled)))
        return Columns(
            [
                (name, family.for_table(table.select(chosen[name])), chosen[name])
                for name, family in parts
            ]
        )

    def positions(self, table: Table) -> dict[str, tuple[int, ...]]:
        """Positions of the columns of every group, and of the remainder if there are any."""
        self._check_names()
        chosen = {name: positions_of(name, key, table) for name, _, key in self.groups}
        left = set(range(len(table.names))) - set(chain.from_iterable(chosen.values()))
        return chosen | ({"remainder": tuple(sorted(left))} if left else {})

    def for_rows(self, X: Array, sample_weight: Array | None, n_components: int) -> Family:
        """Let every group see its rows."""
        return self.with_parts(
            [
                part._replace(family=part.seeing(X, sample_weight, n_components))
                for part in self.parts()
            ]
        )

    def parts(self) -> list[Part]:
        """Groups with their columns, which `for_table` has made positions."""
        if not all(isinstance(family, Family) for _, family, _ in self.groups):
            raise ValueError(f"{self!r} must see the data first: for_table finds the columns.")
        return [Part(name, family, np.asarray(key)) for name, family, key in self.groups]

    def with_parts(self, parts: list[Part]) -> Columns:
        """Columns of other groups."""
        return Columns([(part.name, part.family, tuple(part.columns.tolist())) for part in parts])

    @property
    def _has_remainder(self) -> bool:
        """Whether columns in no group have a family."""
        return not (isinstance(self.remainder, str) and self.remainder in {"error", "drop"})

    def checked_groups(self) -> list[tuple[Any, Any, Any]]:
        """The groups, which must be triples."""
        groups = self.groups
        listed = groups if isinstance(groups, (list, tuple)) else [groups]
        if all(isinstance(group, (list, tuple)) and len(group) == 3 for group in listed):
            return list(groups)
        raise TypeError(
            f"groups of {type(self).__name__} must be a list of (name, family, columns), such as "
            f"('body', 'gaussian', ['height', 'weight']), got {groups!r}."
        )

    def _remainder_family(self, table: Table, left: tuple[int, ...]) -> Family:
        if self.remainder == "drop":
            return Ignore()
        listed = ", ".join(repr(table.names[column]) for column in left[:5])
        if self.remainder == "error":
            raise ValueError(
                f"Column(s) {listed} belong to no group of {type(self).__name__}: name them in "
                "one, or pass remainder='drop' or a family for them."
            )
        return resolve_family(self.remainder)

    def _check_names(self) -> None:
        names = [name for name, _, _ in self.checked_groups()]
        taken = {"groups", "remainder", "names", "weights", *dir(tuple)}
        for name in names:
            good = isinstance(name, str) and name.isidentifier()
            if not good or "__" in name or name.startswith("_"):
                raise ValueError(
                    f"Group name {name!r}: use an identifier without '__' or '_' before it."
                )
            if name in taken or names.count(name) > 1:
                raise ValueError(f"Group name {name!r} is taken: choose another.")
