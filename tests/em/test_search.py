"""The search for starts: large data, rare clusters, and families that lack something."""

import warnings
from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_wine
from sklearn.mixture import GaussianMixture

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta
from sklearn_genmodel.em._contender import Contender, has_twins
from sklearn_genmodel.em._distinct import canonical_rows, distinct_rows, row_sample
from sklearn_genmodel.em._effort import effort
from sklearn_genmodel.em._init import neighbourhoods
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._search import Search
from sklearn_genmodel.families import (
    Categorical,
    Family,
    Gaussian,
    GaussianParams,
    Poisson,
)


def fit_quietly(X, n_components=2, **settings):
    """Fit, any warning being an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return EMMixture(n_components, random_state=0, **settings).fit(X)


def test_many_equal_rows_do_not_crowd_out_the_sample():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (60_000, 10)), np.zeros((20_000, 10))])
    sample = row_sample(Rows(X), 1000)
    assert len(sample) == 1000
    np.testing.assert_array_equal(sample.X, distinct_rows(sample.X, None)[0])


def test_the_sample_knows_neither_order_nor_repetition():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(20_000, 3)), rng.integers(1, 4, 20_000)
    one = row_sample(Rows(X, weights.astype(float)), 500)
    two = row_sample(Rows(rng.permutation(np.repeat(X, weights, axis=0))), 500)
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.weights, two.weights)


@pytest.mark.parametrize("n_leading", [2, 40, 10**6], ids=["many", "some", "no"])
def test_distinct_rows_are_those_that_numpy_finds(n_leading):
    """Where a first column leaves the order of many, some or no rows open."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (200, 3)).astype(float)
    X[:, 0] = rng.integers(0, n_leading, 200)
    X[rng.random(X.shape) < 0.1] = -0.0
    rows, index = np.unique(X, axis=0, return_inverse=True)
    weights = rng.integers(1, 4, 200).astype(float)
    found, summed = distinct_rows(X, weights)
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(summed, np.bincount(index.ravel(), weights))


@pytest.mark.parametrize("lead", ["filled", "with gaps"])
def test_missing_cells_are_equal(lead):
    rng = np.random.default_rng(0)
    X = rng.permutation(200)[:, None] * np.ones(3)
    X[rng.random(X.shape) < [0.5 * (lead == "with gaps"), 0.7, 0.7]] = np.nan
    twice = rng.permutation(np.repeat(X, 2, axis=0))
    found, summed = distinct_rows(twice, None)
    expected = np.unique(np.nan_to_num(X, nan=1e9), axis=0, return_counts=True)
    np.testing.assert_array_equal(np.nan_to_num(found, nan=1e9), expected[0])
    np.testing.assert_array_equal(summed, 2.0 * expected[1])


def test_large_data_are_merged_where_that_pays():
    X = np.random.default_rng(0).integers(0, 2, (200_000, 8)).astype(float)
    merged = canonical_rows(Rows(X))
    assert len(merged) == 2**8
    assert merged.total_weight == len(X)


def test_a_rare_cluster_of_large_data_is_no_spike():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (150_000, 4)), rng.normal(9, 1, (450, 4))])
    mixture = fit_quietly(X, n_init=4)
    assert mixture.weights_ == pytest.approx([1 - 450 / 150_450, 450 / 150_450], rel=1e-6)


@pytest.mark.parametrize("n_rows", [10, 25, 29, 31])
@pytest.mark.parametrize("distance", [100, 1000])
def test_clusters_far_apart_are_no_spikes(n_rows, distance):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(distance, 1, (n_rows, 2))])
    mixture = fit_quietly(X)
    assert mixture.weights_[1] * len(X) == pytest.approx(n_rows)


def test_a_cluster_that_chance_does_not_explain_is_kept():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (400, 2)), rng.normal(3, 0.02, (20, 2))])
    mixture = fit_quietly(X)
    assert mixture.weights_[1] * len(X) == pytest.approx(20, abs=1)


