"""Files that hold a fitted model as numbers and JSON, and nothing that is executed on loading."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_genmodel.vae._build import assemble
from sklearn_genmodel.vae._conv import ConvDecoder, ConvEncoder
from sklearn_genmodel.vae._data import Scaling
from sklearn_genmodel.vae._likelihood_names import LIKELIHOODS
from sklearn_genmodel.vae._more_likelihoods import Categorical
from sklearn_genmodel.vae._priors import MixturePrior, StandardNormal, VampPrior
from sklearn_genmodel.vae._state import Epoch

__all__ = ["load_fitted", "on_cpu", "save_fitted"]

FORMAT, VERSION = "sklearn_genmodel.VAEEstimator", 1
PARTS: dict[str, type[BaseEstimator]] = {
    known.__name__: known
    for known in (ConvDecoder, ConvEncoder, MixturePrior, StandardNormal, VampPrior)
}
FITTED = ("n_iter_", "active_units_", "n_features_in_")


def save_fitted(vae: Any, path: Any) -> None:
    """Write a fitted estimator to a file.

    Parameters
    ----------
    vae : VAEEstimator
    path : str or path

    Raises
    ------
    ValueError
        If an argument is a function or object of the user's, which a file cannot hold.
    """
    module = vae.module_
    header = {
        "format": FORMAT,
        "version": VERSION,
        "params": {
            name: _packed(name, value) for name, value in vae.get_params(deep=False).items()
        },
        "fitted": {name: getattr(vae, name) for name in FITTED},
        "feature_names": _names(vae),
        "history": [list(epoch) for epoch in vae.history_],
        "n_codes": getattr(module.likelihood, "n_codes", None),
        "prior_started": module.prior.started,
    }
    tensors = {f"module.{name}": value for name, value in module.state_dict().items()}
    scaling = vae._scaling._asdict().items()
    tensors |= {f"scaling.{name}": torch.tensor(value) for name, value in scaling}
    whole = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    metadata = {"sklearn_genmodel": json.dumps(header)}
    Path(path).write_bytes(_safetensors().save(whole, metadata=metadata))


def load_fitted(cls: Any, path: Any) -> Any:
    """Read an estimator from a file that `save_fitted` wrote.

    Parameters
    ----------
    cls : type
    path : str or path

    Returns
    -------
    vae : VAEEstimator

    Raises
    ------
    ValueError
        If the file is of another kind or version, or names what this version does not know.
    """
    content = Path(path).read_bytes()
    header = _header(content, path)
    tensors = _safetensors().load(content)
    vae = cls(**{name: _unpacked(value) for name, value in _known(cls, header["params"]).items()})
    scaling = Scaling(*(tensors[f"scaling.{name}"].numpy() for name in Scaling._fields))
    if header["n_codes"] is None:
        likelihood = LIKELIHOODS[vae.likelihood](len(scaling.offset), vae.decoder_scale)
    else:
        likelihood = Categorical(header["n_codes"])
    with torch.random.fork_rng(devices=[]):
        module = assemble(vae, likelihood, len(scaling.input_offset))
    module.prior.started = header["prior_started"]
    module = module.double() if vae.dtype == "float64" else module
    prefix = "module."
    weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    module.load_state_dict(weights)
    vae.module_, vae._scaling = module.eval(), scaling
    vae.history_ = [Epoch(*epoch) for epoch in header["history"]]
    for name in FITTED:
        setattr(vae, name, header["fitted"][name])
    if header["feature_names"] is not None:
        vae.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return vae


def on_cpu(value: Any) -> Any:
    """Copy of a module, state or container with all tensors on the CPU.

    Parameters
    ----------
    value : object

    Returns
    -------
    value : object
        The same object if it holds no tensor.
    """
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value).cpu()
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: on_cpu(part) for key, part in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(on_cpu(part) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: on_cpu(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value


def _packed(name: str, value: Any) -> Any:
    """An argument as JSON."""
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        value = value.item()
    if name == "random_state" and not isinstance(value, int):
        return None
    if name == "device":
        return str(value)
    if type(value).__name__ in PARTS and type(value) is PARTS[type(value).__name__]:
        arguments = {key: _packed(key, part) for key, part in value.get_params().items()}
        return {"class": type(value).__name__, "arguments": arguments}
    if isinstance(value, (tuple, list)):
        return [_packed(name, part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{name}={value!r} cannot be saved: a file holds numbers and names, and nothing that would "
        "be executed on loading. Use pickle, or one of the networks and optimisers by name."
    )


def _unpacked(value: Any) -> Any:
    """An argument from JSON; lists are tuples."""
    if isinstance(value, dict):
        if value.get("class") not in PARTS:
            raise ValueError(f"The file names {value.get('class')!r}, which is not known here.")
        arguments = {name: _unpacked(part) for name, part in value["arguments"].items()}
        return PARTS[value["class"]](**arguments)
    return tuple(map(_unpacked, value)) if isinstance(value, list) else value


def _known(cls: Any, params: dict[str, Any]) -> dict[str, Any]:
    unknown = set(params) - set(cls().get_params(deep=False))
    if unknown:
        raise ValueError(
            f"The file has arguments that {cls.__name__} does not know: {', '.join(unknown)}."
        )
    return params


def _header(content: bytes, path: Any) -> dict[str, Any]:
    """The JSON header of a safetensors file of ours: 8 bytes of length, then JSON."""
    n_bytes = int.from_bytes(content[:8], "little")
    try:
        metadata = json.loads(content[8 : 8 + n_bytes])["__metadata__"]["sklearn_genmodel"]
        header: dict[str, Any] = json.loads(metadata)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no file that VAEEstimator.save wrote.") from error
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} holds {header.get('format')!r}, not a {FORMAT}.")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path} is of version {header.get('version')!r}; this version of the library reads "
            f"version {VERSION}: load it with the version that wrote it."
        )
    return header


def _names(vae: Any) -> list[str] | None:
    names = getattr(vae, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _safetensors() -> Any:
    try:
        return importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise ImportError(
            "save and load need safetensors: pip install 'sklearn-genmodel[torch]', or use pickle."
        ) from error
