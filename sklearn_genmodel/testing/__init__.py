"""Checks that any family, yours included, can be put through."""

from sklearn_genmodel.testing._contract import check_family

__all__ = ["check_family"]
