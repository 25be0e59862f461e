"""How often, and how soon, every package reaches the best optimum known.

The records are the maxima of independent software in ``tests/references``, those of one component
left out. "Share": one fit by default settings, seed 0; reached is a log-likelihood within 1e-6
relative or 1e-3 nats of the record's, or higher, without a degenerate component. "Time": fits with
seeds 0, 1, 2, ... and tolerances of one's own meaning that are small enough, until one is within
1e-3 nats in total; processor time of all of them, on one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from _machine import installed, one_thread
from _peer_fits import COMMON, FITS, TOLERANCES, NotOfferedError, _records, evaluate

NATS, RELATIVE = 1e-3, 1e-6
SHARE_STEP = {True: 6, False: 1}
TIME_STEP = {True: 12, False: 4}
LIMIT = {True: 2.0, False: 4.0}


def records() -> list[Any]:
    """Maxima of two components and more, with their data at hand."""
    found = _records.mixture_fits(_records.load_records())
    return [r for r in found if _records.n_components(r) > 1 and _records.has_data(r)]


def attempt(name: str, record: Any, data: Any, seed: int, tol: float | None) -> dict[str, Any]:
    """One fit: how far from the record it ends, in nats, and the processor time it took."""
    start = time.process_time()
    try:
        fitted = FITS[name](record, *data, seed, tol)
    except NotOfferedError:
        raise
    except Exception as error:
        return {
            "seconds": time.process_time() - start,
            "failed": f"{type(error).__name__}: {error}".splitlines()[0][:80],
        }
    seconds = time.process_time() - start
    try:
        loglik, sound = evaluate(record, *data, fitted)
    except np.linalg.LinAlgError as error:
        # Some peers return covariances that are not positive definite.
        return {"seconds": seconds, "failed": f"{type(error).__name__}: {error}"[:80]}
    return {"seconds": seconds, "difference": loglik - record["loglik"], "sound": sound}


def reached(result: dict[str, Any], slack: float) -> bool:
    """Whether a fit is as good as the record, by a likelihood that is no spike's."""
    difference = result.get("difference", np.nan)
    return abs(difference) <= slack or (difference > slack and result["sound"])


def share(names: list[str], step: int) -> list[dict[str, Any]]:
    """One fit by default settings for every record and package."""
    lines = []
    for record in records()[::step]:
        data = _records.load_data(record)
        slack = max(NATS, RELATIVE * abs(record["loglik"]))
        for name in names:
            try:
                result = attempt(name, record, data, 0, None)
            except NotOfferedError:
                continue
            lines.append(
                about(record) | {"package": name, "reached": reached(result, slack)} | result
            )
        report(record, lines)
    return lines


def until_reached(name: str, record: Any, data: Any, limit: float) -> dict[str, Any]:
    """Fits until one reaches the optimum: their time, and their number."""
    total, tries = 0.0, 0
    while total < limit:
        tol = TOLERANCES[name][tries % 3]
        result = attempt(name, record, data, tries, tol)
        total, tries = total + result["seconds"], tries + 1
        if reached(result, NATS):
            return {"seconds": total, "fits": tries, "reached": True}
    return {"seconds": total, "fits": tries, "reached": False}


def times(names: list[str], step: int, limit: float) -> list[dict[str, Any]]:
    """Time to the optimum, for the Gaussian records that all packages fit."""
    gaussian = [r for r in records() if r["family"] == "gaussian" and r["covariance"] in COMMON]
    lines = []
    for record in gaussian[::step]:
        data = _records.load_data(record)
        for name in names:
            try:
                result = until_reached(name, record, data, limit)
            except NotOfferedError:
                continue
            lines.append(about(record) | {"package": name} | result)
        report(record, lines)
    return lines


def about(record: Any) -> dict[str, Any]:
    """Which record it is."""
    kind = " ".join(filter(None, (record["family"], record.get("covariance"))))
    return {"id": record["id"], "family": record["family"], "group": kind}


def report(record: Any, lines: list[dict[str, Any]]) -> None:
    """Print what came of a record."""
    found = [line for line in lines if line["id"] == record["id"]]
    words = (
        f"{line['package']} {'reached' if line['reached'] else 'MISSED'} {line['seconds']:.2f} s"
        for line in found
    )
    print(f"{record['id']:<28} {', '.join(words)}", flush=True)


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Records reached and tried by package and family."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        groups[line["package"]][f"{line['family']} tried"] += 1
        groups[line["package"]][f"{line['family']} reached"] += line["reached"]
    return {package: dict(counts) for package, counts in groups.items()}


def measure(*, quick: bool) -> dict[str, Any]:
    """Both parts."""
    warnings.simplefilter("ignore")
    names = [name for name in FITS if name == "ours" or installed(name)]
    with one_thread():
        warm_up(names)
        shares = share(names, SHARE_STEP[quick])
        return {
            "share": shares,
            "times": times(names, TIME_STEP[quick], LIMIT[quick]),
            "limit": LIMIT[quick],
        }


def warm_up(names: list[str]) -> None:
    """Import and run everything once, so that no record pays for it."""
    first = next(r for r in records() if r["family"] == "gaussian" and r["covariance"] == "diag")
    for name in names:
        attempt(name, first, _records.load_data(first), 0, None)


def main() -> None:
    """Print a line a record, and the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all records, not every sixth")
    arguments = parser.parse_args()
    result = measure(quick=not arguments.full)
    for package, counts in summary(result["share"]).items():
        print(package, counts)


if __name__ == "__main__":
    main()
