"""Tables that ship, read from CSV files and handed over as scikit-learn's `Bunch`."""

import csv
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "expand_frequencies", "make_bunch", "read_table"]


class Table(NamedTuple):
    """Rows of numbers: NaN where a cell is empty, a word as its place among its column's words."""

    feature_names: list[str]
    data: NDArray[np.float64]
    frequency_name: str | None = None
    sample_weight: NDArray[np.float64] | None = None
    categories: dict[str, list[str]] | None = None
    integers: tuple[str, ...] = ()


def read_table(
    filename: str,
    *,
    frequency_name: str | None = None,
    words: tuple[str, ...] = (),
    integers: tuple[str, ...] = (),
) -> Table:
    """Read a data file of the package.

    Parameters
    ----------
    filename : str
    frequency_name : str, default=None
        The column that says how often each row was seen.
    words : tuple of str, default=()
        Columns of words, coded 0, 1, ... in alphabetical order.
    integers : tuple of str, default=()
        Columns that a frame is to hold as integers.

    Returns
    -------
    table : Table
    """
    text = files("sklearn_genmodel.datasets").joinpath("data", filename).read_text("utf-8")
    names, *rows = csv.reader(text.splitlines())
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    categories = {name: sorted(set(columns[name]) - {""}) for name in words}
    values = {name: _numbers(cells, categories.get(name)) for name, cells in columns.items()}
    sample_weight = values.pop(frequency_name) if frequency_name is not None else None
    data = np.column_stack(list(values.values()))
    return Table(list(values), data, frequency_name, sample_weight, categories or None, integers)


def _numbers(cells: tuple[str, ...], words: list[str] | None) -> NDArray[np.float64]:
    """The cells of a column as numbers, or the places of its words; NaN for an empty cell."""
    places = {"": "nan"} | {word: str(place) for place, word in enumerate(words or ())}
    return np.array([places.get(cell, cell) for cell in cells], dtype=np.float64)


def expand_frequencies(table: Table) -> Table:
    """One row per unit of frequency."""
    assert table.sample_weight is not None
    rows = np.repeat(table.data, table.sample_weight.astype(int), axis=0)
    return Table(table.feature_names, rows)


def make_bunch(table: Table, filename: str, description: str, *, as_frame: bool) -> Bunch:
    """Wrap a table for the user.

    Parameters
    ----------
    table : Table
    filename : str
    description : str
        What `DESCR` says.
    as_frame : bool
        Whether `data` is a pandas DataFrame, words in place of codes.

    Returns
    -------
    bunch : Bunch
        With ``categories`` if the table has words.
    """
    frame = _frame(table) if as_frame else None
    bunch = Bunch(
        data=table.data if frame is None else frame[table.feature_names],
        feature_names=table.feature_names,
        sample_weight=table.sample_weight,
        frame=frame,
        DESCR=description,
        filename=filename,
    )
    if table.categories is not None:
        bunch.categories = table.categories
    return bunch


def _frame(table: Table) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: pip install pandas") from error
    frame = pd.DataFrame(table.data, columns=table.feature_names)
    frame = frame.astype(dict.fromkeys(table.integers, np.int64))
    for name, words in (table.categories or {}).items():
        codes = frame[name].fillna(-1).astype(int)
        frame[name] = pd.Categorical.from_codes(codes, words)
    if table.frequency_name is not None:
        frame[table.frequency_name] = table.sample_weight
    return frame
