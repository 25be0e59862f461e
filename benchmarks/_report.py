"""From the measurements to ``results.md`` and the figures."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from memory import LIMIT_MIB, TOLERANCE
from pass_speed import LOWEST, NAMED, TWO_THREADS

Json = dict[str, Any]


def write(folder: Path, figures: Path) -> None:
    """Write ``results.md`` into the folder, and the figures, of all parts that were measured."""
    paths = {part: folder / f"{part}.json" for part in TABLES}
    parts = {part: json.loads(path.read_text()) for part, path in paths.items() if path.exists()}
    texts = [TABLES[part](found) for part, found in parts.items()]
    machine = describe(parts)
    (folder.parent / "results.md").write_text("\n\n".join([machine, *texts]) + "\n")
    import _figures

    figures.mkdir(parents=True, exist_ok=True)
    for part, draw in _figures.DRAW.items():
        if part in parts:
            draw(parts[part], figures)


def describe(parts: dict[str, Json]) -> str:
    """The machines, what was measured on each, and how busy they were."""
    by_machine: dict[str, list[str]] = defaultdict(list)
    for name, part in parts.items():
        by_machine[sentence(part["machine"])].append(name)
    machines = [f"{', '.join(names)}: measured {text}" for text, names in by_machine.items()]
    loads = ", ".join(
        f"{name} {part['machine']['load'][0]} to {part['machine']['load'][1]}"
        f" ({part['machine']['minutes']} min{', quick' * part['machine']['quick']})"
        for name, part in parts.items()
    )
    return (
        "<!-- Written by benchmarks/run.py: do not edit. -->\n\n"
        + "\n\n".join(machines)
        + f"\n\nLoad of the machine before and after each part: {loads}."
    )


def sentence(machine: Json) -> str:
    """When and on what something was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"on {machine['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory GiB']} GiB, {machine['system']}, Python {machine['Python']}; "
        f"BLAS: {', '.join(machine['BLAS'])}; {versions}."
    )


