"""Mixtures from parameters, and over some of the columns of another."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import GaussianParams, PoissonParams, Uniform, UniformParams


def test_parts_of_a_mixture_draw_as_it_does():
    X = np.random.default_rng(0).normal(size=(60, 3))
    mixture = EMMixture(2, random_state=3).fit(X)
    for part in (mixture.marginal([0, 2]), mixture.conditional({1: 0.0})):
        assert part.random_state == 3
        assert_array_equal(part.sample(5)[0], part.sample(5)[0])


def test_a_component_of_no_weight_has_no_part_in_a_conditional():
    params = GaussianParams([[0.0, 0.0], [9.0, 9.0]], [np.eye(2)] * 2)
    given = EMMixture.from_params("gaussian", [1.0, 0.0], params).conditional({0: 0.5})
    assert_allclose(given.weights_, [1.0, 0.0], atol=1e-200)


@pytest.mark.parametrize("derive", [lambda m: m.marginal([0]), lambda m: m.conditional({1: 0.0})])
def test_a_part_of_a_mixture_does_not_go_on_as_another_model(derive):
    X = np.random.default_rng(0).normal(size=(60, 2))
    part = derive(EMMixture(1, random_state=0).fit(X))
    part.set_params(family__reg_covar=0.5)
    with pytest.raises(ValueError, match="reg_covar"):
        part.partial_fit(X[:, :1])


def test_columns_counted_from_the_end_are_those_from_the_start():
    X = np.random.default_rng(0).normal(size=(60, 3))
    mixture = EMMixture(1).fit(X)
    with pytest.raises(ValueError, match="none twice"):
        mixture.marginal([2, -1])
    with pytest.raises(ValueError, match="given twice"):
        mixture.conditional({2: 0.0, -1: 1.0})


def test_parameters_that_were_given_do_not_go_on_as_another_model():
    X = np.random.default_rng(0).normal(size=(60, 1))
    made = EMMixture.from_params("gaussian", [1.0], GaussianParams([[0.0]], [[[1.0]]]))
    made.set_params(family__reg_covar=0.5)
    with pytest.raises(ValueError, match="reg_covar"):
        made.partial_fit(X)


def test_weights_that_sum_to_1_but_for_rounding_are_made_to():
    made = EMMixture.from_params(
        "poisson", [0.33333] * 3, PoissonParams(np.array([[1.0], [5.0], [9.0]]))
    )
    counts = np.random.default_rng(0).poisson(np.repeat([1.0, 20.0, 90.0], 30))[:, None]
    held = EMMixture(3, family="poisson", fixed={"weights": [0.33333] * 3}, random_state=0).fit(
        counts
    )
    for mixture in (made, held):
        assert_allclose(mixture.weights_.sum(), 1.0, rtol=1e-14)
        mixture.sample(3, random_state=0)


@pytest.mark.parametrize(
    "columns",
    [slice(1, None), np.array([False, True, True]), [False, True, True], slice("b", "c")],
    ids=["slice", "mask", "list of bools", "slice of names"],
)
def test_columns_are_chosen_by_slices_and_masks(columns):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    part = EMMixture(1).fit(X).marginal(columns)
    assert_array_equal(part.feature_names_in_, ["b", "c"])
    assert_allclose(part.mean(), X[["b", "c"]].mean(), rtol=1e-12)


@pytest.mark.parametrize("columns", [[True, False], slice("a", "b"), 1.5])
def test_columns_that_are_none_are_refused(columns):
    mixture = EMMixture(1).fit(np.random.default_rng(0).normal(size=(60, 3)))
    with pytest.raises(ValueError, match="are no columns of the fit"):
        mixture.marginal(columns)


def test_values_that_no_component_has_have_no_conditional():
    params = UniformParams(np.zeros((2, 2)), np.ones((2, 2)))
    mixture = EMMixture.from_params(Uniform(), [0.5, 0.5], params)
    with pytest.raises(ValueError, match="is impossible under every component"):
        mixture.conditional({0: 7.0})
