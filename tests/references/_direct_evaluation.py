"""Log-densities by scipy at the parameters of a reference fit; nothing of the package is used."""

import numpy as np
from _record_parameters import expand_covariances
from scipy.special import logsumexp, xlog1py, xlogy
from scipy.stats import (
    expon,
    gamma,
    lognorm,
    multivariate_normal,
    multivariate_t,
    nbinom,
    poisson,
    t,
    vonmises,
    weibull_min,
)


def log_density(X, params, record):
    """Log-density of each row in nats at the parameters given.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    params : dict of ndarray
        In the shapes of `load_parameters`.
    record : dict

    Returns
    -------
    log_density : ndarray of shape (n_rows,)
    """
    return logsumexp(log_joint(X, params, record), axis=1)


def log_joint(X, params, record):
    """Log-density of each row and component, log mixing weights added."""
    log_prob = LOG_PROB[record.get("family", "gaussian")](X, params, record)
    with np.errstate(divide="ignore"):
        return log_prob + np.log(params["weights"])


def total_loglik(log_density, sample_weight=None):
    """Weighted sum over rows; a row of weight 0 adds 0 even where its density is 0."""
    if sample_weight is None:
        return float(np.sum(log_density))
    seen = sample_weight > 0
    return float(sample_weight[seen] @ log_density[seen])


def ppca_maximum(X, n_factors):
    """Noise variance and total log-likelihood of probabilistic PCA in closed form.

    Tipping and Bishop (1999), Journal of the Royal Statistical Society B 61, equations 7 and 8.
    """
    n, d = X.shape
    eigenvalues = np.linalg.eigvalsh(np.cov(X, rowvar=False, bias=True))[::-1]
    noise = eigenvalues[n_factors:].mean()
    log_determinant = np.log(eigenvalues[:n_factors]).sum() + (d - n_factors) * np.log(noise)
    return noise, -0.5 * n * (d * np.log(2.0 * np.pi) + log_determinant + d)


def gaussian_maximum(X):
    """Total log-likelihood of one Gaussian with a free covariance."""
    _, log_determinant = np.linalg.slogdet(np.cov(X, rowvar=False, bias=True))
    n, d = X.shape
    return -0.5 * n * (d * np.log(2.0 * np.pi) + log_determinant + d)


def _gaussian(X, params, record):
    matrices = expand_covariances(
        params["covariances"], record["covariance"], record["K"], X.shape[1]
    )
    normals = zip(params["means"], matrices, strict=True)
    return np.stack([np.atleast_1d(multivariate_normal(*p).logpdf(X)) for p in normals], axis=1)


def _student_t(X, params, _record):
    components = zip(params["locations"], params["scales"], params["dof"], strict=True)
    if X.shape[1] == 1:
        log_prob = [t.logpdf(X[:, 0], df, m[0], np.sqrt(S[0, 0])) for m, S, df in components]
    else:
        log_prob = [multivariate_t(m, S, df).logpdf(X) for m, S, df in components]
    return np.stack(log_prob, axis=1)


def _poisson(X, params, _record):
    return _sum_seen(X, lambda x: poisson.logpmf(x, params["rates"]))


def _bernoulli(X, params, _record):
    probs = params["probs"]
    return _sum_seen(X, lambda x: xlogy(x, probs) + xlog1py(1.0 - x, -probs))


def _categorical(X, params, _record):
    def log_prob(levels):
        features = np.arange(X.shape[1])
        with np.errstate(divide="ignore"):
            return np.log(params["probs"][:, features, levels[:, 0, :].astype(int)].swapaxes(0, 1))

    return _sum_seen(X, log_prob)


def _exponential(X, params, _record):
    return _sum_seen(X, lambda x: expon.logpdf(x, scale=1.0 / params["rates"]))


def _gamma(X, params, _record):
    return _sum_seen(X, lambda x: gamma.logpdf(x, params["shapes"], scale=params["scales"]))


def _lognormal(X, params, _record):
    medians = np.exp(params["locations"])
    return _sum_seen(X, lambda x: lognorm.logpdf(x, params["scales"], scale=medians))


def _weibull(X, params, _record):
    return _sum_seen(X, lambda x: weibull_min.logpdf(x, params["shapes"], scale=params["scales"]))


def _negative_binomial(X, params, _record):
    sizes, means = params["sizes"], params["means"]
    return _sum_seen(X, lambda x: nbinom.logpmf(x, sizes, sizes / (sizes + means)))


def _von_mises(X, params, _record):
    concentrations, locations = params["concentrations"], params["locations"]
    return _sum_seen(X, lambda x: vonmises.logpdf(x, concentrations, locations))


def _mixed(X, params, record):
    """Independent columns; a Gaussian column is a diagonal Gaussian of one column."""
    columns = zip(record["column_families"], X.T[:, :, None], params["columns"], strict=True)
    return sum(MIXED.get(family, LOG_PROB.get(family))(x, p, record) for family, x, p in columns)


def _diagonal(X, params, _record):
    means, variances = params["means"], params["covariances"]
    return _sum_seen(
        X, lambda x: -0.5 * (np.log(2.0 * np.pi * variances) + (x - means) ** 2 / variances)
    )


def _sum_seen(X, log_prob):
    """Sum over columns of `log_prob` of cells (n, 1, d); a missing cell contributes nothing."""
    missing = np.isnan(X)[:, None, :]
    return np.where(missing, 0.0, log_prob(np.nan_to_num(X)[:, None, :])).sum(axis=2)


MIXED = {"gaussian": _diagonal}
LOG_PROB = {
    "gaussian": _gaussian,
    "student_t": _student_t,
    "poisson": _poisson,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
    "exponential": _exponential,
    "gamma": _gamma,
    "lognormal": _lognormal,
    "weibull": _weibull,
    "negative_binomial": _negative_binomial,
    "von_mises": _von_mises,
    "mixed": _mixed,
}
