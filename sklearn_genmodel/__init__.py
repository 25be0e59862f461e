"""Generative models for scikit-learn: mixtures fitted by EM, and variational autoencoders."""

from importlib.metadata import version
from typing import Any

from sklearn_genmodel import callbacks, datasets, families
from sklearn_genmodel.mixture import EMMixture

__all__ = ["EMMixture", "__version__", "callbacks", "datasets", "families"]

__version__ = version("sklearn-genmodel")


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for."""
    if name != "VAEEstimator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from sklearn_genmodel.vae import VAEEstimator
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            "VAEEstimator needs PyTorch: pip install 'sklearn-genmodel[torch]'.", name="torch"
        ) from error
    return VAEEstimator


def __dir__() -> list[str]:
    return sorted([*__all__, "VAEEstimator"])
