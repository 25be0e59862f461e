"""The shapes that Gaussian covariances may take, one class each.

With x about a fixed centre, every structure writes the Gaussian log-density as natural . features
and collects counts, sums and packed second moments ("products"). ``pair(a, b)`` packs the
symmetric product of two vectors per component, so that re-centring and scatter are one formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from sklearn_genmodel.families import _triangular as triangular
from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._triangles import exceeds, upper_triangle

__all__ = ["Full", "Structure", "Tied", "normalizer"]

LOG_2PI = float(np.log(2.0 * np.pi))
TRIANGULAR = 11.0


class Structure(ABC):
    """What `Gaussian` asks of a covariance structure; K components, d features.

    ``coupled``: the components have something in common; ``shared``: the covariances lack the
    component axis; ``has_coordinates``: `to_vector` and `from_vector` are defined; ``divides``:
    `covariances` only divides the scatter by the counts.
    """

    coupled: bool = False
    shared: bool = False
    has_coordinates: bool = True
    divides: bool = False

    @abstractmethod
    def factor(self, covariances: Any) -> Any:
        """Cholesky factors, or standard deviations where covariances are diagonal."""

    @abstractmethod
    def natural(self, means: Array, factor: Any) -> Array:
        """Coefficients of `features`, (K, n_features_out), minus the log-normaliser first."""

    @abstractmethod
    def width(self, n_features: int) -> int:
        """Number of features (1, x, second-order terms) of a row."""

    @abstractmethod
    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        """Write the second-order terms below the rows (1, x) of features."""

    @abstractmethod
    def pair(self, a: Array, b: Array) -> Array:
        """Packed symmetric product of the rows of a and b, both (K, d)."""

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

    def whitener(self, factor: Any) -> Any:
        """What `complete` and `whiten` take, prepared once a pass."""
        return factor

    def half_log_det(self, factor: Any, n_components: int, n_features: int) -> Array:
        """Half the log-determinants, (K, 1): what the normaliser of a mean of 0 leaves."""
        constants = self.natural(np.zeros((n_components, n_features)), factor)[:, :1]
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
        moments = resp @ features.T
        return moments[:, 0], moments[:, 1 : 1 + n_features], moments[:, 1 + n_features :]

    def collect(self, resp: Array, y: Array) -> tuple[Array, Array, Array]:
        """Moments of one component's columns y, (d, n_samples), without their features."""
        return resp.sum(keepdims=True), (y @ resp)[None], self.products(resp, y)

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        """Whether a row has so many features that products per component are cheaper."""
        return False

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
    def pools_columns(self) -> bool:
        """Whether columns share their variance, so that one of them may be constant."""
        return False

    def constrained(
        self, scatter: Array, counts: Array, n_features: int, minimum: Array, current: Any = None
    ) -> Any:
        """Best covariances from packed scatter that exceed diag(minimum)."""
        return self.floor(self.covariances(scatter, counts, n_features, current), minimum)


