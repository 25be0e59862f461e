"""Bad input gets a clear error or a working fit, never a silent NaN."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.exceptions import NotFittedError

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from sklearn_genmodel.families import Columns  # noqa: E402
from sklearn_genmodel.vae import MixturePrior, VAEEstimator, VampPrior  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
COUNTS = pd.DataFrame({"visits": [0, 1, 4, 2], "orders": [3, 0, 5, 1]})


def vae(**arguments):
    return VAEEstimator(**{"max_epochs": 2, "random_state": 0, **arguments})


def with_entry(row, column, value):
    table = X.copy()
    table[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "arguments", "error", "match"),
    [
        (with_entry(3, 1, np.inf), {}, ValueError, r"inf \(infinity\) in column 1, row 3"),
        (np.zeros((0, 2)), {}, ValueError, r"0 sample\(s\)"),
        ([1.0, 2.0], {}, ValueError, "Expected 2D array, got 1D array"),
        (X + 1j, {}, ValueError, "Complex data not supported"),
        (sparse.csr_array(X), {}, TypeError, "Sparse data"),
        (X[:1], {}, ValueError, r"1 sample \(n_samples=1\)"),
        (np.c_[X, np.full(40, np.nan)], {}, ValueError, "Column 3 holds nothing but NaN"),
        (-COUNTS, {"likelihood": "poisson"}, ValueError, "Column 'orders' holds -3 in row 0"),
        (COUNTS + 0.5, {"likelihood": "negative_binomial"}, ValueError, "holds 0.5 in row 0"),
        (COUNTS, {"likelihood": "bernoulli"}, ValueError, "Column 'orders' holds 3 in row 0"),
        (COUNTS / 5, {"likelihood": "beta"}, ValueError, "strictly between 0 and 1"),
        (COUNTS, {"likelihood": Columns([("a", "poisson", ["visits"])])}, ValueError, "no group"),
        (COUNTS, {"likelihood": Columns([("a", "poisson", ["x"])])}, ValueError, "not all there"),
        (
            pd.DataFrame({"visits": [0, 1], "drink": ["tea", "water"]}),
            {"likelihood": Columns([("all", "poisson", ["visits", "drink"])])},
            ValueError,
            "Column 'drink' holds 'tea' in row 0, which is no number",
        ),
    ],
)
def test_tables(table, arguments, error, match):
    with pytest.raises(error, match=match):
        vae(**arguments).fit(table)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_latent": 0}, "n_latent must be an integer of at least 1, got 0"),
        ({"n_latent": 1.5}, "n_latent must be an integer"),
        ({"likelihood": "normal"}, "likelihood='normal': choose one of 'bernoulli'"),
        ({"decoder_scale": "big"}, "decoder_scale='big': choose one of 'unit'.*positive number"),
        ({"decoder_scale": 0.0}, "decoder_scale must be a number above 0, got 0"),
        ({"decoder_scale": -1.0}, "decoder_scale must be a number above 0"),
        ({"decoder_scale": None}, "decoder_scale=None: choose .*'network', or a positive number"),
        ({"encoder_scale": None}, "encoder_scale=None: choose .*'learned', or a positive number"),
        ({"encoder_scale": "network"}, "encoder_scale='network': choose one of 'unit', 'learned'"),
        ({"prior": "vamp"}, "prior='vamp': choose 'standard_normal', MixturePrior"),
        ({"prior": MixturePrior(0)}, "n_components must be an integer of at least 1"),
        (
            {"prior": MixturePrior(2, covariance_type="tied")},
            "covariance_type='tied': choose one of 'full', 'diag'",
        ),
        ({"prior": VampPrior("x")}, "n_pseudo_inputs must be an integer"),
        ({"prior": MixturePrior(2, warmup=2.0)}, "warmup=2.0 is a share of max_epochs"),
        ({"prior": MixturePrior(2, warmup=None)}, "warmup must be a number of at least 0"),
        ({"encoder": torch.nn.Linear(3, 4)}, "encoder is a network, Linear.*pass a factory"),
        ({"encoder": 128}, "encoder must be a tuple of hidden sizes"),
        ({"decoder": (0,)}, "decoder must be a tuple of hidden sizes"),
        ({"activation": "swish"}, "activation='swish': choose one of"),
        ({"objective": "likelihood"}, "objective='likelihood': choose one of"),
        ({"n_draws": 0}, "n_draws must be"),
        ({"beta": -1}, "beta must be a number of at least 0"),
        ({"kl_warmup": 10}, "share of max_epochs"),
        ({"free_bits": np.nan}, "free_bits must be"),
        ({"free_bits": 0.5, "objective": "iwae"}, r"free_bits=0\.5 is for objective='elbo'"),
        ({"free_bits": 0.5, "objective": "dreg"}, "set free_bits=0 or objective='elbo'"),
        ({"optimizer": "lbfgs"}, "optimizer='lbfgs': choose one of 'adam', 'sgd', or pass a"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": -1}, "learning_rate must be a number above 0, got -1"),
        ({"validation_fraction": -1}, "must be a number above 0 and below 1, got -1"),
        ({"lr_schedule": "step"}, "lr_schedule='step': choose one of None, 'cosine'"),
        ({"weight_decay": "a"}, "weight_decay must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"max_epochs": 0}, "max_epochs must be"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0 must lie between 0 and 1"),
        ({"early_stopping": "yes"}, "early_stopping must be True or False"),
        ({"n_score_draws": 0}, "n_score_draws must be"),
        ({"dtype": "float16"}, "dtype='float16': choose one of"),
        ({"device": "abacus"}, "device='abacus' is unknown"),
        ({"random_state": "a"}, "random_state must be"),
        ({"verbose": "yes"}, "verbose must be"),
    ],
    ids=str,
)
def test_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        vae(**arguments).fit(X)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none():
    with pytest.raises(ValueError, match=r"device='cuda' was asked for, .* finds no such device"):
        vae(device="cuda").fit(X)


@pytest.mark.parametrize(
    ("factory", "error", "match"),
    [
        (lambda i, o: nn.Linear(i + 1, o), ValueError, "encoder cannot take its inputs"),
        (lambda i, o: nn.Linear(i, o + 1), ValueError, r"maps 2 rows to shape \(2, 5\)"),
        (nn.LSTM, ValueError, "maps 2 rows to a tuple, not to a tensor"),
        (lambda i, o: None, TypeError, "factory encoder returned NoneType"),
    ],
)
def test_networks_of_the_wrong_shape(factory, error, match):
    with pytest.raises(error, match=match):
        vae(encoder=factory).fit(X)


def test_factories_and_batch_norm():
    def encoder(n_inputs, n_outputs):
        return nn.Sequential(nn.Linear(n_inputs, 8), nn.BatchNorm1d(8), nn.Linear(8, n_outputs))

    model = vae(encoder=encoder, max_epochs=20).fit(X)
    assert np.isfinite(model.score(X))
    np.testing.assert_allclose(model.transform(X)[:1], model.transform(X[:1]), rtol=1e-10)


@pytest.mark.parametrize(
    ("table", "arguments"),
    [
        (np.c_[X, np.full(40, 2.5)], {}),
        (X[:2], {}),
        (X[:5], {"batch_size": 1000}),
        (X[:3], {"validation_fraction": 0.99}),
        (1e30 * X, {}),
        (1e-30 * X, {}),
        (1e150 + 1e140 * X, {}),
        (np.round(1e6 * np.abs(X)), {"likelihood": "poisson"}),
        (np.round(1e6 * np.abs(X)), {"likelihood": "negative_binomial"}),
        (np.zeros((20, 2)), {"likelihood": "poisson"}),
        (np.zeros((20, 2)), {"likelihood": "zero_inflated_negative_binomial"}),
        (np.ones((20, 2)), {"likelihood": "bernoulli"}),
        (np.zeros((20, 2)), {"likelihood": "categorical"}),
        (np.full((20, 2), 0.5), {"likelihood": "beta"}),
        (X[:6], {"prior": MixturePrior(10), "max_epochs": 4}),
        (np.tile(X[:1], (20, 1)), {"prior": MixturePrior(3), "max_epochs": 4}),
    ],
)
def test_what_works(table, arguments):
    model = vae(**arguments).fit(table)
    assert np.isfinite(model.score_samples(table)).all()
    assert np.isfinite(model.transform(table)).all()
    assert np.isfinite(model.sample(5)).all()


def test_codes_that_were_not_seen():
    table = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]] * 5)
    model = vae(likelihood="categorical").fit(table)
    with pytest.raises(ValueError, match=r"Column 1 holds 3\.0 in row 0, .* \(0\.0, 1\.0, 2\.0\)"):
        model.score_samples([[0.0, 3.0]])
    with pytest.raises(ValueError, match=r"Column 0 holds 2\.0"):
        model.partial_fit([[2.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    "method", ["transform", "score_samples", "score", "elbo", "impute", "posterior", "resume"]
)
def test_before_fit(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(VAEEstimator(), method)(X)


def test_before_fit_without_rows():
    for call in (
        lambda v: v.sample(),
        lambda v: v.traverse(0),
        lambda v: v.inverse_transform([[0]]),
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(VAEEstimator())


def test_what_a_fitted_model_refuses():
    model = vae().fit(X)
    with pytest.raises(ValueError, match="X has 2 features, but VAEEstimator is expecting 3"):
        model.transform(X[:, :2])
    with pytest.raises(ValueError, match=r"Latents have shape \(1, 3\), expected \(n_samples, 2\)"):
        model.inverse_transform([[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"Latents have shape \(0, 2\)"):
        model.inverse_transform(np.empty((0, 2)))
    with pytest.raises(ValueError, match="Latents of row 1 are not finite"):
        model.inverse_transform([[0.0, 0.0], [0.0, np.nan]])
    with pytest.raises(ValueError, match="unit=2, but there are 2 latent units"):
        model.traverse(2)
    with pytest.raises(ValueError, match="n_samples must be"):
        model.sample(0)
    with pytest.raises(ValueError, match="n_steps must be"):
        model.interpolate(X[0], X[1], 1)
    with pytest.raises(ValueError, match="given has 2 values for 3 columns"):
        model.interpolate(X[0], X[1][:2])
    with pytest.raises(ValueError, match="n_score_draws must be an integer"):
        model.set_params(n_score_draws=2.5).score(X)


def test_integers_of_numpy():
    X = np.random.default_rng(0).normal(size=(60, 2))
    names = "n_latent", "n_draws", "batch_size", "max_epochs", "n_iter_no_change", "n_score_draws"
    numbers = dict(zip(names, (1, 2, 16, 3, 2, 10), strict=True))
    vae = VAEEstimator(**numbers, random_state=0).fit(X)
    vae.set_params(**{name: np.int64(value) for name, value in numbers.items()})
    expected = vae.score(X)
    assert vae.fit(X).score(X) == expected


@pytest.mark.parametrize("parts", [[0], [30, 30], [20, 40]], ids=["one", "alike", "unlike"])
def test_lists_of_tables_are_refused(parts):
    X = np.random.default_rng(0).normal(size=(60, 2))
    tables = [X[:n] for n in parts]
    with pytest.raises(TypeError, match="X is a list of tables: concatenate them; batches go to"):
        VAEEstimator().fit(tables)
    with pytest.raises(TypeError, match="X is a list_iterator, which can be read once"):
        VAEEstimator().fit(iter(tables))


def test_latents_have_the_name_of_scikit_learn():
    model = vae().fit(X)
    latents = model.transform(X)
    assert np.array_equal(model.inverse_transform(X=latents), model.reconstruct(X))
    with sklearn.config_context(enable_metadata_routing=True):
        assert not hasattr(model, "set_inverse_transform_request")


def test_a_row_to_start_from_holds_what_its_columns_may():
    counts = np.random.default_rng(0).poisson(3.0, (50, 3))
    vae = VAEEstimator(likelihood="poisson", max_epochs=1, random_state=0).fit(counts)
    with pytest.raises(ValueError, match="Column 0 holds -1"):
        vae.traverse(0, row=[-1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"Column 2 holds 1\.5"):
        vae.interpolate([1, 2, 3], [1, 2, 1.5])
