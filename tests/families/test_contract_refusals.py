"""What the check of a family refuses."""

import numpy as np
import pytest

from sklearn_genmodel.families import Gaussian, GaussianParams, Poisson, PoissonParams
from sklearn_genmodel.testing import check_family

PARAMS = PoissonParams(np.array([[2.0], [9.0]]))


TWO = GaussianParams(np.array([[0.0, 0.0], [3.0, 3.0]]), np.array([np.eye(2)] * 2))


class Unseeded(Poisson):
    def sample(self, params, labels, rng):
        return np.random.default_rng().poisson(params.rates[labels]).astype(float)


class Biased(Poisson):
    def mean(self, params):
        return params.rates + 1.0


class Unnormalised(Poisson):
    def log_base_terms(self, X):
        return super().log_base_terms(X) + 0.1


class Coupled(Poisson):
    """Rates drawn together, and nobody is told."""

    def m_step(self, stats):
        rates = super().m_step(stats).rates
        return PoissonParams(0.9 * rates + 0.1 * rates.mean(axis=0))


class Crude(Poisson):
    """A maximum of something else."""

    def m_step(self, stats):
        return PoissonParams(super().m_step(stats).rates * 1.1)


class Overwriting(Poisson):
    """Rows that several passes share."""

    def kernel(self, params):
        kernel = super().kernel(params)

        def block(rows):
            values = rows.values if hasattr(rows, "values") else rows.statistics[0]
            values *= 1.0
            return kernel(rows)

        return block


class Gapless(Gaussian):
    """Says that it takes missing values, and makes 0 of them."""

    def log_prob(self, X, params):
        return super().log_prob(np.nan_to_num(X), params)

    def kernel(self, params):
        kernel = super().kernel(params)
        return lambda X: kernel(np.nan_to_num(X))


@pytest.mark.parametrize(
    ("family", "params", "message"),
    [
        (Unseeded(), PARAMS, "must draw from the rng"),
        (Biased(), PARAMS, "do not have the mean"),
        (Unnormalised(), PARAMS, "must sum to 1"),
        (Coupled(), PARAMS, "must fit each group alone"),
        (Crude(), PARAMS, "must maximise|fit each group"),
        (Gapless(), TWO, "nothing observed must be 0"),
    ],
)
def test_a_family_that_breaks_the_contract_is_refused(family, params, message):
    with pytest.raises(AssertionError, match=message):
        check_family(family, params)


def test_a_kernel_that_writes_to_the_rows_is_refused():
    with pytest.raises(ValueError, match="read-only"):
        check_family(Overwriting(), PARAMS)
