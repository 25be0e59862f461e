"""Covariance structures: densities, M-steps, constraints and counts of parameters."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.spatial.transform import Rotation
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families._covariances import _convex
from sklearn_genmodel.families._covariances._decompositions import (
    lifted_at_equal_volume,
    proportional_values,
)
from sklearn_genmodel.families._covariances._singular import thinnest
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._gaussian import Gaussian, GaussianParams
from sklearn_genmodel.testing import check_family

REFERENCES = Path(__file__).parents[1] / "references"
ORIENTED = ["EVE", "VVE", "EEV", "VEV"]
CONSTRAINED = ["VEI", "EVI", "VEE", *ORIENTED, "EVV"]
CODES = ["EII", "VII", "EEI", "VVI", "EEE", "VVV", *CONSTRAINED]
FILES = {
    "iris": ("iris.csv", ["Sepal_Length", "Sepal_Width", "Petal_Length", "Petal_Width"]),
    "thyroid": ("mclust_thyroid.csv", ["RT3U", "T4", "T3", "TSH", "DTSH"]),
    "crabs": ("mass_crabs.csv", ["FL", "RW", "CL", "CW", "BD"]),
}


def load(file, columns):
    """Columns of a file of the references."""
    with (REFERENCES / "data" / file).open(newline="") as lines:
        return np.array([[float(row[name]) for name in columns] for row in csv.DictReader(lines)])


def scatters(n_components=3, n_features=3, seed=0):
    """Scatter matrices of rows that differ in volume, shape and orientation, and counts."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 60, size=n_components).astype(float)
    roots = rng.standard_normal((n_components, n_features, n_features)) * [[[3.0, 1.0, 0.3]]]
    return counts[:, None, None] * roots @ roots.swapaxes(1, 2), counts


def fitted(code, matrices, counts, current=None):
    """Dense covariances of a structure's M-step from scatter matrices."""
    structure, (n_components, d, _) = structure_of(code), matrices.shape
    # Columns whose weighted second moments are the scatter, in the packing of the structure.
    parts = [structure.collect(np.ones(d), np.linalg.cholesky(matrix))[2] for matrix in matrices]
    scatter = np.sum(parts, axis=0) if structure.shared else np.concatenate(parts)
    covariances = structure.covariances(scatter, counts, d, current)
    return structure.dense(covariances, n_components, d)


def expected_log_prob(covariances, matrices, counts):
    """Sum of n_k log |Sigma_k| + tr(W_k Sigma_k^-1), times -1/2."""
    traces = np.einsum("kij,kji->", np.linalg.inv(covariances), matrices)
    return -0.5 * (counts @ np.linalg.slogdet(covariances)[1] + traces)


def taken_apart(code, covariances):
    """Volumes (K,), shapes (K, d) of product 1, and axes (K, d, d)."""
    n_components, d, _ = covariances.shape
    if code[2] == "I":
        axes = np.repeat(np.eye(d)[None], n_components, axis=0)
    elif code[2] == "E":
        axes = np.repeat(np.linalg.eigh(covariances[0])[1][None], n_components, axis=0)
    else:
        axes = np.linalg.eigh(covariances)[1]
    along = axes.swapaxes(1, 2) @ covariances @ axes
    values = np.diagonal(along, axis1=1, axis2=2)
    scale = np.sqrt(values[:, :, None] * values[:, None, :])
    np.testing.assert_allclose(along / scale, np.eye(d)[None].repeat(n_components, 0), atol=1e-6)
    volumes = np.exp(np.log(values).mean(axis=1))
    return volumes, values / volumes[:, None], axes