def markdown(header: list[str], lines: list[list[Any]]) -> str:
    """A table."""
    rule = ["---"] + ["--:"] * (len(header) - 1)
    rows = [header, rule, *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def ratio(record: Json, peer: str = "scikit-learn", own: str = "ours") -> float:
    """A peer's time over ours."""
    return float(record["seconds"][peer] / record["seconds"][own])


def pass_speed(found: Json) -> str:
    """The sizes named, what the grid comes to, and where it falls short."""
    sizes: dict[tuple[int, ...], dict[str, Json]] = defaultdict(dict)
    for record in found["named"]:
        sizes[record["n"], record["d"], record["K"]][record["covariance"]] = record
    header = ["n x d, K", "full, ms", "full", "aim", "tied", "diag", "spherical"]
    peers = [p for p in found["named"][0]["seconds"] if p not in ("ours", "scikit-learn")]
    lines = []
    for size, records in sizes.items():
        full = records["full"]
        row = [label(size), f"{1e3 * full['seconds']['ours']:.1f}", f"{ratio(full):.1f}"]
        row += [f"{NAMED[size]:g}"]
        row += [f"{ratio(records[kind]):.1f}" for kind in ("tied", "diag", "spherical")]
        lines.append(row + [f"{ratio(full, peer):.1f}" for peer in peers])
    parts = ["## One pass", markdown(header + [f"{peer}, full" for peer in peers], lines)]
    parts.append("Times scikit-learn's (or another's, last columns) time per pass of ours.")
    parts.append(grid(found["grid"]))
    parts.append(threads(found["two threads"]))
    return "\n\n".join(parts)


def grid(records: list[Json]) -> str:
    """Ratios over the grid by covariance type."""
    by_type: dict[str, list[Json]] = defaultdict(list)
    for record in records:
        by_type[record["covariance"]].append(record)
    lines = []
    for kind, members in by_type.items():
        ratios = np.array([ratio(record) for record in members])
        worst = members[int(ratios.argmin())]
        lines.append(
            [
                kind,
                len(ratios),
                f"{np.exp(np.log(ratios).mean()):.1f}",
                f"{ratios.min():.2f}",
                label((worst["n"], worst["d"], worst["K"])),
                int((ratios < 1.0).sum()),
                int((ratios < LOWEST).sum()),
            ]
        )
    header = ["grid", "cells", "geometric mean", "lowest", "where"]
    return markdown([*header, "below 1 (we lose)", f"below {LOWEST} (aim)"], lines)


def threads(records: list[Json]) -> str:
    """What a second thread gains."""
    lines = [
        [
            f"{record['covariance']} {label((record['n'], record['d'], record['K']))}",
            f"{ratio(record, 'ours, 1 thread', 'ours, 2 threads'):.2f}",
            f"{TWO_THREADS}",
            f"{ratio(record, 'scikit-learn, 2 threads', 'ours, 2 threads'):.1f}",
        ]
        for record in records
    ]
    return markdown(["two threads", "gain over one", "aim", "scikit-learn's time, two"], lines)


def whole_fits(found: Json) -> str:
    """Ratios and log-likelihoods of whole fits, and passes."""
    fits = found["fits"]
    names = {"small": "up to 1,500 rows", "large": "more rows"}
    groups = {
        "small": [fit for fit in fits if fit["n"] <= 1500],
        "large": [fit for fit in fits if fit["n"] > 1500],
        "grid of large sizes": found.get("grid", []),
    }
    fits = fits + groups["grid of large sizes"]
    groups["all"] = fits
    lines = []
    for name, members in groups.items():
        if members:
            default = np.log([ratio(fit) for fit in members]).mean()
            single = np.log([ratio(fit, own="ours, one start") for fit in members]).mean()
            gaps = np.array([gap(fit) for fit in members])
            tolerances = np.array([1e-6 * fit["n"] for fit in members])
            counts = [int((gaps > 1e-3).sum()), int((gaps < -tolerances).sum())]
            row = [names.get(name, name), len(members), f"{np.exp(default):.3f}"]
            lines.append([*row, f"{np.exp(single):.2f}", *counts])
    header = ["whole fits", "problems", "ratio, default (aim 20)", "ratio, one start each"]
    header += ["higher by 1e-3 nats", "lower by 1e-6 nats a row"]
    lower = [fit for fit in fits if gap(fit) < -1e-6 * fit["n"]]
    notes = [
        f"- {fit['problem']}: {gap(fit):+.2g} nats; scikit-learn's has "
        f"{'no' if fit['sound']['scikit-learn'] else 'a'} degenerate component"
        for fit in lower
    ]
    text = "Lower log-likelihood than scikit-learn's:\n\n" + "\n".join(notes)
    passes = [
        [case["problem"], f"{case['tol']:g}", *case["passes"].values()] for case in found["passes"]
    ]
    table = markdown(["passes", "tol", "plain EM", "default"], passes)
    title = "## Whole fits\n\nGeometric means of scikit-learn's processor time over ours."
    return "\n\n".join([title, markdown(header, lines), text if notes else "", table])


def gap(fit: Json) -> float:
    """Our log-likelihood minus scikit-learn's, in nats."""
    return float(fit["loglik"]["ours"] - fit["loglik"]["scikit-learn"])


def optimum(found: Json) -> str:
    """Shares of records reached, and times."""
    packages = list(dict.fromkeys(line["package"] for line in found["share"]))
    groups = list(dict.fromkeys(line["group"] for line in found["share"]))
    lines = []
    for group in ["all", *groups]:
        row = [group]
        for package in packages:
            tried = [
                line["reached"]
                for line in found["share"]
                if line["package"] == package and group in ("all", line["group"])
            ]
            row.append(f"{sum(tried)} of {len(tried)}" if tried else "")
        lines.append(row)
    shares = markdown(["records reached by default", *packages], lines)
    missed = [
        f"- {line['id']}: {line.get('failed') or format(line['difference'], '+.2g') + ' nats'}"
        for line in found["share"]
        if line["package"] == "ours" and not line["reached"]
    ]
    own = "Ours misses:\n\n" + "\n".join(missed) if missed else "Ours misses none."
    return "\n\n".join(["## The best optimum known", shares, own, optimum_times(found)])


def optimum_times(found: Json) -> str:
    """Time to within 1e-3 nats."""
    by_package: dict[str, list[Json]] = defaultdict(list)
    for line in found["times"]:
        by_package[line["package"]].append(line)
    lines = []
    for package, members in by_package.items():
        seconds = [line["seconds"] for line in members if line["reached"]]
        lines.append(
            [
                package,
                f"{len(seconds)} of {len(members)}",
                f"{np.median(seconds):.3f}" if seconds else "",
                f"{np.mean([line['seconds'] for line in members]):.2f}",
            ]
        )
    header = [f"within 1e-3 nats in {found['limit']:g} s", "reached", "median s where reached"]
    return markdown([*header, "mean s, misses at the limit"], lines)


def memory(found: Json) -> str:
    """Peaks above the input, and the fit to a file."""
    lines = [
        [name, peak.get("failed") or f"{peak['above MiB']:.0f}"]
        for name, peak in found["packages"].items()
    ]
    size, file = label(found["size"]), found["file"]
    parts = ["## Memory", markdown([f"peak above the input, {size}", "MiB"], lines)]
    if "difference" in file:
        mapped, loaded = file["mapped"], file["loaded"]
        parts.append(
            f"Fit to a file of {label(file['size'])} ({file['file MiB']:.0f} MiB), never loaded: "
            f"{file['above MiB']:.0f} MiB above the interpreter's {file['interpreter MiB']:.0f} "
            f"(aim {LIMIT_MIB:g}; the imports are {mapped['imported MiB']:.0f} of it), parameters "
            f"{file['difference']:.0e} relative from those of the fit in memory (aim "
            f"{TOLERANCE:g}), {mapped['seconds']:.1f} s against {loaded['seconds']:.1f} s, "
            f"{mapped['passes']} passes of the chosen run."
        )
    else:
        parts.append(f"The fit to a file failed: {file}")
    return "\n\n".join(parts)


def growth(found: Json) -> str:
    """Exponents of growth between the two last points of each axis."""
    lines = []
    for axis, points in found["lines"].items():
        for package in points[0]["seconds"]:
            line = [(p["value"], p["seconds"][package]) for p in points if package in p["seconds"]]
            (a, s), (b, t) = line[-2:]
            exponent = np.log(t / s) / np.log(b / a)
            lines.append([axis, package, b, f"{1e3 * t:.1f}", f"{exponent:.2f}"])
    header = ["axis", "package", "last value", "ms a pass there", "exponent at the end"]
    fixed = ", ".join(f"{name} = {value:,}" for name, value in found["fixed"].items())
    return f"## Growth\n\nThe others stay at {fixed}.\n\n{markdown(header, lines)}"


def labels(found: Json) -> str:
    """Labels and counts, against StepMix and pomegranate."""
    return "## Labels and counts\n\n" + markdown(list(found["header"]), found["lines"])


def label(size: Any) -> str:
    """A size in words."""
    n, d, K = size
    return f"{n:,} x {d}, {K}"


TABLES = {
    "pass_speed": pass_speed,
    "whole_fits": whole_fits,
    "optimum": optimum,
    "memory": memory,
    "growth": growth,
    "peers_labels_and_counts": labels,
}
