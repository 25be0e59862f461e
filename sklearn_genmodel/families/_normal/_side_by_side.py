"""Gaussian components of several mixtures in one, of which those of one share something."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.families._arrays import Array, Kernel, Shortened, map_params
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._covariances import _singular as singular
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._covariances._full import PooledFull
from sklearn_genmodel.families._normal._constants import shortened_mixtures
from sklearn_genmodel.families._normal._elliptical import Elliptical
from sklearn_genmodel.families._normal._moments import Moments, gaussian_kernel
from sklearn_genmodel.families._normal._update import summary

__all__ = ["SideBySide"]

Indices = NDArray[np.intp]


class SideBySide(Family):
    """What a pass over several mixtures at once asks of a family, every matrix held K times.

    The floor is relative to variances of the data, which are the same for all mixtures on complete
    rows, and taken over all of them where values are missing.

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
        """What the family needs of a row in a pass."""
        return self.family.width(n_features, n_components)

    def has_constants(self, n_components: int) -> bool:
        """Where one matrix is common to the components of a mixture."""
        return isinstance(self.structure, PooledFull) and self.family.has_constants(n_components)

    def constants(self, X: Array, sample_weight: Array) -> Any:
        """What is the same in every pass of the family."""
        return self.family.constants(X, sample_weight)

    def shortened(self, params: Any, constants: Any) -> Shortened | None:
        """A pass over what the components of each mixture differ in."""
        means, matrices = params
        return shortened_mixtures(self.structure, means, matrices, constants)

    def log_prior(self, params: Any) -> Array | float:
        """Log-density of the prior at every component, up to a constant."""
        if self.family.prior is None:
            return 0.0
        return self.family.known_prior().log_density(params, self.structure)

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
        return self.params(means, map_params(lambda *own: np.concatenate(own), *matrices))

    def unstack(self, params: Any, parts: list[Indices]) -> list[Any]:
        """Parameters of every mixture, those of the family."""
        means, matrices = params
        return [self.params(means[part], self._of_mixture(matrices, part)) for part in parts]

    def m_step(self, stats: Moments) -> Any:
        """That of every mixture: all at once, and by itself where the floor is in the way."""
        structure, current = self.structure, stats.current
        means, scatter, counts, minimum = summary(self.family, stats, stats.counts)
        scale = scatter, counts, means.shape[1]
        if structure.bounded:
            matrices = structure.constrained(*scale, minimum, current)
            low = self._sunk(current, minimum)
        else:
            matrices = structure.covariances(*scale, current)
            low = self._low(matrices, minimum, means.shape)
        found = self.params(means, matrices)
        for part in np.arange(len(means)).reshape(structure.n_mixtures, -1)[low]:
            own = self.stack([self.family.m_step(self._moments_of(stats, part))])
            map_params(partial(_overwrite, part), found, own)
        return found

    def _low(self, matrices: Array, minimum: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which mixtures have a matrix that does not exceed the floor, (n_mixtures,)."""
        n_mixtures = self.structure.n_mixtures
        if self.family.reg_covar == 0 or self.structure.exceeds(matrices, minimum):
            return np.zeros(n_mixtures, dtype=bool)
        smallest = singular.thinnest(self.structure.dense(matrices, *shape), np.diag(minimum))
        low: NDArray[np.bool_] = smallest.reshape(n_mixtures, -1).min(axis=1) <= 1.0
        return low

    def _sunk(self, current: Any, minimum: Array) -> NDArray[np.bool_]:
        """Which mixtures are below the floor already, (n_mixtures,)."""
        changed = np.zeros(self.structure.n_mixtures, dtype=bool)
        if current is not None:
            risen = self.structure.floor(current, minimum)
            map_params(partial(_note_changes, changed), risen, current)
        return changed

    def _of_mixture(self, matrices: Any, part: Indices) -> Any:
        """Matrices of one mixture, as the family holds them."""
        held = part[0] if self.family.shared else part
        return map_params(lambda array: array[held], matrices)

    def _moments_of(self, moments: Moments, part: Indices) -> Moments:
        """Those of one mixture, as its own structure packs them."""
        products, current = moments.products[part], moments.current
        if self.family.shared:
            products = products.sum(axis=0)
        if current is not None:
            current = self._of_mixture(current, part)
        sums = moments.centers[part], moments.counts[part], moments.sums[part]
        return Moments(self.structure.alone, *sums, products, current)


def _overwrite(part: Indices, whole: Array, values: Array) -> None:
    whole[part] = values


def _note_changes(changed: NDArray[np.bool_], one: Array, other: Array) -> None:
    """Add the mixtures in which two arrays differ."""
    np.logical_or(changed, (one != other).reshape(len(changed), -1).any(axis=1), out=changed)
