"""What families learn of all rows before a fit: the same of a stream as of rows in memory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Bernoulli,
    Beta,
    Binomial,
    Columns,
    Dirichlet,
    Gamma,
    Gaussian,
    Laplace,
    LogNormal,
    Multinomial,
    NormalInverseWishart,
    Poisson,
    StudentT,
    Weibull,
)

RNG = np.random.default_rng(0)
# More distinct rows than a sample has.
N = 80_000
FAR = 3.0 * (RNG.random((N, 1)) < 0.4)
REALS = RNG.normal(FAR + 50.0, 1.0, (N, 4))
HOLED = np.where(RNG.random((N, 4)) < 0.1, np.nan, REALS)
POSITIVE = np.exp(REALS - 50.0)
COUNTS = RNG.binomial(60, 0.3 + 0.1 * FAR, (N, 6)).astype(float)
# In one row of those that a sample is likely to miss.
COUNTS[np.arange(6) + 7, np.arange(6)] = 60.0
NORMAL = NormalInverseWishart(shrinkage=1e4)
MIXED = np.column_stack([REALS, COUNTS, POSITIVE])
COLUMNS = Columns(
    [
        ("real", Gaussian("diag", prior=NORMAL), [0, 1, 2, 3]),
        ("counts", Binomial(prior=100.0), [4, 5, 6, 7, 8, 9]),
        ("width", Weibull(), [10]),
    ],
    remainder="drop",
)
CASES = {
    "gaussian": (Gaussian(prior=NORMAL), REALS),
    "missing": (Gaussian(prior=NORMAL), HOLED),
    "spherical": (Gaussian("spherical"), REALS),
    "student": (StudentT("diag", dof=5.0, prior=NORMAL), REALS),
    "gamma": (Gamma(prior=1000.0), POSITIVE),
    "log-normal": (LogNormal(prior=1000.0), POSITIVE),
    "beta": (Beta(prior=1000.0), POSITIVE / (1.0 + POSITIVE)),
    "dirichlet": (Dirichlet(prior=1000.0), POSITIVE / POSITIVE.sum(axis=1, keepdims=True)),
    "poisson": (Poisson(prior=1000.0), COUNTS),
    "bernoulli": (Bernoulli(prior=1000.0), (np.tile(REALS, 10) > RNG.normal(51, 1, 40)) * 1.0),
    "binomial": (Binomial(), COUNTS),
    "multinomial": (Multinomial(prior=1000.0), COUNTS),
    "columns": (COLUMNS, MIXED),
    "list": ([Gaussian("diag", prior=NORMAL), Gaussian()], REALS),
}


class Stored:
    """What arrays of h5py and zarr look like: a shape, a type, slices of rows."""

    chunks = (1000, 5)

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.values[rows]


def flat(params):
    """All numbers of parameters."""
    if isinstance(params, tuple):
        return np.concatenate([np.empty(0), *map(flat, params)])
    return np.empty(0) if isinstance(params, str) else np.ravel(params)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_stream_is_seen_as_rows_in_memory_are(case):
    family, X = CASES[case]
    weights = np.arange(N) % 3 + 0.5
    n_components = len(family) if isinstance(family, list) else 1
    labels = (np.arange(N) % 2) % n_components
    whole = EMMixture(n_components, family=family, init=labels, max_iter=3, tol=0.0)
    streamed = EMMixture(n_components, family=family, init=labels, max_iter=3, tol=0.0)
    whole.fit(X, sample_weight=weights)
    streamed.fit(Stored(X), sample_weight=weights)
    assert_allclose(streamed.lower_bound_, whole.lower_bound_, rtol=1e-11)
    assert_allclose(flat(streamed.params_), flat(whole.params_), rtol=1e-9)


def test_the_number_of_trials_is_the_largest_count_of_all():
    mixture = EMMixture(1, family=Binomial()).fit(Stored(COUNTS))
    assert mixture.family_.n_trials == (60,) * 6
    assert np.isfinite(mixture.score(COUNTS))


@pytest.mark.parametrize("prior", [NormalInverseWishart(), NORMAL])
def test_the_prior_of_a_stream_is_that_of_its_moments(prior):
    weights = RNG.uniform(0.5, 2.0, N)
    mixture = EMMixture(1, family=Gaussian(prior=prior)).fit(Stored(REALS), sample_weight=weights)
    known = mixture.family_.prior
    assert_allclose(known.mean, np.average(REALS, axis=0, weights=weights), rtol=1e-12)
    assert_allclose(known.scale, np.cov(REALS.T, ddof=0, aweights=weights), rtol=1e-10)


def test_priors_of_values_see_a_sample():
    whole = EMMixture(1, family=Laplace(prior=100.0)).fit(REALS)
    streamed = EMMixture(1, family=Laplace(prior=100.0)).fit(Stored(REALS))
    assert_allclose(streamed.params_.scales, whole.params_.scales, rtol=1e-4)


def test_a_family_of_ones_own_is_shown_an_array():
    class Centered(Laplace):
        """Whose options want whole columns."""

        reads_sources = False

        def for_rows(self, X, sample_weight, n_components):
            assert isinstance(X, np.ndarray)
            return super().for_rows(X, sample_weight, n_components)

    EMMixture(1, family=Centered()).fit(Stored(REALS))
