"""A few coordinates of labels that have many levels, for finding starts.

Indicators of thousands of levels are as many dimensions, in which all rows are about as far apart.
Their leading principal directions, as in correspondence analysis, are those along which the labels
of different columns agree. A level that is seen once agrees with anything: counts are raised by
their mean before indicators are divided by their square roots, as in regularised spectral
clustering.

Qin, T. and Rohe, K. (2013). Regularized spectral clustering under the degree-corrected stochastic
blockmodel. Advances in Neural Information Processing Systems 26.
Halko, N., Martinsson, P.-G. and Tropp, J. A. (2011). Finding structure with randomness. SIAM
Review 53, 217-288.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from sklearn_genmodel.families._arrays import Array

__all__ = ["MOST_INDICATORS", "leading_coordinates"]

# Labels of more levels in all are worth this work.
MOST_INDICATORS = 500
N_COORDINATES, N_POWERS = 20, 8


def leading_coordinates(X: Array, sizes: tuple[int, ...]) -> Array:
    """Leading principal coordinates of the indicators of labels, all of variance 1 / n_rows.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Positions of labels among the levels, NaN where they are missing.
    sizes : tuple of int
        Number of levels of every column.

    Returns
    -------
    Z : ndarray of shape (n_rows, n_coordinates)
        Orthonormal; found by power iterations from a fixed seed.
    """
    seen = ~np.isnan(X)
    starts = np.cumsum([0, *sizes])
    places = (np.where(seen, X, 0.0) + starts[:-1])[seen].astype(np.intp)
    counts = np.bincount(places, minlength=starts[-1])
    raised = np.maximum(counts + np.repeat(seen.sum(axis=0) / sizes, sizes), 1.0)
    stops = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    scaled = csr_array((raised[places] ** -0.5, places, stops), shape=(len(X), starts[-1]))
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((len(X), min(N_COORDINATES, len(X))))
    for _ in range(N_POWERS):
        products = scaled @ (scaled.T @ (basis - basis.mean(axis=0)))
        basis = np.linalg.qr(products - products.mean(axis=0))[0]
    return np.asarray(basis)
