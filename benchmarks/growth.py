"""How the time of a pass grows with rows, columns and components, full covariances, one thread."""

from __future__ import annotations

import warnings
from typing import Any

from _gaussian_passes import PEERS, make_start, ours
from _machine import in_turns, installed, one_thread

# What grows; the other two stay at n = 50,000, d = 10, K = 5.
AXES: dict[str, tuple[int, ...]] = {
    "n": (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000),
    "d": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "K": (1, 2, 4, 8, 16, 32, 64),
}
FIXED = {"n": 50_000, "d": 10, "K": 5}
QUICK_ROWS = 5_000
TOO_LONG = {True: 0.3, False: 3.0}


def measure(*, quick: bool) -> dict[str, Any]:
    """Seconds of a pass along each axis; a package leaves an axis where it takes too long."""
    warnings.simplefilter("ignore")
    makers = {"ours": ours} | {name: make for name, make in PEERS.items() if installed(name)}
    fixed = FIXED | ({"n": QUICK_ROWS} if quick else {})
    lines: dict[str, list[dict[str, Any]]] = {axis: [] for axis in AXES}
    with one_thread():
        for axis, values in AXES.items():
            left = set()
            for value in values:
                size = fixed | {axis: value}
                start = make_start(*size.values(), "full")
                runs = {name: make(start) for name, make in makers.items() if name not in left}
                seconds = in_turns(runs, 3 if quick else 5, enough=5.0)
                lines[axis].append({"value": value, "seconds": seconds})
                left |= {name for name, taken in seconds.items() if taken > TOO_LONG[quick]}
                words = ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in seconds.items())
                print(f"{axis} = {value}: {words}", flush=True)
                if "ours" in left:
                    break
    return {"fixed": fixed, "lines": lines}


if __name__ == "__main__":
    measure(quick=True)
