"""The data sets that ship: their shapes, and numbers published about them."""

import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from sklearn_genmodel import datasets
from sklearn_genmodel.datasets import (
    load_airquality,
    load_biochemists,
    load_deaths,
    load_old_faithful,
    load_pima,
    load_whiskey,
)

LOADERS = [
    load_old_faithful,
    load_deaths,
    load_whiskey,
    load_pima,
    load_biochemists,
    load_airquality,
]

# Households by brand, of 2,218 in all (manual of R's bayesm, data set `Scotch`).
HOUSEHOLDS = {
    "Chivas_Regal": 806,
    "Dewar_s_White_Label": 517,
    "Johnnie_Walker_Black_Label": 502,
    "J_B": 458,
    "Johnnie_Walker_Red_Label": 424,
    "Other_brands": 414,
    "Glenlivet": 354,
    "Cutty_Sark": 339,
    "Glenfiddich": 334,
    "Pinch__Haig_": 117,
    "Clan_MacGregor": 103,
    "Ballantine": 99,
    "Macallan": 95,
    "Passport": 82,
    "Black___White": 81,
    "Scoresby_Rare": 79,
    "Grant_s": 74,
    "Ushers": 67,
    "White_Horse": 62,
    "Knockando": 47,
    "Singleton": 31,
}


def test_old_faithful():
    geyser = load_old_faithful()
    assert geyser.data.shape == (272, 2)
    assert geyser.feature_names == ["eruptions", "waiting"]
    # As R's summary(faithful), mean and extremes.
    np.testing.assert_allclose(geyser.data.mean(axis=0), [3.488, 70.90], atol=5e-3)
    np.testing.assert_array_equal(geyser.data.min(axis=0), [1.6, 43])
    np.testing.assert_array_equal(geyser.data.max(axis=0), [5.1, 96])


def test_deaths_table():
    deaths = load_deaths()
    assert deaths.feature_names == ["count"]
    np.testing.assert_array_equal(deaths.data[:, 0], np.arange(10))
    # Hasselblad (1969), table 1.
    days = [162, 267, 271, 185, 111, 61, 27, 8, 3, 1]
    np.testing.assert_array_equal(deaths.sample_weight, days)
    assert deaths.sample_weight.sum() == 365 + 365 + 366


def test_deaths_expanded():
    table, days = load_deaths(), load_deaths(expand=True)
    assert days.data.shape == (1096, 1)
    assert days.sample_weight is None
    counts, frequencies = np.unique(days.data, return_counts=True)
    np.testing.assert_array_equal(counts, table.data[:, 0])
    np.testing.assert_array_equal(frequencies, table.sample_weight)
    assert days.data.mean() == pytest.approx(2.156934, abs=1e-6)


def test_whiskey():
    survey = load_whiskey()
    assert survey.data.shape == (484, 21)
    assert survey.sample_weight.sum() == 2218
    assert set(np.unique(survey.data)) == {0.0, 1.0}
    assert len(np.unique(survey.data, axis=0)) == 484
    households = survey.sample_weight @ survey.data
    assert dict(zip(survey.feature_names, households, strict=True)) == HOUSEHOLDS


def test_pima():
    pima = load_pima()
    columns = dict(zip(pima.feature_names, pima.data.T, strict=True))
    missing = {name: int(np.isnan(column).sum()) for name, column in columns.items()}
    # Manual of R's MASS: `Pima.tr2` is the 200 complete subjects and 100 with missing values.
    assert not np.isnan(pima.data[:200]).any()
    assert np.isnan(pima.data[200:]).any(axis=1).all()
    # As R's summary(Pima.tr2).
    seen = {name: number for name, number in missing.items() if number}
    assert seen == {"bp": 13, "skin": 98, "bmi": 3}
    assert np.bincount(columns["type"].astype(int)).tolist() == [194, 106]
    assert pima.categories == {"type": ["No", "Yes"]}
    means = [3.787, 123.7, 72.32, 29.15, 32.05, 0.4357, 33.10]
    np.testing.assert_allclose(np.nanmean(pima.data[:, :7], axis=0), means, rtol=5e-4)


