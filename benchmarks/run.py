"""Run all measurements, each part in a process of its own, and write the table and the figures.

``python benchmarks/run.py`` takes about half an hour on two cores, ``--quick`` a few minutes on
smaller problems and fewer of them. What is measured goes to ``--output`` as JSON, part by part, so
that a part can be repeated alone; the table and the figures are made from all parts that are there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _machine import TUNING, description

HERE = Path(__file__).parent
PARTS = ("pass_speed", "whole_fits", "optimum", "memory", "growth", "peers_labels_and_counts")
FIGURES = HERE.parent / "docs" / "_static" / "benchmarks"
# One thread for libraries that ask only once; the parts measure two threads where they say so.
ENVIRONMENT = {"MPLBACKEND": "Agg"}


def start_part(part: str, folder: Path, *, quick: bool) -> bool:
    """Measure a part in a fresh process without the variables that change BLAS."""
    environment = {name: value for name, value in os.environ.items() if name not in TUNING}
    command = [sys.executable, __file__, "--part", part, "--output", str(folder)]
    begun = time.perf_counter()
    print(f"== {part}", flush=True)
    done = subprocess.run(command + ["--quick"] * quick, env=environment | ENVIRONMENT, check=False)
    print(f"== {part}: {time.perf_counter() - begun:.0f} s", flush=True)
    return done.returncode == 0


def measure_part(part: str, folder: Path, *, quick: bool) -> None:
    """Measure a part in this process, and keep what came out."""
    before = os.getloadavg()
    begun = time.perf_counter()
    found: dict[str, Any] = importlib.import_module(part).measure(quick=quick)
    found["machine"] = description() | {
        "load": [round(before[0], 1), round(os.getloadavg()[0], 1)],
        "minutes": round((time.perf_counter() - begun) / 60, 1),
        "quick": quick,
    }
    text = json.dumps(found, indent=1, default=float)
    (folder / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller problems")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder of the JSON")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="folder of the figures")
    parser.add_argument("--report", action="store_true", help="measure nothing, only write")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.part:
        measure_part(arguments.part, folder, quick=arguments.quick)
        return
    failed = []
    if not arguments.report:
        parts = arguments.only
        failed = [p for p in parts if not start_part(p, folder, quick=arguments.quick)]
    import _report

    _report.write(folder, arguments.figures.resolve())
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
