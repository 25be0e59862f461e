"""
============================================
Scotch whiskey brands: classes of households
============================================

Which of 21 brands of Scotch did a household drink in the last year? 2,218 households answered;
their 484 different patterns of yes and no come with the number of households that showed each. A
mixture of Bernoulli components is the latent class model: within a class brands are drunk
independently, and the classes explain why they go together overall.
"""

# %%
# ``sample_weight`` carries the numbers of households.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_whiskey

survey = load_whiskey()
X, households = survey.data, survey.sample_weight
print(X.shape, int(households.sum()), "households")

# %%
# How many classes?
# -----------------
#
# The criteria take the weights too: the number of observations is that of the households, not of
# the patterns.

fits = {
    k: EMMixture(k, family="bernoulli", n_init=8, random_state=0).fit(X, sample_weight=households)
    for k in range(1, 7)
}
bic = {k: fit.bic(X, sample_weight=households) for k, fit in fits.items()}
icl = {k: fit.icl(X, sample_weight=households) for k, fit in fits.items()}

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(list(bic), list(bic.values()), color="#0072B2", marker="o", label="BIC")
ax.plot(list(icl), list(icl.values()), color="#D55E00", marker="s", label="ICL")
ax.set_xlabel("number of classes")
ax.set_ylabel("criterion (lower is better)")
ax.legend(frameon=False)
plt.show()

best = min(bic, key=bic.get)
mixture = fits[best]
print("BIC chooses", best, "classes with weights", mixture.weights_.round(3))

# %%
# What are they like?
# -------------------
#
# A class is its profile: the probability of each brand in it. Brands are ordered by how many
# households drink them. Their names lost their punctuation on the way into the table.

popularity = households @ X / households.sum()
order = np.argsort(popularity)
NAMES = {
    "Dewar_s_White_Label": "Dewar's White Label",
    "J_B": "J&B",
    "Pinch__Haig_": "Pinch (Haig)",
    "Black___White": "Black & White",
    "Grant_s": "Grant's",
}
brands = [NAMES.get(name, name.replace("_", " ")) for name in survey.feature_names]
# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
MARKERS = "os^vDP"

fig, ax = plt.subplots(figsize=(7.2, 6.6), layout="constrained")
rows = np.arange(len(brands))
ax.hlines(rows, 0, 1, color="#eeeeee", zorder=0)
ax.scatter(popularity[order], rows, marker="|", s=120, color="#222222", label="all households")
for k in range(best):
    label = f"class {k}: {mixture.weights_[k]:.1%} of households"
    probs = mixture.params_.probs[k, order]
    ax.scatter(probs, rows, color=COLORS[k], marker=MARKERS[k], s=36, label=label)
ax.set_yticks(rows, [brands[j] for j in order])
ax.set_xlim(-0.01, 1.01)
ax.set_xlabel("probability that a household drinks the brand")
fig.legend(frameon=False, loc="outside upper center", ncols=2)
plt.show()

# %%
# Two households in three (class 0) drink one or another of the best-known blends and little else.
# Class 1 stands out by the malts, Glenlivet, Glenfiddich and Macallan; class 2 drinks many blends.
# Class 3 are some 18 households that ticked most brands, the least known ones included,
# which tells more about answers to questionnaires than about Scotch.
#
# Do the classes explain the associations?
# ----------------------------------------
#
# Two brands that go together more often than chance allows have a positive log odds ratio. Rows
# drawn from the mixture should show the same ones as the survey does. We compare all pairs among
# the ten best-known brands.

top = order[-10:]
drawn, _ = mixture.sample(200_000, random_state=0)


def log_odds_ratios(table, weights):
    """Log odds ratio of every pair of columns, half a household added to each cell."""
    pairs = []
    for i, a in enumerate(table.T):
        for b in table.T[:i]:
            cells = [weights[(a == s) & (b == t)].sum() + 0.5 for s in (1, 0) for t in (1, 0)]
            pairs.append(np.log(cells[0] * cells[3] / (cells[1] * cells[2])))
    return np.array(pairs)


observed = log_odds_ratios(X[:, top], households)
fig, ax = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
for k, color, marker in ((1, "#8a8a8a", "s"), (best, "#0072B2", "o")):
    rows_drawn, _ = fits[k].sample(200_000, random_state=0)
    model = log_odds_ratios(rows_drawn[:, top], np.ones(len(rows_drawn)))
    ax.scatter(observed, model, s=26, color=color, marker=marker, label=f"K = {k}")
limits = [min(observed.min(), -0.3), observed.max() + 0.2]
ax.plot(limits, limits, color="#222222", linewidth=1)
ax.set_xlabel("log odds ratio in the survey")
ax.set_ylabel("log odds ratio in rows drawn from the model")
ax.legend(frameon=False)
plt.show()
