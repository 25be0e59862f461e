"""
===================================
In a pipeline, and in a grid search
===================================

A mixture is a density model, a clusterer and a transformer. As the first it is chosen by how
probable it makes rows that it has not seen; as the last it hands responsibilities on to the next
step of a pipeline. Both are searched over here, on two data sets.
"""

# %%
# A density chosen by rows held out
# ---------------------------------
#
# ``EMMixture.score`` is the mean log-density of rows in nats, so that ``GridSearchCV`` needs no
# scorer. Options of the family are part of the grid. Eight starts per fit are enough for the
# comparison.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_old_faithful
from sklearn_genmodel.families import Gaussian

X = load_old_faithful(as_frame=True).data
pipeline = Pipeline(
    [
        ("scale", StandardScaler()),
        ("mixture", EMMixture(family=Gaussian(), n_init=8, random_state=0)),
    ]
)
kinds, n_components = ["full", "tied", "diag"], [1, 2, 3, 4]
search = GridSearchCV(
    pipeline,
    {"mixture__family__covariance_type": kinds, "mixture__n_components": n_components},
    cv=KFold(5, shuffle=True, random_state=0),
).fit(X)
print(search.best_params_)

# %%
# The bars are standard errors over the five folds. Every pipeline of this grid scales in the same
# way, so the scores can be compared; a density changes with the units of its columns, and scores
# behind *different* scalers could not.

COLORS = {"full": "#0072B2", "tied": "#D55E00", "diag": "#009E73"}
scores = search.cv_results_["mean_test_score"].reshape(len(kinds), -1)
errors = search.cv_results_["std_test_score"].reshape(len(kinds), -1) / np.sqrt(5)

fig, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
for i, (kind, marker) in enumerate(zip(kinds, "os^", strict=True)):
    at = np.array(n_components) + 0.06 * (i - 1)
    ax.errorbar(at, scores[i], errors[i], color=COLORS[kind], marker=marker, label=kind, capsize=3)
ax.set_xticks(n_components)
ax.set_xlabel("number of components")
ax.set_ylabel("log-density of held-out rows (nats per row)")
ax.legend(title="covariance", frameon=False, loc="lower right")
plt.show()

# %%
# The differences between two, three and four components are within the noise of 272 rows; that
# there is more than one component is not.
#
# Responsibilities as features
# ----------------------------
#
# As a transformer a mixture turns a row into the probabilities of the components. With
# ``set_output`` they come as a data frame with names.

chosen = search.best_estimator_.set_output(transform="pandas")
print(chosen.fit_transform(X).round(3).head())

# %%
# Below, responsibilities are all that a logistic regression gets to see of 178 wines, each
# described by 13 measurements. The mixture has not been told the three cultivars; the more
# components, the finer it cuts the wines. The search looks for the number of components by
# accuracy: the scorer of the last step counts.

wine = load_wine()
classifier = Pipeline(
    [
        ("scale", StandardScaler()),
        ("mixture", EMMixture(family=Gaussian("diag"), n_init=8, random_state=0)),
        ("classify", LogisticRegression()),
    ]
)
by_accuracy = GridSearchCV(
    classifier,
    {"mixture__n_components": [1, 2, 3, 4, 5]},
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
).fit(wine.data, wine.target)

for k, accuracy in enumerate(by_accuracy.cv_results_["mean_test_score"], start=1):
    print(k, "components: accuracy", round(accuracy, 3))

# %%
# The mixture alone had found the cultivars: its components against the cultivars, all wines.

mixture = Pipeline(classifier.steps[:2]).set_params(mixture__n_components=3)
components = mixture.fit(wine.data).predict(wine.data)
table = np.zeros((3, 3), dtype=int)
np.add.at(table, (components, wine.target), 1)

fig, ax = plt.subplots(figsize=(4.4, 3.8), layout="constrained")
ax.imshow(table, cmap="Blues", vmax=1.4 * table.max())
for (i, j), count in np.ndenumerate(table):
    ax.text(j, i, count, ha="center", va="center", fontsize=13)
ax.set_xticks(range(3), wine.target_names)
ax.set_yticks(range(3), [f"component {i}" for i in range(3)])
ax.set_title("wines")
plt.show()
