"""Data at the edge of what can be fitted: the fit is right, or the reason is said once."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Columns, Gaussian, NormalInverseWishart, StudentT

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(60, 2)), RNG.normal(5.0, 1.0, size=(60, 2))])
DEPENDENT = "linearly dependent to within reg_covar: the covariance of the data is singular"


def fit(X, n_components=2, covariance_type="full", **arguments):
    family = Gaussian(covariance_type)
    mixture = EMMixture(n_components, family=family, n_init=4, random_state=0, **arguments)
    return mixture.fit(X)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_scale(scale, covariance_type):
    plain, scaled = fit(X, 2, covariance_type), fit(X * scale, 2, covariance_type)
    # p(s x) = p(x) / s for every column
    assert_allclose(scaled.lower_bound_, plain.lower_bound_ - 2.0 * np.log(scale), rtol=1e-9)
    assert_allclose(scaled.params_.means / scale, plain.params_.means, rtol=1e-5)
    assert_array_equal(scaled.predict(X * scale), plain.predict(X))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_columns_of_very_different_scale(covariance_type):
    scale = np.array([1e-150, 1e150])
    plain, scaled = fit(X, 2, covariance_type), fit(X * scale, 2, covariance_type)
    assert_allclose(scaled.lower_bound_, plain.lower_bound_, atol=1e-9)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_far_from_the_origin(covariance_type):
    # Adding 1e8 rounds the data themselves to 8 digits, so compare with what rounding left.
    far = X + 1e8
    plain, shifted = fit(far - 1e8, 2, covariance_type), fit(far, 2, covariance_type)
    assert_allclose(shifted.lower_bound_, plain.lower_bound_, atol=1e-8)
    assert_allclose(shifted.params_.covariances, plain.params_.covariances, rtol=1e-4)
    assert_allclose(shifted.score(far), shifted.lower_bound_, atol=1e-8)


@pytest.mark.parametrize("n_components", [1, 2])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_collinear_columns_fit_and_warn_once(covariance_type, n_components):
    collinear = np.c_[X, X.sum(axis=1)]
    with pytest.warns(ConvergenceWarning, match=f"Columns 0, 1, 2 are {DEPENDENT}") as caught:
        mixture = fit(collinear, n_components, covariance_type)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert mixture.converged_
    assert_array_equal(mixture.predict(collinear), fit(X, n_components, covariance_type).predict(X))


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_collinear_columns_are_nothing_to_diagonal_covariances(covariance_type):
    assert fit(np.c_[X, X.sum(axis=1)], 2, covariance_type).converged_


def test_only_the_columns_that_depend_are_named():
    collinear = np.c_[X[:, 0], RNG.normal(size=120), 3.0 - 2.0 * X[:, 0]]
    with pytest.warns(ConvergenceWarning, match="Columns 0, 2 are linearly"):
        fit(collinear, 1)


@pytest.mark.parametrize("n_components", [1, 2])
def test_collinear_columns_without_a_floor(n_components):
    mixture = EMMixture(n_components, family=Gaussian(reg_covar=0.0), random_state=0)
    with pytest.raises(ValueError, match=r"Columns 0, 1, 2 are linearly dependent .* reg_covar"):
        mixture.fit(np.c_[X, X.sum(axis=1)])


def test_precisions_beyond_all_numbers_need_no_floor():
    """A component collapses onto a line, since nothing holds it: nothing but that is told."""
    X = np.zeros((27, 3))
    X[15:21] = [[0, 0, 1], [0, 0, 1], [1, 0, 1], [0, 2, 1], [1, 0, np.nan], [2, 4, 0]]
    X[25:] = [[0, 3, 0], [1, 1, 0]]
    mixture = EMMixture(2, family=Gaussian(reg_covar=0), n_init=2, max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert np.isfinite(mixture.fit(X).score_samples(X)).all()


ONE_VALUE_A_COLUMN = [
    [[1.0, 2.0]],
    [[1.0, 2.0], [1.0, 2.0]],
    [[1.0, np.nan], [np.nan, 5.0]],
    [[1.0, 2.0], [1.0, np.nan]],
]
POOLED = [*map(Gaussian, ("spherical", "tied_spherical", "EII", "VII")), StudentT("spherical")]


@pytest.mark.parametrize("family", [*POOLED, Gaussian("factor", noise="spherical")], ids=repr)
@pytest.mark.parametrize("rows", ONE_VALUE_A_COLUMN)
def test_columns_of_one_value_each_leave_a_pooled_variance_no_maximum(family, rows):
    message = rf"{len(rows)} sample\(s\) in which no column varies"
    with pytest.raises(ValueError, match=message):
        EMMixture(1, family=family).fit(rows)
    with pytest.raises(ValueError, match=message):
        EMMixture(1, family=Columns([("all", family, [0, 1])])).fit(rows)


def test_rows_of_weight_0_do_not_vary():
    with pytest.raises(ValueError, match=r"1 sample\(s\) in which no column varies"):
        EMMixture(1, family=Gaussian("spherical")).fit(X[:6], sample_weight=[0, 0, 1, 0, 0, 0])


def test_equal_rows_have_densities_and_under_a_prior_a_maximum():
    mixture = fit(X, 1, "spherical")
    assert_array_equal(mixture.score_samples(X[[0, 0]]), np.repeat(mixture.score_samples(X[:1]), 2))
    prior = NormalInverseWishart(mean=np.zeros(2), scale=1.0)
    known = EMMixture(1, family=Gaussian("spherical", prior=prior)).fit(np.ones((5, 2)))
    # The mode of the means weighs those of the data and of the prior by their rows.
    assert_allclose(known.params_.means, 5.0 / (5.0 + prior.shrinkage), rtol=1e-10)


def test_fewer_rows_than_columns():
    wide = RNG.normal(size=(5, 10))
    with pytest.warns(ConvergenceWarning, match="Columns 0, 1, 2, 3, 4 and 5 more are linearly"):
        mixture = fit(wide, 1)
    assert_allclose(mixture.params_.means[0], wide.mean(axis=0), atol=1e-12)


@pytest.mark.filterwarnings("ignore:Every start ended with a degenerate component")
def test_fewer_rows_than_columns_are_enough_for_variances():
    wide = RNG.normal(size=(5, 10))
    mixture = fit(wide, 1, "diag")
    assert_allclose(mixture.params_.covariances[0], wide.var(axis=0), rtol=1e-12)


def test_duplicated_rows_are_weights():
    repeated, weighted = fit(np.repeat(X, 7, axis=0)), fit(X)
    assert_allclose(repeated.lower_bound_, weighted.lower_bound_, atol=1e-10)
    assert_allclose(repeated.params_.covariances, weighted.params_.covariances, rtol=1e-6)


def test_as_many_components_as_rows_warns_once():
    with pytest.warns(ConvergenceWarning, match="degenerate component") as caught:
        fit(X[:3], 3)
    assert len(caught) == 1


def test_columns_of_many_equal_values_are_named():
    """A Gaussian on a spike gains more, the lower its floor; two columns have a maximum."""
    rng = np.random.default_rng(0)
    rain = np.where(rng.random(400) < 0.6, 0.0, rng.gamma(2.0, 4.0, 400))
    frame = pd.DataFrame({"rain": rain, "warmth": rng.normal(size=400)})
    expected = rf"'rain' \({100 * np.mean(rain == 0):.0f} % are 0\)\. A component gains the more"
    with pytest.warns(ConvergenceWarning, match=expected) as caught:
        high, low = (
            EMMixture(2, family=Gaussian(reg_covar=floor), init=(rain > 0).astype(int)).fit(frame)
            for floor in (1e-6, 1e-8)
        )
    assert not any("'warmth'" in str(w.message) or "tight" in str(w.message) for w in caught)
    gained = low.lower_bound_ - high.lower_bound_
    # The density of the zeros is that of a Gaussian of a hundredth of the variance.
    assert_allclose(gained, np.mean(rain == 0) * np.log(10.0), rtol=1e-3)
    parts = frame.assign(wet=rain > 0, rain=np.where(rain > 0, rain, np.nan))
    mixture = EMMixture(2, family=Columns.from_frame(parts, verbose=0), random_state=0).fit(parts)
    wet = mixture.params_.bernoulli.probs[:, 0]
    assert_allclose(mixture.weights_ @ wet, np.mean(rain > 0), rtol=1e-4)


def test_codes_that_a_gaussian_shrinks_onto_are_named():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(3, 6, 200), rng.normal(size=200)])
    with pytest.warns(ConvergenceWarning, match=r"column\(s\) 0 \(3 values only\)"):
        EMMixture(3, random_state=0).fit(X)


def test_a_degenerate_start_is_dropped_for_a_sound_one():
    # Two equal rows invite a component that stands on them alone, with a boundless likelihood.
    rows = np.concatenate([X, np.full((2, 2), 20.0) + 1e-9 * np.eye(2)])
    mixture = EMMixture(2, n_init=24, random_state=0).fit(rows)
    assert mixture.weights_.min() > 5.0 / len(rows)
    assert all(start.dropped for start in mixture.init_results_[1:])
    assert mixture.init_results_[0].dropped is None


def test_a_single_row_of_counts():
    mixture = EMMixture(family="poisson").fit([[3, 0]])
    assert_allclose(mixture.params_.rates, [[3.0, 0.0]], atol=1e-300)
    assert_allclose(mixture.lower_bound_, stats.poisson.logpmf(3, 3), rtol=1e-12)


def test_constant_columns_of_counts_and_bits():
    table = np.c_[[0, 1, 1, 0], np.ones(4)]
    for family in ("poisson", "bernoulli"):
        mixture = EMMixture(family=family).fit(table)
        assert_allclose(mixture.family_.mean(mixture.params_), [[0.5, 1.0]], rtol=1e-12)


def test_float32_and_integers_fit_as_float64():
    whole = np.round(10.0 * X)
    expected = fit(whole)
    for dtype in (np.float32, np.int32, np.int8):
        mixture = fit(whole.astype(dtype))
        assert mixture.lower_bound_ == expected.lower_bound_
        assert mixture.predict_proba(whole.astype(dtype)).dtype == np.float64


def test_input_is_never_written_to():
    table, weight = X.copy(), np.arange(120.0)
    table.flags.writeable = weight.flags.writeable = False
    mixture = EMMixture(2, n_init=2, random_state=0).fit(table, sample_weight=weight)
    mixture.score(table, sample_weight=weight)
    mixture.elbo(table, mixture.predict_proba(table))


def test_a_clean_fit_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(X).converged_


@pytest.mark.parametrize("kind", ["rows of a map", "columns first"])
def test_parts_and_other_orders_of_a_map_are_read_as_they_are(tmp_path, kind):
    """What such a map shows is not what its file holds from its offset on."""
    X = np.random.default_rng(0).normal([0.0, 5.0], size=(400, 2))
    np.save(tmp_path / "X.npy", X if kind == "rows of a map" else np.asfortranarray(X))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    if kind == "rows of a map":
        mapped, X = mapped[100:], X[100:]
    assert_allclose(EMMixture(1).fit(mapped).mean(), X.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("n_components", "covariance_type"), [(1, "full"), (2, "tied")])
def test_a_gap_in_one_block_of_many(n_components, covariance_type):
    """The moments of all rows are known in the other blocks, and of no use."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 2)) + 4.0 * (rng.random(100_000) < 0.5)[:, None]
    X[7, 1] = np.nan
    family = Gaussian(covariance_type)
    mixture = EMMixture(n_components, family=family, n_init=1, max_iter=5, tol=1.0).fit(X)
    means, matrices = mixture.component_means(), mixture.component_covariances()
    pairs = zip(means, matrices, strict=True)
    terms = np.array([stats.multivariate_normal(mean, own).logpdf(X) for mean, own in pairs])
    terms[:, 7] = stats.norm.logpdf(X[7, 0], means[:, 0], np.sqrt(matrices[:, 0, 0]))
    expected = logsumexp(terms.T + np.log(mixture.weights_), axis=1).mean()
    assert_allclose(mixture.lower_bound_, expected, rtol=1e-10)


def test_a_column_that_varies_by_rounding_is_constant():
    X = np.random.default_rng(0).normal(size=(40, 2))
    X[:, 1] = np.where(np.arange(40) % 2, 0.3, 0.1 + 0.2)
    with pytest.raises(ValueError, match="Column 1 is constant"):
        EMMixture(1).fit(X)


def test_dependent_columns_of_a_group_are_called_by_their_places_in_the_table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    X = np.column_stack([rng.poisson(3.0, 200), x, 2.0 * x])
    family = Columns([("n", "poisson", [0]), ("body", Gaussian(), [1, 2])])
    with pytest.warns(UserWarning, match="Columns 1, 2 are linearly dependent"):
        EMMixture(1, family=family).fit(X)
