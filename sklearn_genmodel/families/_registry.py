"""From a name to a family."""

from __future__ import annotations

from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._bernoulli import Bernoulli
from sklearn_genmodel.families._beta import Beta
from sklearn_genmodel.families._binomial import Binomial
from sklearn_genmodel.families._categorical import Categorical
from sklearn_genmodel.families._dirichlet import Dirichlet
from sklearn_genmodel.families._exponential import Exponential
from sklearn_genmodel.families._gamma import Gamma
from sklearn_genmodel.families._gaussian import Gaussian
from sklearn_genmodel.families._geometric import Geometric
from sklearn_genmodel.families._inverse_gaussian import InverseGaussian
from sklearn_genmodel.families._laplace import Laplace
from sklearn_genmodel.families._log_normal import LogNormal
from sklearn_genmodel.families._multinomial import Multinomial
from sklearn_genmodel.families._negative_binomial import NegativeBinomial
from sklearn_genmodel.families._poisson import Poisson
from sklearn_genmodel.families._student_t import StudentT
from sklearn_genmodel.families._uniform import Uniform
from sklearn_genmodel.families._von_mises import VonMises
from sklearn_genmodel.families._von_mises_fisher import VonMisesFisher
from sklearn_genmodel.families._weibull import Weibull

__all__ = ["resolve_family"]

NAMES: dict[str, type[Family]] = {
    "bernoulli": Bernoulli,
    "beta": Beta,
    "binomial": Binomial,
    "categorical": Categorical,
    "dirichlet": Dirichlet,
    "exponential": Exponential,
    "gamma": Gamma,
    "gaussian": Gaussian,
    "geometric": Geometric,
    "inverse_gaussian": InverseGaussian,
    "laplace": Laplace,
    "log_normal": LogNormal,
    "multinomial": Multinomial,
    "negative_binomial": NegativeBinomial,
    "poisson": Poisson,
    "student_t": StudentT,
    "uniform": Uniform,
    "von_mises": VonMises,
    "von_mises_fisher": VonMisesFisher,
    "weibull": Weibull,
}


def resolve_family(family: object, argument: str = "family") -> Family:
    """Turn the name of a family into that family with its defaults; pass families through.

    Parameters
    ----------
    family : str or Family
        A name such as "gaussian", "negative_binomial" or "categorical", or a family of yours.
    argument : str, default="family"
        What it is called where it was given, for messages.

    Returns
    -------
    family : Family

    Raises
    ------
    ValueError
        If the name is not known.
    TypeError
        If it is neither a name nor a family.

    Examples
    --------
    >>> from sklearn_genmodel.families import resolve_family
    >>> resolve_family("poisson")
    Poisson()
    """
    if isinstance(family, str):
        if family not in NAMES:
            known = ", ".join(map(repr, NAMES))
            raise ValueError(f"{argument}={family!r} is unknown: choose one of {known}.")
        return NAMES[family]()
    if not isinstance(family, Family):
        hint = " Did you forget the parentheses?" if isinstance(family, type) else ""
        if isinstance(family, (list, tuple)):
            hint = " Only the family of a whole mixture may be a list, one for each component."
        raise TypeError(
            f"{argument} must be a name or an instance of sklearn_genmodel.families.Family, "
            f"got {family!r}.{hint}"
        )
    return family
