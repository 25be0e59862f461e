"""Encoder and decoder as ONNX graphs, which run without torch and without this library."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import torch
from torch import nn

from sklearn_genmodel.vae._build import Model
from sklearn_genmodel.vae._likelihood import Likelihood
from sklearn_genmodel.vae._likelihoods import NegativeBinomial, Poisson
from sklearn_genmodel.vae._mixed import Mixed
from sklearn_genmodel.vae._more_likelihoods import Beta, Categorical, ZeroInflatedNegativeBinomial

__all__ = ["export_graph"]

GRAPH_NAMES = {"encoder": ("X", ["means", "scales"]), "decoder": ("Z", ["X"])}


def export_graph(model: Model, part: str, path: Any) -> None:
    """Write one half of a model to an ONNX file.

    Parameters
    ----------
    model : Model
        In single precision, on the CPU.
    part : {"encoder", "decoder"}
    path : str or path

    Raises
    ------
    ImportError
        If onnx or onnxscript are not installed.
    ValueError
        If there is no such part.
    """
    if part not in GRAPH_NAMES:
        raise ValueError(f"part={part!r}: choose 'encoder' or 'decoder'.")
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"to_onnx needs {package}: pip install 'sklearn-genmodel[torch,onnx]'."
            )
    is_encoder = part == "encoder"
    graph = (_EncoderGraph if is_encoder else _DecoderGraph)(model).eval()
    width = len(model.scaling.offset) if is_encoder else model.module.n_latent
    name, outputs = GRAPH_NAMES[part]
    with warnings.catch_warnings():
        # torch's exporter warns of its own plans.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (torch.full((2, width), 0.5, dtype=torch.float32),),
            str(path),
            input_names=[name],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


class _Graph(nn.Module):
    """A model and its scaling."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.module = model.module
        for name, values in model.scaling._asdict().items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        self.is_squashed = bool(model.scaling.squashed.any())


class _EncoderGraph(_Graph):
    """Rows in the units of the data to means and standard deviations of q(z | x)."""

    def forward(self, X: Any) -> tuple[Any, Any]:
        inputs = _features(self.module.likelihood, X)
        inputs = torch.nan_to_num((inputs - self.input_offset) / self.input_scale, 0.0)
        if self.is_squashed:
            inputs = torch.where(self.squashed > 0, torch.asinh(inputs), inputs)
        means, log_scales = self.module.posterior(inputs)
        return means, torch.exp(log_scales)


class _DecoderGraph(_Graph):
    """Latents to means of x in the units of the data; for labels, the most probable codes."""

    def forward(self, Z: Any) -> Any:
        return self.offset + self.scale * self.module.likelihood.mean(self.module.decoder(Z))


def _features(likelihood: Likelihood, X: Any) -> Any:
    """What `Likelihood.features` gives for arrays, for tensors."""
    if isinstance(likelihood, Mixed):
        parts = zip(likelihood.parts, likelihood.columns, strict=True)
        return torch.cat([_features(part, X[:, columns.tolist()]) for part, columns in parts], 1)
    if isinstance(likelihood, Categorical):
        columns = [
            torch.where(torch.isnan(X[:, [j]]), X[:, [j]], (X[:, [j]] == torch.arange(n)).float())
            for j, n in enumerate(likelihood.n_codes)
        ]
        return torch.cat(columns, 1)
    if isinstance(likelihood, (Poisson, NegativeBinomial, ZeroInflatedNegativeBinomial)):
        return torch.log1p(X)
    return torch.logit(X) if isinstance(likelihood, Beta) else X
