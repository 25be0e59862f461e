"""Variational autoencoders as scikit-learn estimators; needs PyTorch."""

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
