"""Small real data sets that ship with the package."""

from sklearn_genmodel.datasets._loaders import load_deaths, load_old_faithful, load_whiskey

__all__ = ["load_deaths", "load_old_faithful", "load_whiskey"]
