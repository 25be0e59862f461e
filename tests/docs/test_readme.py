"""The README's examples run and print what it shows."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _code_blocks


def test_readme():
    _code_blocks.run_page("README.md")


def test_first_example_is_short():
    code = _code_blocks.code_blocks("README.md")[0].code
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 15
