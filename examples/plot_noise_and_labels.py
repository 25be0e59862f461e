"""
=======================================
Tumours: noise, and a handful of labels
=======================================

569 breast tumours were measured in images of their cells; 212 turned out to be malignant. Three of
the measurements separate the two kinds well (Mangasarian, Street and Wolberg 1995, *Operations
Research* 43, 570-577). We look for the two kinds without the diagnoses, give the rows that fit
neither a component of their own, and then see what a handful of diagnoses changes.
"""

# %%
# The largest area and smoothness of the cells of a tumour, and their mean texture.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Ellipse
from sklearn.datasets import load_breast_cancer

from sklearn_genmodel import EMMixture
from sklearn_genmodel.families import Gaussian, StudentT, Uniform

tumours = load_breast_cancer(as_frame=True)
X = tumours.data[["worst area", "worst smoothness", "mean texture"]]
benign = tumours.target.to_numpy()

# %%
# Four mixtures
# -------------
#
# Two Gaussians; two Gaussians and a uniform component for noise, on the range of the data; two
# Student-t components, whose tails keep outliers inside; and three Gaussians. A list of families
# gives every component its own.

noise = Uniform(low=X.min().tolist(), high=X.max().tolist())
candidates = {
    "two Gaussians": ["gaussian", "gaussian"],
    "two Gaussians and noise": [Gaussian(), Gaussian(), noise],
    "two Student-t": [StudentT(), StudentT()],
    "three Gaussians": ["gaussian"] * 3,
}
fits = {
    name: EMMixture(len(family), family=family, random_state=0).fit(X)
    for name, family in candidates.items()
}


def table_of(mixture):
    """Malignant and benign tumours of every component, the one with most malignant ones first."""
    labels = mixture.predict(X)
    counts = np.array([np.bincount(benign[labels == k], minlength=2) for k in np.unique(labels)])
    return counts[np.argsort(-counts[:, 0])].tolist()


print(f"{'':24} parameters     BIC  malignant, benign of each component")
for name, mixture in fits.items():
    print(f"{name:24} {mixture.n_parameters():10} {mixture.bic(X):7.1f}  {table_of(mixture)}")

# %%
# By BIC the noise pays for the one parameter that it costs: its weight. It takes 13 tumours, 11 of
# them malignant, which are unlike the rest of both kinds; their diagnoses it cannot know. Student-t
# components leave them in their clusters. Three Gaussians divide the rows in another way, and one
# of the three has no diagnosis of its own.
#
# What noise does to the picture
# ------------------------------
#
# Ellipses hold 95 % of a component. Without the noise component the outlying rows are in the
# covariance of one of the two. Noise in the midst of the others has an unusual smoothness, the
# column that is not shown.

COLORS = np.array(["#D55E00", "#0072B2", "#222222"])
NAMES = ["larger cells", "smaller cells", "noise"]


def draw(ax, mixture, title):
    """Scatter two columns by component, an ellipse of 95 % around every Gaussian."""
    params = mixture.params_.groups[0]
    order = np.argsort(-params.means[:, 0])
    colors = np.empty(3, dtype="U7")
    colors[[*order, 2]] = COLORS
    labels = mixture.predict(X)
    for k, color in zip([*order, 2], COLORS, strict=True):
        rows = X[labels == k]
        marker, size = ("x", 40) if k == 2 else ("o", 14)
        ax.scatter(
            rows["worst area"], rows["mean texture"], s=size, c=color, marker=marker, alpha=0.7
        )
    for k in order:
        matrix = params.covariances[k][np.ix_([0, 2], [0, 2])]
        variances, axes = np.linalg.eigh(matrix)
        width, height = 2 * np.sqrt(5.991 * variances)
        angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
        center = params.means[k, [0, 2]]
        ax.add_patch(Ellipse(center, width, height, angle=angle, fill=False, color=colors[k], lw=2))
    ax.set_title(title)
    ax.set_xlabel("largest area of cells")


fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), sharex=True, sharey=True, layout="constrained")
draw(axes[0], fits["two Gaussians"], "two Gaussians")
draw(axes[1], fits["two Gaussians and noise"], "two Gaussians and noise")
axes[0].set_ylabel("mean texture")
handles = [
    plt.Line2D([], [], linestyle="", marker=marker, color=color, label=name)
    for marker, color, name in zip("oox", COLORS, NAMES, strict=True)
]
fig.legend(handles=handles, frameon=False, loc="outside lower center", ncols=3)
plt.show()

# %%
# A handful of labels
# -------------------
#
# ``resp_prior`` says what is known of each row. Component 0 is to be the malignant kind, 1 the
# benign kind, 2 noise. A diagnosis forbids the component of the other kind; noise stays possible.
# Rows without a diagnosis have ones everywhere.

rng = np.random.default_rng(0)
order = rng.permutation(len(X))
print("diagnoses known   right among the others")
for n_known in (6, 20, 60, 200):
    known, others = order[:n_known], order[n_known:]
    resp_prior = np.ones((len(X), 3))
    resp_prior[known, 1 - benign[known]] = 0
    mixture = EMMixture(3, family=[Gaussian(), Gaussian(), noise], random_state=0)
    mixture.fit(X, resp_prior=resp_prior)
    resp = mixture.predict_proba(X.iloc[others])
    right = (resp[:, 1] > resp[:, 0]) == benign[others]
    print(f"{n_known:15}   {right.mean():.3f}")

# %%
# Six diagnoses name the components, and that was nearly all that was left to do. Twenty of them
# make it worse: the likelihood has two maxima of nearly the same height, and those twenty raise the
# other one above the first by a tenth of a nat, over all rows together. Labels say which components
# the likelihood is to have, not that these are to predict well: where clusters and classes are not
# the same thing, rows without a label pull the components to the clusters.
