# `make help` lists what there is. VENV=path uses another virtual environment, e.g. make test VENV=$VIRTUAL_ENV
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
RUN_STAMP := $(VENV)/.limbeck-run
DEV_STAMP := $(VENV)/.limbeck-dev

# One thread a worker: two test workers on two cores would otherwise fight for them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: help demo test test-all lint docs bench clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

demo: $(RUN_STAMP)  ## Install limbeck, run its first recipe, print the table and the path of the report
	$(BIN)/limbeck run digits

test: $(DEV_STAMP)  ## All tests but the slow ones, and the examples in docstrings and docs
	$(PYTEST) -m "not slow"

test-all: $(DEV_STAMP)  ## All tests
	$(PYTEST)

lint: $(DEV_STAMP)  ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(DEV_STAMP)  ## The reference, from the docstrings into docs/reference
	$(BIN)/python docs/make_reference.py docs/reference
	@echo "Open docs/reference/index.html"

bench: $(DEV_STAMP)  ## Run every benchmarks/*.py
	@set -e; for file in $(sort $(wildcard benchmarks/[a-z]*.py)); do echo "== $$file"; $(BIN)/python $$file; done

clean:  ## Remove caches and built files; the virtual environment and runs/ stay
	rm -rf build dist docs/reference .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing limbeck into $(VENV) (some minutes the first time: PyTorch is large)"
	@$(PIP) -e .
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing limbeck and what its tests need into $(VENV) (some minutes the first time: PyTorch is large)"
	@$(PIP) -e ".[dev]"
	@touch $@ $(RUN_STAMP)
