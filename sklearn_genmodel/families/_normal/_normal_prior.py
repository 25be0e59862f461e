"""Conjugate prior of normal means and covariances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sklearn_genmodel.families._all_rows import summed
from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._covariances._diagonal import Diagonal, Spherical
from sklearn_genmodel.families._normal._observed import overall_means

__all__ = ["NormalInverseWishart", "PseudoMoments"]


class PseudoMoments(NamedTuple):
    """What a prior adds to the moments of the data.

    To the means: rows at ``mean`` (n_features,) of weight ``weight`` per component, which are part
    of the scatter about the new means. To the covariances: ``scatter``, packed, and ``counts``
    (n_components,), to which the weight of those rows is not to be added.
    """

    mean: Array
    weight: float
    scatter: Array
    counts: Array


@dataclass(frozen=True, eq=False)
class NormalInverseWishart:
    r"""Conjugate prior of the means and covariances of normal components.

    .. math:: \mu_k \mid \Sigma_k \sim N(\mu_P, \Sigma_k / \kappa), \quad
        \Sigma_k \sim \text{inverse-Wishart}(\nu, \Lambda)

    It keeps components on few rows from collapsing, at the price of estimates that are the mode of
    the posterior instead of the maximum of the likelihood. Where components share parts of the
    covariance, the same function of it is the prior; a covariance common to all counts once.

    Parameters
    ----------
    mean : array-like of shape (n_features,) or None, default=None
        :math:`\mu_P`; None is the mean of the data.
    shrinkage : float, default=0.01
        :math:`\kappa`, the number of rows that the prior mean is worth. 0 leaves the means free.
    dof : float or None, default=None
        Degrees of freedom :math:`\nu`; None is n_features + 2.
    scale : float, array-like of shape (n_features,) or (n_features, n_features), default=None
        :math:`\Lambda`; one number or one per column are diagonal matrices. None is the covariance
        of the data (divided by n) over n_components^(2 / n_features). Of diagonal structures it is
        the variances, each :math:`\sigma^2` having an inverse-gamma prior
        :math:`(\nu / 2, \Lambda_{jj} / 2)`; of spherical ones their mean.

    Notes
    -----
    For diagonal structures Fraley and Raftery take the mean variance of the columns as well: pass
    it as ``scale`` to do so. Variance by variance, the units of columns do not matter.

    References
    ----------
    Fraley, C. and Raftery, A. E. (2007). Bayesian regularization for normal mixture estimation and
    model-based clustering. Journal of Classification 24:155-181.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Gaussian, NormalInverseWishart
    >>> X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 2.0]])
    >>> family = Gaussian(prior=NormalInverseWishart())
    >>> prior = family.for_rows(X, sample_weight=None, n_components=2).prior
    >>> prior.mean, prior.dof
    (array([2., 2.]), 4.0)
    """

    mean: ArrayLike | None = None
    shrinkage: float = 0.01
    dof: float | None = None
    scale: ArrayLike | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> NormalInverseWishart:
        """Nothing in it changes, so that copies of a family may share it."""
        return self

    def resolved(
        self,
        X: Any,
        sample_weight: Array | None,
        n_components: int,
        structure: Structure,
    ) -> NormalInverseWishart:
        """Return this prior with what it leaves to the data filled in.

        Parameters
        ----------
        X : ndarray, or a source with a shape and slices, of shape (n_samples, n_features)
            NaN where a value is missing: means and variances are those of the values observed,
            correlations those with the mean in place of what is missing.
        sample_weight : ndarray of shape (n_samples,) or None
        n_components : int
        structure : Structure

        Returns
        -------
        prior : NormalInverseWishart
            With ``mean`` (n_features,), ``dof``, and ``scale`` (n_features, n_features).

        Raises
        ------
        ValueError
            If a shape or a number makes no prior.
        """
        d = X.shape[1]
        mean, covariance = _weighted_moments(X, sample_weight)
        covariance = covariance / n_components ** (2.0 / d)
        if isinstance(structure, Diagonal):
            covariance = np.diag(np.diagonal(covariance))
        if isinstance(structure, Spherical):
            covariance = np.trace(covariance) / d * np.eye(d)
        prior = replace(
            self,
            mean=_shaped("mean", self.mean, mean),
            dof=d + 2.0 if self.dof is None else float(self.dof),
            scale=_matrix(self.scale, covariance),
        )
        prior._check(structure, d)
        return prior

    def pseudo(self, structure: Structure, n_components: int) -> PseudoMoments:
        """What a resolved prior adds to the moments of the data.

        With it the M-step of the covariances is the usual one: (scatter of the data and of the
        rows at the prior mean about the new means + scale) / (n_k + counts), where counts is
        nu + d + 2 for matrices and nu + 3 for variances (Fraley and Raftery 2007, table 1).

        Parameters
        ----------
        structure : Structure
        n_components : int

        Returns
        -------
        pseudo : PseudoMoments
        """
        share = 1.0 / structure.n_sharing(n_components)
        matrices = np.repeat(share * self._spread(structure)[None], n_components, axis=0)
        counts = self._exponent(structure, n_components) * np.ones(n_components)
        weight = float(self.shrinkage)
        return PseudoMoments(self._mean, weight, structure.packed(matrices), counts)

    def log_density(self, params: Any, structure: Structure) -> Array:
        """Log prior density of every component up to a constant, of which `pseudo` gives the mode.

        Parameters
        ----------
        params : NamedTuple
            Means first, covariances second.
        structure : Structure

        Returns
        -------
        log_prior : ndarray of shape (n_components,)
            In nats. What components share is divided among them.
        """
        means, covariances = params[:2]
        matrices = structure.dense(covariances, *means.shape)
        precisions = np.linalg.inv(matrices)
        offsets = means - self._mean
        share = 1.0 / structure.n_sharing(len(means))
        quadratic = share * np.einsum("kij,ji->k", precisions, self._spread(structure))
        quadratic += self.shrinkage * np.einsum("ki,kij,kj->k", offsets, precisions, offsets)
        exponent = self._exponent(structure, len(means))
        log_prior: Array = -0.5 * (exponent * np.linalg.slogdet(matrices)[1] + quadratic)
        return log_prior

    @property
    def _mean(self) -> Array:
        return np.asarray(self.mean, dtype=np.float64)

    def _spread(self, structure: Structure) -> Array:
        """Scale matrix; a spherical one holds the sum of squares of one column in all d."""
        scale = np.asarray(self.scale, dtype=np.float64)
        return scale / len(scale) if isinstance(structure, Spherical) else scale

    def _exponent(self, structure: Structure, n_components: int) -> float:
        """Power of 1 / |Sigma|^(1/2) that every component's prior holds."""
        dof, d = float(np.asarray(self.dof)), len(self._mean)
        power = dof + d + 1.0
        if isinstance(structure, Diagonal):
            power = dof + 2.0
        if isinstance(structure, Spherical):
            power = (dof + 2.0) / d
        # The prior of the mean given the covariance holds one more.
        of_mean = 1.0 if self.shrinkage > 0.0 else 0.0
        return of_mean + power / structure.n_sharing(n_components)

    def _check(self, structure: Structure, n_features: int) -> None:
        """Numbers that make a density."""
        if not 0.0 <= self.shrinkage < np.inf:
            raise ValueError(f"shrinkage must be at least 0 and finite, got {self.shrinkage!r}.")
        least = 0.0 if isinstance(structure, Diagonal) else n_features - 1.0
        dof = float(np.asarray(self.dof))
        if not least < dof < np.inf:
            raise ValueError(f"dof={dof:g} must be above {least:g} with {n_features} columns.")
        scale = np.asarray(self.scale)
        symmetric = np.allclose(scale, scale.T)
        if not symmetric or np.linalg.eigvalsh(scale).min() <= 0.0:
            raise ValueError(
                "scale must be positive definite: a column or a combination of columns does not "
                "vary in it. Drop such columns, or pass a scale."
            )


def _weighted_moments(X: Any, sample_weight: Array | None) -> tuple[Array, Array]:
    """Mean and covariance of the values observed."""
    origin, counts = overall_means(X, sample_weight)

    def products(rows: Array, weights: Array) -> Array:
        offsets = np.where(np.isnan(rows), 0.0, rows - origin)
        return np.vstack([weights @ offsets, (weights[:, None] * offsets).T @ offsets])

    total = summed(products, X, sample_weight)
    shift = total[0] / counts
    # Diagonal entries are divided by what was observed of their column.
    scale = 1.0 / np.sqrt(counts)
    return origin + shift, total[1:] * scale[:, None] * scale


def _shaped(name: str, value: ArrayLike | None, default: Array) -> Array:
    """Array of the default's shape, or the default."""
    if value is None:
        return default
    array = np.asarray(value, dtype=np.float64)
    if array.shape != default.shape or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite and have shape {default.shape}, got shape {array.shape}."
        )
    return array


def _matrix(value: ArrayLike | None, default: Array) -> Array:
    """Scale matrix from one number, one per column, or a matrix."""
    if value is None:
        return default
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < default.ndim:
        array = array * np.eye(len(default)) if array.ndim == 0 else np.diag(array)
    return _shaped("scale", array, default)
