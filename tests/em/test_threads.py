"""Threads over blocks of rows, and what they set for the whole process."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_genmodel.em import row_threads


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_overlapping_users_of_one_blas_thread_leave_what_they_found(n_threads):
    """One that begins within another's time finds its limit, and must not restore that."""
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        first, second = row_threads(n_threads), row_threads(n_threads)
        first.__enter__()
        second.__enter__()
        assert set(blas_threads()) == {1}
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before
