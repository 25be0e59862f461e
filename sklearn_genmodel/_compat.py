"""The one place that knows what differs between scikit-learn versions."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from types import NoneType
from typing import Any, Protocol

import numpy as np
from sklearn.utils._indexing import _get_column_indices as column_positions

__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "as_generator",
    "column_positions",
    "full_repr",
    "with_callbacks",
]

# scikit-learn and NumPy cut long representations short.
UNLIMITED = 10**9

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
