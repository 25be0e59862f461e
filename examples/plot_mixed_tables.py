"""
====================================================
A table of counts, amounts and labels, with its gaps
====================================================

300 women of the Pima in Arizona were examined for diabetes. The table has counts, measurements and
a yes/no column, and 114 of its cells are missing. A mixture takes it as it is: a family for every
group of columns, the likelihood of what was observed, and no cell filled in beforehand.
"""

# %%
# Glucose and blood pressure, thickness of a skin fold (``skin``), body mass index, a score of
# diabetes among relatives (``ped``), pregnancies and age.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_pima
from sklearn_genmodel.families import Categorical, Columns, Gamma, Gaussian, NegativeBinomial

women = load_pima(as_frame=True).data
print(women.head().to_string())
print("missing:", women.isna().sum()[lambda n: n > 0].to_dict())

# %%
# Families
# --------
#
# ``from_frame`` looks at types and values and says what it chose.

guess = Columns.from_frame(women)

# %%
# That is a start. Given the component, groups are independent, and so are the columns within all
# families but the Gaussian. Skin fold and body mass index measure nearly the same, so they had
# better be in one Gaussian group.

columns = Columns(
    [
        ("pregnancies", NegativeBinomial(), ["npreg"]),
        ("body", Gaussian(), ["glu", "bp", "skin", "bmi"]),
        ("skewed", Gamma(), ["ped", "age"]),
        ("diabetes", Categorical(), ["type"]),
    ]
)

# %%
# How many components?
# --------------------
#
# BIC takes three of the first kind: two of them differ in little but skin fold and mass, because
# nothing else can tell that these go together. Of the second kind two are enough, at a lower BIC.

fits = {
    (name, k): EMMixture(k, family=family, n_init=6, random_state=0).fit(women)
    for name, family in (("from_frame", guess), ("by hand", columns))
    for k in (1, 2, 3, 4)
}

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for name, color, marker in (("from_frame", "#8a8a8a", "s"), ("by hand", "#0072B2", "o")):
    bic = {k: fit.bic(women) for (own, k), fit in fits.items() if own == name}
    ax.plot(list(bic), list(bic.values()), color=color, marker=marker, label=f"groups {name}")
ax.set_xticks([1, 2, 3, 4])
ax.set_xlabel("number of components")
ax.set_ylabel("BIC (lower is better)")
ax.legend(frameon=False)
plt.show()

mixture = min(fits.values(), key=lambda fit: fit.bic(women))
print(mixture.summary())

# %%
# What do the components say?
# ---------------------------
#
# Component 0 are the younger women, with two pregnancies on average; 21 % of them have diabetes.
# Component 1 are older, with six pregnancies and more of everything that is measured; 53 % have it.
# In the picture a woman is drawn in the colour of her component, paler where that is doubtful.
# Crosses are the means of the components. One skin fold is 99 mm: such a value is a case for
# ``StudentT`` in place of the Gaussian.

COLORS = np.array(["#0072B2", "#D55E00"])
resp = mixture.predict_proba(women)
labels = mixture.predict(women)
certainty = 0.15 + 0.7 * (2 * resp.max(axis=1) - 1)
rng = np.random.default_rng(0)
names = {
    "age": "age (years)",
    "npreg": "pregnancies",
    "glu": "glucose (mg/dl)",
    "bmi": "body mass index (kg/m²)",
    "skin": "skin fold (mm)",
}

fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), layout="constrained")
place = {name: j for j, name in enumerate(women.columns)}
means = mixture.component_means()
for ax, (x, y) in zip(axes, [("age", "npreg"), ("age", "glu"), ("bmi", "skin")], strict=True):
    # A little noise keeps whole numbers apart.
    spread = rng.uniform(-0.3, 0.3, (2, len(women)))
    points = women[x] + spread[0], women[y] + spread[1]
    for k in (0, 1):
        own = labels == k
        ax.scatter(
            *(column[own] for column in points),
            s=16,
            color=COLORS[k],
            alpha=certainty[own],
            linewidth=0,
        )
        center = means[k, place[x]], means[k, place[y]]
        ax.scatter(*center, marker="X", s=150, color=COLORS[k], edgecolor="black", linewidth=1.2)
    ax.set_xlabel(names[x])
    ax.set_ylabel(names[y])
handles = [
    plt.Line2D([], [], marker="o", linestyle="", color=color, label=f"component {k}: {weight:.0%}")
    for k, (color, weight) in enumerate(zip(COLORS, mixture.weights_, strict=True))
]
fig.legend(handles=handles, frameon=False, loc="outside upper center", ncols=2)
plt.show()

# %%
# New rows
# --------
#
# A sample is a frame of the same types: whole numbers stay whole, labels are labels.

new, _ = mixture.sample(5, random_state=0)
print(new.round(1).to_string())
print("same types:", (new.dtypes == women.dtypes).all())

# %%
# What is missing, given the rest
# -------------------------------
#
# ``conditional`` takes a row with gaps and returns the distribution of what is missing in it. How
# good is that? We hide 60 of the skin folds that were measured, fit again without them, and compare
# what was measured with the conditional mean; bars are one standard deviation to both sides. The
# mean of the column, which many would fill in, is the dashed line.

hidden = rng.choice(np.flatnonzero(women["skin"].notna()), size=60, replace=False)
holed = women.copy()
holed.loc[hidden, "skin"] = np.nan
again = EMMixture(2, family=columns, n_init=6, random_state=0).fit(holed)

expected = np.empty(len(hidden))
deviation = np.empty(len(hidden))
for i, row in enumerate(hidden):
    skin = again.conditional(holed.iloc[row]).marginal(["skin"])
    expected[i], deviation[i] = skin.mean()[0], skin.covariance()[0, 0] ** 0.5

truth = women.loc[hidden, "skin"]
average = holed["skin"].mean()
print("root mean square error:")
print(f"  conditional means  {np.sqrt(np.mean((truth - expected) ** 2)):.1f} mm")
print(f"  mean of the column {np.sqrt(np.mean((truth - average) ** 2)):.1f} mm")
inside = (np.abs(truth - expected) < 1.96 * deviation).mean()
print(f"within 1.96 standard deviations: {inside:.0%}")

fig, ax = plt.subplots(figsize=(5.4, 5.0), layout="constrained")
ax.errorbar(
    truth, expected, yerr=deviation, fmt="o", markersize=4, color="#0072B2", ecolor="#9cc4de"
)
ends = [truth.min() - 2, truth.max() + 2]
ax.plot(ends, ends, color="#222222", linewidth=1, label="equal")
ax.axhline(average, color="#222222", linewidth=1, linestyle="--", label="mean of the column")
ax.set_xlabel("skin fold measured (mm), hidden from the fit")
ax.set_ylabel("conditional mean (mm), one standard deviation")
ax.legend(frameon=False)
plt.show()

# %%
# And a label
# -----------
#
# The same method predicts: the probability of diabetes given what is known of a woman. The label is
# in a group of its own, so that the other columns speak about it through the component only. A
# woman of 45 is in component 1 for certain, and her glucose and mass change nothing any more. More
# components would tell more about the label, at a higher BIC; a classifier does that better.

for known in ({"age": 25}, {"age": 45}, {"age": 45, "glu": 180, "bmi": 40.0}):
    diabetes = mixture.conditional(known).marginal(["type"])
    yes = diabetes.family_.groups[0][1].levels[0].index("Yes")
    share = diabetes.weights_ @ diabetes.params_.diabetes.probs[:, 0, yes]
    print(f"{known}: {share:.2f}")
