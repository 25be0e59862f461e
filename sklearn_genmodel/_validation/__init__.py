"""The boundary: everything a user passes is checked here, and trusted behind it."""

from sklearn_genmodel._validation._arguments import (
    check_number,
    check_weights,
    refuse_lazy,
    unchanged_on_error,
)
from sklearn_genmodel._validation._rows import check_rows, check_support, column_names

__all__ = [
    "check_number",
    "check_rows",
    "check_support",
    "check_weights",
    "column_names",
    "refuse_lazy",
    "unchanged_on_error",
]
