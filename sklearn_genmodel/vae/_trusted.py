"""What the files of skops may be trusted with."""

from __future__ import annotations

from sklearn_genmodel.families import Columns, Ignore, resolve_family
from sklearn_genmodel.vae._conv import ConvDecoder, ConvEncoder
from sklearn_genmodel.vae._data import Scaling
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS
from sklearn_genmodel.vae._persistence import PlainModule
from sklearn_genmodel.vae._plain import PlainTensor
from sklearn_genmodel.vae._priors import MixturePrior, StandardNormal, VampPrior
from sklearn_genmodel.vae._state import Epoch, TrainingState
from sklearn_genmodel.vae._tables import READ_AS
from sklearn_genmodel.vae._vae import VAEEstimator

__all__ = ["TRUSTED_TYPES"]

CLASSES = [
    Columns,
    ConvDecoder,
    ConvEncoder,
    Epoch,
    Ignore,
    MixturePrior,
    PlainModule,
    PlainTensor,
    Scaling,
    StandardNormal,
    TrainingState,
    VAEEstimator,
    VampPrior,
    *(READ_AS.get(name) or type(resolve_family(name)) for name in LIKELIHOODS),
]

# For skops.io.load(file, trusted=TRUSTED_TYPES); making them runs nothing that a file holds.
TRUSTED_TYPES = sorted({f"{kind.__module__}.{kind.__qualname__}" for kind in CLASSES})
