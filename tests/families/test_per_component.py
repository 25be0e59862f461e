"""Components that are not alike."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import (
    Gaussian,
    GaussianParams,
    PerComponent,
    PerComponentParams,
    Poisson,
    PoissonParams,
)
from sklearn_genmodel.testing import check_family

FULL = GaussianParams(np.array([[1.0, 2.0]]), np.array([[[1.0, 0.3], [0.3, 0.5]]]))
ROUND = GaussianParams(np.array([[3.0, -1.0], [-4.0, 0.0]]), np.array([0.5, 2.0]))
UNLIKE = PerComponent([Gaussian("spherical"), Gaussian(), Gaussian("spherical")])
PARAMS = PerComponentParams(np.array([0, 1, 0]), (ROUND, FULL))


@pytest.mark.parametrize("seed", [0, 1])
def test_contract(seed):
    check_family(UNLIKE, PARAMS, random_state=seed)


def test_log_prob_is_that_of_each_family():
    X = np.random.default_rng(0).standard_normal((20, 2))
    expected = np.transpose(
        [
            stats.multivariate_normal(ROUND.means[0], 0.5).logpdf(X),
            stats.multivariate_normal(FULL.means[0], FULL.covariances[0]).logpdf(X),
            stats.multivariate_normal(ROUND.means[1], 2.0).logpdf(X),
        ]
    )
    assert_allclose(UNLIKE.log_prob(X, PARAMS), expected, rtol=1e-10)


def test_alike_components_are_the_plain_mixture():
    X = np.random.default_rng(0).poisson(np.repeat([2.0, 11.0], 100))[:, None]
    plain = EMMixture(2, family="poisson", random_state=0).fit(X)
    listed = EMMixture(2, family=["poisson", Poisson()], random_state=0).fit(X)
    assert_allclose(listed.lower_bound_, plain.lower_bound_, rtol=1e-9)
    assert listed.n_parameters() == plain.n_parameters()


def test_a_count_and_a_normal_component():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.poisson(2.0, 200), rng.normal(30, 4, 100).round()])[:, None]
    mixture = EMMixture(2, family=[Gaussian(), Poisson()], random_state=0).fit(X)
    assert mixture.params_.kinds.tolist() == [0, 1]
    normal, counts = mixture.params_.groups
    assert_allclose(normal.means, X[200:].mean(), rtol=1e-2)
    joint = np.log(mixture.weights_) + np.column_stack(
        [
            stats.norm(normal.means[0, 0], normal.covariances[0, 0, 0] ** 0.5).logpdf(X[:, 0]),
            stats.poisson(counts.rates[0, 0]).logpmf(X[:, 0]),
        ]
    )
    assert_allclose(mixture.score_samples(X), logsumexp(joint, axis=1), rtol=1e-9)
    assert mixture.n_parameters() == 1 + 2 + 1
    assert_array_equal(mixture.predict([[1.0], [33.0]]), [1, 0])


def test_from_params():
    params = PerComponentParams([1, 0], (GaussianParams([[0.0]], [[[1.0]]]), PoissonParams([[3]])))
    mixture = EMMixture.from_params(
        [Poisson(), Gaussian()],
        [0.5, 0.5],
        params._replace(
            kinds=[0, 1], groups=(PoissonParams([[3.0]]), GaussianParams([[0.0]], [[[1.0]]]))
        ),
    )
    expected = 0.5 * (stats.poisson(3).pmf(2) + stats.norm.pdf(2))
    assert_allclose(mixture.score_samples([[2.0]]), np.log(expected))


def test_as_many_families_as_components():
    with pytest.raises(ValueError, match="lists 2 families for n_components=3"):
        EMMixture(3, family=["poisson", "poisson"]).fit([[1], [2], [3], [4]])


def test_labels_and_numbers_do_not_mix():
    with pytest.raises(ValueError, match="must all take labels"):
        EMMixture(2, family=["poisson", "categorical"]).fit([[1], [2], [3], [4]])


@pytest.mark.parametrize("seed", range(4))
def test_components_of_a_kind_go_by_weight(seed):
    """And the others stay where the list has them, with their own parameters."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(3)
    centers, shares = np.array([[-9.0, 0.0], [0.0, 0.0], [9.0, 0.0]])[places], [150, 300, 600]
    X = np.repeat(centers, shares, axis=0) + rng.standard_normal((1050, 2))
    families = [Gaussian("spherical"), Gaussian(), Gaussian("spherical")]
    mixture = EMMixture(3, family=families, random_state=seed).fit(X)
    assert mixture.weights_[0] > mixture.weights_[2]
    assert_array_equal(mixture.params_.kinds, [0, 1, 0])
    means = mixture.component_means()
    nearest = np.linalg.norm(means[:, None] - centers, axis=2).argmin(axis=1)
    assert_allclose(mixture.weights_, np.array(shares)[nearest] / 1050, rtol=0.02)
    assert_allclose(
        mixture.score_samples(X),
        logsumexp(np.log(mixture.weights_) + mixture.family_.log_prob(X, mixture.params_), axis=1),
    )


@pytest.mark.parametrize(
    ("families", "value", "what"),
    [
        (["exponential", "gamma"], 0.0, "is not a number above 0: choose"),
        (["gaussian", "poisson", "exponential"], 0.5, "is not a non-negative integer: choose"),
        (["beta", "gamma"], 1.5, "is not a number between 0 and 1, both left out: choose"),
        (["von_mises", "gaussian"], np.inf, "infinity"),
    ],
)
def test_a_value_is_held_against_the_narrowest_support(families, value, what):
    mixture = EMMixture(len(families), family=families)
    with pytest.raises(ValueError, match=what):
        mixture.fit([[value], [2.0], [7.0]])


@pytest.mark.parametrize("families", [["exponential", "gaussian"], ["gaussian", "exponential"]])
def test_values_too_small_for_one_of_the_families_are_refused(families):
    X = 1e-145 * np.arange(1.0, 30.0)[:, None]
    with pytest.raises(ValueError, match="rescale the column"):
        EMMixture(2, family=families).fit(X)
