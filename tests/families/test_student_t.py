"""Student-t components: densities, the M-step, degrees of freedom, missing values, references."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.em import Rows, Theta, blocked_step
from sklearn_genmodel.families import Gaussian, GaussianParams
from sklearn_genmodel.families._student_t import StudentT, StudentTParams
from sklearn_genmodel.testing import check_family

REFERENCES = Path(__file__).parents[1] / "references"
LOCATIONS = np.array([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])
ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.3, 0.2, 0.6]])
FULL = np.array([ROOT @ ROOT.T, 2.0 * ROOT.T @ ROOT])
DOF = np.array([4.0, 9.0])


def student(covariance_type, scales, dof="estimated", locations=LOCATIONS, **kwargs):
    """A row of the table: a Student-t family and its parameters."""
    values = DOF if dof == "estimated" else np.full(2, dof)
    family = StudentT(covariance_type, dof, **kwargs)
    return family, StudentTParams(locations, np.asarray(scales), values)


TABLE = {
    "full": student("full", FULL),
    "diag": student("diag", [[1.0, 2.0, 0.5], [0.1, 1.0, 3.0]]),
    "spherical": student("spherical", [0.5, 2.0]),
    "univariate": student("full", [[[1.0]], [[0.25]]], locations=np.array([[0.0], [0.5]])),
    "fixed": student("full", FULL, 5.0),
    "prior": student("full", FULL, prior="default"),
    "far": student("full", FULL, locations=LOCATIONS + 1e8),
    "far apart": student("full", FULL, 8.0, LOCATIONS + np.array([[0.0], [1e5]]), reg_covar=0.0),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_family(*TABLE[name], random_state=seed)


@pytest.mark.parametrize("dof", [0.5, 1.0, 3.0, 30.0, 1e3])
@pytest.mark.parametrize("name", ["full", "diag", "spherical", "univariate"])
def test_log_prob_is_scipys(name, dof):
    family, params = TABLE[name]
    params = params._replace(dof=np.array([dof, 2.0 * dof]))
    X = 5.0 * np.random.default_rng(0).standard_normal((100, params.locations.shape[1]))
    expected = [
        stats.multivariate_t(location, matrix, df).logpdf(X)
        for location, matrix, df in zip(
            params.locations, family._matrices(params), params.dof, strict=True
        )
    ]
    np.testing.assert_allclose(family.log_prob(X, params), np.transpose(expected), rtol=1e-10)


@pytest.mark.parametrize("dof", [0.5, 1e2, 1e6, 1e8, 1e12])
def test_two_columns_have_a_density_without_gamma_functions(dof):
    """G(nu / 2 + 1) / G(nu / 2) = nu / 2, so that p = (1 + r^2 / nu)^-(nu / 2 + 1) / (2 pi)."""
    X = (
        np.random.default_rng(0).standard_normal((50, 2))
        * 10.0 ** np.arange(-3, 2).repeat(10)[:, None]
    )
    params = StudentTParams(np.zeros((1, 2)), np.eye(2)[None], np.array([dof]))
    squares = (X**2).sum(axis=1)
    expected = -(0.5 * dof + 1.0) * np.log1p(squares / dof) - np.log(2.0 * np.pi)
    np.testing.assert_allclose(StudentT().log_prob(X, params)[:, 0], expected, rtol=1e-13)


def test_the_limit_of_many_degrees_of_freedom_is_normal():
    """log t = log N + (delta^2 / 4 - d delta / 2 + d (d - 2) / 4) / nu + O(nu^-2)."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    params = StudentTParams(LOCATIONS, FULL, np.full(2, 1e6))
    normal = Gaussian().log_prob(X, GaussianParams(LOCATIONS, FULL))
    log_det = np.linalg.slogdet(FULL)[1]
    delta = -2.0 * normal - 3.0 * np.log(2.0 * np.pi) - log_det
    first_order = (delta**2 / 4 - 1.5 * delta + 0.75) / 1e6
    ours = StudentT().log_prob(X, params)
    np.testing.assert_allclose(ours - normal, first_order, rtol=1e-3, atol=1e-11)


def test_weighted_mle_is_the_maximum_that_direct_ascent_finds():
    rng = np.random.default_rng(0)
    x, weights = 2.0 + 0.5 * rng.standard_t(3, 300), rng.integers(1, 4, 300)

    def loss(vector):
        return -weights @ stats.t(np.exp(vector[2]), vector[0], np.exp(vector[1])).logpdf(x)

    best = optimize.minimize(loss, [2.0, 0.0, 1.0], method="BFGS", options={"gtol": 1e-6})
    ours = StudentT().weighted_mle(x[:, None], weights[:, None].astype(float))
    at = [ours.locations[0, 0], 0.5 * np.log(ours.scales[0, 0, 0]), np.log(ours.dof[0])]
    np.testing.assert_allclose(loss(at), best.fun, rtol=1e-10)
    np.testing.assert_allclose(at, best.x, atol=1e-4)


