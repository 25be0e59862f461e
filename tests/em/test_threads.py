"""Threads over blocks of rows, and what they set for the whole process."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_genmodel import EMMixture
from sklearn_genmodel.em import row_threads


def threads_of(user_api):
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == user_api]


def blas_threads():
    return threads_of("blas")


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


def test_starts_by_kmeans_share_no_loops_among_threads(monkeypatch):
    """These cost more than all else where other work keeps the processor busy."""
    seen = []

    def fit(self, X, **kwargs):
        seen.append(threads_of("openmp"))
        return unwatched(self, X, **kwargs)

    unwatched = KMeans.fit
    monkeypatch.setattr(KMeans, "fit", fit)
    with threadpool_limits(2, "openmp"):
        before = threads_of("openmp")
        EMMixture(2, random_state=0).fit(np.random.default_rng(0).normal(size=(60, 2)))
        assert threads_of("openmp") == before
    assert seen
    assert all(set(threads) == {1} for threads in seen)


def test_threads_treat_floating_point_errors_as_their_caller_does():
    with np.errstate(divide="raise", over="ignore"), row_threads(2) as mapper:
        states = list(mapper(lambda _: np.geterr(), range(8)))
    assert {(state["divide"], state["over"]) for state in states} == {("raise", "ignore")}
