"""Networks of the users: what they write to, what they freeze, what they switch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 4)) + 0.3 * RNG.normal(size=(300, 4))


def vae(**arguments):
    return VAEEstimator(2, **{"max_epochs": 10, "random_state": 0, **arguments})


def activated_first(*, inplace):
    def factory(n_inputs, n_outputs):
        hidden = nn.ReLU(inplace=inplace), nn.Linear(n_inputs, 8), nn.Tanh()
        return nn.Sequential(*hidden, nn.Linear(8, n_outputs))

    return factory


def test_a_density_integrates_to_one_though_the_encoder_works_in_place():
    rows, grid = RNG.normal(size=(300, 1)), np.linspace(-30, 30, 6001)[:, None]
    model = VAEEstimator(1, encoder=activated_first(inplace=True), max_epochs=50, random_state=0)
    density = np.exp(model.fit(rows).score_samples(grid))
    assert_allclose(np.trapezoid(density, grid[:, 0]), 1.0, atol=0.02)


@pytest.mark.parametrize("prior", ["standard_normal", MixturePrior(3), VampPrior(3)], ids=str)
@pytest.mark.parametrize("objective", ["elbo", "iwae", "dreg"])
@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_networks_may_work_in_place(network, objective, prior):
    """What they are given is theirs: the same numbers as those of a network that copies."""
    arguments = {"objective": objective, "prior": prior, "n_draws": 2}
    plain, inplace = (
        vae(**arguments, **{network: activated_first(inplace=inplace)}).fit(X)
        for inplace in (False, True)
    )
    assert_array_equal([e[:4] for e in inplace.history_], [e[:4] for e in plain.history_])
    for method in ("score_samples", "transform", "reconstruct", "impute"):
        assert_array_equal(getattr(inplace, method)(X), getattr(plain, method)(X))
    assert_array_equal(inplace.elbo(X), plain.elbo(X))
