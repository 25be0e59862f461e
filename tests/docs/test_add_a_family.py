"""The developer guide's family is complete, short, and passes the public checks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _code_blocks

PAGE = "docs/developer/add_a_family.md"


def test_page_runs():
    namespace = _code_blocks.run_page(PAGE)
    assert {"Geometric", "GeometricParams"} <= set(namespace)


def test_family_has_fewer_than_40_lines():
    code = _code_blocks.code_blocks(PAGE)[0].code
    assert "class Geometric(ExponentialFamily)" in code
    assert len(code.splitlines()) < 40
