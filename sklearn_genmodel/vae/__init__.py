"""Variational autoencoders as scikit-learn estimators; needs PyTorch."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError(
        "VAEEstimator needs PyTorch: pip install 'sklearn-genmodel[torch]'.", name="torch"
    )

from sklearn_genmodel.vae._conv import ConvDecoder, ConvEncoder
from sklearn_genmodel.vae._priors import MixturePrior, StandardNormal, VampPrior
from sklearn_genmodel.vae._trusted import TRUSTED_TYPES
from sklearn_genmodel.vae._vae import VAEEstimator

__all__ = [
    "TRUSTED_TYPES",
    "ConvDecoder",
    "ConvEncoder",
    "MixturePrior",
    "StandardNormal",
    "VAEEstimator",
    "VampPrior",
]