def test_biochemists():
    students = load_biochemists()
    assert students.data.shape == (915, 6)
    assert not np.isnan(students.data).any()
    columns = dict(zip(students.feature_names, students.data.T, strict=True))
    # Long (1997), chapter 8: means and standard deviations of the 915 students.
    means = {"art": 1.69, "fem": 0.46, "mar": 1 - 0.66, "kid5": 0.50, "phd": 3.10, "ment": 8.77}
    deviations = {"art": 1.93, "fem": 0.50, "mar": 0.47, "kid5": 0.76, "phd": 0.98, "ment": 9.48}
    for name, column in columns.items():
        assert column.mean() == pytest.approx(means[name], abs=5.1e-3), name
        assert column.std(ddof=1) == pytest.approx(deviations[name], abs=5.1e-3), name
    assert students.categories == {"fem": ["Men", "Women"], "mar": ["Married", "Single"]}


def test_airquality():
    days = load_airquality()
    assert np.isnan(days.data).sum(axis=0).tolist() == [37, 7, 0, 0, 0, 0]
    # As R's summary(airquality).
    np.testing.assert_allclose(
        np.nanmean(days.data[:, :4], axis=0), [42.13, 185.9, 9.958, 77.88], rtol=5e-4
    )
    months, lengths = np.unique(days.data[:, 4], return_counts=True)
    np.testing.assert_array_equal(months, [5, 6, 7, 8, 9])
    np.testing.assert_array_equal(lengths, [31, 30, 31, 31, 30])


@pytest.mark.parametrize("load", LOADERS)
def test_bunch(load):
    bunch = load()
    assert bunch.data.dtype == np.float64
    assert bunch.data.shape[1] == len(bunch.feature_names)
    assert bunch.frame is None
    assert files(datasets).joinpath("data", bunch.filename).is_file()
    for section in ("Rows", "Columns", "Row weights", "Missing values", "Provenance"):
        assert f"{section}:" in bunch.DESCR
    assert "References\n----------" in bunch.DESCR


@pytest.mark.parametrize("load", LOADERS)
def test_each_call_returns_its_own_arrays(load):
    load().data[:] = -1
    assert np.nanmin(load().data) >= 0


@pytest.mark.parametrize(
    ("load", "frequency_names"),
    [
        (load_old_faithful, []),
        (load_deaths, ["freq"]),
        (load_whiskey, ["Freq"]),
        (lambda **options: load_deaths(expand=True, **options), []),
    ],
    ids=["old_faithful", "deaths", "whiskey", "deaths expanded"],
)
def test_as_frame(load, frequency_names):
    pd = pytest.importorskip("pandas")
    plain, framed = load(), load(as_frame=True)
    assert isinstance(framed.data, pd.DataFrame)
    assert list(framed.data) == plain.feature_names
    assert list(framed.frame) == plain.feature_names + frequency_names
    np.testing.assert_array_equal(framed.data, plain.data)
    for name in frequency_names:
        np.testing.assert_array_equal(framed.frame[name], plain.sample_weight)


@pytest.mark.parametrize(
    ("load", "words", "integers"),
    [
        (load_pima, ["type"], ["npreg", "glu", "age"]),
        (load_biochemists, ["fem", "mar"], ["art", "kid5", "ment"]),
        (load_airquality, [], ["Temp", "Month", "Day"]),
    ],
)
def test_frames_hold_words_integers_and_gaps(load, words, integers):
    pd = pytest.importorskip("pandas")
    plain, framed = load(), load(as_frame=True)
    frame = framed.data
    assert list(frame) == plain.feature_names
    for name, codes in zip(plain.feature_names, plain.data.T, strict=True):
        column = frame[name]
        if name in words:
            assert isinstance(column.dtype, pd.CategoricalDtype)
            assert list(column.cat.categories) == plain.categories[name]
            np.testing.assert_array_equal(column.cat.codes, codes)
        else:
            assert column.dtype == (np.int64 if name in integers else np.float64)
            np.testing.assert_array_equal(column, codes)


def test_words_are_those_of_the_file():
    pytest.importorskip("pandas")
    frame = load_biochemists(as_frame=True).frame
    assert frame.iloc[1, :3].tolist() == [0, "Women", "Single"]
    assert load_pima(as_frame=True).frame["type"].iloc[:3].tolist() == ["No", "Yes", "No"]


def test_as_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas"):
        load_old_faithful(as_frame=True)


def test_arrays_need_no_pandas():
    code = (
        "import sys; sys.modules['pandas'] = None; "
        "from sklearn_genmodel.datasets import load_pima, load_whiskey; load_pima(); load_whiskey()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
