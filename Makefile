# `make demo` and `make test` need a python3 (3.10 or later) with its venv module, and nothing else.
# Pip's own settings (index, proxy, certificates, find-links) are taken from the environment as they are.
#
#   make test PYTHON=python3.12 VENV=.venvs/3.12    another Python, in its own environment
#   make test PYTEST_ARGS='-x tests/test_site.py'   arguments for pytest
#   make test-faults FAULT_ARGS='--kills 500'       fewer kills

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Without byte code, every start of the program would be preceded by its compilation.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(JOBS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One environment serves all targets, so two of them must not install into it at once.
.NOTPARALLEL:
.PHONY: demo test test-slow test-large test-faults lint format types docs bench clean help

demo: $(VENV)/.installed-test  ## run the main job on a small wheelhouse made under ./demo
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-test  ## run the everyday tests
	$(PYTEST) -m 'not slow and not large' $(PYTEST_ARGS)

test-slow: $(VENV)/.installed-test  ## run the real-world tests
	$(PYTEST) -m 'slow and not large' $(PYTEST_ARGS)

# By hand, too: it takes about half an hour.
test-large: $(VENV)/.installed-test  ## build large packages from source, and try many random cases
	$(PYTEST) -m large $(PYTEST_ARGS)

# By hand: it takes about a quarter of an hour on a quiet machine. FAULT_ARGS='--kills 500', or '--seconds 300'.
test-faults: $(VENV)/.installed-test  ## kill what changes a wheelhouse 10,000 times, and let the disk fail
	$(BIN)/python -m tests.faults.campaign $(FAULT_ARGS)

lint: $(VENV)/.installed-lint  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-lint  ## repair style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-lint  ## check the types, strictly
	$(BIN)/mypy

docs: $(VENV)/.installed-docs  ## build the documentation and run its examples; warnings are errors
	$(BIN)/python docs/screenshots.py
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env -b html docs docs/_build/html
	$(BIN)/python examples/demo.py >docs/_build/demo.txt
	$(BIN)/sphinx-build --fail-on-warning --keep-going -b doctest docs docs/_build/doctest
	@grep -q '^ *[1-9][0-9]* tests$$' docs/_build/doctest/output.txt || { \
	  echo "error: no example of the documentation was run" >&2; exit 1; }
	$(BIN)/python -m doctest README.md

# Without byte code, every start of the program would be measured with its compilation.
bench: $(VENV)/.installed-bench  ## compare the speed with that of other tools
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean:  ## remove all that the other targets made
	rm -rf .venv .venvs demo dist docs/_build benchmarks/.trees
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

# An environment is made once; a change of pyproject.toml installs into it again.
# Debian and Ubuntu ship ensurepip apart from python3; without it, venv would leave half an environment.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: '$(PYTHON)' is not a Python of version 3.10 or later;" \
	    "name another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "error: '$(PYTHON)' cannot make virtual environments: its venv or ensurepip module is missing;" \
	    "on Debian or Ubuntu: apt-get install python$$version-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# pip 21.3 is the first that installs an editable project from pyproject.toml alone.
$(VENV)/.installed-test: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet 'pip>=21.3'
	$(PIP) install --quiet --editable '.[test]'
	@touch $@

# mypy reads the tests as well, and so needs what they import.
$(VENV)/.installed-lint: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet 'pip>=21.3'
	$(PIP) install --quiet --editable '.[test,lint]'
	@touch $@

$(VENV)/.installed-docs $(VENV)/.installed-bench: $(VENV)/.installed-%: pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet 'pip>=21.3'
	$(PIP) install --quiet --editable '.[$*]'
	@touch $@
