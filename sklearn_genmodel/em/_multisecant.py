"""Newton steps on the EM map, whose Jacobian is learned from the passes that were made.

With the residual f(x) = M(x) - x of the EM map M, the Jacobian -B of f in the span of the last
steps follows from how f changed along them. Near a maximum of the likelihood the eigenvalues of B
lie between 0 and 1, and x + B^-1 f is Newton's step for it; on a ridge or near a saddle some are
negative, and Newton would go back to the saddle, where their absolute values lead away from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel.em._chart import Chart
from sklearn_genmodel.em._convergence import Convergence
from sklearn_genmodel.em._expectation import Theta
from sklearn_genmodel.families import Family

__all__ = ["Multisecant"]

Array = NDArray[np.float64]

# Steps whose changes of the residual are remembered, and how many make a proposal.
ORDER, FEWEST = 12, 2
# Damping added to the eigenvalues, and its factors after a proposal that raised the bound or not.
DAMPING, UNDAMPED, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-12, 1e-6, 1.0
EASED, RAISED = 0.2, 10.0
# A coordinate moves no further than this at once: a longer leap may land in another basin.
LONGEST_MOVE = 0.25
# Plain passes before the first proposal; a step nearly in the span of newer ones is left out.
PLAIN_PASSES, INDEPENDENT = 3, 1e-8
# "auto" sets in where plain EM would still need this many passes, or where gains shrink by less
# than this share in two passes and have not settled.
SLOW_PASSES, CREEPING = 20.0, 0.75
# Proposals pause where a pass gains less than this share of tol; then plain EM checks.
PAUSE_SHARE, LEAST_SHARE = 1e-3, 1e-2


@dataclass
class Multisecant:
    """Damped multisecant Newton steps that move away from saddles.

    Parameters
    ----------
    family : Family
        Gives the unconstrained coordinates.
    fixed_weights : ndarray of shape (n_components,), optional
        Mixing weights that are not estimated, NaN where they are.

    References
    ----------
    Zhou, H., Alexander, D. and Lange, K. (2011). A quasi-Newton acceleration for high-dimensional
    optimization algorithms. Statistics and Computing 21, 261-273.

    Dauphin, Y. et al. (2014). Identifying and attacking the saddle point problem in
    high-dimensional non-convex optimization. Advances in Neural Information Processing Systems 27.
    """

    family: Family
    fixed_weights: Array | None = None
    chart: Chart | None = field(default=None, init=False)
    points: list[Array] = field(default_factory=list, init=False)
    residuals: list[Array] = field(default_factory=list, init=False)
    damping: float = field(default=DAMPING, init=False)
    proposing: bool = field(default=False, init=False)
    last_bound: float = field(default=-np.inf, init=False)

    def propose(self, theta: Theta, image: Theta, convergence: Convergence) -> Theta:
        """Return a Newton step where EM is slow, the image elsewhere."""
        if convergence.n_iter <= PLAIN_PASSES:
            return image
        if self.chart is None:
            self.chart = Chart(self.family, image, self.fixed_weights)
        self._remember(self.chart.vector(theta), self.chart.vector(image))
        self.proposing = self._goes_on(convergence)
        if not self.proposing or len(self.points) <= FEWEST:
            return image
        proposal = newton_step(self.points, self.residuals, self.damping)
        self.damping = max(EASED * self.damping, UNDAMPED)
        return self.chart.theta(proposal) if np.isfinite(proposal).all() else image

    def reject(self) -> None:
        """Trust the Jacobian less: the proposal went too far."""
        raised = max(RAISED * self.damping / EASED, LEAST_DAMPING)
        self.damping, self.last_bound = min(raised, MOST_DAMPING), -np.inf

    def _remember(self, point: Array, image: Array) -> None:
        if self.points and np.array_equal(point, self.points[-1]):
            return
        n_kept = min(ORDER, len(point)) + 1
        self.points = [*self.points, point][-n_kept:]
        self.residuals = [*self.residuals, image - point][-n_kept:]

    def _goes_on(self, convergence: Convergence) -> bool:
        bound, gains = convergence.lower_bound, convergence.gains
        gain, self.last_bound = bound - self.last_bound, bound
        if self.proposing:
            return gain > PAUSE_SHARE * convergence.tol
        if convergence.steady or len(gains) < PLAIN_PASSES:
            return convergence.steady and convergence.passes_left > SLOW_PASSES
        creeping = gains[-1] > CREEPING * gains[-3]
        return creeping and gains[-1] > LEAST_SHARE * convergence.tol


def newton_step(points: list[Array], residuals: list[Array], damping: float) -> Array:
    """Where a damped Newton step leads from the last point, and EM from there.

    Parameters
    ----------
    points, residuals : list of ndarray of shape (n_coordinates,)
        Points in the order in which they were visited, and how far EM moves each.
    damping : float

    Returns
    -------
    proposal : ndarray of shape (n_coordinates,)
    """
    point, residual = points[-1], residuals[-1]
    # The newest steps come first: older ones that add no direction are left out.
    steps, changes = np.diff(points, axis=0)[::-1].T, np.diff(residuals, axis=0)[::-1].T
    basis, triangle = np.linalg.qr(steps)
    small = np.abs(np.diagonal(triangle)) <= INDEPENDENT * np.linalg.norm(steps, axis=0)
    n_kept = int(np.argmax(small)) if small.any() else len(small)
    basis, triangle = basis[:, :n_kept], triangle[:n_kept, :n_kept]
    # J Q = dF R^-1, and B = -Q' J Q
    slopes = np.linalg.solve(triangle.T, changes[:, :n_kept].T).T
    values, vectors = np.linalg.eig(-basis.T @ slopes)
    shares = np.linalg.lstsq(vectors, (basis.T @ residual).astype(complex), rcond=None)[0]
    # s = V (|Lambda| + damping)^-1 V^-1 Q' f
    step = (vectors @ (shares / (np.abs(values) + damping))).real
    expected = residual + slopes @ step
    # Across the span EM goes on from the end of the step; within it, the step is all.
    move = basis @ (step - basis.T @ expected) + expected
    longest = max(LONGEST_MOVE, np.abs(residual).max())
    proposal: Array = point + move * min(1.0, longest / max(np.abs(move).max(), longest))
    return proposal
