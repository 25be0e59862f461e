"""Models that leave Python or torch: ONNX graphs and skops files give the same numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine

torch = pytest.importorskip("torch")

from sklearn_genmodel.datasets import load_pima  # noqa: E402
from sklearn_genmodel.families import Columns  # noqa: E402
from sklearn_genmodel.vae import (  # noqa: E402
    TRUSTED_TYPES,
    ConvDecoder,
    ConvEncoder,
    MixturePrior,
    StandardNormal,
    VAEEstimator,
    VampPrior,
)

WINE, DIGITS = load_wine().data, load_digits().data[:80]
SHARES = (DIGITS + 1.0) / 18.0
PIMA = load_pima().data
MIXED = Columns(
    [
        ("pregnancies", "zero_inflated_negative_binomial", [0]),
        ("sizes", "gaussian", [1, 2, 3, 4, 6]),
        ("pedigree", "student_t", [5]),
        ("type", "categorical", [7]),
    ]
)
MODELS = {
    "gaussian": (VAEEstimator(3, prior=MixturePrior(3)), WINE),
    "poisson": (VAEEstimator(likelihood="poisson", decoder=()), DIGITS),
    "beta": (VAEEstimator(likelihood="beta", prior=StandardNormal()), SHARES),
    "categorical": (VAEEstimator(likelihood="categorical", encoder_scale="unit"), PIMA[:, [7]]),
    "mixed": (VAEEstimator(likelihood=MIXED, prior=VampPrior(3)), PIMA),
    "images": (VAEEstimator(encoder=ConvEncoder((8, 8)), decoder=ConvDecoder((8, 8))), DIGITS),
}


def fitted(name):
    vae, X = MODELS[name]
    return clone(vae).set_params(max_epochs=2, random_state=0).fit(X), X


@pytest.mark.parametrize("name", ["gaussian", "mixed", "images"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_graphs_compute_the_same(name, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    vae, X = fitted(name)
    vae.to_onnx("encoder", tmp_path / "encoder.onnx")
    vae.to_onnx("decoder", tmp_path / "decoder.onnx")
    posterior, Z = vae.posterior(X), vae.transform(X)
    encoder = ReferenceEvaluator(onnx.load(tmp_path / "encoder.onnx"))
    means, scales = encoder.run(None, {"X": X.astype(np.float32)})
    assert_allclose(means, posterior.means, rtol=2e-4, atol=1e-4)
    assert_allclose(scales, posterior.scales, rtol=1e-3)
    decoder = ReferenceEvaluator(onnx.load(tmp_path / "decoder.onnx"))
    (cells,) = decoder.run(None, {"Z": Z.astype(np.float32)})
    assert_allclose(cells, vae.inverse_transform(Z).astype(float), rtol=2e-4, atol=1e-3)


def test_a_part_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="part='prior': choose 'encoder' or 'decoder'"):
        fitted("gaussian")[0].to_onnx("prior", tmp_path / "graph.onnx")


@pytest.mark.parametrize("name", list(MODELS))
def test_skops_reads_what_it_wrote(name):
    skops = pytest.importorskip("skops.io")
    vae, X = fitted(name)
    content = skops.dumps(vae)
    assert set(skops.get_untrusted_types(data=content)) <= set(TRUSTED_TYPES)
    loaded = skops.loads(content, trusted=TRUSTED_TYPES)
    assert_array_equal(loaded.score_samples(X), vae.score_samples(X))
    # The state of the optimiser travels too.
    assert_array_equal(loaded.partial_fit(X).transform(X), vae.partial_fit(X).transform(X))
