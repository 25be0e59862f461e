"""Saved models: the same numbers afterwards, nothing executed, nothing unknown accepted."""

import json
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from sklearn_genmodel.vae import (  # noqa: E402
    ConvDecoder,
    ConvEncoder,
    MixturePrior,
    VAEEstimator,
    VampPrior,
)

X = load_digits(as_frame=True).data.iloc[:120]
MODELS = [
    VAEEstimator(3, decoder_scale="network", encoder=(8, 4), dtype="float64"),
    VAEEstimator(likelihood="categorical", random_state=np.random.default_rng(0)),
    VAEEstimator(likelihood="student_t", prior=MixturePrior(3), encoder_scale=0.5),
    VAEEstimator(likelihood="poisson", prior=VampPrior(4), encoder=(), decoder=()),
    VAEEstimator(
        likelihood="zero_inflated_negative_binomial",
        encoder=ConvEncoder((8, 8), (4, 8)),
        decoder=ConvDecoder((8, 8), (4, 8)),
    ),
]


@pytest.mark.parametrize("vae", MODELS, ids=lambda vae: vae.likelihood)
def test_a_saved_model_is_the_same(vae, tmp_path):
    vae = clone(vae).set_params(max_epochs=2).fit(X)
    path = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    before = torch.get_rng_state()
    vae.save(path)
    loaded = VAEEstimator.load(path)
    assert_array_equal(torch.get_rng_state(), before)
    assert_array_equal(loaded.score_samples(X), vae.score_samples(X))
    assert_array_equal(loaded.transform(X), vae.transform(X))
    assert_array_equal(loaded.sample(3, random_state=0), vae.sample(3, random_state=0))
    assert_array_equal(loaded.feature_names_in_, vae.feature_names_in_)
    assert str(loaded.history_) == str(vae.history_)
    assert (loaded.n_iter_, loaded.active_units_) == (vae.n_iter_, vae.active_units_)
    assert repr(loaded.set_params(random_state=vae.random_state)) == repr(vae)
    loaded.set_params(random_state=0).partial_fit(X)
    assert np.isfinite(loaded.score(X))


def header_of(path):
    content = path.read_bytes()
    n_bytes = int.from_bytes(content[:8], "little")
    return content, json.loads(content[8 : 8 + n_bytes]), 8 + n_bytes


def rewrite(path, **changes):
    content, header, end = header_of(path)
    own = json.loads(header["__metadata__"]["sklearn_genmodel"])
    own["params"] |= changes.pop("params", {})
    header["__metadata__"]["sklearn_genmodel"] = json.dumps(own | changes)
    packed = json.dumps(header).encode()
    path.write_bytes(len(packed).to_bytes(8, "little") + packed + content[end:])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"version": 2}, "is of version 2; this version of the library reads version 3"),
        ({"format": "sklearn_genmodel.EMMixture"}, "not a sklearn_genmodel.VAEEstimator"),
        ({"params": {"charm": 1}}, "arguments that VAEEstimator does not know: charm"),
        ({"params": {"prior": {"class": "os.system", "arguments": {}}}}, "names 'os.system'"),
    ],
)
def test_what_is_not_known_is_refused(changes, match, tmp_path):
    path = tmp_path / "model.safetensors"
    VAEEstimator(max_epochs=1).fit(X).save(path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=match):
        VAEEstimator.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model"
    for content in (b"", b"\x10\x00\x00\x00\x00\x00\x00\x00not json", pickle.dumps({})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is no file that VAEEstimator\.save wrote"):
            VAEEstimator.load(path)


def test_functions_are_not_saved(tmp_path):
    vae = VAEEstimator(max_epochs=1, encoder=torch.nn.Linear).fit(X)
    with pytest.raises(ValueError, match=r"encoder=.* cannot be saved"):
        vae.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (4, 16), (2, 4, 8)])
@pytest.mark.parametrize("channels", [(), (4,), (4, 8, 16)])
def test_convolutions_fit_images_of_any_shape(shape, channels):
    vae = VAEEstimator(
        encoder=ConvEncoder(shape, channels), decoder=ConvDecoder(shape, channels), max_epochs=1
    ).fit(X)
    assert vae.reconstruct(X).shape == (120, 64)
    with pytest.raises(ValueError, match="has 6 cells, but the network is asked for 64"):
        vae.set_params(encoder=ConvEncoder((2, 3))).fit(X)


@pytest.mark.parametrize("kind", [ConvEncoder, ConvDecoder])
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((8,), r"image_shape=\(8,\): give \(height, width\)"),
        (8, "image_shape=8: give"),
        ((8.0, 8.0), r"image_shape=\(8\.0, 8\.0\): give"),
        ((0, 8), r"image_shape=\(0, 8\): give"),
        ("88", "image_shape='88': give"),
    ],
)
def test_shapes_of_images_are_checked(kind, arguments, match):
    with pytest.raises(ValueError, match=match):
        kind(arguments)(64, 64)