def neighbour(code, covariances, size, rng):
    """Covariances nearby that share what the letters of a code say."""
    n_components, d, _ = covariances.shape
    volumes, shapes, axes = taken_apart(code, covariances)

    def noise(letter, shape):
        drawn = size * rng.standard_normal((n_components, *shape))
        return drawn[:1].repeat(n_components, axis=0) if letter == "E" else drawn

    volumes = volumes * np.exp(noise(code[0], ()))
    if code[1] != "I":
        steps = noise(code[1], (d,))
        shapes = shapes * np.exp(steps - steps.mean(axis=1, keepdims=True))
    if code[2] != "I":
        turns = Rotation.from_rotvec(noise(code[2], (3,))).as_matrix()
        axes = turns @ axes
    return (axes * (volumes[:, None] * shapes)[:, None, :]) @ axes.swapaxes(1, 2)


@pytest.mark.parametrize("code", CODES)
def test_log_prob_is_scipys(code):
    structure, means = structure_of(code), np.array([[0.0, 1.0, 2.0], [5.0, 1.0, 0.0], [1.0] * 3])
    X = np.random.default_rng(1).standard_normal((50, 3)) * 3.0
    resp = np.random.default_rng(2).dirichlet(np.ones(3), size=50)
    params = Gaussian(code).weighted_mle(X, resp)._replace(means=means)
    expected = [
        stats.multivariate_normal(mean, covariance).logpdf(X)
        for mean, covariance in zip(means, structure.dense(params.covariances, 3, 3), strict=True)
    ]
    np.testing.assert_allclose(
        Gaussian(code).log_prob(X, params), np.transpose(expected), rtol=1e-9
    )


