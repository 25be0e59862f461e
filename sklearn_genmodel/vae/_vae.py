"""The estimator: validate, initialise, run, store."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_genmodel._compat import CallbackSupportMixin, as_generator, with_callbacks
from sklearn_genmodel._validation import unchanged_on_error
from sklearn_genmodel.em import Rows
from sklearn_genmodel.families import Columns
from sklearn_genmodel.vae._arguments import check_arguments
from sklearn_genmodel.vae._build import build_model, new_state
from sklearn_genmodel.vae._fitting import TrainedByGradients
from sklearn_genmodel.vae._progress import Progress
from sklearn_genmodel.vae._tables import lowest_value

__all__ = ["VAEEstimator"]

Array = NDArray[np.float64]


class VAEEstimator(CallbackSupportMixin, TrainedByGradients):
    """Variational autoencoder: a deep latent-variable model with an amortised posterior.

    Rows x have latent vectors z ~ p(z) and are drawn from p(x | z), whose parameters a decoder
    network computes; an encoder network gives q(z | x). Both maximise the evidence lower bound
    E_q[log p(x | z)] - KL(q || p(z)) by stochastic gradients (L8 to L14). Cells that are missing
    (NaN) are left out of the bound, in training and afterwards.

    Parameters
    ----------
    n_latent : int, default=2
        Size of z.
    likelihood : str or Columns, default="gaussian"
        Distribution of the columns given z: "gaussian", "student_t" (real numbers), "bernoulli"
        (0 and 1), "poisson", "negative_binomial", "zero_inflated_negative_binomial" (counts),
        "categorical" (labels), "beta" (between 0 and 1). Tables of mixed columns take a
        :class:`~sklearn_genmodel.families.Columns` whose groups have these names.
    decoder_scale : {"learned", "learned_scalar", "network", "unit"} or float, default="learned"
        Scale of that distribution: one per column, one number, an output of the decoder per row
        and column, 1, or a fixed number. A standard deviation, in units of those of the columns
        if `standardize`; for "negative_binomial" the number of failures r, for "beta" the
        precision. Distributions without a scale ignore it.
    encoder_scale : {"learned", "unit"} or float, default="learned"
        Standard deviation of q(z | x): an output of the encoder, 1, or a fixed number.
    prior : "standard_normal", MixturePrior or VampPrior, default="standard_normal"
        p(z). With a `MixturePrior`, `predict` and `predict_proba` cluster.
    encoder, decoder : tuple of int or callable, default=(128,)
        Sizes of the hidden layers, () for an affine map; or a factory ``(n_inputs, n_outputs) ->
        torch.nn.Module``, such as `ConvEncoder` and `ConvDecoder`.
    activation : str, default="relu"
        "elu", "gelu", "relu", "sigmoid", "silu", "softplus" or "tanh".
    objective : {"elbo", "iwae", "dreg"}, default="elbo"
        The evidence lower bound; the importance-weighted bound of `n_draws` draws; the same with
        doubly reparametrised gradients.
    n_draws : int, default=1
        Draws of z per row and step (C of L12).
    beta : float, default=1.0
        Weight of the KL term in training. Scores never depend on it.
    kl_warmup : float, default=0.1
        Share of `max_epochs` over which that weight rises from near 0 to `beta`.
    free_bits : float, default=0.0
        Nats of KL per latent unit that cost nothing in training; for `objective="elbo"` only.
    optimizer : {"adam", "sgd"} or callable, default="adam"
        A factory ``(parameter_groups, lr) -> torch.optim.Optimizer`` is allowed.
    learning_rate : float, default=1e-3
    lr_schedule : {"cosine", "plateau"} or None, default=None
        "cosine" falls to 0 over `max_epochs`; "plateau" halves the step whenever the bound has not
        risen for half of `n_iter_no_change` epochs.
    weight_decay : float, default=0.0
        Of weight matrices; biases, scales and priors do not decay.
    batch_size : int, default=128
    max_epochs : int, default=200
        An epoch of `fit` goes through the rows once, or through few rows as often as it takes for
        10 steps; one of `partial_fit`, once.
    tol : float, default=1e-4
        Smallest rise of the validation bound, in nats per row, that counts for early stopping.
    early_stopping : bool, default=True
        Whether to hold rows out, stop when their bound (at beta = 1, with fixed noise) stops
        rising, and keep the best parameters.
    validation_fraction : float, default=0.1
        Share of the rows held out, one row at least.
    n_iter_no_change : int, default=10
        Epochs without a rise before stopping.
    standardize : bool, default=True
        Whether columns of real numbers, and the encoder's inputs, are standardised: by mean and
        deviation, for "student_t" by the median and the middle nine tenths. Scores are in the units
        of the data all the same.
    n_score_draws : int, default=100
        Draws per row of `score_samples`, `elbo`, `impute` and `predict_proba`.
    device : str, default="auto"
        "auto" is CUDA, then MPS, then the CPU. In a process group of ``torch.distributed`` every
        process takes a GPU of its own, and all of them train one model.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        Precision of training; "bfloat16" computes the networks in it. On the CPU everything after
        training is computed in double precision, but for the decoder of `score_samples`, which
        stays in that of training ("bfloat16" in "float32").
    warm_start : bool, default=False
        Whether `fit` starts from the parameters of the last one.
    random_state : int, RandomState, Generator or None, default=None
        Seed of everything that is random. NumPy's and torch's global generators are not touched.
    verbose : int, default=0
        1 prints the device, every tenth epoch and the outcome; 2 prints every epoch.

    Attributes
    ----------
    module_ : torch.nn.Module
        The model, with ``encoder``, ``decoder``, ``likelihood`` and ``prior``.
    history_ : list of Epoch
        Per epoch: ``elbo``, ``reconstruction``, ``kl``, ``validation``, ``seconds``, ``lr``,
        ``kl_weight``, ``rolled_back``; bounds in nats per row, at KL weight 1.
    n_iter_ : int
        Number of epochs run.
    active_units_ : int
        Number of latent units whose posterior mean varies over the rows.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they all are strings.

    See Also
    --------
    sklearn_genmodel.EMMixture : Discrete latent variables, with an exact posterior.

    Notes
    -----
    A weight of 2 has the expectation of a repeated row, but not its noise: minibatches are drawn
    by row.

    References
    ----------
    Kingma, D. P. and Welling, M. (2014). Auto-encoding variational Bayes. International Conference
    on Learning Representations.

    Mattei, P.-A. and Frellsen, J. (2019). MIWAE: deep generative modelling and imputation of
    incomplete data sets. International Conference on Machine Learning.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_genmodel.vae import VAEEstimator
    >>> X = load_wine().data
    >>> vae = VAEEstimator(n_latent=2, max_epochs=30, random_state=0).fit(X)
    >>> vae.transform(X).shape
    (178, 2)
    >>> bool(vae.score(X) > -40.0)
    True
    """

    def __init__(
        self,
        n_latent: int = 2,
        *,
        likelihood: Any = "gaussian",
        decoder_scale: str | float = "learned",
        encoder_scale: str | float = "learned",
        prior: Any = "standard_normal",
        encoder: Any = (128,),
        decoder: Any = (128,),
        activation: str = "relu",
        objective: str = "elbo",
        n_draws: int = 1,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        free_bits: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        lr_schedule: str | None = None,
        weight_decay: float = 0.0,
        batch_size: int = 128,
        max_epochs: int = 200,
        tol: float = 1e-4,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        standardize: bool = True,
        n_score_draws: int = 100,
        device: Any = "auto",
        dtype: str = "float32",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_latent = n_latent
        self.likelihood = likelihood
        self.decoder_scale = decoder_scale
        self.encoder_scale = encoder_scale
        self.prior = prior
        self.encoder = encoder
        self.decoder = decoder
        self.activation = activation
        self.objective = objective
        self.n_draws = n_draws
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.n_score_draws = n_score_draws
        self.device = device
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @unchanged_on_error
    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> VAEEstimator:
        """Fit the model to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN stands for a missing cell.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : VAEEstimator

        Raises
        ------
        ValueError
            If the data or an argument cannot be used. Nothing is changed then.
        """
        check_arguments(self)
        rng = as_generator(self.random_state)
        is_warm = self.warm_start and hasattr(self, "module_")
        family, rows, weights = self._check_training_data(X, sample_weight, is_new=not is_warm)
        told = self._description(family, Rows(rows, weights), rng, is_warm=is_warm)
        model = self._continued(rows) if is_warm else build_model(self, family, rows, weights, rng)
        progress = Progress(self, X, y, sample_weight, fit=told)
        state = progress.go_on(model, new_state(rng))
        self._forget()
        return self._train(model, rows, weights, state, progress)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Fit the model, and return the posterior means of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        latents : ndarray of shape (n_samples, n_latent)
        """
        return self.fit(X, y, sample_weight=sample_weight).transform(X)

    def __sklearn_tags__(self) -> Any:
        """Tags of scikit-learn: what the likelihood's support says, and that NaN is taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        reads_labels = isinstance(self.likelihood, Columns) or self.likelihood == "categorical"
        tags.input_tags.string = tags.input_tags.categorical = reads_labels
        tags.input_tags.positive_only = lowest_value(self.likelihood) >= 0
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.module_.n_latent)
