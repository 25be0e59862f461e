"""How rows are cut into blocks."""

import numpy as np
import pytest

from sklearn_genmodel.em import Rows, fingerprint


@pytest.mark.parametrize("width", [0, 1, 33, 833, 5000])
@pytest.mark.parametrize("n_rows", [0, 1, 255, 2048, 6100, 100_000])
def test_blocks_are_all_rows_in_order(n_rows, width):
    blocks = [block for chunk in Rows(np.empty((n_rows, 1))).chunks(width) for block in chunk]
    rows = np.concatenate([np.r_[block] for block in blocks] or [np.empty(0)])
    np.testing.assert_array_equal(rows, np.arange(n_rows))


@pytest.mark.parametrize(("n_rows", "width"), [(2048, 833), (6100, 100), (33_000, 1)])
def test_rows_that_are_left_over_make_no_short_block(n_rows, width):
    """What a pass does once a block, for every component, would cost as much as for a long one."""
    lengths = [
        block.stop - block.start
        for chunk in Rows(np.empty((n_rows, 1))).chunks(width)
        for block in chunk
    ]
    assert min(lengths) > 0.8 * max(lengths)


def test_zero_of_either_sign_is_one_value_in_a_fingerprint():
    assert fingerprint(Rows(np.array([[0.0], [1.0]]))) == fingerprint(
        Rows(np.array([[-0.0], [1.0]]))
    )
