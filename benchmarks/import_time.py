"""What `import sklearn_genmodel` adds to `import sklearn.base`, in processes of their own.

The two are timed in turns; prints the difference of the medians, wall and CPU time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

TURNS = 9
TIMED = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def seconds(statement: str) -> list[float]:
    """Wall and CPU time of a statement in a fresh interpreter."""
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def main() -> None:
    """Print one line."""
    runs: dict[str, list[list[float]]] = {"import sklearn.base": [], "import sklearn_genmodel": []}
    for _ in range(TURNS):
        for statement, times in runs.items():
            times.append(seconds(f"import sklearn.base; {statement}"))
    base, ours = ([statistics.median(t) for t in zip(*r, strict=True)] for r in runs.values())
    print(
        f"import sklearn_genmodel adds {ours[0] - base[0]:.3f} s wall, "
        f"{ours[1] - base[1]:.3f} s CPU to import sklearn.base ({base[0]:.3f} s wall)"
    )


if __name__ == "__main__":
    main()
