"""Independent Weibull columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._columnwise import ColumnwiseFamily, diagonal_covariance
from sklearn_genmodel.families._numerics._newton import increasing_root
from sklearn_genmodel.families._numerics._special import log_ratio
from sklearn_genmodel.families._spikes import spikes
from sklearn_genmodel.families._support import POSITIVE, Support

__all__ = ["Weibull", "WeibullParams"]

# Beyond the largest shape, (x / scale)^shape has no digits left that depend on x.
SMALLEST_SHAPE, LARGEST_SHAPE = 1e-8, 1e8
LOG_SCALES = np.log(TINY), -np.log(TINY)
LARGEST_EXPONENT = 700.0
# Current log shapes that far from the estimate by moments are no better start than that.
NEAR = 2.0


class WeibullParams(NamedTuple):
    """Parameters of Weibull components: ``shapes``, ``scales``, (n_components, n_features)."""

    shapes: Array
    scales: Array


class Weibull(ColumnwiseFamily):
    """Positive columns, such as times to failure: Weibull, independent given the component.

    log p(x) = sum_j log(c_j / b_j) + (c_j - 1) log(x_j / b_j) - (x_j / b_j)^c_j

    with shapes c and scales b. Missing values (NaN) are allowed: the likelihood is that of the
    values observed.

    Parameters
    ----------
    prior : float or None, default=None
        Number of pseudo-observations per component and column, whose values are spread as those
        of all the data. None is maximum likelihood.

    Notes
    -----
    The shape solves 1 / c = sum_i w_i x_i^c log x_i / sum_i w_i x_i^c - mean(log x), which has one
    root (McCool 1970). On equal values the likelihood has no maximum: shapes are at most 1e8, and
    a component near that is called degenerate.

    References
    ----------
    McCool, J. I. (1970). Inference on Weibull percentiles and shape parameter from maximum
    likelihood estimates. IEEE Transactions on Reliability 19, 2-9.

    Examples
    --------
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> from sklearn_genmodel.families import Weibull
    >>> waiting = load_old_faithful().data[:, 1:]
    >>> mixture = EMMixture(2, family=Weibull(), random_state=0).fit(waiting)
    >>> round(mixture.score(waiting) * len(waiting), 3)
    -1040.211
    """

    support: ClassVar[Support] = POSITIVE

    def column_log_prob(self, values: Array, params: WeibullParams) -> Array:
        """Log-densities, in nats."""
        shapes, scales = params.shapes[:, None], params.scales[:, None]
        with np.errstate(over="ignore"):
            logs = log_ratio(values, scales)
        powers = np.exp(np.minimum(shapes * logs, LARGEST_EXPONENT))
        return np.log(shapes) - np.log(values) + shapes * logs - powers

    def column_mle(
        self, values: Array, weights: Array, current: WeibullParams | None
    ) -> WeibullParams:
        """Shapes by Newton's method, and the scales that belong to them."""
        logs = np.log(values)
        centers = weights @ logs
        z = logs - centers[:, None]
        largest = np.where(weights > 0, z, -np.inf).max(axis=1)
        below = np.minimum(z - largest[:, None], 0.0)

        def equation(log_shapes: Array) -> tuple[Array, Array]:
            shapes = np.exp(log_shapes)
            tilted = _tilted(weights, below, shapes)
            totals = tilted.sum(axis=1)
            tilted *= below
            first = tilted.sum(axis=1) / totals
            second = np.einsum("kv,kv->k", tilted, below) / totals
            variances = np.maximum(second - first**2, 0.0)
            means = largest + first
            return shapes * means - 1.0, shapes * (means + shapes * variances)

        ends = np.log(SMALLEST_SHAPE), np.log(LARGEST_SHAPE)
        # The standard deviation of log x is pi / (sqrt(6) shape).
        deviations = np.sqrt(np.einsum("kv,kv->k", weights * z, z))
        start = np.log(np.clip(1.28 / np.maximum(deviations, TINY), *np.exp(ends)))
        if current is not None:
            own = np.log(current.shapes)
            start = np.where(np.abs(own - start) < NEAR, own, start)
        log_shapes = increasing_root(equation, start, *(np.full_like(start, end) for end in ends))
        shapes = np.exp(log_shapes)
        offsets = largest + np.log(_tilted(weights, below, shapes).sum(axis=1)) / shapes
        scales = np.exp(np.clip(centers + offsets, *LOG_SCALES))
        return WeibullParams(shapes, scales)

    def sample(
        self, params: WeibullParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row from component ``labels[i]`` for every i: b E^(1/c), E exponential."""
        shapes, scales = params.shapes[labels], params.scales[labels]
        X = scales * rng.standard_exponential(shapes.shape) ** (1.0 / shapes)
        return np.maximum(X, TINY)

    def mean(self, params: WeibullParams) -> Array:
        """b Gamma(1 + 1/c)."""
        with np.errstate(over="ignore"):
            return params.scales * np.exp(gammaln(1.0 + 1.0 / params.shapes))

    def covariance(self, params: WeibullParams) -> Array:
        """b^2 (Gamma(1 + 2/c) - Gamma(1 + 1/c)^2) on the diagonals."""
        one = gammaln(1.0 + 1.0 / params.shapes)
        with np.errstate(over="ignore"):
            excess = np.expm1(gammaln(1.0 + 2.0 / params.shapes) - 2.0 * one)
            return diagonal_covariance((params.scales * np.exp(one)) ** 2 * excess)

    def to_vector(self, params: WeibullParams, like: WeibullParams) -> Array:
        """Logarithms; those of the scales in units of the spread of log x."""
        scales = np.log(params.scales / like.scales) * like.shapes
        return np.concatenate([scales.ravel(), np.log(params.shapes).ravel()])

    def from_vector(self, vector: Array, like: WeibullParams) -> WeibullParams:
        """Inverse of `to_vector`."""
        offsets, log_shapes = vector.reshape(2, *like.shapes.shape)
        logs = np.clip(np.log(like.scales) + offsets / like.shapes, *LOG_SCALES)
        log_shapes = np.clip(log_shapes, np.log(SMALLEST_SHAPE), np.log(LARGEST_SHAPE))
        return WeibullParams(np.exp(log_shapes), np.exp(logs))

    def embed(self, X: Array) -> Array:
        """Logarithms, whose spread is that of the shape alone."""
        return np.log(X)

    def degenerate(
        self, params: WeibullParams, n_rows: Array, pooled: WeibullParams
    ) -> NDArray[np.bool_]:
        """Components whose logarithms hardly vary, or on too few rows."""
        squares = params.shapes**-2.0, pooled.shapes[0] ** -2.0
        return spikes(*squares, n_rows, LARGEST_SHAPE**-2.0)


def _tilted(weights: Array, below: Array, shapes: Array) -> Array:
    """Weights times (x / largest)^shape, from log(x / largest)."""
    tilted = np.exp(shapes[:, None] * below)
    tilted *= weights
    return tilted
