"""Training: seeds, threads, warm-up, early stopping, roll-back, and what is recorded."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.decomposition import FactorAnalysis

torch = pytest.importorskip("torch")

from sklearn_genmodel.vae import (  # noqa: E402
    ConvDecoder,
    ConvEncoder,
    MixturePrior,
    VAEEstimator,
    VampPrior,
)


@pytest.fixture(scope="module")
def X():
    return load_wine().data


def test_one_seed_gives_one_result_and_global_generators_are_untouched(X):
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = VAEEstimator(max_epochs=3, random_state=5).fit(X)
    assert_array_equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    torch.manual_seed(99)
    second = VAEEstimator(max_epochs=3, random_state=5).fit(X)
    assert_array_equal(first.score_samples(X), second.score_samples(X))
    assert_array_equal(first.sample(5), second.sample(5))
    other = VAEEstimator(max_epochs=3, random_state=6).fit(X)
    assert not np.array_equal(first.transform(X), other.transform(X))


@pytest.mark.parametrize(
    "arguments",
    [
        {"prior": MixturePrior(2)},
        {"prior": VampPrior(3), "likelihood": "student_t", "dtype": "float64"},
        {"encoder": ConvEncoder((13, 1)), "decoder": ConvDecoder((13, 1))},
    ],
    ids=["dense", "vamp", "images"],
)
def test_one_seed_gives_one_result_whatever_the_default_precision(X, arguments):
    vae = VAEEstimator(max_epochs=3, random_state=0, **arguments)
    expected = vae.fit(X).score_samples(X)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert_array_equal(clone(vae).fit(X).score_samples(X), expected)
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_a_fit_needs_no_gradients_of_the_caller(X, activation):
    vae = VAEEstimator(activation=activation, max_epochs=2, random_state=0)
    with torch.no_grad():
        found = vae.fit(X).score_samples(X)
    assert_array_equal(clone(vae).fit(X).score_samples(X), found)


def test_fits_in_threads_do_not_disturb_each_other(X):
    def score(_):
        return VAEEstimator(max_epochs=1, random_state=0, early_stopping=False).fit(X).score(X)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(score, range(60)))) == 1


def with_dropout(n_inputs, n_outputs):
    hidden = torch.nn.Linear(n_inputs, 16), torch.nn.ReLU(), torch.nn.Dropout(0.3)
    return torch.nn.Sequential(*hidden, torch.nn.Linear(16, n_outputs))


def test_what_networks_drop_is_drawn_from_the_seed(X):
    before = torch.get_rng_state()
    vae = VAEEstimator(encoder=with_dropout, max_epochs=4, random_state=0, early_stopping=False)
    first = vae.fit(X).transform(X)
    assert_array_equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert_array_equal(clone(vae).fit(X).transform(X), first)
    half = clone(vae).set_params(max_epochs=2, kl_warmup=0.0).fit(X)
    whole = clone(vae).set_params(kl_warmup=0.0).fit(X).transform(X)
    assert_array_equal(half.set_params(max_epochs=4).resume(X).transform(X), whole)


def test_scaling_sees_weights(X):
    weights = np.random.default_rng(0).integers(1, 5, len(X))
    weighted = VAEEstimator(max_epochs=1).fit(X, sample_weight=weights)._scaling
    repeated = VAEEstimator(max_epochs=1).fit(np.repeat(X, weights, axis=0))._scaling
    for one, other in zip(weighted, repeated, strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_threads_are_restored(X):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        VAEEstimator(max_epochs=1).fit(X)
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="infinity"):
            VAEEstimator(max_epochs=1).fit(np.where(X == X[0, 0], np.inf, X))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_scores_are_functions_of_the_row(X):
    vae = VAEEstimator(max_epochs=3, random_state=0).fit(X)
    scores = vae.score_samples(X)
    assert_array_equal(scores, vae.score_samples(X))
    assert_allclose(scores[::-1], vae.score_samples(X[::-1]), rtol=1e-12)
    assert_allclose(scores[7:8], vae.score_samples(X[7:8]), rtol=1e-12)
    assert_allclose(scores.mean(), vae.score(X))


def test_scores_are_in_the_units_of_the_data(X):
    """Rescaling a column by c subtracts log c, whatever is standardised inside."""
    vae = VAEEstimator(max_epochs=5, dtype="float64", random_state=0).fit(X)
    scale = 10.0 ** np.arange(-6, 7)
    scaled = VAEEstimator(max_epochs=5, dtype="float64", random_state=0).fit(5.0 + X * scale)
    shift = np.log(scale).sum()
    found = scaled.score_samples(5.0 + X * scale)
    assert_allclose(found, vae.score_samples(X) - shift, rtol=1e-6, atol=1e-6)
    last, scaled_last = vae.history_[-1], scaled.history_[-1]
    assert_allclose(scaled_last.elbo, last.elbo - shift, rtol=1e-6)
    assert_allclose(scaled_last.validation, last.validation - shift, rtol=1e-6)
    assert_allclose(
        scaled.inverse_transform(np.zeros((1, 2))),
        5.0 + scale * vae.inverse_transform(np.zeros((1, 2))),
        rtol=1e-6,
    )


@pytest.mark.parametrize("likelihood", ["gaussian", "student_t"])
@pytest.mark.parametrize("value", [1e-6, -3e5])
def test_a_column_that_is_constant_has_the_unit_of_its_value(X, likelihood, value):
    """Its score and its noise change with its units as those of every column do."""
    arguments = {"likelihood": likelihood, "max_epochs": 3, "random_state": 0}
    plain = VAEEstimator(**arguments).fit(np.c_[X, np.sign(value) * np.ones(len(X))])
    found = VAEEstimator(**arguments).fit(np.c_[X, np.full(len(X), value)])
    expected = plain.score(np.c_[X, np.sign(value) * np.ones(len(X))]) - np.log(abs(value))
    assert_allclose(found.score(np.c_[X, np.full(len(X), value)]), expected, rtol=1e-9)
    draws = [vae.sample(200, random_state=0)[:, -1] for vae in (plain, found)]
    assert_allclose(draws[1], abs(value) * draws[0], rtol=1e-9)


@pytest.mark.parametrize("likelihood", ["gaussian", "student_t"])
def test_rounding_is_no_variation(X, likelihood):
    """0.1 + 0.2 is 0.3: scores are those of a column that is constant."""
    rounded = np.where(np.arange(len(X)) % 3, 0.3, 0.1 + 0.2)
    vae = VAEEstimator(likelihood=likelihood, max_epochs=3, random_state=0)
    expected = vae.fit(np.c_[X, np.full(len(X), 0.3)]).score(np.c_[X, np.full(len(X), 0.3)])
    assert_allclose(vae.fit(np.c_[X, rounded]).score(np.c_[X, rounded]), expected, rtol=1e-6)


def test_history(X):
    vae = VAEEstimator(max_epochs=20, beta=2.0, kl_warmup=0.5, early_stopping=False).fit(X)
    assert len(vae.history_) == vae.n_iter_ == 20
    weights = [epoch.kl_weight for epoch in vae.history_]
    assert_allclose(weights[:10], 2.0 * np.arange(1, 11) / 11)
    assert_allclose(weights[10:], 2.0)
    for epoch in vae.history_:
        assert_allclose(epoch.elbo, epoch.reconstruction - epoch.kl, rtol=1e-5)
        assert epoch.seconds > 0
        assert np.isnan(epoch.validation)
        assert epoch.lr == 1e-3
        assert not epoch.rolled_back


@pytest.mark.parametrize("kl_warmup", [0.0, 1.0])
def test_the_warm_up_ends_within_the_run(X, kl_warmup):
    vae = VAEEstimator(max_epochs=3, kl_warmup=kl_warmup, early_stopping=False).fit(X)
    assert vae.history_[-1].kl_weight == 1.0


def test_schedules(X):
    arguments = {"max_epochs": 8, "early_stopping": False, "random_state": 0}
    lr = [e.lr for e in VAEEstimator(lr_schedule="cosine", **arguments).fit(X).history_]
    assert_allclose(lr, 5e-4 * (1 + np.cos(np.pi * np.arange(8) / 8)))
    plateau = VAEEstimator(lr_schedule="plateau", tol=1e9, n_iter_no_change=4, **arguments)
    lr = [e.lr for e in plateau.fit(X).history_]
    # The first epoch counts as a rise, and every second one without a rise halves the step.
    assert_allclose(lr, [1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4, 1.25e-4])


def test_early_stopping_keeps_the_best_parameters():
    """A large network on few rows overfits: the last epochs are worse than the one kept."""
    X = np.random.default_rng(0).normal(size=(60, 8))
    vae = VAEEstimator(
        4, max_epochs=300, n_iter_no_change=30, learning_rate=1e-2, kl_warmup=0.02, random_state=0
    ).fit(X)
    values = np.array([epoch.validation for epoch in vae.history_])
    assert vae.n_iter_ < 300
    best = values[6:].argmax() + 6
    assert vae.n_iter_ >= best + 30
    shorter = VAEEstimator(
        4, max_epochs=300, n_iter_no_change=30, learning_rate=1e-2, kl_warmup=0.02, random_state=0
    )
    # Stop right after the best epoch: the same parameters.
    shorter.set_params(max_epochs=int(best) + 1, kl_warmup=6.01 / (best + 1)).fit(X)
    assert_allclose(vae.score_samples(X), shorter.score_samples(X), rtol=1e-9)


def test_a_step_that_is_too_long_is_rolled_back(X):
    counts = np.round(X)
    arguments = {"likelihood": "poisson", "optimizer": "sgd", "early_stopping": False}
    vae = VAEEstimator(learning_rate=1e6, max_epochs=80, random_state=0, **arguments).fit(counts)
    rolled = [epoch.rolled_back for epoch in vae.history_]
    first = rolled.index(True)
    assert vae.history_[first + 1].lr == 0.5 * vae.history_[first].lr
    assert not rolled[-1]
    # As good as the marginals at least, which is where training starts.
    marginal = VAEEstimator(learning_rate=1e-9, max_epochs=1, random_state=0, **arguments)
    assert vae.score(counts) > marginal.fit(counts).score(counts) - 1.0
    with pytest.raises(FloatingPointError, match="halved each time"):
        vae.set_params(learning_rate=1e30, max_epochs=100).fit(counts)


def test_an_error_changes_nothing(X):
    vae = VAEEstimator(max_epochs=3, random_state=0).fit(X)
    before, scores = dict(vars(vae)), vae.score_samples(X)

    def interrupted(groups, lr):
        class Interrupted(torch.optim.SGD):
            def step(self, *args):
                super().step(*args)
                raise KeyboardInterrupt

        return Interrupted(groups, lr=lr)

    vae.set_params(optimizer=interrupted)
    before["optimizer"] = interrupted
    for method in (vae.fit, vae.partial_fit, vae.set_params(warm_start=True).fit):
        with pytest.raises(KeyboardInterrupt):
            method(X)
        vae.warm_start = False
        assert vars(vae) == before
    assert_array_equal(vae.score_samples(X), scores)


def test_optimizer_factory_and_weight_decay(X):
    def factory(groups, lr):
        return torch.optim.RMSprop(groups, lr=lr)

    vae = VAEEstimator(optimizer=factory, max_epochs=3, random_state=0).fit(X)
    assert np.isfinite(vae.score(X))
    arguments = {"max_epochs": 100, "early_stopping": False, "random_state": 0}
    decayed = VAEEstimator(weight_decay=10.0, **arguments).fit(X)
    plain = VAEEstimator(**arguments).fit(X)
    norms = [v.module_.decoder.layers[-1].weight.norm().item() for v in (decayed, plain)]
    assert norms[0] < 0.7 * norms[1]
    # Biases and scales are spared: the model still knows the marginals.
    assert decayed.score(X) > -40.0


@pytest.mark.parametrize("prior", ["standard_normal", VampPrior(3), MixturePrior(3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_precisions(X, dtype, prior):
    vae = VAEEstimator(max_epochs=4, dtype=dtype, prior=prior, random_state=0).fit(X)
    reference = VAEEstimator(max_epochs=4, dtype="float64", prior=prior, random_state=0).fit(X)
    assert abs(vae.score(X) - reference.score(X)) < 1.0
    assert vae.transform(X).dtype == np.float64


def test_extreme_units():
    """Means far from 0 and tiny spreads: standardising happens in double precision."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    plain = VAEEstimator(max_epochs=5, random_state=0).fit(X)
    scale, shift = np.array([1e-8, 1.0, 1e30]), np.array([1e-3, 1e6, -1e31])
    far = VAEEstimator(max_epochs=5, random_state=0).fit(shift + scale * X)
    expected = plain.score_samples(X) - np.log(scale).sum()
    assert_allclose(far.score_samples(shift + scale * X), expected, atol=1e-3)


