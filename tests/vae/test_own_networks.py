"""Networks of the users: what they write to, what they freeze, what they switch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402
from sklearn_genmodel.vae._networks import build_network  # noqa: E402

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


def half_frozen(n_inputs, n_outputs):
    """Of three layers the middle one is frozen, but for its bias."""
    layers = nn.Linear(n_inputs, 6), nn.Linear(6, 6), nn.Linear(6, n_outputs)
    nn.init.constant_(layers[1].weight, 0.25).requires_grad_(False)
    return nn.Sequential(*layers)


@pytest.mark.parametrize("arguments", [{}, {"weight_decay": 0.5, "learning_rate": 1e-2}], ids=str)
def test_what_is_frozen_stays_as_it_is(arguments):
    model = vae(decoder=half_frozen, **arguments)
    go_on = (model.fit, model.partial_fit, model.partial_fit, model.resume, model.fit)
    for train in go_on:
        model.set_params(max_epochs=model.max_epochs + 2, warm_start=train is go_on[-1])
        train(X)
        assert torch.unique(model.module_.decoder[1].weight).tolist() == [0.25]
    assert not model.module_.decoder[1].weight.requires_grad
    assert model.module_.decoder[1].bias.abs().max() > 1e-3


@pytest.mark.parametrize("decoder", [(8,), half_frozen], ids=["dense", "own"])
def test_layers_may_be_frozen_between_fits(decoder):
    """What is frozen keeps its values, momentum or not; the rest is trained."""
    model = vae(decoder=decoder).fit(X)
    frozen, kept = model.module_.encoder, model.module_.decoder
    before = [p.detach().clone() for p in (*frozen.parameters(), *kept.parameters())]
    frozen.requires_grad_(False)
    model.partial_fit(X).partial_fit(X)
    n_frozen = len(list(frozen.parameters()))
    after = [*model.module_.encoder.parameters(), *model.module_.decoder.parameters()]
    for old, new in zip(before[:n_frozen], after, strict=False):
        assert torch.equal(old, new)
    assert not torch.equal(before[-1], after[-1])
    model.module_.encoder.requires_grad_(True)
    assert not torch.equal(model.partial_fit(X).module_.encoder.layers[0].weight, before[0])


def test_there_must_be_something_to_train():
    model = vae(decoder_scale="unit").fit(X)
    model.module_.requires_grad_(False)
    with pytest.raises(ValueError, match="All parameters of the model are frozen"):
        model.partial_fit(X)


def test_scores_drop_nothing_whatever_the_mode_of_the_network():
    def factory(n_inputs, n_outputs):
        return nn.Sequential(nn.Linear(n_inputs, 8), nn.Dropout(0.5), nn.Linear(8, n_outputs))

    model = vae(decoder=factory).fit(X)
    expected = model.score_samples(X)
    model.module_.decoder[1].train()
    assert_array_equal(model.score_samples(X), expected)
    assert model.module_.decoder[1].training


class WithoutNumbers(nn.Module):
    """A decoder that takes logs of what is negative."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, values):
        return torch.log(-self.layer(values).abs() - 1.0)


def test_a_model_that_returns_no_numbers_is_no_fit():
    model = vae(decoder=WithoutNumbers, max_epochs=3)
    for train in (model.fit, model.partial_fit):
        with pytest.raises(FloatingPointError, match="networks of your own"):
            train(X)
    assert not hasattr(model, "module_")


def test_a_fit_without_a_finite_bound_is_none():
    class Broken(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            self.layer = nn.Linear(n_inputs, n_outputs)

        def forward(self, values):
            return self.layer(values) * float("nan")

    with pytest.raises(FloatingPointError, match="The bound was lost"):
        VAEEstimator(decoder=Broken, max_epochs=2, random_state=0).fit(X)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_a_network_of_ones_own_is_left(training):
    def factory(n_inputs, n_outputs):
        return nn.Sequential(nn.Linear(n_inputs, n_outputs), nn.Dropout(0.0)).train(training)

    assert build_network("decoder", factory, 2, 3, "relu").training is training
