"""Which columns of a table the groups of a `Columns` name."""

from __future__ import annotations

from typing import Any

from sklearn_genmodel._compat import column_positions
from sklearn_genmodel._validation import Table

__all__ = ["check_disjoint", "positions_of"]


def positions_of(name: str, key: Any, table: Table) -> tuple[int, ...]:
    """Positions of the columns that a group names.

    Parameters
    ----------
    name : str
    key : object
        As in :class:`sklearn.compose.ColumnTransformer`.
    table : Table

    Returns
    -------
    positions : tuple of int

    Raises
    ------
    ValueError
        If the table lacks some, or there are none.
    """
    chosen = key(table.source) if callable(key) else key
    try:
        positions = column_positions(table.source, chosen)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"Group {name!r} asks for columns {chosen!r}, which are not all there: {error}. The "
            f"table has {list(table.names)}."
        ) from error
    if not positions:
        raise ValueError(f"Group {name!r} has no columns ({key!r} selects none): drop the group.")
    return tuple(int(position) for position in positions)


def check_disjoint(chosen: dict[str, tuple[int, ...]], table: Table) -> None:
    """Refuse groups that share a column.

    Parameters
    ----------
    chosen : dict
        From the names of the groups to the positions of their columns.
    table : Table

    Raises
    ------
    ValueError
        Names the column and its groups.
    """
    owner: dict[int, str] = {}
    for name, positions in chosen.items():
        for position in positions:
            if position in owner:
                raise ValueError(
                    f"Column {table.names[position]!r} is in groups {owner[position]!r} and "
                    f"{name!r}: given the component groups are independent, so it may be in one."
                )
            owner[position] = name
