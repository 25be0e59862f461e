"""The one place that knows what differs between scikit-learn versions."""

from __future__ import annotations

import hashlib
import inspect
import numbers
import re
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, Protocol

import numpy as np
from sklearn.utils._indexing import _get_column_indices as column_positions

__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "as_generator",
    "column_positions",
    "describe_fit",
    "full_repr",
    "stable_repr",
    "with_callbacks",
]

# scikit-learn and NumPy cut long representations short.
UNLIMITED = 10**9
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# Arguments that change nothing, or that are told by the generator made of them.
UNTOLD = {"n_jobs", "random_state", "verbose"}

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in where scikit-learn has no callbacks."""

        def set_callbacks(self, *callbacks: Any) -> Any:
            """Refuse callbacks and say what brings them."""
            if callbacks:
                raise NotImplementedError("Callbacks need scikit-learn 1.9 or newer.")
            return self

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


class _Context(Protocol):
    def subcontext(self, *, task_name: str) -> _Context: ...

    def call_on_fit_task_begin(self, **kwargs: Any) -> bool: ...

    def call_on_fit_task_end(self, **kwargs: Any) -> bool: ...


class FitTask:
    """The fit of an estimator, told to its callbacks iteration by iteration.

    Parameters
    ----------
    estimator : estimator
    X, y : object
        The data, as the user passed them.
    sample_weight : object or None
    task_name : str, default="em-pass"
        What callbacks are told an iteration is.
    max_iter : int or None, default=None
        Largest number of iterations, where it is known in advance.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        task_name: str = "em-pass",
        max_iter: int | None = None,
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator, self.task_name = estimator, task_name
        self.data = {"X": X, "y": y, "metadata": metadata}
        self.context: _Context | None = None
        if getattr(estimator, "_skl_callbacks", None):
            self.context = estimator._init_callback_context(max_subtasks=max_iter)
            self.context.call_on_fit_task_begin(estimator=estimator, **self.data)

    def iteration(self, attributes: Callable[[], dict[str, Any]]) -> bool:
        """Tell the callbacks of one finished iteration; True if one of them asks to stop.

        Parameters
        ----------
        attributes : callable
            Makes the fitted attributes of an estimator that stopped here.

        Returns
        -------
        stop : bool
        """
        if self.context is None:
            return False
        task = self.context.subcontext(task_name=self.task_name)
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return task.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )

    def end(self, attributes: dict[str, Any]) -> None:
        """Tell the callbacks that the fit is over.

        Parameters
        ----------
        attributes : dict
            The fitted attributes of the estimator.
        """
        if self.context is not None:
            self.context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.data
            )


def full_repr(estimator: Any) -> str:
    """Class and all hyper-parameters of an estimator, with every digit of every array.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    text : str
    """
    with np.printoptions(threshold=UNLIMITED, floatmode="unique"):
        return str(estimator.__repr__(N_CHAR_MAX=UNLIMITED))


def stable_repr(value: Any, within: tuple[Any, ...] = ()) -> str:
    """Representation without addresses in memory, which differ from process to process.

    Functions without a name are told apart by what they do, objects by what they hold.

    Parameters
    ----------
    value : object
    within : tuple, default=()
        What holds the value, and is not looked at again if the value holds it.

    Returns
    -------
    text : str
    """
    with np.printoptions(threshold=UNLIMITED, floatmode="unique"):
        text = full_repr(value) if hasattr(value, "get_params") else repr(value)
    if not any(value is holder for holder in within):
        told = [stable_repr(part, (*within, value)) for part in _parts_of(value)]
        text += hashlib.sha256("".join(told).encode()).hexdigest() if told else ""
    return ADDRESS.sub("", text)


def _parts_of(value: Any) -> list[Any]:
    """What a function or a callable object does, and with what."""
    if inspect.ismethod(value):
        return [value.__func__, value.__self__]
    if inspect.isfunction(value):
        code = value.__code__
        done = code.co_code, code.co_consts, code.co_names
        held = inspect.getclosurevars(value).nonlocals
        return [*done, value.__defaults__, value.__kwdefaults__, *held.items()]
    is_object = callable(value) and not isinstance(value, type) and ADDRESS.search(repr(value))
    return list(getattr(value, "__dict__", {}).items()) if is_object else []


def describe_fit(estimator: Any, rng: np.random.Generator, start: Iterable[Any] = ()) -> str:
    """What the result of a fit depends on besides the rows.

    Parameters
    ----------
    estimator : estimator
    rng : Generator
        Made of its random_state, not drawn from yet.
    start : iterable of ndarray
        Parameters that it goes on from, if any.

    Returns
    -------
    text : str
    """
    params = estimator.get_params(deep=False)
    known = {name: stable_repr(params[name]) for name in sorted(set(params) - UNTOLD)}
    drawn = "" if params["random_state"] is None else repr(rng.bit_generator.state)
    begun = hashlib.sha256()
    for array in start:
        begun.update(np.ascontiguousarray(array).tobytes())
    return f"{type(estimator).__name__} {known} {drawn} {begun.hexdigest()}"


def as_generator(random_state: Any) -> np.random.Generator:
    """Turn what scikit-learn or NumPy take for a seed into a Generator.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None

    Returns
    -------
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    is_int = isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    is_seed = is_int and random_state >= 0
    if not is_seed and not isinstance(random_state, (np.random.Generator, NoneType)):
        raise ValueError(
            f"random_state must be an int of at least 0, a RandomState, a Generator or None, "
            f"got {random_state!r}."
        )
    return np.random.default_rng(random_state)
