# Everything a developer or a first user types. Needs git, Python >= 3.11 and make; uses uv when it is there.
#
#   make setup         .venv with the locked packages, wirecover in it, kernels compiled
#   make demo          a training case from the bundled captures, in ./demo, with its report
#   make test          the tests, with coverage         make test-slow   those left out of it
#   make torture       every write path killed at 200 random points, every file of a case changed
#   make fuzz          mutated input for each parser, reader and decoder, for a fixed time (SECONDS=300)
#   make check         format, lint, types, import contracts, tests
#   make bench         speed and memory beside openssl, tshark and ndpiReader
#   make conformance   agreement with what other tools published about a corpus of captures
#   make docs          write into README.md and docs/ what their commands print now
#   make lock          write the lock files anew
#   make clean

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow torture fuzz check lint types contracts format bench docs conformance lock clean force

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python

# The first Python that is new enough; a name that exists may still be none (a shim), so each is asked.
CANDIDATES := python3 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
UV ?= $(shell command -v uv 2>/dev/null)

LOCKS := requirements.lock requirements-dev.lock
INSTALLED := $(VENV)/.installed
KERNELS := $(VENV)/.kernels
# `git clean` takes the links of the editable install away, and may leave the stamp (or the other way round).
ifeq ($(wildcard .editable/wirecover/cli/main.py),)
STALE := force
endif
KERNEL_SOURCES := $(wildcard capture/*.py capture/files/*.py capture/packets/*.py capture/flows/*.py capture/quality/*.py)

# Processes that run tests; a file's tests stay together, for they share their cases.
WORKERS ?= 2
CAPTURES := tests/captures
CONFORMANCE ?= ../shared/conformance/check.py
CORPUS ?= ../shared/corpus

help:
	@sed -n 's/^#   //p' Makefile

setup: $(KERNELS)

$(INSTALLED): $(LOCKS) pyproject.toml hatch_build.py $(STALE)
	@if [ -z "$(PYTHON)" ] && [ -z "$(UV)" ]; then echo "make setup: no Python >= 3.11 found (set PYTHON=...)" >&2; exit 1; fi
	@if [ -n "$(UV)" ]; then \
		[ -x $(PY) ] || "$(UV)" venv --quiet $(if $(PYTHON),--python $(PYTHON),--python 3.12) $(VENV); \
		"$(UV)" pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements-dev.lock && \
		"$(UV)" pip install --quiet --python $(PY) --no-deps --no-build-isolation --reinstall-package wirecover -e .; \
	else \
		[ -x $(PY) ] || $(PYTHON) -m venv $(VENV); \
		$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade; \
		$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock && \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

# No user shall wait for a compiler: modules and kernels are compiled and cached here.
$(KERNELS): $(INSTALLED) $(KERNEL_SOURCES)
	@$(PY) -m compileall -q capture casefile queries analysis report cli
	@$(PY) -m wirecover.capture.kernels
	@touch $@

demo: setup
	@$(PY) tests/demo/run.py demo $(CAPTURES)

test: setup
	$(PY) -m pytest -m "not slow" --numprocesses $(WORKERS) --dist loadfile --cov --cov-report=term

test-slow: setup
	$(PY) -m pytest -m slow

torture: setup
	WIRECOVER_KILLS=200 $(PY) -m pytest tests/torture

SECONDS ?= 300
fuzz: setup
	$(PY) tests/fuzz/run.py --seconds $(SECONDS)

check: lint types contracts test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@$(PY) tests/bench/run.py $(BENCH)

conformance: setup
	@if [ -f $(CONFORMANCE) ]; then $(PY) $(CONFORMANCE) $(CORPUS) --tool $(abspath $(BIN))/wirecover; \
	else echo "make conformance: $(CONFORMANCE) is not there (set CONFORMANCE and CORPUS)" >&2; exit 1; fi

docs: setup
	$(PY) tests/support/query_table.py README.md
	$(PY) tests/support/console.py README.md docs/*.md

# The lock files hold versions and hashes only: no index, no path.
LOCK := pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
lock:
	@command -v "$(or $(UV),uv)" >/dev/null || { echo "make lock: needs uv" >&2; exit 1; }
	"$(UV)" $(LOCK) pyproject.toml --upgrade -o requirements.lock
	"$(UV)" $(LOCK) pyproject.toml --group dev --constraint requirements.lock -o requirements-dev.lock
	@if grep -nE '://|^-|@ ' $(LOCKS); then echo "make lock: an address or path in a lock file" >&2; exit 1; fi

clean:
	rm -rf $(VENV) .editable .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		demo bench-data fuzz-out dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
