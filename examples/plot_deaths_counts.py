"""
=====================================================
Deaths in The Times: counts as a table, and a slow EM
=====================================================

On each of 1,096 days from 1910 to 1912 The Times of London reported so many deaths of women aged
80 and over. Hasselblad (1969) fitted a mixture of two Poisson distributions to these counts, and
they have been a touchstone for EM ever since: the two components overlap so much that plain EM
crawls. We fit the table of counts with the days as weights, and watch EM with and without
acceleration.
"""

# %%
# Ten rows are the whole data set: a count, and the number of days with it. ``sample_weight`` makes
# them equal to 1,096 rows.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths

deaths = load_deaths()
counts, days = deaths.data, deaths.sample_weight
for k in (1, 2):
    mixture = EMMixture(k, family="poisson", random_state=0).fit(counts, sample_weight=days)
    print(mixture.summary())
    print("BIC", round(mixture.bic(counts, sample_weight=days), 2), "\n")

# %%
# One Poisson distribution has too few days without and too few days with many deaths. Two make up
# for it; Titterington, Smith and Makov (1985) read them as summer and winter.

COLORS = ["#0072B2", "#D55E00"]
x = counts[:, 0]
expected = days.sum() * np.exp(mixture.score_samples(counts))
parts = expected[:, None] * mixture.predict_proba(counts)

fig, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
ax.bar(x, days, width=0.7, color="#dddddd", edgecolor="#8a8a8a", label="observed")
ax.plot(x, expected, color="#222222", marker="o", label="mixture")
for i, marker in enumerate("s^"):
    rate, weight = mixture.params_.rates[i, 0], mixture.weights_[i]
    label = f"rate {rate:.2f}, weight {weight:.2f}"
    ax.plot(x, parts[:, i], color=COLORS[i], marker=marker, label=label)
ax.set_xticks(x)
ax.set_xlabel("deaths on a day")
ax.set_ylabel("days")
ax.legend(frameon=False)
plt.show()

# %%
# How fast is EM?
# ---------------
#
# We start all four from the same labels, days with at most two deaths against the rest, so that
# nothing but the acceleration differs, and count passes over the data: one E-step and one M-step
# each.

METHODS = {
    None: ("plain EM", "#222222"),
    "squarem": ("SQUAREM", "#D55E00"),
    "anderson": ("Anderson", "#009E73"),
    "auto": ("auto", "#0072B2"),
}
labels = (x > 2).astype(int)
runs = {}
for method, (name, _) in METHODS.items():
    run = EMMixture(2, family="poisson", init=labels, acceleration=method, max_iter=5000)
    runs[method] = run.fit(counts, sample_weight=days)
    total = run.lower_bound_ * days.sum()
    print(f"{name:9} {run.n_iter_:4d} passes, log-likelihood {total:.6f}")

# %%
# All four end within ``tol`` (a millionth of a nat per row, here about a thousandth in total) of
# the maximum, which we take from a plain run that is allowed as many passes as it likes. The
# curves show how far each still is.

reference = EMMixture(2, family="poisson", init=labels, acceleration=None, max_iter=20_000)
reference.set_params(tol=1e-13).fit(counts, sample_weight=days)
limit = reference.lower_bound_
print(f"maximum {limit * days.sum():.6f} after {reference.n_iter_} passes of plain EM")

fig, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
for method, (name, color) in METHODS.items():
    gap = np.maximum(limit - runs[method].lower_bounds_, 1e-14)
    ax.loglog(np.arange(1, len(gap) + 1), gap, color=color, label=name)
ax.axhline(1e-6, color="#8a8a8a", linestyle=":", linewidth=1)
ax.text(1.0, 1.3e-6, "tol", color="#666666")
ax.set_xlabel("pass")
ax.set_ylabel("distance to the maximum (nats per row)")
ax.legend(frameon=False)
plt.show()

# %%
# Plain EM gains a great deal at first and then next to nothing, pass after pass. That is why a
# small last step is a poor reason to stop: a rule that stops when a pass gains less than 0.001
# nats per row would have stopped here after

gains = np.diff(runs[None].lower_bounds_)
stop = int(np.argmax(gains < 1e-3)) + 1
short = EMMixture(2, family="poisson", init=labels, acceleration=None, tol=0, max_iter=stop)
short.fit(counts, sample_weight=days)
print(f"{stop} passes, with rates {short.params_.rates.ravel().round(2)}")
print(f"in place of {mixture.params_.rates.ravel()[::-1].round(2)}")
