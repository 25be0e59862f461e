"""Fit, select, cluster and sample on two real data sets; leave a table and a picture.

Run ``python examples/demo.py --output DIR``. Old Faithful (272 eruptions, two real columns) gets
Gaussian mixtures, the death notices of the London Times (1,096 days, one count) Poisson mixtures.
Written: ``DIR/table.md``, ``DIR/table.csv`` and ``DIR/picture.png``.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_genmodel import EMMixture
from sklearn_genmodel.datasets import load_deaths, load_old_faithful
from sklearn_genmodel.families import Gaussian, Poisson

HEADER = ("data", "family", "K", "parameters", "log-likelihood", "BIC", "held out", "chosen by")
# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
INK, GREY = "#222222", "#8a8a8a"
FOLDS = KFold(5, shuffle=True, random_state=0)
GRID_STARTS = 8
CHI2_95 = 5.991  # 95 % quantile of chi-square with 2 degrees of freedom


class Candidate(NamedTuple):
    """A mixture fitted to all rows, and the mean log-density of rows held out."""

    mixture: EMMixture
    loglik: float
    bic: float
    held_out: float


def candidates(family, X, grid):
    """Fit every point of a grid to all rows, and to four fifths of them five times over."""
    # A rate that goes to 0 takes more passes than the default allows.
    mixture = EMMixture(family=family, max_iter=5000, random_state=0)
    quick = clone(mixture).set_params(n_init=GRID_STARTS)
    search = GridSearchCV(quick, grid, cv=FOLDS, refit=False).fit(X)
    fitted = []
    for params, held_out in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        fit = clone(mixture).set_params(**params).fit(X)
        fitted.append(Candidate(fit, fit.score(X) * len(X), fit.bic(X), held_out))
    return fitted


def best_by_bic(fitted):
    """Return the candidate with the lowest BIC."""
    return min(fitted, key=lambda candidate: candidate.bic)


def best_held_out(fitted):
    """Return the candidate under which unseen rows are most probable."""
    return max(fitted, key=lambda candidate: candidate.held_out)


def table_rows(name, fitted):
    """One row of text for each candidate; the last cell says who chose it."""
    by_bic, by_held_out = best_by_bic(fitted), best_held_out(fitted)
    for candidate in fitted:
        mixture = candidate.mixture
        family = type(mixture.family_).__name__
        structure = getattr(mixture.family_, "covariance_type", "")
        choosers = [("BIC", by_bic), ("held-out rows", by_held_out)]
        yield (
            name,
            f"{family} {structure}".strip(),
            str(mixture.n_components),
            str(mixture.n_parameters()),
            f"{candidate.loglik:.3f}",
            f"{candidate.bic:.2f}",
            f"{candidate.held_out:.4f}",
            " and ".join(chooser for chooser, chosen in choosers if chosen is candidate),
        )


def aligned(rows):
    """Lay out rows for a terminal: columns padded to their widest cell."""
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (HEADER, *rows))
    return "\n".join(lines)


def markdown(rows):
    """Lay out the same rows as a Markdown table."""
    lines = (HEADER, ("---",) * len(HEADER), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_table(rows, folder):
    """Write the rows as table.md and table.csv."""
    (folder / "table.md").write_text(markdown(rows), encoding="utf-8")
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])


def describe(title, mixture, X):
    """Print the components, the sizes of the clusters, and the mean of rows sampled."""
    drawn, _ = mixture.sample(100_000, random_state=0)
    sizes = np.bincount(mixture.predict(X), minlength=mixture.n_components)
    print(f"\n{title}\n{mixture.summary()}")
    print(f"rows per cluster       {sizes.tolist()}")
    print(f"mean of the data       {np.round(X.mean(axis=0), 3).tolist()}")
    print(f"mean of 100,000 draws  {np.round(drawn.mean(axis=0), 3).tolist()}")


def draw(geyser, geyser_mixture, deaths, deaths_mixture, path):
    """Draw both data sets with the mixtures chosen for them."""
    figure = Figure(figsize=(12.5, 5.6), dpi=160, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08, wspace=0.04)
    left, right = figure.subplots(1, 2)
    draw_clusters(left, geyser, geyser_mixture)
    draw_counts(right, deaths, deaths_mixture)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=10)
    figure.savefig(path)


def draw_clusters(axes, X, mixture):
    """Scatter the rows by cluster over density contours; an ellipse holds 95 % of a component."""
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.12 * (high - low)
    x, y = (np.linspace(*ends, 240) for ends in zip(low - margin, high + margin, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    density = np.exp(mixture.score_samples(grid.reshape(-1, 2))).reshape(grid.shape[:2])
    levels = density.max() * np.array([0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.contourf(x, y, density, levels=levels, cmap="Greys", alpha=0.45, zorder=0)
    axes.contour(x, y, density, levels=levels[1:-1], colors="#b5b5b5", linewidths=0.6, zorder=0)
    labels = mixture.predict(X)
    covariances = mixture.family_.covariance_matrices(mixture.params_)
    for k, (mean, covariance) in enumerate(zip(mixture.params_.means, covariances, strict=True)):
        name = f"component {k}, weight {mixture.weights_[k]:.3f}"
        axes.scatter(
            *X[labels == k].T, s=22, color=COLORS[k], edgecolor="white", linewidth=0.5, label=name
        )
        axes.add_patch(ellipse(mean, covariance, edgecolor=COLORS[k], fill=False, linewidth=1.8))
    kind = mixture.family_.covariance_type
    axes.set_title(f"Old Faithful: {len(mixture.weights_)} Gaussian components, {kind} covariance")
    axes.set_xlabel("duration of the eruption (minutes)", fontsize=11)
    axes.set_ylabel("time to the next eruption (minutes)", fontsize=11)
    axes.legend(loc="upper left", frameon=False, fontsize=10, handletextpad=0.3)


def ellipse(mean, covariance, **style):
    """Return the ellipse that holds 95 % of a two-dimensional normal distribution."""
    variances, directions = np.linalg.eigh(covariance)
    width, height = 2.0 * np.sqrt(CHI2_95 * variances)
    angle = np.degrees(np.arctan2(directions[1, 0], directions[0, 0]))
    return Ellipse(mean, width, height, angle=angle, **style)


def draw_counts(axes, X, mixture):
    """Draw the days observed as bars, and those expected under the mixture and its components."""
    counts = np.arange(int(X.max()) + 1)
    days = np.bincount(X[:, 0].astype(int))
    expected = len(X) * np.exp(mixture.score_samples(counts[:, None]))
    shares = mixture.predict_proba(counts[:, None])
    axes.bar(counts, days, width=0.72, color="#dcdcdc", edgecolor=GREY, label="days observed")
    for k, rate in enumerate(mixture.params_.rates[:, 0]):
        name = f"component {k}: rate {rate:.2f}, weight {mixture.weights_[k]:.3f}"
        style = {"color": COLORS[k], "linewidth": 2.0, "markersize": 6, "marker": "s^vD"[k]}
        axes.plot(counts, expected * shares[:, k], label=name, **style)
    axes.plot(counts, expected, color=INK, linewidth=2.2, marker="o", label="mixture")
    axes.set_title(f"Deaths in The Times, 1910 to 1912: {len(mixture.weights_)} Poisson components")
    axes.set_xlabel("deaths of women aged 80 and over on a day", fontsize=11)
    axes.set_ylabel("days", fontsize=11)
    axes.set_xticks(counts)
    handles, names = axes.get_legend_handles_labels()
    bars_first = [names.index("days observed"), names.index("mixture"), *range(len(shares.T))]
    axes.legend(
        [handles[i] for i in bars_first],
        [names[i] for i in bars_first],
        loc="upper right",
        frameon=False,
        fontsize=10,
    )


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder to fill")
    return parser.parse_args()


def main():
    """Run the whole demonstration."""
    start, folder = time.perf_counter(), parse().output
    folder.mkdir(parents=True, exist_ok=True)
    geyser, deaths = load_old_faithful().data, load_deaths(expand=True).data
    structures = ["full", "tied", "diag", "spherical"]
    gaussians = candidates(
        Gaussian(), geyser, {"family__covariance_type": structures, "n_components": [1, 2, 3, 4]}
    )
    poissons = candidates(Poisson(), deaths, {"n_components": [1, 2, 3]})
    rows = [*table_rows("old faithful", gaussians), *table_rows("deaths", poissons)]
    print(aligned(rows))
    print("\nlog-likelihood in nats; held out: mean log-density of unseen rows, 5 folds")
    write_table(rows, folder)
    geyser_mixture, deaths_mixture = (best_by_bic(fits).mixture for fits in (gaussians, poissons))
    describe("Old Faithful, chosen by BIC", geyser_mixture, geyser)
    describe("Deaths, chosen by BIC", deaths_mixture, deaths)
    draw(geyser, geyser_mixture, deaths, deaths_mixture, folder / "picture.png")
    seconds = time.perf_counter() - start
    print(f"\nWrote table.md, table.csv and picture.png to {folder} in {seconds:.0f} s.")


if __name__ == "__main__":
    main()
