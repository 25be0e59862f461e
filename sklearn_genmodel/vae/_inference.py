"""What can be asked about rows: latents, bounds, densities, missing cells."""

from __future__ import annotations

import copy
import numbers
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._compat import as_generator
from sklearn_genmodel._validation import FrameSchema, check_number, check_weights
from sklearn_genmodel.vae._build import Model, inference_model
from sklearn_genmodel.vae._data import Rows, make_rows
from sklearn_genmodel.vae._evidence import log_evidence
from sklearn_genmodel.vae._likelihood import to_array
from sklearn_genmodel.vae._scoring import (
    Bound,
    bound_of_rows,
    by_blocks,
    importance_weighted,
    resampled_outputs,
)
from sklearn_genmodel.vae._tables import read_rows, rows_like_those_fitted

__all__ = ["LatentInference", "Posterior"]

Array = NDArray[np.float64]


class Posterior(NamedTuple):
    """q(z | x) of every row: means and standard deviations, (n_samples, n_latent) each."""

    means: Array
    scales: Array


def _has_components(vae: Any) -> bool:
    """Whether the prior of an estimator has components; what `available_if` asks."""
    prior = vae.module_.arguments["prior"] if hasattr(vae, "module_") else vae.prior
    if not isinstance(prior, str):
        return True
    raise AttributeError(
        f"prior={prior!r} has no components to predict: choose MixturePrior(n_components)."
    )


class LatentInference(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):
    """Methods of a fitted variational autoencoder that take rows.

    Needs ``module_``, ``_scaling``, ``_family``, ``_schema``, ``n_score_draws`` and
    ``random_state``.
    """

    module_: Any
    _scaling: Any
    _family: Any
    _schema: Any
    n_score_draws: int
    random_state: Any

    def posterior(self, X: Any) -> Posterior:
        """Means and standard deviations of q(z | x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        posterior : Posterior
            Named tuple of ``means`` and ``scales``, of shape (n_samples, n_latent).
        """
        model, rows, _ = self._rows(X)
        module = model.module
        means, log_scales = by_blocks(module, rows, 1, lambda part: module.posterior(part.inputs))
        return Posterior(means, np.exp(log_scales))

    def transform(self, X: Any) -> Array:
        """Posterior means, a function of the row alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        latents : ndarray of shape (n_samples, n_latent)
        """
        return self.posterior(X).means

    def elbo(self, X: Any) -> Bound:
        """Lower bound of log p(x) and its terms, in nats and in the units of the data (L3, L11).

        The expectation over q is the mean over `n_score_draws` draws that all rows share; the KL
        term is exact under a standard normal prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        bound : Bound
            Named tuple of arrays of shape (n_samples,): ``elbo``, ``reconstruction``, ``kl``,
            ``expected_log_joint``, ``entropy``; all constants included.
        """
        model, rows, X = self._rows(X)
        bound = bound_of_rows(model.module, rows, self.n_score_draws)
        jacobian = model.scaling.log_jacobian(X)
        return bound._replace(
            elbo=bound.elbo + jacobian,
            reconstruction=bound.reconstruction + jacobian,
            expected_log_joint=bound.expected_log_joint + jacobian,
        )

    def score_samples(self, X: Any) -> Array:
        """Estimate log p(x) of every row, in nats and in the units of the data (L4).

        log (1 / S) sum_s p(x | z_s) p(z_s) / q(z_s | x), with S = `n_score_draws` draws that all
        rows share. The estimate is a lower bound on average and rises to log p(x) with S.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Missing cells (NaN) are left out: the density is that of the others.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        model, rows, X = self._rows(X)
        decoder = self.module_.decoder
        # A copy only then: what is known of a decoder is kept with it.
        if any(part.training for part in decoder.modules()):
            decoder = copy.deepcopy(decoder).eval()
        log_density = log_evidence(model.module, rows, self.n_score_draws, decoder)
        return log_density + model.scaling.log_jacobian(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Weighted mean of `score_samples`, in nats per row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        log_density = self.score_samples(X)
        weights = check_weights(sample_weight, len(log_density))
        return float(np.average(log_density, weights=weights))

    @available_if(_has_components)
    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of every component of a `MixturePrior` or `VampPrior`.

        p(k | x) is the importance-weighted mean of p(k | z) over draws that all rows share. Until
        its warm-up is over, all components of a `MixturePrior` are the standard normal: a row has
        the same probability of each.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Rows sum to 1.
        """
        model, rows, _ = self._rows(X)
        # Of this copy: components that are still one are told apart too.
        model.module.prior.started = True
        components = model.module.components()
        return importance_weighted(
            model.module,
            rows,
            self.n_score_draws,
            lambda z: torch.softmax(components.log_joint(z), -1),
        )

    @available_if(_has_components)
    def predict(self, X: Any) -> NDArray[np.intp]:
        """Most probable component of every row, under a prior that has components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int, shape (n_samples,)
        """
        return self.predict_proba(X).argmax(axis=1)

    def impute(self, X: Any, *, draw: bool = False, random_state: Any = None) -> Array:
        """Fill missing cells, given those of the same row that were seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN where a cell is missing.
        draw : bool, default=False
            Whether to fill with a draw from p(missing | seen), by importance resampling, instead
            of its importance-weighted mean (for labels, the most probable one).
        random_state : int, RandomState, Generator or None, default=None
            Of the draws; None takes the estimator's own.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Cells that were seen are as they were. A frame for a frame, with its index, and, for a
            likelihood of labels or of `Columns`, whenever the fit saw a frame: of its types, where
            numbers in columns of integers are rounded. Likelihoods of numbers keep those of X.

        References
        ----------
        Mattei, P.-A. and Frellsen, J. (2019). MIWAE: deep generative modelling and imputation of
        incomplete data sets, section 3. International Conference on Machine Learning.
        """
        given = X
        model, rows, X = self._rows(X)
        if draw:
            rng = as_generator(self.random_state if random_state is None else random_state)
            outputs = resampled_outputs(model.module, rows, self.n_score_draws, rng)
            cells = model.module.likelihood.sample(outputs, rng)
        else:
            cells = self._expected_cells(model, rows)
        filled = np.where(np.isnan(X), model.scaling.to_data(cells), X)
        schema = self._schema if self._family and self._schema else FrameSchema.of(given)
        return rows_like_those_fitted(filled, self._family, schema, like=given)

    def _expected_cells(self, model: Model, rows: Rows) -> Array:
        module, likelihood = model.module, model.module.likelihood
        expectation = importance_weighted(
            module, rows, self.n_score_draws, lambda z: likelihood.expectation(module.decode(z))
        )
        return to_array(likelihood.cells(torch.as_tensor(expectation)))

    def _rows(self, X: Any) -> tuple[Model, Rows, Array]:
        """Checked rows, on the device of the model, and as an array."""
        check_is_fitted(self, "module_")
        check_number("n_score_draws", self.n_score_draws, numbers.Integral, low=1)
        model = inference_model(self.module_, self._scaling)
        likelihood = model.module.likelihood
        X = read_rows(self, X, self._family, likelihood)
        return model, make_rows(X, None, likelihood, model.scaling, model.module.like), X
