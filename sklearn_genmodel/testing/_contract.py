"""The contract of a family, point by point."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from sklearn_genmodel._identity import identity
from sklearn_genmodel.families import Family
from sklearn_genmodel.testing._densities import check_conditionals, check_density, check_missing
from sklearn_genmodel.testing._estimates import (
    check_bound_rises,
    check_components_apart,
    check_empty_component,
    check_kernel,
    check_maximum,
    check_missing_estimates,
    check_statistics,
)
from sklearn_genmodel.testing._parameters import (
    check_hyper_parameters,
    check_n_parameters,
    check_parameters,
    check_starts,
)
from sklearn_genmodel.testing._samples import check_distribution, check_samples

__all__ = ["check_family"]

N_SAMPLES = 2000


def check_family(family: Family, params: Any, *, random_state: int = 0) -> None:
    """Run the contract of a family; the first point that fails raises.

    Rows are sampled from `params` and must come back: inside the support, with the means and
    covariances stated, with a density that integrates to 1 and that they follow (for one column).
    Missing values must leave the marginal, and conditionals what remains. Statistics must add over
    rows, a weight of 2 must equal a repeated row, each component must be fitted by itself, the
    M-step must be a maximum, with missing values and without, EM must never lower the bound, there
    must be as many parameters as are counted, and they must survive pickling, relabelling and a
    trip to unconstrained coordinates. No method may change the family.

    Parameters
    ----------
    family : Family
    params : NamedTuple
        Parameters of two or more components that differ, of moderate size.
    random_state : int, default=0

    Raises
    ------
    AssertionError
        Says which point of the contract does not hold. What the family's own methods raise when
        they are called as the contract says comes through as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.families import Poisson, PoissonParams
    >>> from sklearn_genmodel.testing import check_family
    >>> check_family(Poisson(), PoissonParams(rates=np.array([[1.0, 5.0], [4.0, 2.0]])))
    """
    rng = np.random.default_rng(random_state)
    assert hasattr(params, "_fields"), "parameters must be a NamedTuple of arrays"
    check_hyper_parameters(family)
    held = identity(vars(family))
    n_components, n_features = family.mean(params).shape
    assert n_components > 1, "pass parameters of two or more components that differ"
    labels = rng.integers(n_components, size=N_SAMPLES)
    twin = deepcopy(rng)
    X = family.sample(params, labels, rng)
    assert X.shape == (N_SAMPLES, n_features), "sample must return one row a label"
    again = family.sample(params, labels, twin)
    assert np.array_equal(X, again, equal_nan=True), "sample must draw from the rng it is given"
    resp = rng.dirichlet(np.ones(n_components), size=N_SAMPLES)
    stored = "methods must store nothing in the family"
    assert identity(vars(family)) == held, stored
    given, family = family, family.for_rows(X, None, n_components)
    assert identity(vars(given)) == held, "for_rows must return a new family, not change self"
    held = identity(vars(family))
    check_samples(family, params, X, labels)
    check_density(family, params, X, labels)
    check_distribution(family, params, X, labels)
    check_missing(family, params, X)
    check_conditionals(family, params, X)
    check_statistics(family, X, resp)
    check_kernel(family, params, X, resp)
    check_components_apart(family, X, resp)
    check_empty_component(family, X, resp)
    # Estimates of all components near those given.
    check_maximum(family, params, X, 0.1 * resp + 0.9 * np.eye(n_components)[labels], rng)
    check_bound_rises(family, X, resp)
    check_missing_estimates(family, X, resp)
    check_n_parameters(family, params, X, resp, rng)
    check_parameters(family, params, X)
    check_starts(family, X, resp)
    assert identity(vars(family)) == held, stored
