"""Whole fits of a reference record in every package, as the parameters that came out.

A fit takes the number of components, the family and a seed; the rest is the package's default
unless `tol` is given, in the package's own meaning. Log-likelihoods are computed from the
parameters by scipy, in double precision, for all packages alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "references"))
import _direct_evaluation  # noqa: E402
import _record_families  # noqa: E402
import _record_spikes  # noqa: E402
import _records  # noqa: E402

import sklearn_genmodel  # noqa: E402

Params = dict[str, Any]
UNLIMITED = 100_000
COMMON = ("full", "tied", "diag", "spherical")


class NotOfferedError(LookupError):
    """The package does not fit such a record."""


def ours(record: Any, X: Any, weights: Any, seed: int, tol: float | None = None) -> Any:
    """Our estimator, with its log-density and responsibilities."""
    family = _record_families.make_family(record)
    limits = {} if tol is None else {"tol": tol, "max_iter": UNLIMITED}
    mixture = sklearn_genmodel.EMMixture(
        _records.n_components(record), family=family, random_state=seed, **limits
    )
    return mixture.fit(X, sample_weight=weights)


def scikit_learn(record: Any, X: Any, weights: Any, seed: int, tol: float | None = None) -> Params:
    """scikit-learn: Gaussian components without weights."""
    if record["family"] != "gaussian" or record["covariance"] not in COMMON or weights is not None:
        raise NotOfferedError
    limits = {} if tol is None else {"tol": tol, "max_iter": UNLIMITED}
    mixture = GaussianMixture(
        record["K"], covariance_type=record["covariance"], random_state=seed, **limits
    ).fit(X)
    return {
        "weights": mixture.weights_,
        "means": mixture.means_,
        "covariances": mixture.covariances_,
    }


def stepmix(record: Any, X: Any, weights: Any, seed: int, tol: float | None = None) -> Params:
    """StepMix: Gaussian components, and tables of labels."""
    from stepmix.stepmix import StepMix

    family = record["family"]
    if family == "gaussian" and record["covariance"] in COMMON:
        measurement = f"gaussian_{record['covariance']}"
    elif family in ("bernoulli", "categorical"):
        measurement = {"bernoulli": "binary", "categorical": "categorical"}[family]
        measurement += "_nan" if np.isnan(X).any() else ""
    else:
        raise NotOfferedError
    limits = {} if tol is None else {"abs_tol": tol, "max_iter": UNLIMITED}
    K = _records.n_components(record)
    model = StepMix(K, measurement=measurement, random_state=seed, progress_bar=0, **limits)
    model.fit(X, sample_weight=weights)
    found = {"weights": model.weights_}
    if family == "gaussian":
        return found | {"means": model._mm.means_, "covariances": model._mm.covariances_}
    probs = np.asarray(model._mm.parameters["pis"]).T
    if family == "bernoulli":
        return found | {"probs": probs.T if probs.shape[0] == X.shape[1] else probs}
    return found | {"probs": probs.T.reshape(K, X.shape[1], -1)}


def pomegranate(record: Any, X: Any, weights: Any, seed: int, tol: float | None = None) -> Params:
    """pomegranate: Gaussian components, and columns of one family without missing cells."""
    import torch
    from pomegranate import distributions
    from pomegranate.gmm import GeneralMixtureModel

    family, kind = record["family"], record.get("covariance")
    makers: dict[str, Callable[[], Any]] = {
        "bernoulli": distributions.Bernoulli,
        "categorical": distributions.Categorical,
        "poisson": distributions.Poisson,
        "exponential": distributions.Exponential,
        "gamma": distributions.Gamma,
    }
    if family == "gaussian" and kind in ("full", "diag"):
        make: Callable[[], Any] = lambda: distributions.Normal(covariance_type=kind)  # noqa: E731
    elif family in makers and not np.isnan(X).any():
        make = makers[family]
    else:
        raise NotOfferedError
    dtype = torch.int64 if family == "categorical" else torch.float32
    limits = {} if tol is None else {"tol": tol, "max_iter": UNLIMITED}
    K = _records.n_components(record)
    model = GeneralMixtureModel([make() for _ in range(K)], random_state=seed, **limits)
    weight = None if weights is None else torch.tensor(weights[:, None], dtype=torch.float32)
    model.fit(torch.tensor(X, dtype=dtype), sample_weight=weight)

    def stacked(name: str) -> Any:
        return np.stack([getattr(d, name).numpy() for d in model.distributions]).astype(float)

    found = {"weights": model.priors.numpy().astype(float)}
    found["weights"] /= found["weights"].sum()
    if family == "gaussian":
        return found | {"means": stacked("means"), "covariances": stacked("covs")}
    if family in ("bernoulli", "categorical"):
        return found | {"probs": stacked("probs")}
    if family == "poisson":
        return found | {"rates": stacked("lambdas")}
    if family == "exponential":
        return found | {"rates": 1.0 / stacked("scales")}
    return found | {"shapes": stacked("shapes"), "scales": 1.0 / stacked("rates")}


def tgmm(record: Any, X: Any, weights: Any, seed: int, tol: float | None = None) -> Params:
    """tgmm: Gaussian components."""
    import torch
    from tgmm import GaussianMixture as TorchMixture

    kinds = {"tied": "tied_full"} | {
        kind: kind for kind in ("full", "diag", "spherical", "tied_diag", "tied_spherical")
    }
    if record["family"] != "gaussian" or record["covariance"] not in kinds:
        raise NotOfferedError
    limits = {} if tol is None else {"tol": tol, "max_iter": UNLIMITED}
    model = TorchMixture(
        record["K"],
        covariance_type=kinds[record["covariance"]],
        random_state=seed,
        device="cpu",
        **limits,
    )
    weight = None if weights is None else torch.tensor(weights)
    model.fit(torch.tensor(X), sample_weight=weight)
    return {
        "weights": model.weights_.numpy(),
        "means": model.means_.numpy(),
        "covariances": model.covariances_.numpy(),
    }


# The estimators, and tolerances in each one's own meaning that leave less than 1e-3 nats in total:
# loose first, for the dear ones are needed seldom.
FITS: dict[str, Callable[..., Any]] = {
    "ours": ours,
    "scikit-learn": scikit_learn,
    "StepMix": stepmix,
    "pomegranate": pomegranate,
    "tgmm": tgmm,
}
TOLERANCES = {
    "ours": (1e-7, 1e-8, 1e-9),
    "scikit-learn": (1e-7, 1e-9, 1e-11),
    "StepMix": (1e-7, 1e-9, 1e-11),
    "pomegranate": (1e-2, 1e-3, 1e-4),
    "tgmm": (1e-7, 1e-9, 1e-11),
}


def evaluate(record: Any, X: Any, weights: Any, fitted: Any) -> tuple[float, bool]:
    """Total log-likelihood in nats, and whether no component is degenerate."""
    if isinstance(fitted, dict):
        log_joint = _direct_evaluation.log_joint(X, fitted, record)
        log_density = np.logaddexp.reduce(log_joint, axis=1)
        resp = np.exp(log_joint - log_density[:, None])
        covariances, mixing = fitted.get("covariances"), fitted["weights"]
    else:
        log_density, resp = fitted.score_samples(X), fitted.predict_proba(X)
        covariances = getattr(fitted.params_, "covariances", None)
        mixing = fitted.weights_
    loglik = _direct_evaluation.total_loglik(log_density, weights)
    if record["family"] == "gaussian":
        kind = record["covariance"]
        sound = _record_spikes.is_admissible(mixing, covariances, kind, X, weights)
    else:
        sound = _record_spikes.is_admissible_partition(record, X, resp, weights)
    return loglik, sound
