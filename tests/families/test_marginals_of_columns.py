"""Marginals and conditionals of independent columns, whose priors go with them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Binomial,
    Categorical,
    Columns,
    Gamma,
    Laplace,
    NegativeBinomial,
    Poisson,
    ZeroInflated,
)

X = np.random.default_rng(0).poisson([3.0, 30.0, 8.0], (50, 3)) + 1.0
STRENGTH = 50.0


def columns_with_priors():
    groups = [("few", Poisson(prior=STRENGTH), [0, 2]), ("many", Gamma(prior=STRENGTH), [1])]
    return Columns(groups)


@pytest.mark.parametrize(
    "family",
    [
        Poisson(prior=STRENGTH),
        Gamma(prior=STRENGTH),
        Binomial(prior=STRENGTH),
        Laplace(prior=STRENGTH),
        NegativeBinomial(prior=STRENGTH),
        ZeroInflated(prior=STRENGTH),
        Categorical(prior=STRENGTH),
        columns_with_priors(),
        [Poisson(prior=STRENGTH)],
    ],
    ids=lambda family: type(family).__name__,
)
def test_marginals_with_a_prior_are_refitted_as_their_columns_are(family):
    mixture = EMMixture(1, family=family).fit(X)
    for columns in ([2, 0], [1], [1, 2, 0]):
        refitted = mixture.marginal(columns).fit(X[:, columns])
        assert_allclose(refitted.mean(), mixture.mean()[columns], rtol=1e-8)
    refitted = mixture.conditional({0: 3.0}).fit(X[:, 1:])
    assert_allclose(refitted.mean(), mixture.mean()[1:], rtol=1e-8)


@pytest.mark.parametrize(
    "prior", [STRENGTH, (STRENGTH, [4.0, 20.0, 9.0]), (STRENGTH, 7.0)], ids=["data", "each", "one"]
)
@pytest.mark.parametrize("columns", [[2, 0], [1]])
def test_the_prior_of_a_marginal_is_that_of_its_columns(prior, columns):
    """rate = (sum + s m) / (n + s), m the means of the first rows or the ones given."""
    means = np.broadcast_to(prior[1], 3) if isinstance(prior, tuple) else X.mean(axis=0)
    mixture = EMMixture(1, family=Poisson(prior=prior)).fit(X)
    other = np.random.default_rng(1).poisson(9.0, (20, len(columns)))
    expected = (other.sum(axis=0) + STRENGTH * means[columns]) / (20 + STRENGTH)
    assert_allclose(mixture.marginal(columns).fit(other).mean(), expected, rtol=1e-10)
    if isinstance(prior, tuple):
        made = EMMixture.from_params(Poisson(prior=prior), [1.0], mixture.params_)
        assert_allclose(made.marginal(columns).fit(other).mean(), expected, rtol=1e-10)


def test_the_prior_of_rates_per_exposure_goes_with_their_columns():
    """rate = (sum + s m) / (sum of exposures + s e)"""
    rng = np.random.default_rng(0)
    exposures = rng.uniform(1.0, 3.0, 40)
    rows = np.column_stack([rng.poisson(2.0, 40), exposures, rng.poisson(9.0, 40)])
    mixture = EMMixture(1, family=Poisson(prior=STRENGTH, exposure=1)).fit(rows)
    refitted = mixture.marginal([2, 1]).fit(rows[:, [2, 1]])
    assert_allclose(refitted.params_.rates, [[rows[:, 2].sum() / exposures.sum()]], rtol=1e-10)


def test_counts_have_no_conditional_without_their_exposure():
    X = np.column_stack([np.full(50, 2.0), np.random.default_rng(0).poisson([4.0, 6.0], (50, 2))])
    mixture = EMMixture(1, family=Poisson(exposure=0)).fit(X)
    with pytest.raises(ValueError, match="exposure"):
        mixture.conditional({1: 3})
