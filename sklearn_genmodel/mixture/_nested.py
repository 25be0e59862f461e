"""Parameters of a family that is given by its name."""

from __future__ import annotations

from typing import Any

from sklearn_genmodel.families import Family, resolve_family

__all__ = ["NestedFamily"]


class NestedFamily:
    """Lets a name take parameters: ``family__covariance_type`` of ``family="gaussian"``."""

    family: str | Family | list[Any]

    def set_params(self, **params: Any) -> Any:
        """Set parameters, and those of the family as ``family__parameter``.

        A family that is given by its name becomes that family when one of its parameters is set.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : EMMixture

        Raises
        ------
        ValueError
            If a name is no parameter, or one of the family where family is a list.
        """
        nested = [name for name in params if name.startswith("family__")]
        if nested:
            family = params.get("family", self.family)
            if isinstance(family, (list, tuple)):
                raise ValueError(
                    f"{nested[0]} cannot be set where family is a list: pass the whole list as "
                    "family."
                )
            if isinstance(family, str):
                params["family"] = resolve_family(family)
        return super().set_params(**params)  # type: ignore[misc]