@pytest.mark.parametrize("code", [*CODES, "factor"])
def test_moments_without_features_are_those_with(code):
    rng, structure = np.random.default_rng(0), structure_of(code)
    y, resp = rng.standard_normal((3, 40)), rng.random(40)
    factor = np.eye(3) if code == "EEE" else np.ones(3)
    features = structure.features(y, factor)
    expected = structure.accumulate(resp[None], features, 3)
    for ours, theirs in zip(structure.collect(resp, y), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("seed", [0, 1])
def test_m_step_beats_its_neighbours(code, seed):
    """No covariances that share what the code says, and lie nearby, are more likely."""
    matrices, counts = scatters(seed=seed)
    rng = np.random.default_rng(seed)
    best = fitted(code, matrices, counts)
    highest = expected_log_prob(best, matrices, counts)
    for size in np.repeat([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], 40):
        other = neighbour(code, best, size, rng)
        assert expected_log_prob(other, matrices, counts) <= highest + 1e-9 * abs(highest)


@pytest.mark.parametrize("code", CODES)
def test_m_step_keeps_the_constraint(code):
    matrices, counts = scatters()
    volumes, shapes, axes = taken_apart(code, fitted(code, matrices, counts))
    for letter, part in zip(code, (volumes, shapes, axes), strict=True):
        if letter == "E":
            np.testing.assert_allclose(part, part[:1].repeat(len(part), axis=0), rtol=1e-6)
        if letter == "I" and part is shapes:
            np.testing.assert_allclose(shapes, 1.0)
    assert volumes.min() > 0.0


def root_of_det(matrices):
    """d-th roots of determinants."""
    return np.linalg.det(matrices) ** (1.0 / matrices.shape[1])


CLOSED_FORMS = {
    # Celeux and Govaert (1995), section 3, with W the sum of the W_k.
    "EII": lambda W, n: np.trace(W.sum(0)) / (W.shape[1] * n.sum()) * np.eye(W.shape[1])[None],
    "VII": lambda W, n: (np.trace(W, axis1=1, axis2=2) / n)[:, None, None] / 3.0 * np.eye(3),
    "EEI": lambda W, n: (W.sum(0) / n.sum() * np.eye(3))[None],
    "VVI": lambda W, n: W / n[:, None, None] * np.eye(3),
    "EEE": lambda W, n: (W.sum(0) / n.sum())[None],
    "VVV": lambda W, n: W / n[:, None, None],
    "EVI": lambda W, n: CLOSED_FORMS["EVV"](W * np.eye(3), n),
    "EVV": lambda W, n: W * (root_of_det(W).sum() / n.sum() / root_of_det(W))[:, None, None],
    "EEV": lambda W, n: np.array(
        [
            vectors @ np.diag(np.linalg.eigvalsh(W).sum(0) / n.sum()) @ vectors.T
            for vectors in np.linalg.eigh(W)[1]
        ]
    ),
}


@pytest.mark.parametrize("code", CLOSED_FORMS)
def test_m_step_is_the_closed_form(code):
    matrices, counts = scatters()
    expected = np.broadcast_to(CLOSED_FORMS[code](matrices, counts), matrices.shape)
    np.testing.assert_allclose(fitted(code, matrices, counts), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("code", ["VEI", "VEE"])
def test_m_step_solves_the_equations_of_proportional_matrices(code):
    """lambda_k = tr(W_k C^-1) / (d n_k) and C in proportion to sum_k W_k / lambda_k."""
    matrices, counts = scatters()
    matrices = matrices * np.eye(3) if code == "VEI" else matrices
    volumes, _, _ = taken_apart(code, covariances := fitted(code, matrices, counts))
    shape = covariances[0] / volumes[0]
    traces = np.einsum("kij,ji->k", matrices, np.linalg.inv(shape))
    np.testing.assert_allclose(volumes, traces / (3 * counts), rtol=1e-10)
    pooled = (matrices / volumes[:, None, None]).sum(0)
    np.testing.assert_allclose(shape, pooled / np.linalg.det(pooled) ** (1 / 3), rtol=1e-9)


@pytest.mark.parametrize("code", ["VEI", "VEE"])
def test_volumes_of_hardly_any_weight_solve_their_equation(code):
    """Where the likelihood is flat to within rounding, a search may end anywhere."""
    matrices, counts = scatters()
    shares = np.array([1e12, 1.0, 1e-12])
    matrices, counts = matrices * shares[:, None, None], counts * shares
    matrices = matrices * np.eye(3) if code == "VEI" else matrices
    volumes, _, _ = taken_apart(code, covariances := fitted(code, matrices, counts))
    traces = np.einsum("kij,ji->k", matrices, np.linalg.inv(covariances[0] / volumes[0]))
    np.testing.assert_allclose(volumes, traces / (3 * counts), rtol=1e-9)


@pytest.mark.parametrize("code", ["EVE", "VVE"])
def test_shared_axes_are_found_whatever_the_start(code):
    """Matrices that do share their axes: any current covariances lead to them."""
    rng = np.random.default_rng(0)
    axes = Rotation.random(2, random_state=1).as_matrix()
    values = rng.uniform(0.1, 5.0, size=(3, 3))
    values /= np.cbrt(values.prod(axis=1, keepdims=True))
    covariances = (axes[0] * values[:, None, :]) @ axes[0].T
    counts = np.array([10.0, 20.0, 30.0])
    current = (axes[1] * values[:, None, :]) @ axes[1].T
    for start in (None, current):
        found = fitted(code, counts[:, None, None] * covariances, counts, start)
        np.testing.assert_allclose(found, covariances, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("code", ["EVE", "VVE"])
def test_shared_axes_beat_random_ones(code, seed):
    """Given axes the rest has a closed form: none of 500 rotations does better."""
    matrices, counts = scatters(seed=seed)
    highest = expected_log_prob(fitted(code, matrices, counts), matrices, counts)
    inner = "EVI" if code == "EVE" else "VVI"
    for axes in Rotation.random(500, random_state=seed).as_matrix():
        turned = fitted(inner, axes.T @ matrices @ axes, counts)
        assert expected_log_prob(axes @ turned @ axes.T, matrices, counts) <= highest


@pytest.mark.parametrize("code", CONSTRAINED)
def test_m_step_from_current_covariances_is_no_worse(code):
    matrices, counts = scatters()
    rng = np.random.default_rng(0)
    current = fitted(code, *scatters(seed=5))
    for _ in range(5):
        structure = structure_of(code)
        start = np.diagonal(current, axis1=1, axis2=2) if code[2] == "I" else current
        found = fitted(code, matrices, counts, start)
        assert expected_log_prob(found, matrices, counts) >= expected_log_prob(
            current, matrices, counts
        )
        assert structure.coupled
        current = neighbour(code, found, 0.1, rng)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("code", CODES)
def test_em_never_lowers_the_bound(code, name):
    X, family = load(*FILES[name]), Gaussian(code)
    resp = np.random.default_rng(0).dirichlet(np.ones(3), size=len(X))
    theta = Theta(np.full(3, 1.0 / 3.0), family.weighted_mle(X, resp))
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(30):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() >= -1e-11 * abs(bounds[-1])
    assert bounds[-1] > bounds[0]


# nMclustParams(modelName, d = 4, G = 3) of mclust: mixing weights and means included.
N_PARAMETERS = {
    "EII": 15,
    "VII": 17,
    "EEI": 18,
    "VEI": 20,
    "EVI": 24,
    "VVI": 26,
    "EEE": 24,
    "VEE": 26,
    "EVE": 30,
    "VVE": 32,
    "EEV": 36,
    "VEV": 38,
    "EVV": 42,
    "VVV": 44,
}


@pytest.mark.parametrize("code", CODES)
def test_n_parameters_is_mclusts(code):
    assert Gaussian(code).n_parameters(3, 4) + 2 == N_PARAMETERS[code]


# BIC of mclust for iris with two components; VVE stops short of its maximum there.
MCLUST_BIC = {
    "EII": -1123.4117,
    "VII": -1012.2352,
    "EEI": -1042.9679,
    "VEI": -956.2823,
    "EVI": -1007.3082,
    "VVI": -857.5515,
    "EEE": -688.0972,
    "VEE": -656.3270,
    "EVE": -657.2263,
    "EEV": -644.5997,
    "VEV": -561.7285,
    "EVV": -658.3306,
    "VVV": -574.0178,
}


@pytest.mark.parametrize("code", MCLUST_BIC)
def test_iris_has_mclusts_bic(code):
    X, family = load(*FILES["iris"]), Gaussian(code)
    resp = np.eye(2)[np.repeat([0, 1, 1], 50)]
    theta = Theta(np.array([1.0, 2.0]) / 3.0, family.weighted_mle(X, resp))
    step = blocked_step(family, Rows(X))
    for _ in range(30):
        theta, bound = step(theta)
    # The bound of a pass is the mean log-likelihood at the parameters it started from.
    n_parameters = family.n_parameters(2, 4) + 1
    bic = 2.0 * len(X) * bound - n_parameters * np.log(len(X))
    # mclust stops at a relative change of 1e-5.
    assert bic == pytest.approx(MCLUST_BIC[code], abs=1e-3)


def records():
    """Reference fits of the tied structures and of univariate data."""
    every = json.loads((REFERENCES / "reference_fits.json").read_text())
    names = ("EEI", "EII", "E", "V")
    return [record for record in every if record.get("mclust_model") in names and record["K"] < 4]


@pytest.mark.parametrize("record", records(), ids=lambda record: record["id"])
def test_reference_fits_are_fixed_points(record):
    """The log-likelihood of R's optimum, where a pass of EM gains nothing."""
    X = load(record["file"], record["columns"]) / record["divide_by"]
    code, K = record["mclust_model"], record["K"]
    family, dense = Gaussian(code, reg_covar=0.0), np.reshape(record["covariances"], (K, -1))
    dense = dense.reshape(K, X.shape[1], X.shape[1])
    packed = {"EEI": np.diag(dense[0]), "EII": dense[0, 0, 0], "E": dense[0], "V": dense}[code]
    means = np.reshape(record["means"], (K, -1))
    theta = Theta(np.array(record["weights"]), GaussianParams(means, packed))
    step = blocked_step(family, Rows(X))
    theta, bound = step(theta)
    _, after = step(theta)
    assert len(X) * bound == pytest.approx(record["loglik"], rel=1e-9)
    assert len(X) * after == pytest.approx(record["loglik"], rel=1e-9)
    assert family.n_parameters(K, X.shape[1]) + K - 1 == record["n_params"]


@pytest.mark.parametrize("code", [*CODES, "V", "E"])
def test_contract(code):
    rng = np.random.default_rng(3)
    means = np.array([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
    X = means.repeat(300, axis=0) + rng.standard_normal((600, 3)) @ rng.standard_normal((3, 3))
    family = Gaussian(code)
    check_family(family, family.weighted_mle(X, np.eye(2).repeat(300, axis=0)))


@pytest.mark.parametrize("code", CODES)
def test_univariate_data(code):
    """With one column a code says no more than its first letter."""
    rng = np.random.default_rng(0)
    X, resp = rng.standard_normal((60, 1)), rng.dirichlet(np.ones(2), size=60)
    family, plain = Gaussian(code), Gaussian(code[0])
    ours, theirs = family.weighted_mle(X, resp), plain.weighted_mle(X, resp)
    np.testing.assert_allclose(
        family.covariance_matrices(ours), plain.covariance_matrices(theirs), rtol=1e-10
    )
    assert family.n_parameters(2, 1) == plain.n_parameters(2, 1)


@pytest.mark.parametrize("code", ["VEI", "EVI", "VEE", "EVV", "EEI", "EII"])
def test_coordinates_are_as_many_as_parameters(code):
    matrices, counts = scatters()
    structure, dense = structure_of(code), fitted(code, matrices, counts)
    variances = np.diagonal(dense, axis1=1, axis2=2)
    shapes = {"EEI": variances[0], "EII": variances[0, 0], "VEI": variances, "EVI": variances}
    covariances = np.asarray(shapes.get(code, dense))
    vector = structure.to_vector(structure.factor(covariances))
    assert vector.shape == (structure.n_parameters(3, 3),)
    np.testing.assert_allclose(structure.from_vector(vector, covariances), covariances, rtol=1e-9)
    moved = structure.from_vector(vector + 0.1 * np.cos(np.arange(len(vector))), covariances)
    taken_apart(code, other := structure.dense(moved, 3, 3))
    np.linalg.cholesky(other)


@pytest.mark.parametrize("code", CODES)
def test_floor_keeps_the_structure(code):
    """Flat covariances rise above the floor, and share what they shared."""
    matrices, counts = scatters()
    structure, flat = structure_of(code), matrices.copy()
    flat[0] = np.diag([1.0, 1e-12, 1.0]) @ flat[0] @ np.diag([1.0, 1e-12, 1.0])
    covariances = fitted(code, flat, counts)
    packed = {"EII": covariances[0, 0, 0], "EEE": covariances[0], "EEI": np.diag(covariances[0])}
    if code[2] == "I" and code not in packed:
        diagonals = np.diagonal(covariances, axis1=1, axis2=2)
        packed[code] = diagonals[:, 0] if code == "VII" else diagonals
    packed = packed.get(code, covariances)
    minimum = np.array([1e-3, 2e-3, 0.5e-3])
    floored = structure.floor(packed, minimum)
    dense = structure.dense(floored, 3, 3)
    slack = 3.0 if code in ORIENTED else 1.0
    units = np.sqrt(minimum.mean() * np.ones(3) if code[1:] == "II" else minimum)
    assert np.linalg.eigvalsh(dense / np.outer(units, units)).min() >= (1.0 - 1e-6) / slack
    volumes, shapes, axes = taken_apart(code, dense)
    for letter, part in zip(code, (volumes, shapes, axes), strict=True):
        if letter == "E":
            np.testing.assert_allclose(part, part[:1].repeat(3, axis=0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(structure.floor(floored, 0.5 / slack * minimum), floored, rtol=1e-6)


def test_floor_at_equal_volume_is_the_constrained_maximum():
    """scipy's optimum of -sum w / v at a fixed product of the v, which exceed their bounds."""
    values = np.array([[4.0, 0.01, 25.0, 1.0], [0.1, 2.0, 0.05, 100.0]])
    bounds = np.array([0.1, 0.2, 0.3, 0.9])
    ours = np.log(lifted_at_equal_volume(values, bounds))
    volume = np.log(np.maximum(values, bounds)).sum(axis=1).mean()
    for log_values, found in zip(np.log(values), ours, strict=True):
        best = minimize(
            lambda logs, log_values=log_values: np.exp(log_values - logs).sum(),
            np.full(4, volume / 4),
            bounds=[(low, None) for low in np.log(bounds)],
            constraints={"type": "eq", "fun": lambda logs: logs.sum() - volume},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found, best.x, atol=1e-5)
    # Alone, a component has nothing to pay for.
    alone = lifted_at_equal_volume(values[:1], bounds)
    np.testing.assert_allclose(alone, np.maximum(values[:1], bounds))


@pytest.mark.parametrize("code", CODES)
def test_an_empty_component_does_not_touch_the_others(code):
    matrices, counts = scatters()
    matrices[2], counts[2] = 0.0, 0.0
    structure = structure_of(code)
    scatter = [structure.collect(np.ones(3), root)[2] for root in np.linalg.cholesky(matrices[:2])]
    scatter.append(np.zeros_like(scatter[0]))
    scatter = np.sum(scatter, axis=0) if structure.shared else np.concatenate(scatter)
    found = structure.dense(structure.covariances(scatter, counts, 3), 3, 3)
    expected = fitted(code, matrices[:2], counts[:2])
    np.testing.assert_allclose(found[:2], expected, rtol=1e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("code", [*CODES, "factor"])
def test_few_rows_make_finite_covariances(code):
    """Scatter of two rows in three columns, indefinite by rounding: the floor makes it right."""
    matrices, counts = scatters()
    thin = np.array([1.0, 2.0, 3.0])
    matrices[0], counts[0] = np.outer(thin, thin) - 1e-14 * np.eye(3), 2.0
    structure, (i, j) = structure_of(code), np.triu_indices(3)
    if code[1:] == "II":
        scatter = np.trace(matrices, axis1=1, axis2=2)[:, None]
    else:
        scatter = np.einsum("kjj->kj", matrices) if code[2] == "I" else matrices[:, i, j]
    scatter = scatter.sum(axis=0) if structure.shared else scatter
    found = structure.constrained(scatter, counts, 3, np.full(3, 1e-3))
    np.linalg.cholesky(structure.dense(found, 3, 3))


def test_unknown_names_are_listed():
    with pytest.raises(ValueError, match=r"covariance_type='round' is unknown.*'VEV'.*'factor'"):
        structure_of("round")
    with pytest.raises(ValueError, match=r"noise='red' is unknown.*'tied_diag'"):
        structure_of("factor", noise="red")
    with pytest.raises(ValueError, match=r"loadings='some' is unknown.*'common'"):
        structure_of("factor", loadings="some")
    with pytest.raises(ValueError, match="n_factors must be a whole number of at least 1, got 0"):
        structure_of("factor", n_factors=0)


@pytest.mark.parametrize("seed", [3, 8, 29])
@pytest.mark.parametrize("code", CODES)
def test_components_that_are_constant_in_a_column_are_survived(code, seed):
    """The floor then decides: no pass may lower the bound, no start may break down."""
    X = np.random.default_rng(seed).integers(0, 2, (27, 4)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = EMMixture(3, family=Gaussian(code), n_init=2, max_iter=60, random_state=0).fit(X)
    assert (np.diff(mixture.lower_bounds_) >= -1e-9 * abs(mixture.lower_bound_)).all()
    assert mixture.score(X) == pytest.approx(mixture.lower_bound_, rel=1e-9)


@pytest.mark.parametrize("code", ["VEI", "EVI", "VEE", "EVV", "VEV", "VVE", "EVE", "EEV"])
def test_a_floor_costs_no_more_than_one_matrix_for_all(code):
    """One matrix for all is of every structure, and its best above a floor is known."""
    structure = structure_of(code)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        roots = rng.standard_normal((3, 3, 3)) * 10.0 ** rng.uniform(-6, 0, (3, 1, 3))
        counts, minimum = rng.uniform(3, 30, 3), np.full(3, 1e-3)
        scatter = counts[:, None, None] * roots @ roots.swapaxes(1, 2)
        one = scatter.sum(axis=0) / counts.sum()
        if code[2] == "I":
            alike = np.tile(np.maximum(np.diagonal(one), minimum), (3, 1))
            packed = np.einsum("kjj->kj", scatter)
        else:
            values, vectors = np.linalg.eigh(one)
            alike = np.tile((vectors * np.maximum(values, 1e-3)) @ vectors.T, (3, 1, 1))
            packed = scatter[:, *np.triu_indices(3)]
        found = structure.constrained(packed, counts, 3, minimum)
        assert np.linalg.eigvalsh(structure.dense(found, 3, 3)).min() >= 1e-3 * (1 - 1e-9)
        best = structure.expected_log_prob(found, packed, counts)
        assert best >= structure.expected_log_prob(alike, packed, counts) - 1e-9 * abs(best)


def test_a_floor_at_equal_volume_costs_little_beside_the_best():
    """Given the volume the best is known; scipy finds the volume. Unfloored gains are thousands."""
    structure = structure_of("EVI")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        counts, minimum = rng.uniform(3, 30, 3), np.full(3, 1e-3)
        scatter = counts[:, None] * 10.0 ** rng.uniform(-9, 1, (3, 3))

        def loss(excess, scatter=scatter, counts=counts, minimum=minimum):
            # The values that solve max(w t, b) for one log-volume above the floor's.
            log_ratios = np.log(scatter / minimum)
            shifts = [
                brentq(lambda t, row=row: np.maximum(row + t, 0.0).sum() - excess, -99.0, 99.0)
                for row in log_ratios
            ]
            values = minimum * np.exp(np.maximum(log_ratios + np.array(shifts)[:, None], 0.0))
            return 0.5 * (counts[:, None] * np.log(values) + scatter / values).sum()

        best = -minimize_scalar(loss, bounds=(1e-9, 40.0), method="bounded").fun
        found = structure.constrained(scatter, counts, 3, minimum)
        assert structure.expected_log_prob(found, scatter, counts) >= best - 15.0


@pytest.mark.parametrize("code", ["VEI", "VEE"])
def test_extrapolations_far_below_the_floor_are_not_kept(code):
    """A tenth of it is what may be left, as the unit of the floor changes from pass to pass."""
    rng = np.random.default_rng(118)
    flat = rng.standard_normal((20, 2)) * [1.0, 1e-9]
    X = np.r_[flat, rng.standard_normal((20, 2)) + 2.0]
    mixture = EMMixture(3, family=Gaussian(code), n_init=1, max_iter=100, random_state=118)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        matrices = mixture.fit(X).component_covariances()
    values = np.linalg.eigvalsh(matrices / np.multiply.outer(X.std(axis=0), X.std(axis=0)))
    assert values.min() >= 0.099 * mixture.family.reg_covar


def test_thickness_in_units_of_next_to_nothing_is_a_number():
    """A diagonal matrix is as thin as its smallest ratio, however large the others are."""
    matrices = np.stack([np.eye(2), np.full((2, 2), 0.5) + 0.5 * np.eye(2)])
    with np.errstate(all="raise"):
        found = thinnest(matrices, np.diag([4.0, 1e-320]))
    assert found[0] == pytest.approx(0.25)
    assert np.isfinite(found).all()


def test_a_single_column_leaves_no_shape_to_be_found(monkeypatch):
    """Its variances are those without a structure, from where the search begins."""

    def no_step(*_):
        raise AssertionError("there is nothing to solve")

    monkeypatch.setattr(_convex.np.linalg, "solve", no_step)
    values, counts = np.array([[[3.0], [8.0], [0.1]]]), np.array([[2.0, 10.0, 5.0]])
    for current in (None, np.array([[[1.0], [0.7], [0.3]]])):
        found = proportional_values(values, counts, current)
        np.testing.assert_allclose(found, values / counts[..., None], rtol=1e-14)
