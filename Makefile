# Tellonce, from a fresh machine with Python 3.11 or later and make: `make run` serves, `make test` proves.

PYTHON ?= python3
DATA ?= ./data
ADDRESS ?= 127.0.0.1:50051
PYTEST ?=
EVENTS ?= 10000000
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Compiled modules are kept, whatever the caller's environment says: tests and benchmarks start processes by the hundred.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run demo test faults explore check format protos protos-check bench bench-large clean

help: ## Show what can be done.
	@echo "make run and make test need nothing but Python 3.11 or later."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo "Settings: PYTHON=$(PYTHON) DATA=$(DATA) ADDRESS=$(ADDRESS) PYTEST='-k words' (options of pytest) EVENTS=$(EVENTS)"

# Done once, and again when what to install has changed. The constraints bind the build backend too, whatever the age of pip.
$(INSTALLED): export PIP_CONSTRAINT := constraints.txt
$(INSTALLED): export PIP_BUILD_CONSTRAINT := constraints.txt
$(INSTALLED): export PIP_DISABLE_PIP_VERSION_CHECK := 1
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Tellonce needs Python 3.11 or later, and this is %s: say which one with PYTHON=" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

run: $(INSTALLED) ## Serve the ledger on 127.0.0.1:50051, with data in ./data.
	@exec $(BIN)/tellonce serve --data $(DATA) --listen $(ADDRESS)

demo: $(INSTALLED) ## Serve on a temporary folder, import a sample, show what the ledger answers.
	@exec $(BIN)/tellonce demo

test: check ## Check everything, then run all tests, a file to each core.
	@$(BIN)/python -m pytest -n logical --dist loadfile $(PYTEST)

faults: $(INSTALLED) ## All fault tests, those that take minutes too, five rounds of each that goes in rounds, one after the other.
	@$(BIN)/python -m pytest -m 'long or not long' --fault-rounds=5 --timeout=1800 tests/faults tests/contract/test_tailing_nodes.py tests/end_to_end/test_nodes.py $(PYTEST)

explore: $(INSTALLED) ## Look for histories that break a property: new examples each time, twenty times as many.
	@$(BIN)/python -m pytest --hypothesis-profile=explore --timeout=3600 tests/properties $(PYTEST)

check: $(INSTALLED) ## Lint, format, types, layers, generated code and generated docs.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python protos/generate.py --check
	@$(BIN)/python protos/document.py --check

format: $(INSTALLED) ## Put the code into its format.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

protos: $(INSTALLED) ## Generate the Python code and docs/events.md from the protos.
	@$(BIN)/python protos/generate.py
	@$(BIN)/python protos/document.py

protos-check: $(INSTALLED) ## Compare the generated code with what the protos give, byte by byte.
	@$(BIN)/python protos/generate.py --check

bench: $(INSTALLED) ## Measure the figures of benchmarks/, each against its limit.
	@$(BIN)/python -m benchmarks

bench-large: $(INSTALLED) ## Measure what could grow, on a ledger of EVENTS events: built once, overnight.
	@$(BIN)/python -m benchmarks --large --events $(EVENTS)

clean: ## Remove the environment and all caches. Data stays.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
