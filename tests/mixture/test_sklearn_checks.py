"""scikit-learn's own checks of estimators, for every family; none is expected to fail."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Gaussian

# The checks fit rows of noise, where components on hardly any rows are all there is to find.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Every start ended with a degenerate component"),
    pytest.mark.filterwarnings("ignore:Columns .* are linearly dependent"),
    pytest.mark.filterwarnings("ignore:EM did not converge"),
]

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


def as_counts(x):
    """Fractions become counts, counts stay; what is negative or infinite stays wrong."""
    return np.where((x > 0) & (np.floor(x) != x), np.floor(10.0 * x), x)


def as_bits(x):
    """Positive numbers become 0 or 1, which stay; what is negative or infinite stays wrong."""
    finite = np.isfinite(x)
    return np.where((x > 0) & (x != 1) & finite, np.floor(10.0 * np.where(finite, x, 0.0)) % 2, x)


class MappedMixture(EMMixture):
    """A mixture whose finite data are mapped, value by value, into the support of its family."""

    mapped = staticmethod(as_counts)

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._within(X), y, sample_weight=sample_weight)

    def predict(self, X):
        return super().predict(self._within(X))

    def predict_proba(self, X):
        return super().predict_proba(self._within(X))

    def score_samples(self, X):
        return super().score_samples(self._within(X))

    def _within(self, X):
        """Map tables of real numbers; leave the rest for `EMMixture` to accept or refuse."""
        if isinstance(X, pd.DataFrame):
            return X.apply(self.mapped)
        values = np.asarray(X)
        if values.ndim != 2 or np.iscomplexobj(values):
            return X
        if values.dtype == object:
            scalars = all(np.isscalar(value) for value in values.ravel())
            return self.mapped(values.astype(np.float64)) if scalars else X
        return self.mapped(values.astype(np.result_type(values.dtype, np.float32)))


class CountMixture(MappedMixture):
    """Poisson components."""

    def __init__(self, n_components=1, *, n_init="auto", random_state=None):
        super().__init__(n_components, family="poisson", n_init=n_init, random_state=random_state)


class BitMixture(MappedMixture):
    """Bernoulli components."""

    mapped = staticmethod(as_bits)

    def __init__(self, n_components=1, *, n_init="auto", random_state=None):
        super().__init__(n_components, family="bernoulli", n_init=n_init, random_state=random_state)


GAUSSIANS = [
    EMMixture(n_components, family=Gaussian(covariance_type), n_init=4, random_state=0)
    for n_components in (1, 2, 3)
    for covariance_type in COVARIANCE_TYPES
]
DISCRETE = [
    mixture(n_components, n_init=4, random_state=0)
    for mixture in (CountMixture, BitMixture)
    for n_components in (1, 2, 3)
]


@parametrize_with_checks([*GAUSSIANS, EMMixture(), EMMixture(2, random_state=0)])
def test_gaussian(estimator, check):
    check(estimator)


@parametrize_with_checks([*DISCRETE, CountMixture(2, random_state=0)])
def test_discrete_on_mapped_data(estimator, check):
    check(estimator)
