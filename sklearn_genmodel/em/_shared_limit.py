"""Settings of the whole process that several threads may want at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["SharedLimit", "thread_pools"]


@cache
def thread_pools() -> ThreadpoolController:
    """The libraries with threads of their own, looked for once a process."""
    return ThreadpoolController()


class SharedLimit:
    """A limit that the first who needs it sets, and the last who needed it lifts.

    Were each to restore what it found, one that began within another's would restore its limit.

    Parameters
    ----------
    begin : callable
        Sets the limit, and returns the function that restores what was before.
    """

    def __init__(self, begin: Callable[[], Callable[[], None]]) -> None:
        self._begin, self._lock, self._n_users = begin, Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the limit while the context lasts."""
        with self._lock:
            if self._n_users == 0:
                self._restore = self._begin()
            self._n_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_users -= 1
                if self._n_users == 0:
                    self._restore()
