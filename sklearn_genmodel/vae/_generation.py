"""What the decoder makes: rows of latents, samples, and paths through the latent space."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_genmodel._compat import as_generator
from sklearn_genmodel._validation import check_number, check_supports, given_row
from sklearn_genmodel.vae._build import Model, inference_model
from sklearn_genmodel.vae._data import make_rows
from sklearn_genmodel.vae._inference import LatentInference
from sklearn_genmodel.vae._likelihood import to_array
from sklearn_genmodel.vae._scoring import decoded
from sklearn_genmodel.vae._tables import rows_like_those_fitted
from sklearn_genmodel.vae._threads import computes_alone, over_chunks

__all__ = ["LatentGeneration"]

Array = NDArray[np.float64]


class LatentGeneration(LatentInference):
    """Methods of a fitted variational autoencoder that make rows (L15)."""

    def reconstruct(self, X: Any) -> Array:
        """Means of the decoder at the posterior means.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        """
        return self.inverse_transform(self.transform(X))

    def inverse_transform(self, X: Any) -> Array:
        """Means of x given latents.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_latent)
            Latents, as `transform` returns them; the name is scikit-learn's.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            In the units of the data.

        Raises
        ------
        ValueError
            If the latents have another shape, or are not finite.
        """
        check_is_fitted(self, "module_")
        model = inference_model(self.module_, self._scaling)
        Z = np.array(X, dtype=np.float64)
        module, n_latent = model.module, model.module.n_latent
        if Z.ndim != 2 or Z.shape[1] != n_latent or not len(Z):
            raise ValueError(
                f"Latents have shape {Z.shape}, expected (n_samples, {n_latent}) as `transform` "
                "returns them."
            )
        if not np.isfinite(Z).all():
            raise ValueError(f"Latents of row {np.argwhere(~np.isfinite(Z))[0, 0]} are not finite.")
        cells = to_array(decoded(module, _on_device(Z, model), module.likelihood.mean))
        return rows_like_those_fitted(model.scaling.to_data(cells), self._family, None)

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, return_mean: bool = False
    ) -> Array:
        """Draw rows: z from the prior, then x from the decoder's distribution.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState, Generator or None, default=None
            None takes the estimator's own ``random_state``.
        return_mean : bool, default=False
            Whether to return the means of x given z, without the noise of x.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            In the units of the data.
        """
        check_is_fitted(self, "module_")
        check_number("n_samples", n_samples, numbers.Integral, low=1)
        rng = as_generator(self.random_state if random_state is None else random_state)
        Z = self._draw_latents(n_samples, rng)
        if return_mean:
            return self.inverse_transform(Z)
        model = inference_model(self.module_, self._scaling)
        module = model.module
        outputs = decoded(module, _on_device(Z, model), lambda outputs: outputs)
        # All at once: in blocks, distributions that draw twice would draw other numbers.
        (cells,) = over_chunks(
            lambda outputs: module.likelihood.sample(outputs, rng),
            [outputs],
            alone=computes_alone(module),
        )
        return rows_like_those_fitted(model.scaling.to_data(cells), self._family, self._schema)

    def interpolate(self, first: Any, last: Any, n_steps: int = 10) -> Array:
        """Means of x on the straight line between the latents of two rows.

        Parameters
        ----------
        first, last : array-like of shape (n_features,), Series, frame of one row, or dict
            Columns that are not given are missing.
        n_steps : int, default=10
            Rows returned, both ends included.

        Returns
        -------
        X : ndarray of shape (n_steps, n_features)
        """
        check_number("n_steps", n_steps, numbers.Integral, low=2)
        start, end = self._latents_of(first, last)
        shares = np.linspace(0.0, 1.0, n_steps)[:, None]
        return self.inverse_transform((1.0 - shares) * start + shares * end)

    def traverse(self, unit: int, values: Any = None, row: Any = None) -> Array:
        """Means of x while one latent unit moves and the others stay.

        Parameters
        ----------
        unit : int
            Which latent unit, from 0.
        values : array-like of shape (n_values,), default=None
            Values of the unit; None is 9 values from -3 to 3.
        row : array-like of shape (n_features,), Series, frame of one row or dict, default=None
            Where the other units stay: at the latents of this row, or at 0.

        Returns
        -------
        X : ndarray of shape (n_values, n_features)

        Raises
        ------
        ValueError
            If there is no such latent unit.
        """
        check_is_fitted(self, "module_")
        n_latent = self.module_.n_latent
        check_number("unit", unit, numbers.Integral, low=0)
        if unit >= n_latent:
            raise ValueError(f"unit={unit}, but there are {n_latent} latent units, from 0.")
        values = np.linspace(-3.0, 3.0, 9) if values is None else np.asarray(values, dtype=float)
        values = np.atleast_1d(values)
        origin = np.zeros(n_latent) if row is None else self._latents_of(row)[0]
        Z = np.tile(origin, (len(values), 1))
        Z[:, unit] = values
        return self.inverse_transform(Z)

    def _latents_of(self, *given: Any) -> Array:
        """Posterior means of single rows."""
        check_is_fitted(self, "module_")
        model = inference_model(self.module_, self._scaling)
        module = model.module
        supports = module.likelihood.supports
        coded = supports if self._family is None else self._family.column_supports(len(supports))
        X = np.stack([given_row(self, row, coded) for row in given])
        check_supports(self, X, supports, fitting=False)
        rows = make_rows(X, None, module.likelihood, model.scaling, module.like)
        with torch.inference_mode():
            return to_array(module.posterior(rows.inputs)[0])

    def _draw_latents(self, n_samples: int, rng: np.random.Generator) -> Array:
        module = inference_model(self.module_, self._scaling).module
        with torch.inference_mode():
            components = module.components()
        weights = np.exp(to_array(components.log_weights))
        labels = rng.choice(len(weights), size=n_samples, p=weights / weights.sum())
        with torch.inference_mode():
            return components.draw(labels, rng)


def _on_device(values: Array, model: Model) -> Any:
    like = model.module.like
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)
