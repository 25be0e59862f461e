"""Covariance structures: densities, M-steps and constraints."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from sklearn_genmodel.families._covariances import _convex
from sklearn_genmodel.families._covariances._decompositions import proportional_values
from sklearn_genmodel.families._covariances._structures import structure_of
from sklearn_genmodel.families._gaussian import Gaussian
from sklearn_genmodel.testing import check_family

ORIENTED = ["EVE", "VVE", "EEV", "VEV"]
CONSTRAINED = ["VEI", "EVI", "VEE", *ORIENTED, "EVV"]
CODES = ["EII", "VII", "EEI", "VVI", "EEE", "VVV", *CONSTRAINED]


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


def test_a_single_column_leaves_no_shape_to_be_found(monkeypatch):
    """Its variances are those without a structure, from where the search begins."""

    def no_step(*_):
        raise AssertionError("there is nothing to solve")

    monkeypatch.setattr(_convex.np.linalg, "solve", no_step)
    values, counts = np.array([[[3.0], [8.0], [0.1]]]), np.array([[2.0, 10.0, 5.0]])
    for current in (None, np.array([[[1.0], [0.7], [0.3]]])):
        found = proportional_values(values, counts, current)
        np.testing.assert_allclose(found, values / counts[..., None], rtol=1e-14)
