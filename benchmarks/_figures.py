"""The figures of the benchmark."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from pass_speed import LOWEST

Json = dict[str, Any]
COLORS = {
    "ours": "#0072b2",
    "scikit-learn": "#d55e00",
    "StepMix": "#009e73",
    "pomegranate": "#cc79a7",
    "tgmm": "#8c6d1f",
}
mpl.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 110,
        "savefig.dpi": 150,
        "savefig.bbox": "tight",
    }
)


def pass_speed(found: Json, folder: Path) -> None:
    """A heat map of the ratio over d and K for each covariance type."""
    kinds = list(dict.fromkeys(record["covariance"] for record in found["grid"]))
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(3.1 * len(kinds), 3.6), layout="constrained"
    )
    norm = mpl.colors.TwoSlopeNorm(vmin=-1.0, vcenter=0.0, vmax=4.0)
    image = None
    for panel, kind in zip(axes, kinds, strict=True):
        records = [record for record in found["grid"] if record["covariance"] == kind]
        ds = sorted({record["d"] for record in records})
        Ks = sorted({record["K"] for record in records})
        ratios = np.full((len(ds), len(Ks)), np.nan)
        for record in records:
            seconds = record["seconds"]
            place = ds.index(record["d"]), Ks.index(record["K"])
            ratios[place] = seconds["scikit-learn"] / seconds["ours"]
        image = panel.imshow(np.log2(ratios), cmap="RdBu", norm=norm, aspect="auto")
        for (i, j), value in np.ndenumerate(ratios):
            weight = "bold" if value < LOWEST else "normal"
            color = "white" if value > 8 or value < 0.6 else "black"
            text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
            panel.text(j, i, text, ha="center", va="center", color=color, weight=weight, size=8)
        panel.set_xticks(range(len(Ks)), Ks)
        panel.set_yticks(range(len(ds)), ds)
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        panel.set(title=kind, xlabel="components K")
    axes[0].set_ylabel("columns d")
    bar = figure.colorbar(image, ax=axes, ticks=[-1, 0, 1, 2, 3, 4], shrink=0.9)
    bar.ax.set_yticklabels(["1/2", "1", "2", "4", "8", "16"])
    bar.set_label("scikit-learn's time / ours")
    figure.suptitle(f"One pass, one thread (bold: below the aim of {LOWEST})")
    save(figure, folder / "pass_grid.png")


def whole_fits(found: Json, folder: Path) -> None:
    """Ratio of times against the gain in log-likelihood."""
    fits = found["fits"]
    gains = np.array([f["loglik"]["ours"] - f["loglik"]["scikit-learn"] for f in fits])
    sides = {"our default search": "ours", "ours, one start": "ours, one start"}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    n = np.array([fit["n"] for fit in fits])
    for (name, side), color in zip(sides.items(), ("#0072b2", "#56b4e9"), strict=True):
        ratios = [fit["seconds"]["scikit-learn"] / fit["seconds"][side] for fit in fits]
        axes[0].scatter(n, ratios, s=16, color=color, label=name, alpha=0.8)
    axes[0].axhline(1.0, color="0.5", lw=0.8)
    axes[0].set(xscale="log", yscale="log", xlabel="rows", ylabel="scikit-learn's time / ours")
    axes[0].set_title("Time of a whole fit at tol=1e-6")
    axes[0].legend(frameon=False)
    order = np.sort(gains)
    axes[1].plot(
        order, np.arange(1, len(order) + 1) / len(order), color="#0072b2", drawstyle="steps-post"
    )
    axes[1].axvline(0.0, color="0.5", lw=0.8)
    axes[1].set_xscale("symlog", linthresh=1e-3)
    axes[1].set_xticks([-10, -0.1, 0, 0.1, 10, 1000], ["-10", "-0.1", "0", "0.1", "10", "1000"])
    axes[1].xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes[1].set(xlabel="our log-likelihood minus scikit-learn's, nats", ylabel="share of problems")
    axes[1].set_title("Gain of the default search")
    save(figure, folder / "whole_fits.png")


def optimum(found: Json, folder: Path) -> None:
    """Shares reached by default, and share reached within a time."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    tried: dict[str, list[bool]] = defaultdict(list)
    for line in found["share"]:
        if line["family"] == "gaussian":
            tried[line["package"]].append(line["reached"])
    names = list(tried)
    shares = [100 * np.mean(tried[name]) for name in names]
    bars = axes[0].barh(names[::-1], shares[::-1], color=[COLORS[name] for name in names[::-1]])
    texts = [f"{sum(tried[name])} of {len(tried[name])}" for name in names[::-1]]
    axes[0].bar_label(bars, texts, padding=3)
    axes[0].set(
        xlim=(0, 125), xlabel="% of the Gaussian records that it fits", xticks=range(0, 101, 20)
    )
    axes[0].set_title("Best optimum known, default settings")
    seconds: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for line in found["times"]:
        counts[line["package"]] += 1
        if line["reached"]:
            seconds[line["package"]].append(line["seconds"])
    for name, count in counts.items():
        times = np.sort(seconds[name])
        share = 100 * np.arange(1, len(times) + 1) / count
        end = [found["limit"], share[-1]] if len(times) else [found["limit"], 0.0]
        axes[1].step(
            [*times, end[0]], [*share, end[1]], where="post", color=COLORS[name], label=name
        )
    axes[1].set(xscale="log", xlabel="processor time, s", ylabel="% of records", ylim=(0, 102))
    axes[1].set_title("Within 1e-3 nats, as many fits as it takes")
    axes[1].legend(frameon=False)
    save(figure, folder / "optimum.png")


def growth(found: Json, folder: Path) -> None:
    """Time of a pass against n, d and K."""
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained", sharey=True)
    titles = {"n": "rows n", "d": "columns d", "K": "components K"}
    for panel, (axis, points) in zip(axes, found["lines"].items(), strict=True):
        for name, color in COLORS.items():
            line = [(p["value"], p["seconds"][name]) for p in points if name in p["seconds"]]
            if line:
                panel.plot(*zip(*line, strict=True), color=color, marker="o", ms=3, label=name)
        others = (f"{k} = {v:,}" for k, v in found["fixed"].items() if k != axis)
        panel.set(xscale="log", yscale="log", xlabel=titles[axis], title=", ".join(others))
    axes[0].set_ylabel("processor time of a pass, s")
    axes[0].legend(frameon=False)
    save(figure, folder / "growth.png")


def memory(found: Json, folder: Path) -> None:
    """Peak above the input."""
    peaks = {
        name: peak["above MiB"] for name, peak in found["packages"].items() if "above MiB" in peak
    }
    figure, panel = plt.subplots(figsize=(5.5, 2.4), layout="constrained")
    names = list(peaks)[::-1]
    bars = panel.barh(names, [peaks[name] for name in names], color=[COLORS[n] for n in names])
    panel.bar_label(bars, [f"{peaks[name]:,.0f}" for name in names], padding=3)
    n, d, K = found["size"]
    panel.set(xlabel="MiB", title=f"Peak memory above the input, {n:,} x {d}, K = {K}")
    panel.set_xlim(right=1.15 * max(peaks.values()))
    save(figure, folder / "memory.png")


def save(figure: Any, path: Path) -> None:
    """Write a figure, without the version in it, and forget it."""
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


DRAW = {
    "pass_speed": pass_speed,
    "whole_fits": whole_fits,
    "optimum": optimum,
    "growth": growth,
    "memory": memory,
}
