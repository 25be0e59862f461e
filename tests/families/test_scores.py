"""Every public family: the score vanishes where EM ends, and samples have the moments stated."""

import numpy as np
import pytest
from scipy import linalg, stats

from sklearn_genmodel import EMMixture, families
from sklearn_genmodel.families import (
    Bernoulli,
    BernoulliParams,
    Beta,
    BetaParams,
    Binomial,
    BinomialParams,
    Categorical,
    CategoricalParams,
    Columns,
    CustomFamily,
    CustomParams,
    Dirichlet,
    DirichletParams,
    Exponential,
    ExponentialParams,
    FactorCovariances,
    Family,
    Gamma,
    GammaParams,
    Gaussian,
    GaussianParams,
    Geometric,
    GeometricParams,
    InverseGaussian,
    InverseGaussianParams,
    Laplace,
    LaplaceParams,
    LogNormal,
    LogNormalParams,
    Multinomial,
    MultinomialParams,
    NegativeBinomial,
    NegativeBinomialParams,
    PerComponent,
    PerComponentParams,
    Poisson,
    PoissonParams,
    ProductParams,
    ScipyFamily,
    ScipyParams,
    StudentT,
    StudentTParams,
    Uniform,
    UniformParams,
    VonMises,
    VonMisesFisher,
    VonMisesFisherParams,
    VonMisesParams,
    Weibull,
    WeibullParams,
    ZeroInflated,
    ZeroInflatedParams,
)

N_ROWS, N_DRAWS = 800, 100_000
MEANS = np.array([[0.0, 1.0], [4.0, -1.0]])
POSITIVE = np.array([[1.5, 2.0], [6.0, 3.0]])
SHAPES = np.array([[4.0, 3.0], [2.5, 6.0]])
COUNTS = np.array([[1.5, 3.0], [8.0, 12.0]])
PROBS = np.array([[0.2, 0.3], [0.7, 0.6]])
DIRECTIONS = np.array([[0.0, 0.6, 0.8], [2 / 3, -1 / 3, -2 / 3]])
ROOT = np.array([[1.0, 0.0], [0.5, 0.8]])
FULL = np.array([ROOT @ ROOT.T, np.diag([1.0, 2.0])])
TURN = linalg.expm([[0.0, 0.7], [-0.7, 0.0]])
LEVELS = np.array([[[0.2, 0.5, 0.3], [0.3, 0.3, 0.4]], [[0.7, 0.1, 0.2], [0.1, 0.8, 0.1]]])
CODES = {
    "EVE": [ROOT @ ROOT.T] * 2,
    "VVE": [np.diag([1.0, 2.0]), np.diag([3.0, 0.5])],
    "EEV": [np.diag([1.0, 2.0]), TURN @ np.diag([1.0, 2.0]) @ TURN.T],
    "VEV": [np.diag([1.0, 2.0]), 2.0 * TURN @ np.diag([1.0, 2.0]) @ TURN.T],
}


def log_density(X, theta):
    """Hyperbolic secant columns of unit scale."""
    z = np.abs(X - theta)
    return (np.log(2.0 / np.pi) - z - np.log1p(np.exp(-2.0 * z))).sum(axis=1)


def expectation(theta):
    return theta


def draw(theta, n_samples, rng):
    return stats.hypsecant.rvs(theta, size=(n_samples, len(theta)), random_state=rng)


def start(X, weights):
    return np.average(X, axis=0, weights=weights)


def identity(n_features):
    return n_features


CUSTOM = CustomFamily(log_density, expectation, identity, sample=draw, start=start)
GAUSSIANS = {
    "full": FULL,
    "tied": FULL[0],
    "diag": np.array([[1.0, 2.0], [0.5, 1.0]]),
    "spherical": np.array([1.0, 2.0]),
    "tied_diag": np.array([1.0, 2.0]),
    "tied_spherical": np.array(1.5),
    "VEI": np.array([[1.0, 2.0], [0.5, 1.0]]),
    "EVI": np.array([[1.0, 2.0], [2.0, 1.0]]),
    "VEE": np.array([FULL[0], 3.0 * FULL[0]]),
    "EVV": np.array([FULL[0], TURN @ FULL[0] @ TURN.T]),
    **{code: np.array(matrices) for code, matrices in CODES.items()},
}
WIDE = np.array([[0.0, 1.0, -2.0], [4.0, -1.0, 0.5]])
LOADINGS = np.array([[[1.0], [0.5], [-0.8]], [[0.2], [1.0], [0.7]]])
NOISE = np.array([[0.5, 1.0, 0.7], [1.0, 0.4, 0.6]])