@pytest.mark.parametrize("dof", ["estimated", 0.5, 3.0, 1e6])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "tied_diag", "VEV", "factor"])
@pytest.mark.parametrize("holes", [False, True])
def test_em_never_lowers_the_bound(covariance_type, dof, holes):
    rng = np.random.default_rng(0)
    X = StudentT().sample(StudentTParams(LOCATIONS, FULL, DOF), rng.integers(2, size=300), rng)
    if holes:
        X[rng.random(X.shape) < 0.2] = np.nan
    family = StudentT(covariance_type, dof)
    start = family.m_step(family.suffstats(X, rng.dirichlet(np.ones(2), len(X))))
    theta = Theta(np.full(2, 0.5), start)
    step, bounds = blocked_step(family, Rows(X)), []
    for _ in range(40):
        theta, bound = step(theta)
        bounds.append(bound)
    assert np.diff(bounds).min() > -1e-9
    assert bounds[-1] > bounds[0] + 1e-6


def test_missing_values_leave_the_marginal_density():
    family, params = TABLE["full"]
    rng = np.random.default_rng(0)
    X = family.sample(params, rng.integers(2, size=100), rng)
    X[rng.random(X.shape) < 0.4] = np.nan
    for i, row in enumerate(X):
        o = ~np.isnan(row)
        for k in range(2):
            expected = 0.0
            if o.any():
                marginal = stats.multivariate_t(LOCATIONS[k][o], FULL[k][np.ix_(o, o)], DOF[k])
                expected = marginal.logpdf(row[o])
            assert family.log_prob(X[i : i + 1], params)[0, k] == pytest.approx(expected, abs=1e-10)


def test_a_missing_column_is_estimated_by_direct_ascent_too():
    rng = np.random.default_rng(1)
    truth = StudentTParams(LOCATIONS[:1, :2], FULL[:1, :2, :2], DOF[:1])
    X = StudentT().sample(truth, np.zeros(200, dtype=int), rng)
    X[rng.random(200) < 0.4, 1] = np.nan
    complete = ~np.isnan(X[:, 1])

    def loss(vector):
        root = np.array([[vector[2], 0.0], [vector[3], vector[4]]])
        matrix, df = root @ root.T, np.exp(vector[5])
        both = stats.multivariate_t(vector[:2], matrix, df).logpdf(X[complete])
        one = stats.t(df, vector[0], np.sqrt(matrix[0, 0])).logpdf(X[~complete, 0])
        return -both.sum() - one.sum()

    start = [0.0, 1.0, 1.0, 0.0, 1.0, 1.5]
    best = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-4})
    ours = StudentT(reg_covar=0.0).weighted_mle(X, np.ones((200, 1)))
    at = [*ours.locations[0], *np.linalg.cholesky(ours.scales[0])[[0, 1, 1], [0, 0, 1]]]
    np.testing.assert_allclose(loss([*at, np.log(ours.dof[0])]), best.fun, rtol=1e-9)
    np.testing.assert_allclose(at, best.x[:5], atol=1e-3)


def test_normal_rows_send_the_degrees_of_freedom_to_their_bound_in_few_passes():
    X = np.random.default_rng(3).uniform(-1.0, 1.0, (400, 2))
    mixture = EMMixture(1, family=StudentT(reg_covar=0.0)).fit(X)
    normal = EMMixture(1).fit(X)
    assert mixture.params_.dof[0] > 1e7
    assert mixture.n_iter_ < 50
    assert mixture.score(X) == pytest.approx(normal.score(X), abs=1e-7)


def test_outliers_hardly_touch_the_estimates():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    clean = EMMixture(1, family=StudentT(dof=4.0)).fit(X).params_
    X[0] = 1e9
    dirty = EMMixture(1, family=StudentT(dof=4.0)).fit(X).params_
    np.testing.assert_allclose(dirty.locations, clean.locations, atol=0.03)
    np.testing.assert_allclose(dirty.scales, clean.scales, atol=0.05)


@pytest.mark.parametrize("tiny", [0.0, 1e-55, 1e-278])
def test_values_that_are_all_but_equal_are_no_scale(tiny):
    """Their median deviation squared may be too small for a covariance, or even for a number."""
    X = np.c_[np.arange(7.0), [0.0, tiny, -tiny, 0.0, 1.0, 2.0, 0.0]]
    family = StudentT(dof=4.0)
    params = family.weighted_mle(X, np.ones((7, 1)))
    exact = family.weighted_mle(np.c_[X[:, 0], X[:, 1].round(9)], np.ones((7, 1)))
    np.testing.assert_allclose(params.locations, exact.locations, rtol=1e-9)
    np.testing.assert_allclose(params.scales, exact.scales, rtol=1e-9)


