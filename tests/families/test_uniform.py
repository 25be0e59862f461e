"""Uniform columns: ranges of rows, known bounds, noise beside other components."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns, Gaussian
from sklearn_genmodel.families._uniform import Uniform


def test_uniform_is_the_range_of_the_rows_with_weight():
    X = np.array([[0.0, 5.0], [1.0, np.nan], [2.0, 6.0], [9.0, 9.0]])
    resp = np.array([[1.0, 0.0], [0.5, 0.0], [1e-300, 0.0], [0.0, 0.0]])
    stats_ = Uniform().suffstats(X[:2], resp[:2]) + Uniform().suffstats(X[2:], resp[2:])
    params = Uniform().m_step(stats_)
    # The second component has no row, and gets the range of the first.
    np.testing.assert_array_equal(params.lows, [[0.0, 5.0], [0.0, 5.0]])
    np.testing.assert_array_equal(params.highs, [[2.0, 6.0], [2.0, 6.0]])
    log_prob = Uniform().log_prob(X, params)[:, 0]
    np.testing.assert_allclose(log_prob, [-np.log(2.0), -np.log(2.0), -np.log(2.0), -np.inf])


def test_uniform_bounds_may_be_known():
    family = Uniform(low=[0.0, -1.0], high=10.0)
    params = family.weighted_mle(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 1)))
    np.testing.assert_array_equal(params.lows, [[0.0, -1.0]])
    np.testing.assert_array_equal(params.highs, [[10.0, 10.0]])
    assert family.n_parameters(1, 2) == 0
    assert Uniform(low=0.0).n_parameters(3, 2) == 6
    own, own_params = family.marginal(params, np.array([1]))
    np.testing.assert_allclose(own.log_prob(np.array([[0.0]]), own_params), -np.log(11.0))
    with pytest.raises(ValueError, match="column 1"):
        Uniform(low=[0.0, 7.0]).weighted_mle(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="one a column"):
        Uniform(low=[0.0, 7.0, 1.0]).weighted_mle(np.ones((2, 2)), np.ones((2, 1)))


def test_uniform_noise_beside_a_gaussian():
    rng = np.random.default_rng(0)
    cluster, noise = rng.normal(0.0, 0.5, (150, 2)), rng.uniform(-10.0, 10.0, (50, 2))
    X = np.concatenate([cluster, noise])
    mixture = EMMixture(2, family=[Gaussian(), Uniform()], random_state=0).fit(X)
    log_noise = -np.log(np.ptp(X, axis=0)).sum()
    gaussian = mixture.params_.groups[0]
    normal = stats.multivariate_normal(gaussian.means[0], gaussian.covariances[0])
    expected = np.logaddexp(
        np.log(mixture.weights_[0]) + normal.logpdf(X), np.log(mixture.weights_[1]) + log_noise
    )
    np.testing.assert_allclose(mixture.score_samples(X), expected, rtol=1e-10)
    np.testing.assert_allclose(mixture.weights_, [0.75, 0.25], atol=0.05)


def test_a_row_that_no_component_can_hold_is_named():
    """By row, column, value and bounds, where the bound became -inf."""
    X = np.array([[2.0, 1.0], [2.5, 1.5], [np.nan, 7.0], [3.0, 2.0]])
    box = Uniform(low=0.0, high=[5.0, 6.0])
    message = r"Column {} holds 7 in row 2, which is not from 0 to 6, the bounds given to component"
    with pytest.raises(ValueError, match=message.format(1)):
        EMMixture(1, family=box).fit(X)
    table, columns = pd.DataFrame(X, columns=["a", "b"]), Columns([("box", box, ["a", "b"])])
    with pytest.raises(ValueError, match=message.format("'b'")):
        EMMixture(2, family=columns).fit(table)
    with pytest.raises(ValueError, match=message.format(1)):
        EMMixture(1, family=box).fit([X[:2], X[2:]])
    with pytest.raises(ValueError, match=r"row 0, which is not from 3 to inf"):
        EMMixture(1, family=Uniform(low=3.0)).fit(X)


def test_a_row_out_of_a_box_needs_another_component():
    X = np.random.default_rng(0).normal(2.5, 1.0, (60, 1))
    X[7] = 9.0
    mixture = EMMixture(2, family=[Uniform(0.0, 5.0), Gaussian()], random_state=0)
    assert mixture.fit(X).predict(X[7:8]) == [1]
    forbidden = np.ones((60, 2))
    forbidden[7] = 1.0, 0.0
    with pytest.raises(ValueError, match=r"holds 9 in row 7, .* from 0 to 5, .* component 0"):
        mixture.fit(X, resp_prior=forbidden)


def test_uniform_range():
    """A row that a component could have counts, though rounding may leave it no weight."""
    family = Uniform()
    X = np.arange(5.0)[:, None]
    first = family.m_step(family.suffstats(X, np.ones((5, 1))))
    resp = np.array([0.0, 1, 1, 1, 0])[:, None]
    again = family.m_step(family.suffstats(X, resp, first))
    assert_allclose(again.highs, 4.0)
