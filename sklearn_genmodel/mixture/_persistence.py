"""Files that hold a fitted mixture as numbers and JSON, and nothing that is executed on loading."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel import em, families
from sklearn_genmodel.mixture._continued import model_arguments

__all__ = ["SavedMixture"]

FORMAT, VERSION = "sklearn_genmodel.EMMixture", 1
KEY = "sklearn_genmodel"
FITTED = ("family_", "weights_", "params_", "n_features_in_")
# What mixtures lack that were not fitted to data.
RECORD = (
    "lower_bound_",
    "lower_bounds_",
    "n_iter_",
    "converged_",
    "init_results_",
    "n_batches_",
    "_n_constraints",
)
# What a file may name: families, their parameters and priors, and the record of a start.
KNOWN: dict[str, type] = {
    name: value for name in families.__all__ if isinstance(value := getattr(families, name), type)
}
KNOWN |= {"MeanPrior": families._prior.MeanPrior, "StartResult": em.StartResult}
HOLD_FUNCTIONS = {"CustomFamily"}


class SavedMixture:
    """`save` and `load` of a fitted mixture."""

    def save(self, path: Any) -> None:
        """Write the fitted mixture to a file of numbers and JSON.

        It is in the format of safetensors if that package is installed, else in NumPy's ``.npz``;
        `load` reads both. What `partial_fit` remembers of its batches, without which it cannot go
        on, and the types of the columns of a data frame, are not part of it. Pickles hold
        everything.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        ValueError
            If the family or an argument holds a function or an object of yours.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn_genmodel import EMMixture
        >>> mixture = EMMixture(2, family="poisson", random_state=0).fit([[0], [1], [9], [11]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mixture.save(Path(folder) / "mixture")
        ...     loaded = EMMixture.load(Path(folder) / "mixture")
        >>> loaded.score([[3]]) == mixture.score([[3]])
        True
        """
        check_is_fitted(self, "params_")
        arrays: dict[str, NDArray[Any]] = {}
        fitted = [*FITTED, *(name for name in RECORD if name in vars(self))]
        names = getattr(self, "feature_names_in_", None)
        arguments = self.get_params(deep=False).items()  # type: ignore[attr-defined]
        header = {
            "format": FORMAT,
            "version": VERSION,
            "params": {name: _argument(name, value, arrays) for name, value in arguments},
            "fitted": {name: _packed(name, getattr(self, name), arrays) for name in fitted},
            "feature_names": None if names is None else [str(name) for name in names],
        }
        Path(path).write_bytes(_to_bytes(json.dumps(header), arrays))

    @classmethod
    def load(cls, path: Any) -> Any:
        """Read a mixture that `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        mixture : EMMixture

        Raises
        ------
        ValueError
            If the file is of another kind or version, or names what this version does not know.
        """
        header, arrays = _from_bytes(Path(path).read_bytes(), path)
        params = {name: _unpacked(value, arrays) for name, value in header["params"].items()}
        unknown = set(params) - set(cls().get_params(deep=False))  # type: ignore[attr-defined]
        if unknown:
            raise ValueError(
                f"The file has arguments that {cls.__name__} does not know: {', '.join(unknown)}."
            )
        mixture: Any = cls(**params)
        fitted = header["fitted"]
        for name in [*FITTED, *(name for name in RECORD if name in fitted)]:
            setattr(mixture, name, _unpacked(fitted[name], arrays))
        mixture.params_ = mixture.family_.floats(mixture.params_)
        mixture._schema = mixture._online = None
        mixture._model_arguments = model_arguments(mixture)
        if header["feature_names"] is not None:
            mixture.feature_names_in_ = np.array(header["feature_names"], dtype=object)
        return mixture


def _argument(name: str, value: Any, arrays: dict[str, Any]) -> Any:
    """An argument as JSON; generators are left out."""
    if name == "random_state" and not isinstance(value, (int, np.integer)):
        return None
    return _packed(name, value, arrays)


def _packed(name: str, value: Any, arrays: dict[str, Any]) -> Any:
    """A value as JSON, with its arrays put aside."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[f"array_{len(arrays)}"] = value
        return {"array": f"array_{len(arrays) - 1}"}
    kind = type(value).__name__
    if KNOWN.get(kind) is type(value) and kind not in HOLD_FUNCTIONS:
        fields = {key: _packed(name, part, arrays) for key, part in _fields(value).items()}
        return {"class": kind, "fields": fields}
    if type(value) in {list, tuple}:
        return {type(value).__name__: [_packed(name, part, arrays) for part in value]}
    if isinstance(value, slice):
        return {"slice": [_packed(name, x, arrays) for x in (value.start, value.stop, value.step)]}
    if type(value) is dict:
        return {"dict": [_packed(name, item, arrays) for item in value.items()]}
    raise ValueError(
        f"{name} holds {value!r}, which cannot be saved: a file holds numbers and names, and "
        "nothing that would be executed on loading. Use pickle."
    )


def _fields(value: Any) -> dict[str, Any]:
    """What the constructor of a known class is given."""
    if isinstance(value, BaseEstimator):
        return dict(value.get_params(deep=False))
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return dict(value._asdict())


def _unpacked(value: Any, arrays: dict[str, Any]) -> Any:
    """A value from JSON and arrays; inverse of `_packed`."""
    if not isinstance(value, dict):
        return value
    if "class" in value:
        kind = value["class"]
        if kind not in KNOWN or kind in HOLD_FUNCTIONS:
            raise ValueError(f"The file names {kind!r}, which is not known here.")
        fields = {name: _unpacked(part, arrays) for name, part in value["fields"].items()}
        try:
            return KNOWN[kind](**fields)
        except TypeError as error:
            raise ValueError(f"The file gives {kind} what it does not take: {error}.") from error
    ((tag, content),) = value.items()
    if tag == "array" and content in arrays:
        return arrays[content]
    if tag not in MAKERS:
        raise ValueError(f"The file holds a {tag!r}, {content!r}, which is not known here.")
    return MAKERS[tag]([_unpacked(part, arrays) for part in content])


MAKERS: dict[str, Callable[[list[Any]], Any]] = {
    "dict": dict,
    "list": list,
    "slice": lambda ends: slice(*ends),
    "tuple": tuple,
}


def _to_bytes(header: str, arrays: dict[str, NDArray[Any]]) -> bytes:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if importlib.util.find_spec("safetensors"):
        safetensors: Any = importlib.import_module("safetensors.numpy")
        content: bytes = safetensors.save(whole, metadata={KEY: header})
        return content
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{KEY: np.array(header)}, **whole)
    return buffer.getvalue()


def _from_bytes(content: bytes, path: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of a file of ours."""
    try:
        text, arrays = _from_npz(content) if content[:2] == b"PK" else _from_safetensors(content)
        header: dict[str, Any] = json.loads(text)
        found = header["format"], header["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no file that EMMixture.save wrote.") from error
    if found[0] != FORMAT:
        raise ValueError(f"{path} holds {found[0]!r}, not a {FORMAT}.")
    if found[1] != VERSION:
        raise ValueError(
            f"{path} is of version {found[1]!r}; this version of the library reads version "
            f"{VERSION}: load it with the version that wrote it."
        )
    parts = [name for name in ("params", "fitted", "feature_names") if name not in header]
    absent = parts or [name for name in FITTED if name not in header["fitted"]]
    if absent:
        raise ValueError(f"{path} lacks {absent[0]!r}: it is damaged; save the mixture anew.")
    return header, arrays


def _from_npz(content: bytes) -> tuple[str, dict[str, NDArray[Any]]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    return str(arrays.pop(KEY)), arrays


def _from_safetensors(content: bytes) -> tuple[str, dict[str, NDArray[Any]]]:
    """The format: 8 bytes of length, a JSON header with places of the arrays, the arrays."""
    n_bytes = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + n_bytes])
    text, data = entries.pop("__metadata__")[KEY], memoryview(content)[8 + n_bytes :]
    arrays = {}
    for name, entry in entries.items():
        start, stop = entry["data_offsets"]
        values = np.frombuffer(data[start:stop], DTYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"]).copy()
    return text, arrays


DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}
