"""The boundary: everything a user passes is checked here, and trusted behind it."""

from sklearn_genmodel._validation._arguments import (
    check_choice,
    check_number,
    check_weights,
    real_numbers,
    refuse_lazy,
    refuse_time_values,
    refuse_times,
    unchanged_on_error,
)
from sklearn_genmodel._validation._coding import decode_rows, encode_table
from sklearn_genmodel._validation._equal_values import equal_values, few_values
from sklearn_genmodel._validation._frames import FrameSchema, loaded
from sklearn_genmodel._validation._given import given_row, place_of
from sklearn_genmodel._validation._names import check_names, column_names, fitted_names
from sklearn_genmodel._validation._rows import check_finite, check_rows, check_supports
from sklearn_genmodel._validation._sources import (
    ChosenColumns,
    ChosenRows,
    chunk_reader,
    row_source,
    spooled,
)
from sklearn_genmodel._validation._table import Table, read_table

__all__ = [
    "ChosenColumns",
    "ChosenRows",
    "FrameSchema",
    "Table",
    "check_choice",
    "check_finite",
    "check_names",
    "check_number",
    "check_rows",
    "check_supports",
    "check_weights",
    "chunk_reader",
    "column_names",
    "decode_rows",
    "encode_table",
    "equal_values",
    "few_values",
    "fitted_names",
    "given_row",
    "loaded",
    "place_of",
    "read_table",
    "real_numbers",
    "refuse_lazy",
    "refuse_time_values",
    "refuse_times",
    "row_source",
    "spooled",
    "unchanged_on_error",
]
