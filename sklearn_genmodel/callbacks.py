"""Callbacks for long fits, for estimators that have scikit-learn's ``set_callbacks``."""

from __future__ import annotations

import contextlib
import glob
import numbers
import os
import pickle
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn_genmodel._validation import check_number

__all__ = ["Checkpoint"]

# How files end that are being written, after 8 letters.
UNSAVED = ".unsaved"
FORMAT = "sklearn_genmodel checkpoint 1"
# What pickle raises for bytes that are no pickle.
UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)


class Checkpoint:
    """Save the state of a fit every so often, and go on from it after a crash.

    For `EMMixture` and `VAEEstimator`, by ``set_callbacks``.

    A fit that was killed, started again with the same data, arguments and path, goes on from the
    last state saved and ends at the same parameters, bit for bit, as one that was not. The file is
    replaced atomically, so that a crash while saving leaves the one before (and what was written
    of the next, which the next fit removes); it is removed when the fit has come to its end.

    The file is a pickle: resume only from files of your own.

    Parameters
    ----------
    path : str or path-like
        Where to keep the state.
    every : float, default=60.0
        Seconds between two savings, at least; 0 saves after every pass.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.callbacks import Checkpoint
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> path = Path(tempfile.mkdtemp()) / "faithful.checkpoint"
    >>> mixture = EMMixture(2, random_state=0).set_callbacks(Checkpoint(path, every=0))
    >>> mixture.fit(load_old_faithful().data).converged_
    True
    """

    def __init__(self, path: Any, every: float = 60.0) -> None:
        check_number("every", every, numbers.Real, low=0)
        self.path = Path(path)
        self.every = every
        self._last_saved = -float("inf")
        self._warned = False

    def setup(self, estimator: Any, context: Any) -> None:
        """Start a fit; remove what a crash left of a saving."""
        self._last_saved, self._warned = time.monotonic(), False
        self._remove(*self._unsaved())

    def on_fit_task_begin(self, estimator: Any, context: Any, **kwargs: Any) -> None:
        """Nothing to do: the estimator hands over its state by itself."""

    def on_fit_task_end(self, estimator: Any, context: Any, **kwargs: Any) -> bool:
        """Never stop a fit."""
        return False

    def teardown(self, estimator: Any, context: Any) -> None:
        """Keep the file: a fit that failed may go on from it."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._last_saved >= self.every

    def load(self, fingerprint: str) -> Any:
        """State of an unfinished fit of the same data and arguments, or None.

        Parameters
        ----------
        fingerprint : str
            What tells fits apart.

        Returns
        -------
        state : object or None

        Raises
        ------
        ValueError
            If the file is of another fit, or no checkpoint.
        """
        if not self.path.exists():
            return None
        try:
            found = pickle.loads(self.path.read_bytes())
        except UNREADABLE as error:
            raise ValueError(f"{self.path} is no checkpoint: {error}. Move it away.") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"{self.path} is not of the format {FORMAT!r}: move it away.")
        if found["fingerprint"] != fingerprint:
            raise ValueError(
                f"{self.path} belongs to a fit with other data or arguments, or by another version "
                "of the library: pass those, move the file away, or choose another path."
            )
        return found["state"]

    def save(self, fingerprint: str, state: Any) -> None:
        """Save the state, if it is time to.

        A disk that is full does not end the fit, nor does what cannot be pickled: a warning is
        given, once, and the last file stays.

        Parameters
        ----------
        fingerprint : str
        state : object
        """
        if not self.is_due:
            return
        content = {"format": FORMAT, "fingerprint": fingerprint, "state": state}
        try:
            self._replace(_pickled(content))
        except (OSError, pickle.PicklingError) as error:
            self._warn(f"The checkpoint could not be saved: {error}. The fit goes on without it.")
        self._last_saved = time.monotonic()

    def finish(self) -> None:
        """Remove the file of a fit that has come to its end."""
        self._remove(self.path)

    def _unsaved(self) -> list[Path]:
        """Files of savings that have not come to their end."""
        return list(self.path.parent.glob(f"{glob.escape(self.path.name)}.????????{UNSAVED}"))

    def _remove(self, *paths: Path) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            self._warn(f"The checkpoint could not be removed: {error}.")

    def _warn(self, message: str) -> None:
        """Once a fit."""
        if not self._warned:
            warnings.warn(message, RuntimeWarning, stacklevel=3)
        self._warned = True

    def _replace(self, content: bytes) -> None:
        # A name of its own for every saving, lest two fits with one path write to one file.
        with tempfile.NamedTemporaryFile(
            dir=self.path.parent, prefix=f"{self.path.name}.", suffix=UNSAVED, delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(self.path)
            except OSError:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise


def _pickled(content: Any) -> bytes:
    """Bytes of a pickle; PicklingError, whatever pickle raises, for what cannot be pickled."""
    try:
        return pickle.dumps(content)
    except (AttributeError, TypeError) as error:
        raise pickle.PicklingError(str(error)) from error


class Checkpoints:
    """The checkpoints among an estimator's callbacks, as its fit uses them.

    Parameters
    ----------
    estimator : estimator
    fingerprint : callable
        Tells this fit from others; called if there are checkpoints.
    """

    def __init__(self, estimator: Any, fingerprint: Callable[[], str]) -> None:
        callbacks = getattr(estimator, "_skl_callbacks", None) or []
        self.all = [own for own in callbacks if isinstance(own, Checkpoint)]
        self.fingerprint = fingerprint() if self.all else ""

    def load(self) -> Any:
        """The state that the first checkpoint with one has, or None."""
        found = (checkpoint.load(self.fingerprint) for checkpoint in self.all)
        return next((state for state in found if state is not None), None)

    def save(self, state: Callable[[], Any]) -> None:
        """Let every checkpoint save the state, which is made if it is time to."""
        for checkpoint in self.all:
            if checkpoint.is_due:
                checkpoint.save(self.fingerprint, state())

    def finish(self) -> None:
        """Remove what only an unfinished fit needs."""
        for checkpoint in self.all:
            checkpoint.finish()
