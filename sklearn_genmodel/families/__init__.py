"""Distributions that the components of a mixture may have."""

from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._bernoulli import Bernoulli, BernoulliParams
from sklearn_genmodel.families._categorical import Categorical, CategoricalParams
from sklearn_genmodel.families._columns import Columns
from sklearn_genmodel.families._constraints import Constraints, tie_labels
from sklearn_genmodel.families._exponential_family import ExponentialFamily
from sklearn_genmodel.families._gaussian import Gaussian, GaussianParams
from sklearn_genmodel.families._ignore import Ignore
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._per_component import PerComponent, PerComponentParams
from sklearn_genmodel.families._poisson import Poisson, PoissonParams
from sklearn_genmodel.families._product import ProductParams
from sklearn_genmodel.families._registry import resolve_family
from sklearn_genmodel.families._support import BINARY, COUNTS, REALS, Support

__all__ = [
    "BINARY",
    "COUNTS",
    "REALS",
    "Bernoulli",
    "BernoulliParams",
    "Categorical",
    "CategoricalParams",
    "Columns",
    "Constraints",
    "ExponentialFamily",
    "Family",
    "Gaussian",
    "GaussianParams",
    "Ignore",
    "IndependentColumns",
    "PerComponent",
    "PerComponentParams",
    "Poisson",
    "PoissonParams",
    "ProductParams",
    "Support",
    "resolve_family",
    "tie_labels",
]
