"""From a name to a family."""

from __future__ import annotations

from sklearn_genmodel.families._base import Family
from sklearn_genmodel.families._bernoulli import Bernoulli
from sklearn_genmodel.families._categorical import Categorical
from sklearn_genmodel.families._gaussian import Gaussian
from sklearn_genmodel.families._poisson import Poisson

__all__ = ["resolve_family"]

NAMES: dict[str, type[Family]] = {
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "gaussian": Gaussian,
    "poisson": Poisson,
}


def resolve_family(family: object) -> Family:
    """Turn the name of a family into that family with its defaults; pass families through.

    Parameters
    ----------
    family : str or Family
        One of "bernoulli", "gaussian", "poisson", or a family of yours.

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
            raise ValueError(f"family={family!r} is unknown: choose one of {known}.")
        return NAMES[family]()
    if not isinstance(family, Family):
        hint = " Did you forget the parentheses?" if isinstance(family, type) else ""
        raise TypeError(
            f"family must be a name or an instance of sklearn_genmodel.families.Family, "
            f"got {family!r}.{hint}"
        )
    return family
