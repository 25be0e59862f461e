"""Importing the package brings in nothing heavy."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["torch", "dask", "matplotlib"])
def test_heavy_modules_stay_out(module):
    code = f"import sklearn_genmodel, sys; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version

    import sklearn_genmodel

    assert sklearn_genmodel.__version__ == version("sklearn-genmodel")