def test_covariance_is_that_of_samples_where_there_is_one():
    params = StudentTParams(LOCATIONS, FULL, np.array([9.0, 2.0]))
    covariance = StudentT().covariance(params)
    np.testing.assert_allclose(covariance[0], FULL[0] * 9.0 / 7.0)
    assert np.isinf(np.diagonal(covariance[1])).all()
    X = StudentT().sample(params, np.zeros(200_000, dtype=int), np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(X.T), covariance[0], atol=0.03)


def test_dof_must_be_a_positive_number():
    X = np.arange(6.0).reshape(3, 2)
    for dof in (0.0, -1.0, np.inf, "many", True):
        with pytest.raises(ValueError, match="dof must be"):
            StudentT(dof=dof).weighted_mle(X, np.ones((3, 1)))


RECORDS = {
    record["id"]: record
    for record in json.loads((REFERENCES / "reference_fits.json").read_text())
    if record.get("family") == "student_t"
}


@pytest.mark.parametrize(
    "name",
    [
        "t-galaxies-1",
        "t-precip-1",
        "t-faithful_eruptions-2",
        "t4fixed-galaxies-2",
        "mvt4fixed-iris-1",
        "mvt4fixed-faithful-2",
        "mvt-faithful-2",
        "w1-student_t-danish-real",
    ],
)
def test_fits_of_other_software_are_reached(name):
    """R's nlminb, gamlss, EmSkew and teigen: by default settings no worse, in nats."""
    record = RECORDS[name]
    table = pd.read_csv(REFERENCES / "data" / record["file"])
    X = table[record["columns"]].to_numpy(float) / record.get("divide_by", 1.0)
    weights = np.ones(len(X))
    if "sin" in record.get("weight_rule", ""):
        weights = 0.05 + 0.95 * np.sin(1.7 * np.arange(1, len(X) + 1)) ** 2
    family = StudentT(dof=record.get("fixed_df", "estimated"))
    mixture = EMMixture(record["K"], family=family, random_state=0).fit(X, sample_weight=weights)
    log_lik = mixture.lower_bound_ * weights.sum()
    # The default tol is 1e-6 nats per row.
    assert log_lik >= record["loglik"] - 1e-6 * weights.sum()
    if record["tier"] == "A":
        assert log_lik == pytest.approx(record["loglik"], abs=1e-6 * weights.sum())


def test_statistics_of_other_parameters_add_after_their_leaps():
    family, params = TABLE["full"]
    X = np.random.default_rng(0).standard_normal((50, 3))
    near, far = (
        family.suffstats(X, np.ones((50, 2)), params._replace(dof=dof)) for dof in (DOF, 10.0 * DOF)
    )
    assert len(near.versions) == 1
    assert len(far.versions) == 3
    half = near * 0.5 + far * 0.5
    assert len(half.versions) == 1
    np.testing.assert_allclose(half.versions[0].counts, 50.0)
    # Of the degrees of freedom to leap to those of the highest likelihood.
    leaps = np.array([10.0 * DOF, 10.0 * DOF**1.25, 10.0 * DOF**0.8])
    heights = [family.log_prob(X, params._replace(dof=dof)).sum(axis=0) for dof in leaps]
    np.testing.assert_allclose(far.best().dof, leaps[np.argmax(heights, axis=0), [0, 1]])
    logs = 0.5 * (near.versions[0].log_precisions + far.best().log_precisions)
    np.testing.assert_allclose(half.versions[0].log_precisions, logs)


def test_old_faithful():
    X = load_old_faithful().data
    mixture = EMMixture(2, family=StudentT(), random_state=0).fit(X)
    assert mixture.converged_
    assert (np.diff(mixture.lower_bounds_) >= 0).all()
    labels = mixture.predict(X)
    assert 0.3 < labels.mean() < 0.4


@pytest.mark.parametrize("dof", [4.0, "estimated"])
def test_rows_with_nothing_observed_say_nothing_of_heavy_tails(dof):
    X = np.random.default_rng(0).standard_t(4.0, (200, 2))
    holed = np.vstack([X, np.full((50, 2), np.nan)])
    plain, other = (EMMixture(1, family=StudentT(dof=dof), tol=1e-10).fit(Y) for Y in (X, holed))
    for mine, theirs in zip(plain.params_, other.params_, strict=True):
        assert_allclose(theirs, mine, rtol=1e-5, atol=1e-8)


def test_a_conditional_of_fixed_degrees_of_freedom_has_others():
    """nu + the number of columns given: what was fixed is so no longer."""
    X = np.random.default_rng(0).standard_t(4.0, (100, 2))
    mixture = EMMixture(1, family=StudentT(dof=4.0)).fit(X)
    given = mixture.conditional({0: 1.0})
    assert_allclose(given.params_.dof, [5.0])
    assert given.n_parameters() == 3
    refitted = EMMixture(1, family=given.family_, warm_start=True)
    assert refitted.family.dof == "estimated"
