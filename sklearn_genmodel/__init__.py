"""Generative models for scikit-learn: mixtures fitted by EM, and variational autoencoders."""

from importlib.metadata import version

from sklearn_genmodel import datasets, families
from sklearn_genmodel.mixture import EMMixture

__all__ = ["EMMixture", "__version__", "datasets", "families"]

__version__ = version("sklearn-genmodel")
