"""A mixture as a table of plain text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["summary_table"]

WIDEST_COLUMN = 14
MOST_COLUMNS = 8


def summary_table(
    facts: str, weights: NDArray[np.float64], means: NDArray[np.float64], names: list[str]
) -> str:
    """Lay out the components, one a line: weight and mean of every column.

    Parameters
    ----------
    facts : str
        First line.
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    names : list of str
        Names of the columns; beyond the eighth they are counted, not shown.

    Returns
    -------
    table : str
    """
    shown = [str(name)[:WIDEST_COLUMN] for name in names[:MOST_COLUMNS]]
    header = ["component", "weight", *(f"mean {name}" for name in shown)]
    body = [
        [str(k), f"{weight:.4f}", *(f"{value:.5g}" for value in row[:MOST_COLUMNS])]
        for k, (weight, row) in enumerate(zip(weights, means, strict=True))
    ]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    lines = ["  ".join(map(str.rjust, cells, widths)) for cells in [header, *body]]
    left = len(names) - len(shown)
    return "\n".join([facts, *lines, *([f"(and {left} more columns)"] if left else [])])