TABLE = {
    **{
        f"gaussian {code}": (Gaussian(code), GaussianParams(MEANS, covariances))
        for code, covariances in GAUSSIANS.items()
    },
    "gaussian factor": (
        Gaussian("factor"),
        GaussianParams(WIDE, FactorCovariances(LOADINGS, NOISE)),
    ),
    "student": (StudentT(), StudentTParams(2.0 * MEANS, FULL, np.array([5.0, 7.0]))),
    "student of fixed dof": (
        StudentT("diag", dof=6.0),
        StudentTParams(MEANS, np.array([[1.0, 2.0], [0.5, 1.0]]), np.full(2, 6.0)),
    ),
    "laplace": (Laplace(), LaplaceParams(2.0 * MEANS, SHAPES / 4.0)),
    "log-normal": (LogNormal(), LogNormalParams(MEANS / 2.0, SHAPES / 8.0)),
    "uniform": (Uniform(), UniformParams(MEANS, MEANS + POSITIVE)),
    "exponential": (Exponential(), ExponentialParams(np.array([[0.1, 0.2], [3.0, 2.0]]))),
    "gamma": (Gamma(), GammaParams(SHAPES, POSITIVE)),
    "weibull": (Weibull(), WeibullParams(SHAPES, POSITIVE)),
    "inverse gaussian": (InverseGaussian(), InverseGaussianParams(POSITIVE, 5.0 * SHAPES)),
    "beta": (
        Beta(),
        BetaParams(np.array([[2.0, 3.0], [9.0, 6.0]]), np.array([[7.0, 9.0], [3.0, 2.0]])),
    ),
    "dirichlet": (Dirichlet(), DirichletParams(np.array([[2.0, 5.0, 2.0], [9.0, 3.0, 6.0]]))),
    "von mises": (VonMises(), VonMisesParams(MEANS / 2.0, SHAPES)),
    "von mises-fisher": (VonMisesFisher(), VonMisesFisherParams(DIRECTIONS, np.array([5.0, 9.0]))),
    "poisson": (Poisson(), PoissonParams(COUNTS)),
    "negative binomial": (NegativeBinomial(), NegativeBinomialParams(SHAPES, 2.0 * COUNTS)),
    "geometric": (Geometric(), GeometricParams(np.array([[0.05, 0.1], [0.7, 0.6]]))),
    "binomial": (Binomial(9), BinomialParams(PROBS)),
    "multinomial": (Multinomial(n_trials=12), MultinomialParams(LEVELS[:, 0])),
    "zero-inflated poisson": (
        ZeroInflated(Poisson()),
        ZeroInflatedParams(PROBS / 2.0, PoissonParams(COUNTS)),
    ),
    "zero-inflated negative binomial": (
        ZeroInflated(NegativeBinomial()),
        ZeroInflatedParams(PROBS / 2.0, NegativeBinomialParams(2.0 * SHAPES, 3.0 * COUNTS)),
    ),
    "bernoulli": (Bernoulli(), BernoulliParams(np.repeat([[0.1], [0.8]], 5, axis=1))),
    "categorical": (
        Categorical(levels=[[0, 1, 2]] * 6),
        CategoricalParams(np.repeat(LEVELS[:, [0, 1, 0]], 2, axis=1)),
    ),
    "scipy": (ScipyFamily("gumbel_r"), ScipyParams(np.stack([2.0 * MEANS, SHAPES / 4.0], axis=-1))),
    "custom": (CUSTOM, CustomParams(2.0 * MEANS)),
    "unlike": (
        PerComponent([Gaussian(), Laplace()]),
        PerComponentParams(
            np.arange(2),
            (
                GaussianParams(MEANS[:1], FULL[:1]),
                LaplaceParams(2.0 * MEANS[1:], SHAPES[1:] / 4.0),
            ),
        ),
    ),
    "columns": (
        Columns([("counts", Poisson(), [0, 2]), ("real", Gaussian(), [1, 3])]),
        ProductParams(("counts", "real"), (PoissonParams(COUNTS), GaussianParams(MEANS, FULL))),
    ),
}
WHOLE_ROWS = ("dirichlet", "von mises-fisher", "multinomial")
# Likelihoods with kinks: a median and a range are where they are, not where a slope is 0.
KINKED = ("laplace", "uniform", "unlike")


