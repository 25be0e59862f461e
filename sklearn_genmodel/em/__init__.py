"""How a model with a discrete latent variable is fitted; knows families by contract only."""

from sklearn_genmodel.em._acceleration import accelerator
from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._distinct import distinct_rows, fingerprint, row_sample
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.em._fit import Fit, FitOptions, StartResult, fit_mixture
from sklearn_genmodel.em._init import INIT_NAMES
from sklearn_genmodel.em._journal import FitState, Journal
from sklearn_genmodel.em._loop import EMResult, Monitor, run_em
from sklearn_genmodel.em._m_step import MStep
from sklearn_genmodel.em._online import OnlineState, online_step
from sklearn_genmodel.em._prepared import kept
from sklearn_genmodel.em._rows import Rows, row_threads
from sklearn_genmodel.em._shared_limit import SharedLimit
from sklearn_genmodel.em._steps import blocked_step, lower_bound, map_rows, theta_from_resp

__all__ = [
    "INIT_NAMES",
    "Convergence",
    "EMResult",
    "Fit",
    "FitOptions",
    "FitState",
    "Journal",
    "MStep",
    "Monitor",
    "OnlineState",
    "Rows",
    "SharedLimit",
    "StartResult",
    "Theta",
    "accelerator",
    "blocked_step",
    "distinct_rows",
    "fingerprint",
    "fit_mixture",
    "kept",
    "lower_bound",
    "map_rows",
    "online_step",
    "row_sample",
    "row_threads",
    "run_em",
    "theta_from_resp",
]