def test_callbacks_see_every_epoch_and_may_stop(X):
    pytest.importorskip("sklearn.callback")

    class Recorder:
        def __init__(self):
            self.scores = []

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
            if context.parent is not None:
                self.scores.append(fitted_estimator.score(X))
            return len(self.scores) == 4

    recorder = Recorder()
    arguments = {"max_epochs": 10, "batch_size": 16, "early_stopping": False, "random_state": 0}
    vae = VAEEstimator(**arguments)
    vae.set_callbacks(recorder).fit(X)
    assert vae.n_iter_ == len(recorder.scores) == 4
    assert_allclose(recorder.scores[-1], vae.score(X))
    shorter = VAEEstimator(**arguments)
    for _ in range(2):
        shorter.partial_fit(X)
    assert_allclose(recorder.scores[1], shorter.score(X))


def test_collapse_is_foretold_and_counted():
    from sklearn.datasets import load_digits

    digits = load_digits().data[:300] / 16.0
    arguments = {"decoder_scale": "unit", "encoder_scale": "unit", "standardize": False}
    vae = VAEEstimator(5, max_epochs=40, learning_rate=1e-2, random_state=0, **arguments)
    with pytest.warns(UserWarning, match="decoder_scale='learned'"):
        vae.fit(digits)
    assert vae.active_units_ == 0
    cured = VAEEstimator(5, max_epochs=40, learning_rate=1e-2, random_state=0)
    assert cured.fit(digits).active_units_ > 0