def sampled(name, n_rows, seed=0):
    """Rows of two components alike in number, and which they come from."""
    family, params = TABLE[name]
    rng = np.random.default_rng(seed)
    labels = np.arange(n_rows) % 2
    return family.sample(params, labels, rng), labels


def fitted(name):
    """A fit from the true labels, to the last digits, and its rows, some of which have holes."""
    family, _ = TABLE[name]
    X, labels = sampled(name, N_ROWS)
    if name not in WHOLE_ROWS and family.allow_nan:
        X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    options = {"init": labels, "tol": 1e-14, "max_iter": 5000}
    return EMMixture(2, family=family, **options).fit(X), X


def turned(code, covariances, vector):
    """Covariances of a code, moved by volumes, shapes and turns, common or not, (K, d, d).

    The turns of two columns are angles; axes are those of each matrix, or of the first for all.
    """
    volume, shape, axes = (np.resize(vector[2 * j : 2 * j + 2], 2) for j in range(3))
    common = [
        v[:1].repeat(2) if e == "E" else v for v, e in zip((volume, shape, axes), code, strict=True)
    ]
    moved = []
    for k, matrix in enumerate(covariances):
        _, directions = np.linalg.eigh(covariances[0] if code[2] == "E" else matrix)
        values = np.einsum("ij,jk,ki->i", directions.T, matrix, directions)
        factors = np.exp(common[0][k] + common[1][k] * np.array([1.0, -1.0]))
        angle = common[2][k]
        turn = linalg.expm(np.array([[0.0, -angle], [angle, 0.0]]))
        own = turn @ directions
        moved.append(own * (values * factors) @ own.T)
    return np.array(moved)


def coordinates(mixture, code):
    """Number of coordinates, and parameters at small steps along them from those of a mixture."""
    family, params = mixture.family_, mixture.params_
    if family.has_coordinates:
        origin = family.to_vector(params, params)
        return len(origin), lambda step: family.from_vector(origin + step, params)
    if isinstance(family, ScipyFamily):
        (values,) = params
        return values.size, lambda step: ScipyParams(values + step.reshape(values.shape))
    size = mixture.params_.means.size

    def along(step):
        means = params.means + step[:size].reshape(params.means.shape)
        return GaussianParams(means, turned(code, params.covariances, step[size:]))

    return size + 6, along


def scores(mixture, X, code=None, shift=0.0, width=1e-4):
    """Slopes of the mean log-likelihood along the parameters and the log-ratio of the weights."""
    size, along = coordinates(mixture, code)

    def at(step):
        weights = mixture.weights_ * np.exp([step[-1], 0.0])
        moved = EMMixture.from_params(mixture.family_, weights / weights.sum(), along(step[:-1]))
        return moved.score(X)

    steps = width * np.eye(size + 1)
    return np.array([at(shift + s) - at(shift - s) for s in steps]) / (2.0 * width)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in KINKED])
def test_the_score_vanishes_at_the_optimum(name):
    mixture, X = fitted(name)
    assert mixture.converged_
    code = name.removeprefix("gaussian ")
    np.testing.assert_allclose(scores(mixture, X, code), 0.0, atol=1e-5)
    assert np.abs(scores(mixture, X, code, shift=0.02)).max() > 1e-3


