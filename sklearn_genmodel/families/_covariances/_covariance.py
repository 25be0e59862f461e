"""What every shape that Gaussian covariances may take has to offer.

With x about a fixed centre, every structure writes the Gaussian log-density as natural . features
and collects counts, sums and packed second moments ("products"). ``pair(a, b)`` packs the
symmetric product of two vectors per component, so that re-centring and scatter are one formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._numerics._blas import thin_product

__all__ = ["LOG_2PI", "Pooled", "Structure", "normalizer"]

LOG_2PI = float(np.log(2.0 * np.pi))
# More components than a mixture has.
ANY_NUMBER = 10**6


class Structure(ABC):
    """What `Gaussian` asks of a covariance structure; K components, d features.

    ``coupled``: the components have something in common; ``shared``: the covariances lack the
    component axis; ``has_coordinates``: `to_vector` and `from_vector` are defined; ``divides``:
    `covariances` only divides the scatter by the counts. The components may be those of
    ``n_mixtures``, one after the other, of which only those of the same one have anything in
    common; ``alone`` is then the structure of one of these mixtures.
    """

    n_mixtures: int = 1
    alone: Structure
    coupled: bool = False
    shared: bool = False
    has_coordinates: bool = True
    divides: bool = False

    @abstractmethod
    def factor(self, covariances: Any) -> Any:
        """Cholesky factors, or standard deviations where covariances are diagonal."""

    @abstractmethod
    def natural(self, means: Array, factor: Any, whitener: Any) -> Array:
        """Coefficients of `features`, (K, n_features_out), minus the log-normaliser first.

        The whitener is that of the factor.
        """

    @abstractmethod
    def width(self, n_features: int) -> int:
        """Number of features (1, x, second-order terms) of a row."""

    @abstractmethod
    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        """Write the second-order terms below the rows (1, x) of features."""

    @abstractmethod
    def pair(self, a: Array, b: Array) -> Array:
        """Packed symmetric product of the rows of a and b, both (K, d)."""

    def packed(self, matrices: Array) -> Array:
        """Symmetric matrices, (K, d, d), packed as products are."""
        n_components, d, _ = matrices.shape
        units = np.broadcast_to(np.eye(d)[:, None], (d, n_components, d))
        columns = (self.pair(matrices[:, :, j], units[j]) for j in range(d))
        return np.asarray(sum(columns))

    @abstractmethod
    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Any = None
    ) -> Any:
        """Maximum-likelihood covariances from packed scatter about the means.

        Where they are found by iteration, it starts from the current ones and ends no lower.
        """

    @abstractmethod
    def within(self, scatter: Array, n_features: int) -> Array:
        """Within-component sums of squares per column, (d,), from packed scatter."""

    @abstractmethod
    def floor(self, covariances: Any, minimum: Array) -> Any:
        """Best covariances under the constraint that they exceed diag(minimum)."""

    @abstractmethod
    def exceeds(self, covariances: Any, minimum: Array) -> bool:
        """Whether covariances need no floor: they are what it leaves as they are."""

    @abstractmethod
    def products(self, resp: Array, y: Array) -> Array:
        """Packed weighted second moments of the columns y, (d, n_samples), of one component."""

    @abstractmethod
    def dense(self, covariances: Any, n_components: int, n_features: int) -> Array:
        """Covariance matrices, (K, d, d)."""

    @abstractmethod
    def whiten(self, y: Array, whitener: Any, k: int) -> Array:
        """Columns y, (d, n_samples), about the mean of component k, in its own units."""

    @abstractmethod
    def scales(self, factor: Any) -> Array:
        """Standard deviation of every column, broadcastable to (K, d)."""

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free covariance parameters."""

    @abstractmethod
    def to_vector(self, factor: Any) -> Array:
        """Unconstrained coordinates: logs of the factor's diagonal, the rest as it is."""

    @abstractmethod
    def from_vector(self, vector: Array, factor: Any) -> Any:
        """Covariances from `to_vector`, with the shapes of the factor given."""

    def side_by_side(self, n_mixtures: int) -> Structure | None:
        """Structure of the components of several mixtures, a matrix each; None if there is none."""
        return None if self.coupled else self

    def n_sharing(self, n_components: int) -> int:
        """Number of components that one matrix is of."""
        return n_components if self.shared else 1

    def _of_mixtures(self, n_mixtures: int) -> Structure:
        """A copy for several mixtures."""
        structure = copy(self)
        structure.n_mixtures, structure.alone = n_mixtures, self
        return structure

    def whitener(self, factor: Any) -> Any:
        """What `complete` and `whiten` take, prepared once a pass."""
        return factor

    def half_log_det(self, factor: Any, n_components: int, n_features: int) -> Array:
        """Half the log-determinants, (K, 1): what the normaliser of a mean of 0 leaves."""
        zeros = np.zeros((n_components, n_features))
        constants = self.natural(zeros, factor, self.whitener(factor))[:, :1]
        return -constants - 0.5 * n_features * LOG_2PI

    def features(self, x: Array, whitener: Any) -> Array:
        """Features of columns x, (width, n_samples)."""
        d, n_samples = x.shape
        features = np.empty((self.width(d), n_samples))
        features[0], features[1 : 1 + d] = 1.0, x
        self.complete(features, d, whitener)
        return features

    def accumulate(self, resp: Array, features: Array, n_features: int) -> tuple[Array, ...]:
        """Counts (K,), sums (K, d) and packed products of weighted features."""
        moments = thin_product(resp, features.T)
        return moments[:, 0], moments[:, 1 : 1 + n_features], moments[:, 1 + n_features :]

    def second_moments(self, resp: Array, second: Array) -> Array:
        """Packed products of weighted rows, from their second-order terms (n_rows, ...)."""
        if self.shared:
            return thin_product(second.T, resp.sum(axis=0))
        return thin_product(resp, second)

    def collect(self, resp: Array, y: Array) -> tuple[Array, Array, Array]:
        """Moments of one component's columns y, (d, n_samples), without their features."""
        return resp.sum(keepdims=True), thin_product(y, resp)[None], self.products(resp, y)

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        """Whether a row has so many features that products per component are cheaper."""
        return False

    def magnitudes(self, far: Array, whitener: Any) -> Array:
        """Sums of absolute terms of `whiten` of a vector per component, both (K, d)."""
        return np.asarray(np.einsum("kij,kj->ki", np.abs(whitener), far))

    def pass_width(self, n_features: int, n_components: int | None) -> int:
        """Size of the features of a row, or of three rows where they are never formed."""
        if self.prefers_triangular(n_components or ANY_NUMBER, n_features):
            return 1 + 3 * n_features
        return self.width(n_features)

    def prefers_rows(self, n_features: int) -> bool:
        """Whether products with rows as they lie and with their `second_order` are cheapest."""
        return False

    def second_order(self, rows: Array, out: Array) -> Array:
        """Write the second-order terms of rows, (n_rows, width - 1 - n_features)."""
        raise NotImplementedError

    @property
    def compares(self) -> bool:
        """Whether `constrained` keeps the current covariances where it finds none better."""
        return False

    @property
    def bounded(self) -> bool:
        """Whether `constrained` searches above the floor, as quickly as without one."""
        return False

    @property
    def pools_columns(self) -> bool:
        """Whether columns share their variance, so that one of them may be constant."""
        return False

    def constrained(
        self, scatter: Array, counts: Array, n_features: int, minimum: Array, current: Any = None
    ) -> Any:
        """Best covariances from packed scatter that exceed diag(minimum)."""
        return self.floor(self.covariances(scatter, counts, n_features, current), minimum)


class Pooled(Structure):
    """A matrix per component, the same for all components of a mixture.

    Placed before the structure with free matrices that it is of.
    """

    coupled: bool = True
    divides: bool = False

    def __init__(self, alone: Structure, n_mixtures: int) -> None:
        self.alone, self.n_mixtures = alone, n_mixtures

    def n_sharing(self, n_components: int) -> int:
        return n_components // self.n_mixtures

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Any = None
    ) -> Array:
        total = scatter.reshape(self.n_mixtures, -1, scatter.shape[1]).sum(axis=1)
        n = counts.reshape(self.n_mixtures, -1).sum(axis=1)
        found = super().covariances(total, n, n_features)  # type: ignore[safe-super]
        return np.repeat(found, len(counts) // self.n_mixtures, axis=0)


def normalizer(means: Array, linear: Array, half_log_det: Array) -> Array:
    """Minus the log-normaliser, (K, 1): -(d log 2 pi + log det + mu' P mu) / 2."""
    mahalanobis = np.einsum("ki,ki->k", linear, means)
    constant: Array = -0.5 * (means.shape[1] * LOG_2PI + mahalanobis) - half_log_det
    return constant[:, None]
