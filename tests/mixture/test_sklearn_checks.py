"""scikit-learn's own checks of estimators, for every family; none is expected to fail."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.metaestimators import available_if

from sklearn_genmodel import EMMixture, families
from sklearn_genmodel.families import (
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Columns,
    CustomFamily,
    Dirichlet,
    Exponential,
    Family,
    Gamma,
    Gaussian,
    Geometric,
    InverseGaussian,
    Laplace,
    LogNormal,
    Multinomial,
    NegativeBinomial,
    Poisson,
    ScipyFamily,
    StudentT,
    Uniform,
    VonMises,
    VonMisesFisher,
    Weibull,
    ZeroInflated,
)

# The checks fit rows of noise, where components on hardly any rows are all there is to find.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Every start ended with a degenerate component"),
    pytest.mark.filterwarnings("ignore:Columns .* are linearly dependent"),
    pytest.mark.filterwarnings("ignore:EM did not converge"),
]


def as_counts(x):
    """Fractions become counts, counts stay."""
    return np.where(np.floor(x) != x, np.floor(10.0 * x), x)


def as_bits(x):
    """Fractions and large numbers become 0 or 1, which stay."""
    return np.where(x != 1, np.floor(10.0 * x) % 2, x)


# What numbers of at least 0 are mapped to; negative ones stay and are wrong.
MAPS = {
    "counts": as_counts,
    "few": lambda x: as_counts(x) % 8,
    "bits": as_bits,
    "positive": lambda x: x + 0.5,
    "shares": lambda x: (x + 1.0) / (x + 2.0),
    "rows of counts": as_counts,
    "simplex": lambda x: (x + 1.0) / (x + 2.0),
}
# What all numbers are mapped to.
MAPS_OF_ALL = {"levels": lambda x: np.floor(11.0 * x) % 2, "directions": lambda x: x + 0.01}
# What makes one of a row.
OF_ROWS = {
    "rows of counts": lambda rows: rows,
    "simplex": lambda rows: rows / rows.sum(axis=1, keepdims=True),
    "directions": lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True),
}


class MappedMixture(EMMixture):
    """A mixture whose finite data are mapped into the support of its family.

    Values that are infinite, or wrongly negative, stay as they are. Families of rows as wholes do
    not take parts of a row: it is missing altogether if a value of it is.
    """

    def __init__(
        self, n_components=1, *, family="poisson", to="counts", n_init=1, random_state=None
    ):
        super().__init__(n_components, family=family, n_init=n_init, random_state=random_state)
        self.to = to

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._within(X), y, sample_weight=sample_weight)

    @available_if(lambda mixture: super().partial_fit)
    def partial_fit(self, X, y=None, sample_weight=None):
        return super().partial_fit(self._within(X), y, sample_weight=sample_weight)

    def predict(self, X):
        return super().predict(self._within(X))

    def predict_proba(self, X):
        return super().predict_proba(self._within(X))

    def score_samples(self, X):
        return super().score_samples(self._within(X))

    def _within(self, X):
        """Map tables of real numbers; leave the rest for `EMMixture` to accept or refuse."""
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(self._mapped(X.to_numpy(np.float64)), X.index, X.columns)
        values = np.asarray(X)
        if values.ndim != 2 or not values.size or np.iscomplexobj(values):
            return X
        if values.dtype == object:
            scalars = all(np.isscalar(value) for value in values.ravel())
            return self._mapped(values.astype(np.float64)) if scalars else X
        return self._mapped(values.astype(np.result_type(values.dtype, np.float32)))

    def _mapped(self, values):
        good = np.isfinite(values) & ((values >= 0.0) | (self.to in MAPS_OF_ALL))
        mapped = values.copy()
        mapped[good] = (MAPS | MAPS_OF_ALL)[self.to](values[good])
        if self.to in OF_ROWS:
            rows = good.all(axis=1)
            mapped[rows] = OF_ROWS[self.to](mapped[rows])
            mapped[np.isnan(values).any(axis=1)] = np.nan
        return mapped


class UnlikeMixture(EMMixture):
    """Components of several families in turn, for as many of them as scikit-learn asks for."""

    def __init__(self, n_components=1, *, turns=("gaussian",), n_init=1, random_state=None):
        super().__init__(n_components, n_init=n_init, random_state=random_state)
        self.turns = turns

    @property
    def family(self):
        return [self.turns[k % len(self.turns)] for k in range(self.n_components)]

    @family.setter
    def family(self, value):
        """The turns decide."""


def log_density(X, theta):
    """Normal columns of unit variance."""
    return stats.norm.logpdf(X, theta).sum(axis=1)


def location(theta):
    return theta


def size(n_features):
    return n_features


def average(X, weights):
    return np.average(X, axis=0, weights=weights)


REAL = [
    *map(Gaussian, ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"]),
    *map(Gaussian, ["EEV", "VEV", "EVE", "VVE"]),
    Gaussian("factor", n_factors=1),
    StudentT(),
    StudentT("tied_diag", dof=4.0),
    Laplace(),
    Uniform(),
    VonMises(),
    ScipyFamily("gumbel_r"),
    CustomFamily(log_density, location, size, weighted_mle=average),
    Columns([("first", Laplace(), slice(0, 1))], remainder=Gaussian("diag")),
]
UNLIKE = [(Gaussian(), Uniform()), (StudentT("diag"), Laplace())]
MAPPED = [
    (Poisson(), "counts"),
    (NegativeBinomial(), "counts"),
    (Geometric(), "counts"),
    (ZeroInflated(Poisson()), "counts"),
    (Multinomial(), "rows of counts"),
    (Binomial(7), "few"),
    (Bernoulli(), "bits"),
    (Categorical(), "levels"),
    (Exponential(), "positive"),
    (Gamma(), "positive"),
    (LogNormal(), "positive"),
    (Weibull(), "positive"),
    (InverseGaussian(), "positive"),
    (Beta(), "shares"),
    (Dirichlet(), "simplex"),
    (VonMisesFisher(), "directions"),
    (Columns([("first", Gamma(), slice(0, 1))], remainder=LogNormal()), "positive"),
]
ON_REAL_ROWS = [EMMixture(2, family=family, n_init=1, random_state=0) for family in REAL]
OF_UNLIKE_COMPONENTS = [UnlikeMixture(2, turns=turns, n_init=1, random_state=0) for turns in UNLIKE]
ON_MAPPED_ROWS = [
    MappedMixture(2, family=family, to=to, n_init=1, random_state=0) for family, to in MAPPED
]
DEFAULTS = [EMMixture(), EMMixture(2, random_state=0), MappedMixture()]
OTHER_NUMBERS = [
    *(EMMixture(k, family=Gaussian("diag"), n_init=1, random_state=0) for k in (1, 3)),
    *(MappedMixture(k, family="gamma", to="positive", random_state=0) for k in (1, 3)),
    *(MappedMixture(k, family="bernoulli", to="bits", random_state=0) for k in (1, 3)),
    MappedMixture(1, family="categorical", to="levels", random_state=0),
]


@parametrize_with_checks([*ON_REAL_ROWS, *OF_UNLIKE_COMPONENTS])
def test_two_components_of_real_rows(estimator, check):
    check(estimator)


@parametrize_with_checks(ON_MAPPED_ROWS)
def test_two_components_of_mapped_rows(estimator, check):
    check(estimator)


@parametrize_with_checks([*DEFAULTS, *OTHER_NUMBERS])
def test_defaults_and_other_numbers_of_components(estimator, check):
    check(estimator)


def test_no_family_is_left_out():
    """Every public family is checked; what combines families is checked by what makes it."""
    everything = (getattr(families, name) for name in families.__all__)
    concrete = {
        family
        for family in everything
        if isinstance(family, type)
        and issubclass(family, Family)
        and family.sample is not Family.sample
    }
    checked = {type(family) for family in [*REAL, *(family for family, _ in MAPPED)]}
    assert concrete - checked == {families.Ignore, families.PerComponent}
