"""From a name to a likelihood."""

from __future__ import annotations

from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._likelihoods import Bernoulli, Gaussian, NegativeBinomial, Poisson
from sklearn_genmodel.vae._more_likelihoods import (
    Beta,
    Categorical,
    StudentT,
    ZeroInflatedNegativeBinomial,
)

__all__ = ["LIKELIHOODS"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "beta": Beta,
    "categorical": Categorical,
    "gaussian": Gaussian,
    "negative_binomial": NegativeBinomial,
    "poisson": Poisson,
    "student_t": StudentT,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
}
