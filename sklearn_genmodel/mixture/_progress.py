"""What callbacks, the terminal and warnings tell of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_genmodel._compat import FitTask
from sklearn_genmodel._validation import column_names, equal_values
from sklearn_genmodel.em import Fit, Rows, Theta, row_sample
from sklearn_genmodel.families import Family

__all__ = ["Progress"]

DEGENERATE = (
    "Every start ended with a degenerate component: one that is near-singular, or stands on hardly "
    "any rows, so that its likelihood says little about the data. Lower n_components, give the "
    "family a prior, or choose a simpler one (of Gaussians, a simpler covariance_type)."
)
TIGHT = (
    "Where clusters are that tight or that far apart, lower reg_covar, below which, relative to "
    "the variance of each column, no covariance falls."
)
EQUAL = (
    "A component gains the more, the further it shrinks onto equal values, and a lower reg_covar "
    "lets it. Take codes as 'categorical'; of a column in which one value stands out make two: "
    "whether it is that value, and what it is otherwise, missing where it is that."
)
MOST_NAMES = 5
# So many distinct rows tell whether values are equal.
ENOUGH_ROWS = 2**16
# From `warn` to the caller of `fit`: past this module, `fit` and its two decorators.
STACK_LEVEL = 5


class Progress:
    """The monitor of one fit: tells callbacks and the reader of the terminal of every pass.

    Parameters
    ----------
    mixture : EMMixture
    family : Family
        The family that is being fitted.
    rows : Rows
        What it is fitted to.
    task : FitTask
        Knows the callbacks.
    """

    def __init__(self, mixture: Any, family: Family, rows: Rows, task: FitTask) -> None:
        self.mixture, self.family, self.rows, self.task = mixture, family, rows, task
        self.n_iter, self.stopped = 0, False

    def __call__(self, theta: Theta, lower_bound: float) -> bool:
        """Take the parameters after a pass and the bound found in it; True stops the run."""
        self.n_iter += 1
        if self.mixture.verbose > 1:
            print(f"EMMixture: pass {self.n_iter}, lower bound {lower_bound:.10g} nats per row")
        self.stopped = self.stopped or self.task.iteration(lambda: self._attributes(theta))
        return self.stopped

    def report(self, line: str) -> None:
        """Take a line on how far the search for starts has come."""
        if self.mixture.verbose:
            print(f"EMMixture: {line}")

    def end(self, fitted: Fit) -> None:
        """Tell that the fit is over: callbacks, terminal, and warnings of what may mislead."""
        self.task.end(self._attributes(Theta(self.mixture.weights_, self.mixture.params_)))
        if self.mixture.verbose:
            print(self.mixture.summary())
        for message in self._cautions(fitted):
            warnings.warn(message, ConvergenceWarning, stacklevel=STACK_LEVEL)

    def _attributes(self, theta: Theta) -> dict[str, Any]:
        """What a mixture needs to predict."""
        return {"family_": self.family, "weights_": theta.weights, "params_": theta.params}

    def _cautions(self, fitted: Fit) -> list[str]:
        cautions = []
        names = column_names(self.mixture, self.mixture.n_features_in_)
        if len(fitted.dependent):
            cautions.append(_dependent([names[column] for column in fitted.dependent]))
        elif fitted.degenerate:
            equal = [f"{names[column]} ({what})" for column, what in self._equal_values()]
            cautions.append(f"{DEGENERATE} {_equal(equal) if equal else TIGHT}")
        if not (fitted.result.converged or self.stopped) and self.mixture.tol > 0:
            cautions.append(
                f"EM did not converge in max_iter={self.mixture.max_iter} passes: the bound is "
                f"still rising. Raise max_iter, or tol={self.mixture.tol:g} if this is close "
                "enough."
            )
        return cautions

    def _equal_values(self) -> Iterator[tuple[int, str]]:
        """Columns of densities in which many values are equal, and what is."""
        rows = row_sample(self.rows, ENOUGH_ROWS)
        for column, support in enumerate(self.family.column_supports(rows.X.shape[1])):
            seen = ~np.isnan(rows.X[:, column])
            equal = equal_values(rows.X[seen, column], rows.weights[seen])
            if support.varies and equal is not None:
                yield column, equal


def _dependent(names: list[str]) -> str:
    return (
        f"Columns {_listed(names)} are linearly dependent to within "
        "reg_covar: the covariance of the data is singular, and the likelihood depends on "
        "reg_covar. Drop columns that others determine, add rows, or choose "
        "covariance_type='diag'; where clusters lie very far apart, lower reg_covar."
    )


def _equal(columns: list[str]) -> str:
    return f"Many values are equal in column(s) {_listed(columns)}. {EQUAL}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
