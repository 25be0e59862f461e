"""Families that `Columns.from_frame` chooses, against likelihoods by scipy and Fisher's test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_iris

from sklearn_genmodel.datasets import load_airquality
from sklearn_genmodel.families import Columns

RNG = np.random.default_rng(0)
CODES = {
    "sex": RNG.integers(1, 3, 300),
    "grade": RNG.integers(1, 6, 300),
    "target": np.repeat([0, 1, 2], 50),
    "origin": RNG.choice([1, 2, 3], 390, p=[0.62, 0.18, 0.2]),
}


def told(column, capsys):
    """The family of one column, and the reason that is printed."""
    Columns.from_frame(pd.DataFrame({"x": column}))
    family, reason = capsys.readouterr().out.removeprefix("x").strip().split(": ", maxsplit=1)
    return family, reason


def chosen(column):
    ((_, family, _),) = Columns.from_frame(pd.DataFrame({"x": column}), verbose=0).groups
    return family


def bic(log_likelihood, n_parameters, x):
    return n_parameters * np.log(len(x)) - 2.0 * log_likelihood


@pytest.mark.parametrize("name", CODES)
def test_codes_are_categories(name, capsys):
    x = CODES[name]
    family, reason = told(x, capsys)
    assert family == "categorical"
    assert x.var() < x.mean() / 1.3
    assert reason == "codes or grades, whose variance is far below their mean"
    counts = np.unique(x, return_counts=True)[1]
    categorical = bic(counts @ np.log(counts / len(x)), len(counts) - 1, x)
    assert categorical < bic(stats.poisson(x.mean()).logpmf(x).sum(), 1, x)


def test_counts_that_vary_little_by_chance_are_counts():
    """Fisher's index of dispersion of Poisson counts is nearly chi-squared."""
    for n_rows in (12, 30, 100, 1000):
        columns = [RNG.poisson(rate, n_rows) for rate in (1.0, 2.0) for _ in range(150)]
        counted = np.isin(
            [chosen(x) for x in columns], ["bernoulli", "poisson", "negative_binomial"]
        )
        index = np.array([n_rows * x.var() / x.mean() for x in columns])
        assert counted[index > stats.chi2(n_rows - 1).ppf(0.01)].all()
        assert counted.mean() > 0.97


def test_reasons_of_counts_on_few_rows(capsys):
    rows = np.array([1, 2, 3, 1, 2, 3, 2, 2, 1, 3])
    assert stats.chi2(9).cdf(10 * rows.var() / rows.mean()) > 0.01
    family, reason = told(rows, capsys)
    assert family == "poisson"
    assert reason == "counts whose variance, on few rows, is not clearly below their mean"


def test_many_values_on_few_rows_are_no_categories():
    x = np.clip(stats.norm(9.0, 1.7).ppf((np.arange(60) + 0.5) / 60).round(), 2, 16)
    x[[0, 1, 2, 3, 4, 58, 59]] = [2, 3, 4, 5, 14, 15, 16]
    assert x.var() < x.mean() / 1.3
    assert len(np.unique(x)) * 5 > len(x)
    assert chosen(x) == "gaussian"
    assert chosen(np.tile(x, 2)) == "categorical"


@pytest.mark.parametrize("size", [0.3, 0.7])
def test_skewed_counts_from_0_on_are_negative_binomial(size):
    x = RNG.negative_binomial(size, size / (size + 200.0), 400)
    assert x.min() == 0
    assert np.median(x) > 15
    assert chosen(x) == "negative_binomial"
    # By the method of moments, which is below the maximum.
    fitted = x.mean() ** 2 / (x.var() - x.mean())
    counts = stats.nbinom(fitted, fitted / (fitted + x.mean())).logpmf(x).sum()
    assert bic(counts, 2, x) < bic(stats.norm(x.mean(), x.std()).logpdf(x).sum(), 2, x)
    assert chosen(x + 1) == "gamma"
    assert chosen(200 - np.minimum(x, 200)) == "gaussian"


@pytest.mark.parametrize(
    ("amounts", "family"),
    [
        (stats.norm(44.0, 5.5), "gaussian"),
        (stats.norm(4200.0, 800.0), "gaussian"),
        (stats.lognorm(0.8, scale=1.2), "gamma"),
    ],
)
def test_units_do_not_matter(amounts, family, capsys):
    for unit in 10.0 ** np.arange(-6, 7):
        x = amounts.ppf((np.arange(300) + 0.5) / 300) * unit
        found, reason = told(x, capsys)
        assert found == family
        assert ("'beta' if these are shares" in reason) == (x.max() < 1)


@pytest.mark.parametrize("shapes", [(1.0, 1.0), (0.5, 0.5), (0.8, 0.4)])
def test_shares_come_near_to_both_bounds(shapes, capsys):
    family, reason = told(RNG.beta(*shapes, 300), capsys)
    assert family == "beta"
    assert reason == "shares that come near to 0 and to 1"


def test_values_that_stand_out_are_told(capsys):
    rain = np.where(RNG.random(500) < 0.6, 0.0, RNG.gamma(0.9, 8.0, 500))
    dry = 100.0 * np.mean(rain == 0)
    family, reason = told(rain, capsys)
    assert family == "gaussian"
    assert reason.startswith(
        f"skewed amounts, but some 0; {dry:.0f} % are 0: components may shrink"
    )
    limit = np.maximum(RNG.gamma(2.0, 1.0, 500), 0.9)
    assert f"{100.0 * np.mean(limit == 0.9):.0f} % are 0.9" in told(limit, capsys)[1]
    few = np.r_[0.0, RNG.gamma(0.9, 8.0, 500)]
    assert told(few, capsys) == ("gaussian", "skewed amounts, but some 0")
    months = load_airquality(as_frame=True).data["Month"]
    assert "5 values only" in told(months, capsys)[1]


def test_rounding_is_not_told(capsys):
    """Measurements to a tenth repeat their values, and none more than is usual."""
    Columns.from_frame(load_iris(as_frame=True).data)
    printed = capsys.readouterr().out
    assert "equal values" not in printed
    assert told(RNG.normal(size=8).round(1), capsys)[1] == "real numbers"


def test_numbers_whose_type_says_labels_are_labels(capsys):
    codes = pd.Series(pd.Categorical(RNG.choice([1, 2, 5], 60)))
    assert told(codes, capsys) == ("categorical", "3 labels")
    codes[3] = None
    assert told(codes, capsys) == ("categorical", "3 labels")
