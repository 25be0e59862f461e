"""How much the search for starts may cost: much where passes are cheap, little for large data.

Small data have many optima and passes of microseconds. Large data are searched on a sample, whose
optima are only near theirs, so that little is gained by finding the very best of the sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_genmodel.em._rows import Rows
from sklearn_genmodel.families import Family

__all__ = ["Effort", "effort", "larger_sample", "sample_size"]

AUTO_STARTS, FEWEST_STARTS = 24, 4
MOVES_PER_COMPONENT, MOST_MOVES = 30, 150
MOVES_IF_ALIKE_PER_COMPONENT = 20
# Multiplications that the starts, and the moves, may cost; and passes that one of each takes.
WORK = 4e9
PASSES_PER_START, PASSES_PER_MOVE = 25, 40
# Passes that one contender runs to its limit, unless they are more than half of all.
MOST_POLISH, LEAST_POLISH = 300, 50
# A second search is from so many times as many starts, which are cheaper to make and differ more.
AGAIN = 3
# Rows on which starts compete: so many, or so many for each component and each of its columns.
SAMPLE_ROWS, ROWS_PER_COMPONENT, ROWS_PER_COLUMN = 2500, 200, 8
# Starts and moves on a sample, which may cost as much as so many passes over all the rows, or as
# so many over the sample.
SAMPLE_STARTS, SAMPLE_MOVES, SAMPLE_MOVES_IF_ALIKE = 12, 30, 10
FULL_PASSES, LEAST_PASSES = 10, 800
# The winner is run on this share of large data, and on at most so many rows, before all of them.
LARGER_SHARE, MOST_LARGER_ROWS = 16, 100_000


class Effort(NamedTuple):
    """Number of starts, of moves, and of moves if the best starts agree on an optimum.

    ``n_polish`` is the largest number of passes of a run to its limit, ``n_again`` the number of
    starts of a second search, where the best of the first do not agree; 0 if there is none.
    """

    n_init: int
    n_moves: int
    n_moves_if_alike: int
    n_polish: int = MOST_POLISH
    n_again: int = 0


def effort(family: Family, sample: Rows, n_components: int, n_rows: int) -> Effort:
    """What a search may cost.

    Parameters
    ----------
    family : Family
    sample : Rows
        On which starts compete.
    n_components : int
    n_rows : int
        Of all the data.

    Returns
    -------
    effort : Effort
    """
    n_passes = WORK / (n_components * family.pass_cost(sample.X))
    n_starts, n_moves = AUTO_STARTS, min(MOVES_PER_COMPONENT * n_components, MOST_MOVES)
    if_alike = MOVES_IF_ALIKE_PER_COMPONENT * n_components
    if len(sample) < n_rows:
        n_starts, n_moves, if_alike = SAMPLE_STARTS, SAMPLE_MOVES, SAMPLE_MOVES_IF_ALIKE
        n_passes = min(n_passes, max(LEAST_PASSES, FULL_PASSES * n_rows / len(sample)))
    n_init = np.clip(n_passes / PASSES_PER_START, FEWEST_STARTS, n_starts)
    n_moves = int(min(n_moves, n_passes / PASSES_PER_MOVE))
    n_parameters = family.n_parameters(n_components, sample.X.shape[1])
    if len(sample) < n_rows and n_parameters > sample.X.size:
        # A sample of fewer values than parameters fits whatever a move tries, and says no more of
        # the data than its starts do.
        n_moves = 0
    n_polish = int(np.clip(n_passes / 2, LEAST_POLISH, MOST_POLISH))
    one = AGAIN * n_init * PASSES_PER_START + n_moves * PASSES_PER_MOVE
    n_again = AGAIN * int(n_init) if len(sample) == n_rows and n_passes > 2 * one else 0
    return Effort(int(n_init), n_moves, min(n_moves, if_alike), n_polish, n_again)


def sample_size(rows: Rows, n_components: int) -> int:
    """Largest number of rows on which starts compete."""
    per_component = max(ROWS_PER_COMPONENT, ROWS_PER_COLUMN * rows.X.shape[1])
    return max(SAMPLE_ROWS, per_component * n_components)


def larger_sample(n_rows: int) -> int:
    """Number of rows on which the winner goes on before it goes on all of them."""
    return min(n_rows // LARGER_SHARE, MOST_LARGER_ROWS)
