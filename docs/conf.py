"""Sphinx configuration."""

from __future__ import annotations

import importlib.metadata
import os

import matplotlib as mpl

mpl.use("agg")

project = "sklearn_genmodel"
author = "The sklearn_genmodel developers"
copyright = f"2026, {author}"
release = importlib.metadata.version("sklearn-genmodel")
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"

# Nothing is fetched in a local build: it works off line.
if os.environ.get("READTHEDOCS"):
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
}

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"PR02", "PR03"}  # parameters: none unknown, in order

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(__init__|demo)\.py",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "plot_gallery": True,
    "reference_url": {"sklearn_genmodel": None},
    "doc_module": ("sklearn_genmodel",),
    "backreferences_dir": None,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_genmodel"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


def skip_sklearn(app, what, name, obj, skip, options):
    """Leave out methods that scikit-learn writes, with links into its own guide."""
    written_there = (getattr(obj, "__module__", None) or "").startswith("sklearn.")
    if written_there or (name.startswith("set_") and name.endswith("_request")):
        return True
    return None


def setup(app):
    """Connect the hooks of this file."""
    app.connect("autodoc-skip-member", skip_sklearn)
