"""Generative models for scikit-learn: mixtures fitted by EM, and variational autoencoders."""

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from sklearn_genmodel import callbacks, datasets, families
from sklearn_genmodel.mixture import EMMixture

__all__ = ["EMMixture", "__version__", "callbacks", "datasets", "families"]

__version__ = version("sklearn-genmodel")


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for."""
    if name != "VAEEstimator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sklearn_genmodel.vae import VAEEstimator

    return VAEEstimator


def __dir__() -> list[str]:
    # What reads all names, as `help` does, would stumble over one that cannot be imported.
    return sorted([*__all__, *(["VAEEstimator"] if find_spec("torch") else [])])
