"""The table of covariance structures: one name each, scikit-learn's or mclust's."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_genmodel.families._arrays import Array
from sklearn_genmodel.families._covariances._covariance import Structure
from sklearn_genmodel.families._covariances._diagonal import (
    Diagonal,
    Spherical,
    TiedDiagonal,
    TiedSpherical,
)
from sklearn_genmodel.families._covariances._eigen import EEV, EVE, EVV, VEE, VEV, VVE
from sklearn_genmodel.families._covariances._eigen_diagonal import EVI, VEI
from sklearn_genmodel.families._covariances._factor import LOADINGS, NOISES, Factor
from sklearn_genmodel.families._covariances._full import Full, Tied

__all__ = ["divided", "structure_of"]

STRUCTURES: dict[str, Structure] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diagonal(),
    "spherical": Spherical(),
    "tied_diag": TiedDiagonal(),
    "tied_spherical": TiedSpherical(),
    "VEI": VEI(),
    "EVI": EVI(),
    "VEE": VEE(),
    "EVE": EVE(),
    "VVE": VVE(),
    "EEV": EEV(),
    "VEV": VEV(),
    "EVV": EVV(),
}
# mclust's names for the first six; E and V are its names for univariate data.
STRUCTURES |= {
    "VVV": STRUCTURES["full"],
    "EEE": STRUCTURES["tied"],
    "VVI": STRUCTURES["diag"],
    "VII": STRUCTURES["spherical"],
    "EEI": STRUCTURES["tied_diag"],
    "EII": STRUCTURES["tied_spherical"],
    "V": STRUCTURES["full"],
    "E": STRUCTURES["tied"],
}


def structure_of(
    covariance_type: str, *, n_factors: int = 1, loadings: str = "free", noise: str = "diag"
) -> Structure:
    """Covariance structure of a name.

    Parameters
    ----------
    covariance_type : str
        "full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"; a code of mclust (EII,
        VII, EEI, VEI, EVI, VVI, EEE, VEE, EVE, VVE, EEV, VEV, EVV, VVV; E or V for one column);
        or "factor".
    n_factors : int, default=1
    loadings : {"free", "common"}, default="free"
    noise : {"diag", "tied_diag", "spherical", "tied_spherical"}, default="diag"
        The last three arguments describe the structure "factor"; the others have no use for them.

    Returns
    -------
    structure : Structure

    Raises
    ------
    ValueError
        If a name is unknown; the message lists those that are known.

    References
    ----------
    Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
    Biometrics 49:803-821.

    Celeux, G. and Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
    28:781-793.

    McNicholas, P. D. and Murphy, T. B. (2008). Parsimonious Gaussian mixture models. Statistics
    and Computing 18:285-296.

    Examples
    --------
    >>> from sklearn_genmodel.families._covariances._structures import structure_of
    >>> structure_of("VEV").n_parameters(n_components=3, n_features=4)
    24
    """
    _check_name("covariance_type", covariance_type, (*STRUCTURES, "factor"))
    _check_name("loadings", loadings, LOADINGS)
    _check_name("noise", noise, NOISES)
    number: object = n_factors
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not whole or n_factors < 1:
        raise ValueError(f"n_factors must be a whole number of at least 1, got {number!r}.")
    return STRUCTURES.get(covariance_type) or Factor(int(n_factors), loadings, noise)


def _check_name(argument: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(
            f"{argument}={name!r} is unknown: choose one of {', '.join(map(repr, known))}."
        )


def divided(scatter: Any, divisors: Array) -> Any:
    """Scatter matrices, not factorised, divided by a number per component or by one number."""
    if len(divisors) == 1:
        return scatter / divisors[0]
    return scatter / divisors.reshape(-1, *(1,) * (np.ndim(scatter) - 1))