class Full(Structure):
    """One covariance matrix per component, (K, d, d); products are packed upper triangles."""

    divides: bool = True

    def factor(self, covariances: Array) -> Array:
        return np.asarray(np.linalg.cholesky(covariances), dtype=np.float64)

    def natural(self, means: Array, factor: Array) -> Array:
        inverse = np.linalg.inv(factor)
        precisions = inverse.swapaxes(1, 2) @ inverse
        linear = np.einsum("kij,kj->ki", precisions, means)
        i, j = upper_triangle(means.shape[1])
        quadratic = np.where(i == j, -0.5, -1.0) * precisions[:, i, j]
        half_log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        constant = normalizer(means, linear, half_log_det)
        return np.concatenate([constant, linear, quadratic], axis=1)

    def width(self, n_features: int) -> int:
        return 1 + n_features + n_features * (n_features + 1) // 2

    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        x, row = features[1 : 1 + n_features], 1 + n_features
        for i in range(n_features):
            below = row + n_features - i
            np.multiply(x[i], x[i:], out=features[row:below])
            row = below

    def pair(self, a: Array, b: Array) -> Array:
        return triangular.packed_pair(a, b)

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        return triangular.unpacked(scatter / np.maximum(counts, TINY)[:, None], n_features)

    def within(self, scatter: Array, n_features: int) -> Array:
        total = np.atleast_2d(scatter).sum(axis=0)
        return np.diagonal(self._unpack(total[None], n_features)[0])

    def floor(self, covariances: Array, minimum: Array) -> Array:
        if exceeds(covariances, minimum):
            return covariances
        # In units of the floor the best R >= I has S's eigenvectors and max(eigenvalue, 1).
        scale = np.sqrt(minimum)
        values, vectors = np.linalg.eigh(covariances / scale[:, None] / scale)
        raised = (vectors * np.maximum(values, 1.0)[..., None, :]) @ vectors.swapaxes(-1, -2)
        return raised * scale[:, None] * scale

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        # Where each costs the same, as measured for 1 to 64 components and 10 to 100 columns.
        return bool(n_features > TRIANGULAR * n_components**0.5)

    def products(self, resp: Array, y: Array) -> Array:
        return triangular.packed_square(y, resp)[None]

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return covariances

    def whitener(self, factor: Any) -> Any:
        # Products with inverses run several times as fast as solves, and about a component's own
        # mean they are as accurate: the error of either is that of the covariance's condition.
        return triangular.inverses(factor) if isinstance(factor, np.ndarray) else factor

    def half_log_det(self, factor: Any, n_components: int, n_features: int) -> Array:
        if not isinstance(factor, np.ndarray):
            return super().half_log_det(factor, n_components, n_features)
        zeros = np.zeros((n_components, n_features))
        half = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        # Rounded as the constants in `natural` are, so that the two cancel.
        return -normalizer(zeros, zeros, half) - 0.5 * n_features * LOG_2PI

    def whiten(self, y: Array, whitener: Any, k: int) -> Array:
        return triangular.lower_product(whitener[k], y)

    def scales(self, factor: Array) -> Array:
        scales: Array = np.sqrt(np.einsum("...ij,...ij->...i", factor, factor))
        return scales

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def to_vector(self, factor: Array) -> Array:
        return triangular.log_cholesky(factor)

    def from_vector(self, vector: Array, factor: Array) -> Array:
        lower = triangular.from_log_cholesky(vector, factor.shape)
        return lower @ lower.swapaxes(-1, -2)

    def _unpack(self, packed: Array, n_features: int) -> Array:
        return triangular.unpacked(packed, n_features)


class Tied(Full):
    """One matrix for all components, (d, d): its quadratic term and moments need no component."""

    coupled: bool = True
    shared: bool = True

    def natural(self, means: Array, factor: Array) -> Array:
        inverse = triangular.inverses(factor)
        linear = means @ inverse.T @ inverse
        half_log_det = np.log(np.diagonal(factor)).sum()
        constant = normalizer(means, linear, half_log_det)
        return np.concatenate([constant, linear, np.ones((len(means), 1))], axis=1)

    def width(self, n_features: int) -> int:
        return 2 + n_features

    def complete(self, features: Array, n_features: int, whitener: Any) -> None:
        whitened = triangular.lower_product(whitener, features[1:-1])
        np.einsum("ij,ij->j", whitened, whitened, out=features[-1])
        features[-1] *= -0.5

    def accumulate(self, resp: Array, features: Array, n_features: int) -> tuple[Array, ...]:
        first_order = features[: 1 + n_features]
        moments = resp @ first_order.T
        products = triangular.packed_square(first_order[1:], resp.sum(axis=0))
        return moments[:, 0], moments[:, 1:], products

    def pair(self, a: Array, b: Array) -> Array:
        product = a.T @ b
        return triangular.packed_upper(0.5 * (product + product.T))

    def covariances(
        self, scatter: Array, counts: Array, n_features: int, current: Array | None = None
    ) -> Array:
        matrix: Array = self._unpack(scatter[None], n_features)[0] / max(counts.sum(), TINY)
        return matrix

    def prefers_triangular(self, n_components: int, n_features: int) -> bool:
        return False

    def products(self, resp: Array, y: Array) -> Array:
        return super().products(resp, y)[0]

    def dense(self, covariances: Array, n_components: int, n_features: int) -> Array:
        return np.broadcast_to(covariances, (n_components, n_features, n_features))

    def whiten(self, y: Array, whitener: Any, k: int) -> Array:
        return triangular.lower_product(whitener, y)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2


def normalizer(means: Array, linear: Array, half_log_det: Array) -> Array:
    """Minus the log-normaliser, (K, 1): -(d log 2 pi + log det + mu' P mu) / 2."""
    mahalanobis = np.einsum("ki,ki->k", linear, means)
    constant: Array = -0.5 * (means.shape[1] * LOG_2PI + mahalanobis) - half_log_det
    return constant[:, None]