def test_counts_do_not_stick_at_a_rate_of_zero():
    """Starts leave no component on an edge, from where EM moves away ever so slowly."""
    rng = np.random.default_rng(0)
    X = rng.poisson(np.where(rng.random(400) < 0.5, 0.3, 2.0)[:, None])
    few, many = (EMMixture(2, family="poisson", n_init=n, random_state=0).fit(X) for n in (1, 24))
    assert few.lower_bound_ == pytest.approx(many.lower_bound_, abs=1e-6)
    assert few.params_.rates.min() > 0.1


def test_rounding_in_a_constant_column_does_not_tell_twins_apart():
    X = np.column_stack([np.arange(100.0), np.full(100, 0.1)])
    assert X[:, 1].std() > 0.0
    means = np.array([[40.0, 0.1], [40.0, np.nextafter(0.1, 1.0)]])
    assert has_twins(means, X)
    means[1, 0] = 60.0
    assert not has_twins(means, X)


def gaussian_search(X):
    """A search for two components on rows."""
    family, rows, rng = Gaussian(), Rows(X), np.random.default_rng(0)
    pooled = family.pooled(X, np.ones(len(X)))
    return Search(family, rows, 2, pooled, rng, 1e-8, None, float(len(X)), print, MStep())


def test_a_spike_does_not_go_on_beside_a_sound_mixture():
    """However high its likelihood is: it stands on the six equal rows."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(80, 2)), np.zeros((6, 2))])
    search = gaussian_search(X)
    means = np.array([[0.0, 0.0], [0.0, 0.0]])
    sound = Contender(
        "sound", Theta(np.full(2, 0.5), GaussianParams(means, np.array(2 * [np.eye(2)])))
    )
    narrow = np.array([np.eye(2), 1e-5 * np.eye(2)])
    spike = Contender("spike", Theta(np.array([0.93, 0.07]), GaussianParams(means, narrow)))
    search.runs.advance([sound], 5)
    assert search._catching_up([spike], sound) == []
    assert spike.lower_bound > sound.lower_bound
    # Beside another spike, with a bound that it exceeds, it goes on.
    assert search._catching_up([spike], replace(spike, lower_bound=-9.0)) == [spike]


class Scripted(Search):
    """A search whose moves gain as told, and which counts how often it moves and polishes."""

    def script(self, gains, sound):
        """Bounds of the winners of the rounds, 0 without one; whether they are sound."""
        self.gains, self.sound, self.polished, self.n_moved = gains, sound, 0, []
        self.runs.__dict__["polish"] = self.count
        return self

    def count(self, contender, n_passes, goal):
        """Polish nothing."""
        self.polished += 1

    def degenerate(self, theta):
        """As told."""
        return not self.sound

    def _moved(self, theta, n_moves):
        gain = self.gains.pop(0) if self.gains else 0.0
        self.n_moved.append(n_moves)
        return [Contender(str(i), theta, gain) for i in range(n_moves)]

    def _catching_up(self, contenders, best):
        return contenders


@pytest.mark.parametrize("sound", [True, False])
def test_only_sound_winners_are_a_reason_for_more_moves(sound):
    """And only sound contenders are polished, three of ten."""
    plain = gaussian_search(np.random.default_rng(0).normal(size=(200, 2)))
    search = Scripted(**{field.name: getattr(plain, field.name) for field in fields(plain)})
    best = Contender("best", Theta(np.full(2, 0.5), None), 0.0)
    improved = search.script([1.0, 2.0], sound)._improve(best, 60, 300)
    assert [contender.lower_bound for contender in improved] == [1.0, 2.0]
    assert search.n_moved == ([30, 30, 30, 30] if sound else [30, 30])
    assert search.polished == (36 if sound else 0)


def test_more_moves_are_made_side_by_side_where_passes_are_cheap():
    rng = np.random.default_rng(0)
    assert gaussian_search(rng.normal(size=(200, 3)))._moves_at_a_time == 30
    assert gaussian_search(rng.normal(size=(4000, 3)))._moves_at_a_time == 12
    assert gaussian_search(rng.normal(size=(9000, 20)))._moves_at_a_time == 10
    # Mixtures that cannot be run side by side run one after the other.
    family = Gaussian("factor", loadings="common")
    alone = replace(gaussian_search(rng.normal(size=(200, 3))), family=family)
    assert alone._moves_at_a_time == 10


def test_acceleration_needs_coordinates():
    class Plain(Poisson):
        """A family without unconstrained coordinates."""

        to_vector = Family.to_vector

    X = np.array([[0], [1], [1], [2], [7], [9], [8]])
    assert EMMixture(2, family=Plain(), random_state=0).fit(X).converged_
    with pytest.raises(ValueError, match="needs to_vector"):
        EMMixture(2, family=Plain(), acceleration="squarem").fit(X)


def test_a_family_without_an_m_step_says_so():
    class Bare(Family):
        """Nothing but a name."""

    with pytest.raises(NotImplementedError, match="Bare must define weighted_mle"):
        Bare().weighted_mle(np.ones((3, 1)), np.ones((3, 1)))


def test_a_verbose_search_shows_how_far_it_has_come(capsys):
    X = np.random.default_rng(0).normal(size=(60, 2))
    EMMixture(2, random_state=0, verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert any("search: 12 of 24 starts go on" in line for line in lines)
    assert any("moves in a row without gain" in line for line in lines)
    assert lines[-4].startswith("EMMixture: 2 Gaussian components")


def test_a_sample_of_fewer_values_than_parameters_is_not_worth_moves():
    """Two columns of 900 levels have 3 * 2 * 899 parameters, the sample 5000 values."""
    sample = Rows(np.zeros((2500, 2)))
    for n_levels, moves in ((900, False), (800, True)):
        family = Categorical(levels=[range(n_levels)] * 2)
        assert bool(effort(family, sample, 3, 100_000).n_moves) is moves
        # Not a sample but all there is: its optima are those of the data.
        assert effort(family, sample, 3, 2500).n_moves > 0


def test_neighbourhoods_fall_off_with_the_distance_to_a_row():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    weights = np.where(np.arange(50) < 4, 1.0, 1e-200)
    Z[:4] = 3.0 * np.diag([1.0, 10.0, 0.1, 0.0])[:, :3]
    _, resp = next(islice(neighbourhoods(Z, weights, 4, rng), 1, None))
    np.testing.assert_allclose(resp.sum(axis=1), 1.0, rtol=1e-12)
    # Hardly any other row can be drawn, so that every component is about one of the first four.
    assert sorted(resp[:4].argmax(axis=1)) == [0, 1, 2, 3]
    deviations = np.sqrt(
        np.average((Z - np.average(Z, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    )
    chosen = Z[:4][np.argsort(resp[:4].argmax(axis=1))]
    squares = (((Z[:, None] - chosen) / deviations) ** 2).mean(axis=2)
    np.testing.assert_allclose(resp, softmax(-squares, axis=1), rtol=1e-9)


def test_searches_go_on_from_other_starts():
    """The first search alone ends two nats lower, although its finalists agree."""
    X = load_wine().data
    deviations = X.std(axis=0)
    peer = GaussianMixture(2, n_init=30, init_params="random_from_data", tol=1e-6, max_iter=500)
    peer.set_params(random_state=0).fit((X - X.mean(axis=0)) / deviations)
    best = peer.lower_bound_ - np.log(deviations).sum()
    mixture = EMMixture(2, random_state=0).fit(X)
    assert mixture.lower_bound_ > best - 1e-4
    assert len(mixture.init_results_) >= 2 * 24


def test_samples_of_large_data_are_searched_once():
    X = np.random.default_rng(0).normal(size=(2500, 2))
    planned = [effort(Gaussian(), Rows(X), 3, n_rows) for n_rows in (2500, 10**9)]
    assert [plan.n_again for plan in planned] == [3 * 24, 0]
