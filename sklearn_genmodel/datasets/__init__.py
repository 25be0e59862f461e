"""Small real data sets that ship with the package."""

from sklearn_genmodel.datasets._loaders import load_deaths, load_old_faithful, load_whiskey
from sklearn_genmodel.datasets._mixed_tables import load_airquality, load_biochemists, load_pima

__all__ = [
    "load_airquality",
    "load_biochemists",
    "load_deaths",
    "load_old_faithful",
    "load_pima",
    "load_whiskey",
]