@pytest.mark.parametrize("kind", [ConvEncoder, ConvDecoder])
@pytest.mark.parametrize("channels", [0, "x", (0, 4), (True,), None])
def test_channels_are_checked(kind, channels):
    with pytest.raises(ValueError, match=r"channels=.*: give a tuple of whole numbers above 0"):
        kind((8, 8), channels)(64, 64)


def test_a_decoder_of_other_images_is_refused():
    with pytest.raises(ValueError, match="has 6 cells, but the network is asked for 64"):
        ConvDecoder((2, 3))(2, 64)


def test_pickles_hold_no_device():
    """Pickles hold arrays in place of tensors, those of the optimiser included."""
    vae = VAEEstimator(max_epochs=2).fit(X)
    kinds = {type(value) for value in everything_in(vae.__getstate__())}
    assert np.ndarray in kinds
    assert not any(kind.__module__.startswith("torch") for kind in kinds)


@pytest.mark.parametrize("encoder", [(), torch.nn.Linear])
def test_pickles_of_other_versions_are_refused(encoder):
    """Parameters may have meant something else: those of scales did."""
    vae = VAEEstimator(max_epochs=1, encoder=encoder).fit(X)
    state = vae.__getstate__()
    refused = [(state | {"_version": 2}, "2")]
    refused += [({name: state[name] for name in state if name != "_version"}, "None")]
    for older, version in refused:
        with pytest.raises(ValueError, match=f"The pickle is of version {version}; this version"):
            VAEEstimator().__setstate__(older)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(vae))))
    assert_array_equal(again.score_samples(X), vae.score_samples(X))
    assert vars(again).keys() == vars(vae).keys()


def everything_in(value):
    """A value and all that it holds, through containers and attributes."""
    yield value
    parts = value.values() if isinstance(value, dict) else getattr(value, "__dict__", {}).values()
    for part in value if isinstance(value, (list, tuple)) else parts:
        yield from everything_in(part)


def test_arguments_set_after_the_fit_do_not_matter(tmp_path):
    """A file holds what the model was made from, not what the next one will be."""
    vae = VAEEstimator(3, max_epochs=2, prior=VampPrior(4), random_state=0).fit(X)
    expected = vae.score_samples(X)
    vae.set_params(n_latent=2, encoder=(4, 4), prior="standard_normal", likelihood="poisson")
    vae.save(tmp_path / "model")
    for loaded in (VAEEstimator.load(tmp_path / "model"), pickle.loads(pickle.dumps(vae))):
        assert_array_equal(loaded.score_samples(X), expected)
        assert loaded.get_params()["encoder"] == (4, 4)


def test_networks_of_the_users_are_pickled():
    vae = VAEEstimator(max_epochs=1, encoder=torch.nn.Linear, random_state=0).fit(X)
    loaded = pickle.loads(pickle.dumps(vae))
    assert_array_equal(loaded.score_samples(X), vae.score_samples(X))


def test_what_a_file_does_not_hold_cannot_be_resumed(tmp_path):
    VAEEstimator(max_epochs=1).fit(X).save(tmp_path / "model")
    loaded = VAEEstimator.load(tmp_path / "model")
    for vae in (loaded, pickle.loads(pickle.dumps(loaded))):
        with pytest.raises(ValueError, match="There is no state of training"):
            vae.resume(X)
    assert np.isfinite(pickle.loads(pickle.dumps(loaded)).partial_fit(X).score(X))


def test_epochs_go_on_after_loading(tmp_path):
    X = load_wine().data
    vae = VAEEstimator(max_epochs=12, kl_warmup=0.5, early_stopping=False, random_state=0).fit(X)
    vae.save(tmp_path / "vae")
    loaded = VAEEstimator.load(tmp_path / "vae").partial_fit(X)
    assert repr(loaded.history_[:12]) == repr(vae.history_)
    assert loaded.n_iter_ == 13
    assert loaded.history_[-1].kl_weight == vae.partial_fit(X).history_[-1].kl_weight


def test_what_is_frozen_stays_frozen_in_files_and_pickles(tmp_path):
    X = load_wine().data
    vae = VAEEstimator(max_epochs=3, random_state=0).fit(X)
    vae.module_.encoder.requires_grad_(False)
    vae.partial_fit(X)
    vae.save(tmp_path / "vae")
    weights = next(vae.module_.encoder.parameters()).clone()
    for own in (pickle.loads(pickle.dumps(vae)), VAEEstimator.load(tmp_path / "vae"), vae):
        decoder = next(own.module_.decoder.parameters()).clone()
        own.partial_fit(X)
        assert_array_equal(next(own.module_.encoder.parameters()), weights)
        assert (next(own.module_.decoder.parameters()) != decoder).any()
