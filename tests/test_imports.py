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


def test_the_vae_is_imported_when_it_is_asked_for():
    import sklearn_genmodel

    assert "VAEEstimator" in dir(sklearn_genmodel)
    code = (
        "import sys, sklearn_genmodel as g; sys.modules['torch'] = None\n"
        "try: g.VAEEstimator\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'sklearn-genmodel[torch]'" in told.stdout
    with pytest.raises(AttributeError, match="no attribute 'GANEstimator'"):
        _ = sklearn_genmodel.GANEstimator
