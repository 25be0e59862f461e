"""Distributions that the components of a mixture may have."""

from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._bernoulli import Bernoulli, BernoulliParams
from sklearn_genmodel.families._beta import Beta, BetaParams
from sklearn_genmodel.families._binomial import Binomial, BinomialParams
from sklearn_genmodel.families._categorical import Categorical, CategoricalParams
from sklearn_genmodel.families._columns import Columns
from sklearn_genmodel.families._columnwise import ColumnwiseFamily
from sklearn_genmodel.families._constraints import Constraints, tie_labels
from sklearn_genmodel.families._covariances._factor import FactorCovariances
from sklearn_genmodel.families._custom import CustomFamily, CustomParams
from sklearn_genmodel.families._dirichlet import Dirichlet, DirichletParams
from sklearn_genmodel.families._exponential import Exponential, ExponentialParams
from sklearn_genmodel.families._exponential_family import ExponentialFamily
from sklearn_genmodel.families._gamma import Gamma, GammaParams
from sklearn_genmodel.families._gaussian import Gaussian, GaussianParams
from sklearn_genmodel.families._geometric import Geometric, GeometricParams
from sklearn_genmodel.families._ignore import Ignore, IgnoreParams
from sklearn_genmodel.families._independent import IndependentColumns
from sklearn_genmodel.families._inverse_gaussian import InverseGaussian, InverseGaussianParams
from sklearn_genmodel.families._laplace import Laplace, LaplaceParams
from sklearn_genmodel.families._log_normal import LogNormal, LogNormalParams
from sklearn_genmodel.families._multinomial import Multinomial, MultinomialParams
from sklearn_genmodel.families._negative_binomial import NegativeBinomial, NegativeBinomialParams
from sklearn_genmodel.families._normal._normal_prior import NormalInverseWishart
from sklearn_genmodel.families._per_component import PerComponent, PerComponentParams
from sklearn_genmodel.families._poisson import Poisson, PoissonParams
from sklearn_genmodel.families._product import ProductParams
from sklearn_genmodel.families._registry import resolve_family
from sklearn_genmodel.families._scipy import ScipyFamily, ScipyParams
from sklearn_genmodel.families._student_t import StudentT, StudentTParams
from sklearn_genmodel.families._support import (
    ANGLES,
    BINARY,
    COUNTS,
    NON_NEGATIVE,
    POSITIVE,
    REALS,
    SHARES,
    UNIT_VECTORS,
    Support,
)
from sklearn_genmodel.families._uniform import Uniform, UniformParams
from sklearn_genmodel.families._von_mises import VonMises, VonMisesParams
from sklearn_genmodel.families._von_mises_fisher import VonMisesFisher, VonMisesFisherParams
from sklearn_genmodel.families._weibull import Weibull, WeibullParams
from sklearn_genmodel.families._zero_inflated import ZeroInflated, ZeroInflatedParams

__all__ = [
    "ANGLES",
    "BINARY",
    "COUNTS",
    "NON_NEGATIVE",
    "POSITIVE",
    "REALS",
    "SHARES",
    "UNIT_VECTORS",
    "Bernoulli",
    "BernoulliParams",
    "Beta",
    "BetaParams",
    "Binomial",
    "BinomialParams",
    "Categorical",
    "CategoricalParams",
    "Columns",
    "ColumnwiseFamily",
    "Constraints",
    "CustomFamily",
    "CustomParams",
    "Dirichlet",
    "DirichletParams",
    "Exponential",
    "ExponentialFamily",
    "ExponentialParams",
    "FactorCovariances",
    "Family",
    "Gamma",
    "GammaParams",
    "Gaussian",
    "GaussianParams",
    "Geometric",
    "GeometricParams",
    "Ignore",
    "IgnoreParams",
    "IndependentColumns",
    "InverseGaussian",
    "InverseGaussianParams",
    "Laplace",
    "LaplaceParams",
    "LogNormal",
    "LogNormalParams",
    "Multinomial",
    "MultinomialParams",
    "NegativeBinomial",
    "NegativeBinomialParams",
    "NormalInverseWishart",
    "PerComponent",
    "PerComponentParams",
    "Poisson",
    "PoissonParams",
    "ProductParams",
    "ScipyFamily",
    "ScipyParams",
    "StudentT",
    "StudentTParams",
    "Support",
    "Uniform",
    "UniformParams",
    "VonMises",
    "VonMisesFisher",
    "VonMisesFisherParams",
    "VonMisesParams",
    "Weibull",
    "WeibullParams",
    "ZeroInflated",
    "ZeroInflatedParams",
    "resolve_family",
    "tie_labels",
]