def test_the_score_of_laplace_components():
    """Its slope along scales is 0; at the medians the likelihood falls on both sides."""
    mixture, X = fitted("laplace")
    (locations, scales), best = mixture.params_, mixture.score(X)

    def at(location_step, scale_step):
        params = LaplaceParams(locations + location_step, scales * np.exp(scale_step))
        return EMMixture.from_params(mixture.family_, mixture.weights_, params).score(X)

    for place in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[place] = 1e-4
        assert at(0.0, step) - at(0.0, -step) == pytest.approx(0.0, abs=1e-9)
        assert max(at(step, 0.0), at(-step, 0.0)) < best


@pytest.mark.parametrize("name", TABLE)
def test_samples_have_the_moments_stated(name):
    family, params = TABLE[name]
    X, labels = sampled(name, N_DRAWS)
    supports = family.column_supports(X.shape[1])
    periods = np.array([support.period or 0.0 for support in supports])
    for k in range(2):
        centred = X[labels == k] - family.mean(params)[k]
        centred -= periods * np.round(centred / np.where(periods > 0.0, periods, np.inf))
        within_errors(centred, 0.0)
        products = centred[:, :, None] * centred[:, None, :]
        if not isinstance(family, CustomFamily):
            within_errors(products, family.covariance(params)[k])


def within_errors(draws, expected):
    """Means of draws must be within five standard errors of what is expected."""
    errors = 5.0 * draws.std(axis=0) / np.sqrt(len(draws)) + 1e-12
    assert (np.abs(draws.mean(axis=0) - expected) < errors).all()


@pytest.mark.parametrize("prob", [1e-300, 1e-12, 0.5, 1.0 - 1e-12])
def test_labels_of_extreme_probabilities(prob):
    probs = np.array([[[prob, 1.0 - prob]]])
    X = np.array([[0.0], [1.0]])
    ours = Categorical(levels=[[0, 1]]).log_prob(X, CategoricalParams(probs))
    np.testing.assert_allclose(ours[:, 0], np.log(probs[0, 0]), rtol=1e-10)
    counts = np.array([[3.0, 0.0], [0.0, 3.0], [2.0, 1.0]])
    expected = counts @ np.log(probs[0, 0]) + np.log([1.0, 1.0, 3.0])
    ours = Multinomial(n_trials=3).log_prob(counts, MultinomialParams(probs[0]))
    np.testing.assert_allclose(ours[:, 0], expected, rtol=1e-10, atol=1e-14)


# scipy loses digits of larger counts: those of `test_column_densities.py` are by mpmath.
@pytest.mark.parametrize("rate", [1e-8, 1.0, 1e5])
@pytest.mark.parametrize("zero_prob", [1e-12, 0.3, 1.0 - 1e-12])
def test_zero_inflated_log_prob_is_the_formula(zero_prob, rate):
    """log(pi + (1 - pi) p(0)) at 0, log(1 - pi) + log p(x) elsewhere."""
    params = ZeroInflatedParams(np.array([[zero_prob]]), PoissonParams(np.array([[rate]])))
    X = np.unique([0.0, 1.0, 2.0, np.floor(rate), np.floor(1.01 * rate)])[:, None]
    base = stats.poisson(rate).logpmf(X[:, 0])
    expected = np.log1p(-zero_prob) + base
    expected[0] = np.logaddexp(np.log(zero_prob), expected[0])
    ours = ZeroInflated(Poisson()).log_prob(X, params)[:, 0]
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("width", [1e-100, 1e-8, 1e8, 1e100])
def test_uniform_log_prob_of_any_width(width):
    params = UniformParams(np.zeros((1, 2)), np.array([[width, 2.0 * width]]))
    X = np.array([[0.0, 0.0], [width, width], [0.5 * width, 3.0 * width]])
    expected = [*[-np.log(2.0) - 2.0 * np.log(width)] * 2, -np.inf]
    np.testing.assert_allclose(Uniform().log_prob(X, params)[:, 0], expected, rtol=1e-12)


def test_every_public_family_has_a_row():
    everything = (getattr(families, name) for name in families.__all__)
    concrete = {
        family
        for family in everything
        if isinstance(family, type)
        and issubclass(family, Family)
        and family.sample is not Family.sample
    }
    assert concrete - {type(family) for family, _ in TABLE.values()} == {families.Ignore}
