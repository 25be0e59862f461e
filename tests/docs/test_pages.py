"""The code that the README and the guide show runs, and prints what they say it prints."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import _code_blocks

OPTIONAL = {"sklearn_genmodel.vae": "torch", "import pyarrow": "pyarrow"}

GUIDE = sorted(
    str(page.relative_to(_code_blocks.ROOT))
    for page in (_code_blocks.ROOT / "docs" / "guide").glob("*.md")
    if "```python" in page.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("page", GUIDE)
def test_guide(page):
    code = "".join(block.code for block in _code_blocks.code_blocks(page))
    for needed in (package for phrase, package in OPTIONAL.items() if phrase in code):
        pytest.importorskip(needed)
    _code_blocks.run_page(page)
