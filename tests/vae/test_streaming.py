"""Rows that are streamed from the host train as resident ones do, to the last bit."""

from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior, _build  # noqa: E402
from sklearn_genmodel.vae._data import Rows  # noqa: E402
from sklearn_genmodel.vae._streaming import StreamedRows, place_rows  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RNG = np.random.default_rng(0)
# More than one part of 32 batches, and a last batch that is filled up.
X = np.tanh(RNG.normal(size=(1237, 2)) @ RNG.normal(size=(2, 6))) + RNG.normal(size=(1237, 6))
HOLES = np.where(RNG.random(X.shape) < 0.2, np.nan, X)


@pytest.mark.parametrize("X", [X, HOLES], ids=["complete", "holes"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"objective": "iwae", "n_draws": 3},
        {"prior": MixturePrior(3, warmup=0.5)},
        {"prior": VampPrior(5)},
        {"early_stopping": False},
    ],
    ids=["elbo", "iwae", "mixture", "vamp", "all rows"],
)
def test_streamed_rows_train_as_resident_ones(X, arguments, monkeypatch):
    vae = VAEEstimator(2, max_epochs=4, batch_size=16, random_state=0, device=DEVICE)
    vae.set_params(**arguments)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    resident = vae.fit(X, sample_weight=weights)
    resident_parameters = [p.detach().cpu().clone() for p in resident.module_.parameters()]
    bounds, n_active = [epoch.validation for epoch in vae.history_], vae.active_units_
    monkeypatch.setattr(_build, "place_rows", StreamedRows)
    streamed = vae.fit(X, sample_weight=weights)
    for mine, other in zip(streamed.module_.parameters(), resident_parameters, strict=True):
        assert torch.equal(mine.detach().cpu(), other)
    assert_array_equal([epoch.validation for epoch in streamed.history_], bounds)
    assert streamed.active_units_ == n_active


def test_parts_are_those_asked_for_and_one_is_read_ahead():
    table = torch.arange(20.0).view(10, 2)
    streamed = StreamedRows(Rows(table, table, None, torch.ones(10)), torch.device(DEVICE))
    asked = []

    def indices():
        for index in torch.randperm(10).split(4):
            asked.append(index)
            yield index

    for n_used, rows in enumerate(streamed.takes(indices())):
        assert rows.cells is rows.inputs
        assert torch.equal(rows.inputs.cpu(), table[asked[n_used]])
        assert len(asked) == min(n_used + 2, 3)
    assert list(streamed.takes([])) == []


@pytest.mark.parametrize(("n_free", "is_streamed"), [(159, True), (160, False)])
def test_rows_are_streamed_if_they_would_fill_half_of_the_free_memory(n_free, is_streamed):
    table = torch.zeros(10, 1)
    rows = Rows(table, table, None, torch.ones(10))
    assert rows.n_bytes == 80
    with (
        mock.patch("torch.cuda.mem_get_info", return_value=(n_free, 1000)),
        mock.patch("torch.cuda.Stream"),
        mock.patch.object(Rows, "map", lambda self, function: self),
    ):
        placed = place_rows(rows, torch.device("cuda"))
    assert isinstance(placed, StreamedRows) == is_streamed
    assert place_rows(rows, torch.device("cpu")).inputs is table
