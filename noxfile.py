#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2025.10.14"]
# ///
"""The checks that need more than one environment; `make` runs them in one."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "virtualenv"

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
CONSTRAINTS = ("-c", "constraints.txt")


def install_group(session: nox.Session, group: str, *more: str) -> None:
    """Install the package, editable, and one dependency group."""
    session.install("--upgrade", "pip>=25.1")
    session.install("-e", ".", "--group", group, *more)


def run_pytest(session: nox.Session) -> None:
    session.run("python", "-m", "pytest", *session.posargs, env={"MPLBACKEND": "Agg"})


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, mypy, the import layers and repo-review."""
    install_group(session, "lint", *CONSTRAINTS)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")
    session.run("repo-review", ".")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, with the tested versions of everything."""
    install_group(session, "test", *CONSTRAINTS)
    run_pytest(session)


@nox.session(python=PYTHONS[0], default=False)
def minimum(session: nox.Session) -> None:
    """The tests, with the oldest versions that pyproject.toml admits."""
    dependencies = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    oldest = [f"{requirement.replace('>=', '==')}.*" for requirement in dependencies]
    install_group(session, "test", *oldest)
    run_pytest(session)


@nox.session(python=PYTHONS[-1], default=False)
def latest(session: nox.Session) -> None:
    """The tests, with the newest releases of everything."""
    install_group(session, "test", "--upgrade")
    run_pytest(session)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The site, warnings as errors."""
    install_group(session, "docs", *CONSTRAINTS)
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """The sdist and the wheel, and an import of the wheel."""
    shutil.rmtree("dist", ignore_errors=True)
    session.install("build", *CONSTRAINTS)
    session.run("python", "-m", "build")
    session.install(*map(str, Path("dist").glob("*.whl")), *CONSTRAINTS)
    with session.chdir(session.create_tmp()):
        session.run("python", "-c", "import sklearn_genmodel as g; print(g.__version__)")


if __name__ == "__main__":
    nox.main()
