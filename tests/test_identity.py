"""What tells functions and objects from others."""

import functools

import numpy as np
import pytest

from sklearn_genmodel._identity import alike, identity
from sklearn_genmodel.families import CustomFamily, Gaussian


class Holder:
    """An object that holds a value, and itself."""

    def __init__(self, value):
        self.value, self.me = value, self

    def __call__(self):
        return self.value

    def method(self):
        return self.value


def closure(value):
    return lambda: value


def default(value):
    return lambda x=value: x


def nested(value):
    return closure(closure(value))


def partial(value):
    return functools.partial(max, value)


def family(value):
    return CustomFamily(Holder(value), closure(value), 1)


def method(value):
    return Holder(value).method


def listed(value):
    return [{"a": (value, closure(value))}, {value}]


def counted(value):
    """Calls itself."""

    def f(n):
        return f(n - 1) + value if n else 0

    return f


@pytest.mark.parametrize(
    "make", [Holder, closure, default, nested, partial, family, method, listed, counted]
)
def test_what_holds_other_values_is_another(make):
    assert identity(make(1)) == identity(make(1))
    assert identity(make(1)) != identity(make(2))


def test_arrays_by_content():
    a = np.random.default_rng(0).normal(size=200_000)
    b = a.copy()
    assert identity(closure(a)) == identity(closure(b))
    b[100_000] += 1e-15
    assert identity(closure(a)) != identity(closure(b))
    assert identity(a.reshape(2, -1)) != identity(a)
    one, other = (np.array([values[0], None], dtype=object) for values in (a, a + 1.0))
    assert identity(one) != identity(other)


def test_parameters_of_estimators():
    assert identity(Gaussian()) == identity(Gaussian("full"))
    assert identity(Gaussian()) != identity(Gaussian("diag"))


def test_a_variable_that_is_not_there_yet():
    def uses():
        return later()

    before = identity(uses)

    def later():
        return 1

    assert identity(uses) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"weights": [0.5, 0.5]}, {"weights": np.array([0.5, 0.5])}),
        ({"a": 1, "b": "all"}, {"b": np.str_("all"), "a": np.array(1.0)}),
        ([[1], [np.nan]], [[1.0], [np.float64("nan")]]),
        ([[1, 2], [np.nan, 3]], np.array([[1.0, 2.0], [np.nan, 3.0]])),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.array(["a", None], dtype=object), ("a", None)),
    ],
)
def test_values_count_and_not_their_types(one, other):
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": [0.5, 0.5]}, {"a": np.array([0.4, 0.6])}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ([1.0, np.nan], [np.nan, 1.0]),
        (np.ones((2, 1)), np.ones(2)),
        (np.ones((2, 1)), [1.0, 1.0]),
        (np.array(["a", "b"]), ["a", "c"]),
        ("1", 1),
        (None, np.nan),
    ],
)
def test_other_values_are_not_alike(one, other):
    assert not alike(one, other)
    assert not alike(other, one)


def test_functions_that_call_others_are_others():
    logs, powers, same = (
        (lambda x: np.log(x) + 1),
        (lambda x: np.exp(x) + 1),
        lambda x: np.log(x) + 1,
    )
    assert identity(logs) != identity(powers)
    assert identity(logs) == identity(same)
