"""Gaussian components of several mixtures in one, of which those of one share something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, Kernel
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._covariances import _singular as singular
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._normal._elliptical import Elliptical
from sklearn_genmodel.families._normal._moments import Moments, gaussian_kernel
from sklearn_genmodel.families._normal._update import summary

__all__ = ["SideBySide"]


class SideBySide(Family):
    """What a pass over several mixtures at once asks of a family, every matrix held K times.

    Parameters
    ----------
    family : Elliptical
        Of Gaussian components, that of each mixture.
    structure : Structure
        For the components of all mixtures.
    params : callable
        Makes the family's parameters of means and matrices.
    """

    by_pattern = True
    allow_nan = True

    def __init__(
        self, family: Elliptical, structure: Structure, params: Callable[..., Any]
    ) -> None:
        self.family = family
        self.structure = structure
        self.params = params

    @property
    def prepare(self) -> Any:
        """As the family reads rows: what is made of them is made once for both."""
        return self.family.prepare

    def kernel(self, params: Any) -> Kernel:
        """Prepare these parameters for a pass over blocks of rows."""
        return gaussian_kernel(self.structure, *params)

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """What the structure needs of a row in a pass."""
        return self.structure.pass_width(n_features, n_components)

    def log_prior(self, params: Any) -> Array | float:
        """Log-density of the prior at every component, up to a constant."""
        return self.family.log_prior(params)

    def repeat(self, pooled: Any, n_components: int) -> Any:
        """As many components as are wanted from a one-component fit of the family."""
        return super().repeat(self.stack([pooled]), n_components)

    def stack(self, several: list[Any]) -> Any:
        """Components of several mixtures, each with a matrix of its own."""
        matrices = [params[1] for params in several]
        if self.family.shared:
            pairs = zip(matrices, several, strict=True)
            matrices = [np.repeat(matrix[None], len(params[0]), axis=0) for matrix, params in pairs]
        means = np.concatenate([params[0] for params in several])
        return self.params(means, np.concatenate(matrices))

    def unstack(self, params: Any, parts: list[NDArray[np.intp]]) -> list[Any]:
        """Parameters of every mixture, those of the family."""
        means, matrices = params
        held = [part[0] if self.family.shared else part for part in parts]
        pairs = zip(parts, held, strict=True)
        return [self.params(means[part], matrices[kept]) for part, kept in pairs]

    def m_step(self, stats: Moments) -> Any:
        """That of every mixture: all at once, and then by itself where the floor is reached."""
        means, scatter, counts, minimum = summary(self.family, stats, stats.counts)
        matrices = self.structure.covariances(scatter, counts, means.shape[1], stats.current)
        n_mixtures = self.structure.n_mixtures
        if self.family.reg_covar == 0:
            return self.params(means, matrices)
        dense = self.structure.dense(matrices, *means.shape)
        low = singular.thinnest(dense, np.diag(minimum)) <= 1.0
        parts = np.arange(len(means)).reshape(n_mixtures, -1)
        for part in parts[low.reshape(n_mixtures, -1).any(axis=1)]:
            own = self.family.m_step(self._moments_of(stats, part))
            means[part], matrices[part] = own
        return self.params(means, matrices)

    def _moments_of(self, moments: Moments, part: NDArray[np.intp]) -> Moments:
        """Those of one mixture, as its own structure packs them."""
        products, current = moments.products[part], moments.current
        if self.family.shared:
            products = products.sum(axis=0)
            current = None if current is None else current[part[0]]
        elif current is not None:
            current = current[part]
        sums = moments.centers[part], moments.counts[part], moments.sums[part]
        return Moments(self.structure.alone, *sums, products, current)
