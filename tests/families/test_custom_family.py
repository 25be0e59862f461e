"""What functions of one's own are given, and what of their results is refused."""

import numpy as np
import pytest
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import CustomFamily, CustomParams

X = np.concatenate([np.linspace(-2.0, 2.0, 40), np.linspace(4.0, 8.0, 40)])[:, None]
PARAMS = CustomParams(np.array([[0.0, 0.1], [6.0, -0.1]]))


def log_density(rows, theta):
    return stats.norm.logpdf(rows[:, 0], theta[0], np.exp(theta[1]))


def expectation(theta):
    return theta[:1]


def start(rows, weights):
    return np.average(rows[:, 0], weights=weights), np.log(rows.std())


def estimate(rows, weights):
    mean = np.average(rows[:, 0], weights=weights)
    return mean, 0.5 * np.log(np.average((rows[:, 0] - mean) ** 2, weights=weights))


def draw(theta, n_samples, rng):
    return rng.normal(theta[0], np.exp(theta[1]), (n_samples, 1))


def always(value):
    """A function that returns one thing, whatever it is given."""
    return lambda *arguments: value


def constant(value):
    """A log-density that is the same for every row."""
    return lambda rows, theta: np.full(len(rows), value)


def custom(**changed):
    """The normal family, some of its arguments changed."""
    arguments = {"log_prob": log_density, "mean": expectation, "n_theta": 2, "start": start}
    return CustomFamily(**{**arguments, **changed})


def scales_in_place(rows, theta):
    theta[1] = np.exp(theta[1])
    return stats.norm.logpdf(rows[:, 0], theta[0], theta[1])


def centers_in_place(rows, theta):
    rows -= theta[0]
    return stats.norm.logpdf(rows[:, 0], 0.0, np.exp(theta[1]))


def weighs_in_place(rows, weights):
    weights /= weights.sum()
    return estimate(rows, weights)


@pytest.mark.parametrize(
    "changed",
    [
        {"log_prob": scales_in_place},
        {"log_prob": centers_in_place},
        {"weighted_mle": weighs_in_place},
        {"start": weighs_in_place},
    ],
)
def test_functions_cannot_change_what_they_are_given(changed):
    data = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        EMMixture(2, family=custom(**changed), n_init=2, random_state=0).fit(data)
    np.testing.assert_array_equal(data, X)


def test_means_and_samples_cannot_change_fitted_parameters():
    def moved(theta, *_):
        theta += 1.0
        return theta[:1]

    theta, rng = PARAMS.theta.copy(), np.random.default_rng(0)
    with pytest.raises(ValueError, match="read-only"):
        custom(mean=moved).mean(PARAMS)
    with pytest.raises(ValueError, match="read-only"):
        custom(sample=moved).sample(PARAMS, np.zeros(1, dtype=int), rng)
    np.testing.assert_array_equal(PARAMS.theta, theta)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"n_theta": 0}, "n_theta must be an integer of at least 1, got 0"),
        ({"n_theta": True}, "n_theta .* got True"),
        ({"n_theta": 2.5}, r"n_theta .* got 2\.5"),
        ({"n_theta": "a"}, "n_theta .* got 'a'"),
        ({"n_theta": always(2.5)}, r"n_theta .* got 2\.5"),
        ({"n_theta": 3}, r"weighted_mle returned an array of shape \(2,\)"),
        ({"log_prob": 3}, "log_prob must be a function"),
        ({"mean": None}, "mean must be a function"),
        ({"sample": "normal"}, "sample must be a function"),
        ({"support": None}, "support=None: pass a Support"),
        ({"support": "positive"}, "support='positive': pass a Support"),
        ({"log_prob": constant(1.0 + 0.0j)}, "What log_prob returns must hold real numbers"),
        ({"log_prob": constant(np.nan)}, r"log_prob returned nan for the row \[-2\.0\] at theta"),
        ({"log_prob": constant(np.inf)}, r"log_prob returned inf for the row \[-2\.0\] at theta"),
        ({"mean": always(1.0)}, r"mean returned an array of shape \(\)"),
        ({"mean": always(None)}, r"mean returned an array of shape \(\)"),
        ({"mean": always(np.zeros(2))}, r"mean returned 2 number\(s\) for 1 column"),
        ({"weighted_mle": always(None)}, r"weighted_mle returned an array of shape \(\)"),
        ({"weighted_mle": always(1.0)}, r"weighted_mle returned an array of shape \(\)"),
        ({"weighted_mle": always([[1, 2], 3])}, "What weighted_mle returns must hold real numbers"),
        ({"weighted_mle": always([np.nan, 0.0])}, r"weighted_mle returned \[nan, 0\.0\]"),
        ({"weighted_mle": None, "start": "ab"}, "What start returns must hold real numbers"),
    ],
)
def test_what_cannot_be_used_is_named(changed, match):
    family = custom(**{"weighted_mle": estimate, **changed})
    with pytest.raises((ValueError, FloatingPointError), match=match):
        EMMixture(2, family=family, n_init=2, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("drawn", "match"),
    [
        (lambda theta, n, rng: rng.normal(size=n), r"shape \(3,\), expected rows"),
        (lambda theta, n, rng: np.full((n, 1), np.nan), "sample returned NaN at theta"),
    ],
)
def test_samples_must_be_rows_of_numbers(drawn, match):
    with pytest.raises(ValueError, match=match):
        custom(sample=drawn).sample(PARAMS, np.zeros(3, dtype=int), np.random.default_rng(0))


def test_a_density_may_be_zero_somewhere():
    """Two uniform densities: minus infinity is a log-density like others."""
    family = CustomFamily(
        lambda rows, theta: np.where(np.abs(rows[:, 0] - theta[0]) <= 3.0, -np.log(6.0), -np.inf),
        expectation,
        1,
        weighted_mle=lambda rows, weights: [np.ptp(rows[:, 0]) / 2.0 + rows[:, 0].min()],
    )
    mixture = EMMixture.from_params(family, [0.25, 0.75], CustomParams(np.array([[0.0], [6.0]])))
    expected = np.where(X[:, 0] <= 3.0, 0.25, 0.75) / 6.0
    np.testing.assert_allclose(mixture.score_samples(X), np.log(expected), rtol=1e-12)
