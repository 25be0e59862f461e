"""Python blocks of a Markdown page, and the output that the page shows for each."""

import contextlib
import doctest
import io
import re
import sys
import types
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?:\{code-block\} )?(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class CodeBlock(NamedTuple):
    """A Python block, the line it starts on, and the text block right after it, if there is."""

    line: int
    code: str
    output: str | None


def code_blocks(page):
    """Return the Python blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fences = list(FENCE.finditer(text))
    blocks = []
    for fence, following in zip(fences, [*fences[1:], None], strict=False):
        if fence[1] == "python":
            adjacent = following and not text[fence.end() : following.start()].strip()
            output = following[2] if adjacent and following[1] == "text" else None
            blocks.append(CodeBlock(text.count("\n", 0, fence.start(2)) + 1, fence[2], output))
    return blocks


@contextlib.contextmanager
def page_module():
    """Yield the namespace of a module that can be imported, so that its classes can be pickled."""
    module = types.ModuleType("page_under_test")
    sys.modules[module.__name__] = module
    try:
        yield vars(module)
    finally:
        del sys.modules[module.__name__]


@contextlib.contextmanager
def page_run(page):
    """Run the blocks of a page as `run_page` does; yield the names, while they can be imported."""
    with page_module() as namespace:
        _run_blocks(page, namespace)
        yield namespace


def run_page(page):
    """Run the blocks of a page in one namespace; compare what they print with the page."""
    with page_run(page):
        pass


def _run_blocks(page, namespace):
    blocks = code_blocks(page)
    assert blocks, f"{page} has no Python block"
    for block in blocks:
        printed = io.StringIO()
        # Blank lines, so that a traceback shows the line of the page.
        code = compile("\n" * (block.line - 1) + block.code, str(ROOT / page), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        expected = block.output or ""
        assert doctest.OutputChecker().check_output(expected, printed.getvalue(), OPTIONS), (
            f"{page}, line {block.line}: the page shows\n{expected}\nand the code prints\n"
            f"{printed.getvalue()}"
        )
