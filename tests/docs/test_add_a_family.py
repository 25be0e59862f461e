"""The developer guide's family is complete, short, and passes the public checks."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Weibull, WeibullParams
from sklearn_genmodel.testing import check_family

sys.path.insert(0, str(Path(__file__).parent))
import _code_blocks

PAGE = "docs/developer/add_a_family.md"
WIND = np.random.default_rng(0).rayleigh(np.repeat([[1.0, 2.0], [9.0, 3.0]], 100, axis=0))


@pytest.fixture(scope="module")
def page():
    """Names that the page defines, its code run."""
    with _code_blocks.page_run(PAGE) as names:
        yield names


def test_family_has_fewer_than_40_lines():
    code = _code_blocks.code_blocks(PAGE)[0].code
    assert "class Rayleigh(IndependentColumns)" in code
    assert len(code.splitlines()) < 40


@pytest.mark.parametrize("prior", [None, 2.0])
@pytest.mark.parametrize("scales", [[[1.0, 6.0], [4.0, 0.5]], [[0.3], [5.0]]])
def test_contract(page, prior, scales):
    check_family(page["Rayleigh"](prior), page["RayleighParams"](np.array(scales)), random_state=1)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_density_is_scipys_and_that_of_a_weibull_distribution(page, scale):
    X = scale * np.array([[0.1], [1.0], [4.0]])
    ours = page["Rayleigh"]().log_prob(X, page["RayleighParams"](np.array([[scale]])))
    assert_allclose(ours, stats.rayleigh(scale=scale).logpdf(X), rtol=1e-12)
    params = WeibullParams(np.array([[2.0]]), np.array([[np.sqrt(2.0) * scale]]))
    assert_allclose(ours, Weibull().log_prob(X, params), rtol=1e-10)


def test_what_comes_with_the_base_class(page):
    """Missing cells, weights, constraints: closed forms of one component."""
    family, holed = page["Rayleigh"](), WIND.copy()
    holed[::3, 0] = np.nan
    weights = np.arange(1.0, len(WIND) + 1.0)
    one = EMMixture(1, family=family).fit(holed, sample_weight=weights)
    seen = ~np.isnan(holed)
    squares = np.where(seen, holed, 0.0) ** 2
    expected = np.sqrt(0.5 * (weights @ squares) / (weights @ seen))
    assert_allclose(one.params_.scales[0], expected, rtol=1e-10)
    tied = EMMixture(1, family=family, tied={"scales": "columns"}).fit(WIND)
    assert_allclose(tied.params_.scales, np.sqrt(0.5 * np.mean(WIND**2)), rtol=1e-10)