def test_verbose_says_the_device_and_the_epochs(X, capsys):
    VAEEstimator(max_epochs=11, verbose=1, device="cpu", early_stopping=False).fit(X)
    out = capsys.readouterr().out
    assert "device cpu" in out
    assert "epoch 10, bound -" in out
    assert "11 epochs" in out


@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
@pytest.mark.parametrize("table", [load_iris, load_diabetes], ids=["iris", "diabetes"])
def test_defaults_on_few_rows_end_no_lower_than_factor_analysis(table):
    """A hundred rows are one batch: a step an epoch ended two nats per row below it."""
    X = table().data
    order = np.random.default_rng(0).permutation(len(X))
    train, test = X[order[len(X) // 4 :]], X[order[: len(X) // 4]]
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    factors = FactorAnalysis(2, tol=1e-6, max_iter=5000).fit((train - mean) / deviation)
    expected = factors.score((test - mean) / deviation) - np.log(deviation).sum()
    assert VAEEstimator(random_state=0).fit(train).score(test) > expected - 0.1


def test_an_epoch_of_few_rows_makes_ten_steps(X):
    steps = []

    class Counted(torch.optim.SGD):
        def step(self, closure=None):
            steps.append(1)
            return super().step(closure)

    arguments = {"optimizer": Counted, "early_stopping": False, "random_state": 0}
    for n_rows, batch_size, n_steps in ((20, 128, 10), (20, 7, 12), (100, 8, 13)):
        vae = VAEEstimator(max_epochs=3, batch_size=batch_size, **arguments)
        vae.fit(X[:n_rows])
        assert (len(steps), vae.n_iter_) == (3 * n_steps, 3)
        terms = vae.history_[-1]
        assert_allclose(terms.elbo, terms.reconstruction - terms.kl, rtol=1e-5)
        assert abs(terms.elbo - vae.elbo(X[:n_rows]).elbo.mean()) < 0.2 * abs(terms.elbo)
        steps.clear()
    VAEEstimator(**arguments).partial_fit(X[:20])
    assert len(steps) == 1
