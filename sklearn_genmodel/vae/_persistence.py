"""Files that hold a fitted model as numbers and JSON, and nothing that is executed on loading."""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_genmodel.families import Columns
from sklearn_genmodel.vae._build import assemble
from sklearn_genmodel.vae._conv import ConvDecoder, ConvEncoder
from sklearn_genmodel.vae._data import Scaling
from sklearn_genmodel.vae._device import private_seed
from sklearn_genmodel.vae._plain import with_tensors, without_tensors
from sklearn_genmodel.vae._priors import MixturePrior, StandardNormal, VampPrior
from sklearn_genmodel.vae._state import Epoch
from sklearn_genmodel.vae._tables import make_likelihood, packed_reader, unpacked_reader

__all__ = [
    "VERSION",
    "PlainModule",
    "load_fitted",
    "packed_state",
    "save_fitted",
    "unpacked_state",
]

# The version is that of files, pickles and checkpoints.
FORMAT, VERSION = "sklearn_genmodel.VAEEstimator", 3
PARTS: dict[str, type[BaseEstimator]] = {
    known.__name__: known
    for known in (Columns, ConvDecoder, ConvEncoder, MixturePrior, StandardNormal, VampPrior)
}
NETWORKS = ("encoder", "decoder")
FITTED = ("n_iter_", "active_units_", "n_features_in_")


class PlainModule(NamedTuple):
    """A module as the arguments that make it and the arrays that fill it; ``frozen`` are names."""

    arguments: dict[str, Any]
    arrays: dict[str, Any]
    prior_started: bool
    frozen: list[str]


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
        "params": _packed_items(vae.get_params(deep=False)),
        "module": _packed_items(module.arguments),
        "fitted": {name: getattr(vae, name) for name in FITTED},
        "feature_names": _names(vae),
        "history": [[_packed("history", value) for value in epoch] for epoch in vae.history_],
        "table": packed_reader(vae._family),
        "prior_started": module.prior.started,
        "frozen": _frozen(module),
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
    vae = cls(**_unpacked_items(_known(cls, header["params"])))
    scaling = Scaling(*(tensors[f"scaling.{name}"].numpy() for name in Scaling._fields))
    prefix = "module."
    weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    arguments = _unpacked_items(header["module"])
    vae._family = unpacked_reader(arguments["likelihood"], header["table"])
    vae._schema, vae._scaling = None, scaling
    plain = PlainModule(arguments, weights, header["prior_started"], header["frozen"])
    vae.module_ = _rebuilt(plain, vae._family, scaling)
    vae.history_ = [Epoch(*epoch) for epoch in header["history"]]
    for name in FITTED:
        setattr(vae, name, header["fitted"][name])
    if header["feature_names"] is not None:
        vae.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return vae


def packed_state(state: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an estimator without tensors, for pickles and for skops.

    Parameters
    ----------
    state : dict

    Returns
    -------
    state : dict
        Modules of the user's own stay what they are, on the CPU.
    """
    module = state.get("module_")
    if module is None:
        return state
    plain = copy.deepcopy(module).cpu()
    if all(not callable(net) or _is_part(net) for net in map(module.arguments.get, NETWORKS)):
        arrays = {name: value.numpy() for name, value in plain.state_dict().items()}
        plain = PlainModule(module.arguments, arrays, module.prior.started, _frozen(module))
    training = without_tensors(state.get("_training"))
    return state | {"module_": plain, "_training": training, "_version": VERSION}


def unpacked_state(state: dict[str, Any]) -> dict[str, Any]:
    """Inverse of `packed_state`.

    Parameters
    ----------
    state : dict

    Returns
    -------
    state : dict

    Raises
    ------
    ValueError
        If another version of the library fitted the estimator.
    """
    if "module_" not in state:
        return state
    _check_version(state.get("_version"), "The pickle")
    state = {name: value for name, value in state.items() if name != "_version"}
    module = state["module_"]
    if isinstance(module, PlainModule):
        arrays = {name: torch.as_tensor(value) for name, value in module.arrays.items()}
        plain = module._replace(arrays=arrays)
        module = _rebuilt(plain, state["_family"], state["_scaling"])
    return state | {"module_": module, "_training": with_tensors(state["_training"])}


def _rebuilt(plain: PlainModule, family: Any, scaling: Scaling) -> Any:
    """A module of these arguments and tensors, on the CPU."""
    arguments: Any = SimpleNamespace(**plain.arguments)
    likelihood = make_likelihood(arguments, family, len(scaling.offset))
    with private_seed(0):
        module = assemble(arguments, likelihood, len(scaling.input_offset))
    module.prior.started = plain.prior_started
    in_double = torch.float64 in {value.dtype for value in plain.arrays.values()}
    module = module.to(torch.float64 if in_double else torch.float32)
    module.load_state_dict(plain.arrays)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in plain.frozen)
    return module.eval()


def _frozen(module: Any) -> list[str]:
    """Names of the parameters that training leaves alone."""
    return [name for name, value in module.named_parameters() if not value.requires_grad]


def _packed_items(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: _packed(name, value) for name, value in arguments.items()}


def _unpacked_items(packed: dict[str, Any]) -> dict[str, Any]:
    return {name: _unpacked(value) for name, value in packed.items()}


def _is_part(value: Any) -> bool:
    return PARTS.get(type(value).__name__) is type(value)


def _packed(name: str, value: Any) -> Any:
    """An argument as JSON."""
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        value = value.item()
    if name == "random_state" and not isinstance(value, int):
        return None
    if name == "device":
        return str(value)
    if _is_part(value):
        arguments = {key: _packed(key, part) for key, part in value.get_params(deep=False).items()}
        return {"class": type(value).__name__, "arguments": arguments}
    if isinstance(value, list):
        return {"list": [_packed(name, part) for part in value]}
    if isinstance(value, tuple):
        return [_packed(name, part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{name}={value!r} cannot be saved: a file holds numbers and names, and nothing that would "
        "be executed on loading. Use pickle, or one of the networks and optimisers by name."
    )


def _unpacked(value: Any) -> Any:
    """An argument from JSON, in which tuples are lists."""
    if isinstance(value, dict) and "list" in value:
        return [_unpacked(part) for part in value["list"]]
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
    _check_version(header.get("version"), path)
    return header


def _check_version(version: Any, source: Any) -> None:
    """Refuse numbers that mean something else here."""
    if version != VERSION:
        raise ValueError(
            f"{source} is of version {version!r}; this version of the library reads version "
            f"{VERSION}: load it with the version that wrote it."
        )


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
