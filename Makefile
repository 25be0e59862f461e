# `make demo` and `make test` need Python >= 3.11 with pip, and make: nothing else.
# Each target installs what it needs into .venv, once; a stamp file makes the next run quick.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
SPHINXOPTS ?= -W --keep-going

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMPS := $(VENV)/.stamps
PIP_INSTALL := $(PY) -m pip install --quiet -c constraints.txt --build-constraint constraints.txt
DECLARED := $(STAMPS)/venv pyproject.toml constraints.txt

export MPLBACKEND := Agg

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs bench clean
# One pip at a time in .venv, under `make -j` too.
.NOTPARALLEL:
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/demo ## fit, select, cluster and sample on real data; leaves a picture and a table
	$(PY) examples/demo.py --output demo_output

test: $(STAMPS)/test ## run the tests (PYTEST_ARGS="-m 'not slow'" to choose)
	$(PY) -m pytest $(PYTEST_ARGS)

lint: $(STAMPS)/lint ## ruff, mypy, the import layers and repo-review
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/repo-review .

docs: $(STAMPS)/docs ## build the site into docs/_build/html, warnings as errors
	$(PY) -m sphinx -b html $(SPHINXOPTS) docs docs/_build/html

bench: .venv-bench/.stamp ## measure against the peers, half an hour (BENCH_ARGS=--quick: minutes)
	.venv-bench/bin/python benchmarks/run.py $(BENCH_ARGS)

clean: ## remove .venv and everything that was generated
	rm -rf $(VENV) .venv-bench demo_output build dist docs/_build docs/generated docs/auto_examples \
	    docs/sg_execution_times.rst .hypothesis .import_linter_cache .mypy_cache .nox \
	    .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The only rule that creates .venv.
$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "sklearn_genmodel needs Python 3.11 or newer, and '$(PYTHON)' is not." >&2; \
	    echo "Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Creating $(VENV)"
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --upgrade -c constraints.txt pip
	@mkdir -p $(STAMPS) && touch $@

.venv-bench/.stamp: benchmarks/requirements-peers.txt pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --quiet -c constraints.txt -e . \
	    -r benchmarks/requirements-peers.txt
	@touch $@

$(STAMPS)/demo: $(DECLARED)
	$(PIP_INSTALL) -e ".[plot]"
	@touch $@

$(STAMPS)/test: $(DECLARED)
	$(PIP_INSTALL) -e . --group test
	@touch $@

$(STAMPS)/lint: $(DECLARED)
	$(PIP_INSTALL) -e . --group lint
	@touch $@

$(STAMPS)/docs: $(DECLARED)
	$(PIP_INSTALL) -e . --group docs
	@touch $@
