"""Independent Poisson counts."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sklearn_genmodel._validation import Table
from sklearn_genmodel.families._arrays import TINY, Array
from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._constraints import Constraints, overwritten, tied_sums
from sklearn_genmodel.families._large_counts import LARGE_COUNT, CountColumns, half_deviance
from sklearn_genmodel.families._numerics._poisson_draws import poisson_draws
from sklearn_genmodel.families._numerics._special import HALF_LOG_2PI, stirling_remainder
from sklearn_genmodel.families._poisson_exposure import Exposure
from sklearn_genmodel.families._prior import Prior, prior_of_columns
from sklearn_genmodel.families._support import COUNTS, Support

__all__ = ["Poisson", "PoissonParams"]


class PoissonParams(NamedTuple):
    """Parameters of Poisson components: ``rates``, shape (n_components, n_features), above 0.

    A column that holds the exposure has no rate.
    """

    rates: Array


class Poisson(CountColumns):
    """Counts: every column Poisson, independent given the component.

    log p(x) = sum_j x_j log(e rate_j) - e rate_j - log x_j!

    where the exposure e of the row is 1 unless a column holds it. Missing values (NaN) are allowed:
    the likelihood is that of the values observed.

    A rate is never 0: a component that sees only zeros gets the smallest positive float, under
    which a positive count has a log-probability of about -708 per event.

    Parameters
    ----------
    prior : float, (float, means) or None, default=None
        Gamma prior of the rates, as a number of pseudo-observations s per component and column
        whose mean m is that of all the data or the one given: shape s m + 1, rate s. The estimate
        is the posterior mode. With an exposure, ``means`` are those of the counts and of the
        exposures, of shape (2, n_features) or what broadcasts to it, and the rate of the prior is
        s times the latter. None is maximum likelihood.
    exposure : int, str or None, default=None
        Position or name of the column that holds the exposure of every row: time at risk, area,
        number of persons. Rates are then per unit of exposure, and its logarithm is the offset of
        the log-mean. The column is not modelled: it has no parameters and no density, its mean is
        stated as 1, and samples have exposure 1.

    See Also
    --------
    Bernoulli : Yes/no columns.
    Geometric : Counts that vary more.

    References
    ----------
    Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential
    family. Journal of the American Statistical Association 64, 1459-1471.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel import EMMixture
    >>> from sklearn_genmodel.families import Poisson
    >>> X = np.array([[0], [1], [1], [2], [1], [9], [10], [11]])
    >>> EMMixture(2, family="poisson", random_state=0).fit(X).params_.rates.round(1).ravel()
    array([ 1., 10.])

    Claims and years insured:

    >>> X = np.array([[1, 10.0], [2, 25.0], [1, 8.0], [9, 4.5], [21, 10.0], [2, 0.8]])
    >>> mixture = EMMixture(2, family=Poisson(exposure=1), random_state=0).fit(X)
    >>> mixture.params_.rates.round(2).ravel()
    array([0.09, 2.09])
    """

    support: ClassVar[Support] = COUNTS

    def __init__(self, prior: Prior = None, exposure: int | str | None = None) -> None:
        super().__init__(prior)
        self.exposure = exposure

    @property
    def reads_tables(self) -> bool:  # type: ignore[override]
        """Whether the exposure is given by name, so that a table must say where it is."""
        return isinstance(self.exposure, str)

    def for_table(self, table: Table) -> Family:
        """Find the column that holds the exposure."""
        if not isinstance(self.exposure, str):
            return self
        if self.exposure not in table.names:
            raise ValueError(
                f"exposure={self.exposure!r} is not the name of a column; there are "
                f"{', '.join(map(repr, table.names))}: pass one of them, or a position."
            )
        return Poisson(self.prior, table.names.index(self.exposure))

    def column_supports(self, n_features: int) -> tuple[Support, ...]:
        """Counts, and positive numbers for the exposure."""
        known = self._known_exposure
        return super().column_supports(n_features) if known is None else known.supports(n_features)

    def check_rows(self, X: Array) -> None:
        """Refuse rows with counts of unknown exposure."""
        if self._known_exposure is not None:
            self._known_exposure.check_known(X)

    def statistics(self, X: Array) -> tuple[Array, ...]:
        """The counts; with an exposure, it too, and zeros for its own column."""
        known = self._known_exposure
        if known is None:
            return (X,)
        exposures = np.broadcast_to(known.of(X), (len(X), X.shape[1] - 1))
        return known.with_column(known.counts(X), 0.0), known.with_column(exposures, 0.0)

    def coefficients(self, params: PoissonParams) -> tuple[Array, ...]:
        """Log rate and minus rate."""
        rates = np.maximum(params.rates, TINY)
        known = self._known_exposure
        if known is None:
            return np.log(rates), -rates
        linear = known.with_column(np.log(rates), 0.0), known.with_column(-rates, 0.0)
        return *linear, np.zeros_like(linear[0])

    def from_means(self, means: Array) -> PoissonParams:
        """rate = mean, or mean count over mean exposure."""
        known = self._known_exposure
        if known is None:
            return PoissonParams(np.maximum(means[0], TINY))
        counts, exposures = known.counts(means[0]), known.counts(means[1])
        return PoissonParams(np.maximum(counts / np.maximum(exposures, TINY), TINY))

    def constrained_m_step(self, stats: Array, constraints: Constraints) -> PoissonParams:
        """Tied rates pool counts and exposures."""
        known = self._known_exposure
        if known is None:
            params: PoissonParams = super().constrained_m_step(stats, constraints)
            return params
        sums, _ = self._posterior(stats)
        pooled = np.stack([known.counts(sums[:, 0]), known.counts(sums[:, 1])], axis=1)
        for labels in constraints.tied.values():
            pooled = tied_sums(pooled, known.counts(labels))
        rates = pooled[:, 0] / np.maximum(pooled[:, 1], TINY)
        return overwritten(PoissonParams(np.maximum(rates, TINY)), constraints)

    def n_constraints(self, constraints: Constraints) -> int:
        """Those of the rates: the exposure has none."""
        known = self._known_exposure
        tied = constraints.tied
        if known is not None:
            tied = {name: known.counts(labels) for name, labels in tied.items()}
        return Constraints(constraints.fixed, tied).n_lost()

    def log_base_terms(self, X: Array) -> Array:
        """Minus the log-factorials, and counts times the log of the exposure."""
        known = self._known_exposure
        if known is None:
            terms, large = -gammaln(X + 1.0), self.is_large(X)
            x = X[large]
            # log(x^x e^-x / x!)
            terms[large] = -0.5 * np.log(x) - HALF_LOG_2PI - stirling_remainder(x)
            return np.asarray(terms)
        counts = known.counts(X)
        terms = counts * np.log(known.of(X)) - gammaln(counts + 1.0)
        return known.with_column(terms, 0.0)

    def is_large(self, X: Array) -> NDArray[np.bool_]:
        """Those above a million; with an exposure they are taken for small."""
        return X > (LARGE_COUNT if self._known_exposure is None else np.inf)

    def half_deviances(self, values: Array, params: PoissonParams, column: int) -> Array:
        """Those from the rates."""
        return half_deviance(values, np.maximum(params.rates[:, column, None], TINY))

    def sample(
        self, params: PoissonParams, labels: NDArray[np.intp], rng: np.random.Generator
    ) -> Array:
        """Draw one row, of exposure 1, from component ``labels[i]`` for every i."""
        counts = poisson_draws(params.rates[labels], rng)
        known = self._known_exposure
        return counts if known is None else known.with_column(counts, 1.0)

    def mean(self, params: PoissonParams) -> Array:
        """The rates; 1 for the exposure."""
        known = self._known_exposure
        return params.rates if known is None else known.with_column(params.rates, 1.0)

    def covariance(self, params: PoissonParams) -> Array:
        """Diagonal: the rates; 0 for the exposure."""
        known = self._known_exposure
        variances = params.rates if known is None else known.with_column(params.rates, 0.0)
        return variances[:, :, None] * np.eye(variances.shape[1])

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """One rate per component and column of counts."""
        return n_components * (n_features - (self.exposure is not None))

    def width(self, n_features: int, n_components: int | None = None) -> int:
        """Size of (1, x), or of (1, x, exposures)."""
        return 1 + n_features * (1 if self.exposure is None else 2)

    def marginal(self, params: PoissonParams, columns: NDArray[np.intp]) -> tuple[Family, Any]:
        """The rates of these columns, which must include the exposure if there is one."""
        known = self._known_exposure
        if known is None:
            return super().marginal(params, columns)
        if known.position not in columns:
            raise ValueError(
                f"Counts have no distribution without their exposure: keep column {known.position}."
            )
        position = int(np.flatnonzero(columns == known.position)[0])
        rates = params.rates[:, known.counted(columns)]
        return Poisson(prior_of_columns(self.prior, columns), position), PoissonParams(rates)

    def conditional(self, params: PoissonParams, x: Array) -> tuple[Family, Any]:
        """Poisson counts, with rates for the exposure of the row if there is one."""
        known = self._known_exposure
        if known is None:
            return super().conditional(params, x)
        known.check_known(x[None])
        rates = params.rates[:, known.counted(np.flatnonzero(np.isnan(x)))]
        return Poisson(), PoissonParams(rates * x[known.position])

    def to_vector(self, params: PoissonParams, like: PoissonParams) -> Array:
        """Square roots, which stay finite and regular where a rate goes to 0."""
        return np.sqrt(params.rates).ravel()

    def from_vector(self, vector: Array, like: PoissonParams) -> PoissonParams:
        """Inverse of `to_vector`."""
        return PoissonParams(np.maximum(vector**2, TINY).reshape(like.rates.shape))

    def embed(self, X: Array) -> Any:
        """Square roots, whose variance hardly depends on the rate (Anscombe 1948)."""
        known = self._known_exposure
        return np.sqrt(X) if known is None else np.sqrt(known.counts(X) / known.of(X))

    @property
    def _known_exposure(self) -> Exposure | None:
        if self.exposure is None:
            return None
        if isinstance(self.exposure, str):
            raise ValueError(
                f"exposure={self.exposure!r} is a name, which only the columns of a data frame "
                "have: fit to a data frame, or pass a position."
            )
        position: object = self.exposure
        is_int = isinstance(position, (int, np.integer)) and not isinstance(position, bool)
        if not is_int or self.exposure < 0:
            raise ValueError(
                f"exposure={self.exposure!r} is no position: count columns from 0, or pass a name."
            )
        return Exposure(int(self.exposure))
