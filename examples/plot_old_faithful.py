"""
============================================
Old Faithful: shape and number of components
============================================

The standard example of a Gaussian mixture: how long an eruption of the Old Faithful geyser lasts,
and how long one then waits for the next. We fit mixtures of every covariance type with one to
four components, choose by BIC, look at the choice, and compare the maxima found with those that
scikit-learn's ``GaussianMixture`` finds.
"""

# %%
# The data are 272 eruptions, both columns in minutes.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Ellipse
from sklearn.mixture import GaussianMixture

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import Gaussian

geyser = load_old_faithful()
X = geyser.data
print(geyser.feature_names, X.shape)

# %%
# Which shape, and how many?
# --------------------------
#
# A covariance matrix per component (full), one for all (tied), or axes along the columns (diag).
# BIC weighs the log-likelihood against the number of parameters; lower is better. Spherical
# components, one variance for minutes of eruption and minutes of waiting alike, are far above the
# others (3,223 with four components) and are left out of the picture.

COLORS = {"full": "#0072B2", "tied": "#D55E00", "diag": "#009E73"}
MARKERS = {"full": "o", "tied": "s", "diag": "^"}
n_components = [1, 2, 3, 4]
fits = {
    (kind, k): EMMixture(k, family=Gaussian(kind), random_state=0).fit(X)
    for kind in COLORS
    for k in n_components
}

fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for kind, color in COLORS.items():
    bic = [fits[kind, k].bic(X) for k in n_components]
    ax.plot(n_components, bic, color=color, marker=MARKERS[kind], label=kind)
ax.set_ylim(2300, 2400)
ax.set_xticks(n_components)
ax.set_xlabel("number of components")
ax.set_ylabel("BIC (lower is better)")
ax.set_title("One component is off the scale: 2,608 and more")
ax.legend(title="covariance", frameon=False)
plt.show()

# %%
# The lowest BIC belongs to three components of one common shape. With a shape of their own, two
# components are enough.

kind, k = min(fits, key=lambda key: fits[key].bic(X))
chosen = fits[kind, k]
print(f"chosen: {kind}, {k} components")
print(chosen.summary())

# %%
# What do they look like?
# -----------------------
#
# Each ellipse holds 95 % of its component. In the tied mixture two components share the long
# eruptions, whose cloud is no ellipse; the full one covers them by a single component. ICL, which
# charges for components that overlap, prefers the latter.

PALETTE = ["#0072B2", "#D55E00", "#009E73"]


def draw(ax, mixture, title):
    """Scatter the rows by cluster, an ellipse of 95 % around every component."""
    labels = mixture.predict(X)
    matrices = mixture.family_.covariance_matrices(mixture.params_)
    for i, (mean, matrix) in enumerate(zip(mixture.params_.means, matrices, strict=True)):
        ax.scatter(*X[labels == i].T, s=14, color=PALETTE[i], alpha=0.8, linewidth=0)
        variances, axes = np.linalg.eigh(matrix)
        width, height = 2 * np.sqrt(5.991 * variances)
        angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
        ax.add_patch(
            Ellipse(mean, width, height, angle=angle, fill=False, color=PALETTE[i], lw=1.8)
        )
    ax.set_title(title)
    ax.set_xlabel("eruption (minutes)")


fig, axes = plt.subplots(1, 2, figsize=(9.2, 4.4), sharey=True, layout="constrained")
for ax, key in zip(axes, [("tied", 3), ("full", 2)], strict=True):
    mixture = fits[key]
    title = f"{key[0]}, K = {key[1]}: BIC {mixture.bic(X):.0f}, ICL {mixture.icl(X):.0f}"
    draw(ax, mixture, title)
axes[0].set_ylabel("waiting time (minutes)")
plt.show()

# %%
# The same likelihood, other maxima
# ---------------------------------
#
# Both classes maximise the same log-likelihood, so the higher value is the better fit. With its
# defaults ``GaussianMixture`` takes one start and stops when a pass gains less than 0.001 nats per
# row; ``EMMixture`` takes many starts and stops when the predicted distance to the limit is below
# 0.000001. The price is time: milliseconds there, tenths of a second and more here.

print("covariance  K  GaussianMixture   EMMixture")
for (kind, k), mixture in fits.items():
    peer = GaussianMixture(k, covariance_type=kind, random_state=0).fit(X)
    theirs, ours = peer.score(X) * len(X), mixture.score(X) * len(X)
    print(f"{kind:10}  {k}  {theirs:15.4f}  {ours:10.4f}")
