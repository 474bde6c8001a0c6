# What one does with this project. `make help` lists it.
# Needs Python 3.11 or newer, make and a C compiler; everything else is installed into .venv from hash-locked lists.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
WORKERS ?= 2
GOLDEN ?= ../shared/retrieval
UV ?= uv
REDIS ?= redis-server
POSTGRES ?= /usr/lib/postgresql/14/bin
VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/requirements
LOCAL := $(VENV)/.installed-local
DEV := $(VENV)/.installed-dev
SOURCES := chassis gateway $(wildcard *_service) protos/generate.py deploy tests
IMAGES := gateway $(wildcard *_service)

.DEFAULT_GOAL := help
.PHONY: help run models demo eval check test test-oldest chaos bench fmt proto lock compose-test clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(LOCAL) ## start the whole platform on this machine (Ctrl-C stops it)
	@exec $(BIN)/python -m deploy.local run

models: $(LOCAL) ## fetch and verify the model files
	@$(BIN)/python -m deploy.local models

demo: $(LOCAL) ## show what the running platform can do
	@$(BIN)/python -m deploy.local demo

eval: $(LOCAL) ## measure how well search finds (GOLDEN=directory with corpus.jsonl and queries.jsonl; STORES="qdrant pgvector")
	@$(BIN)/python -m deploy.local eval $(GOLDEN) $(addprefix --store ,$(STORES))

check: $(DEV) ## format, lint, types, import laws, contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/python -m protos.generate --check
	$(BIN)/pytest -q -n $(WORKERS) tests/unit tests/architecture

test: $(DEV) ## every test, on real engines
	@$(BIN)/python -m deploy.local models
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests

test-oldest: $(DEV) ## every test on the oldest servers: REDIS=redis-server of 7.0, POSTGRES=directory of PostgreSQL 14's programs
	@$(REDIS) --version && $(POSTGRES)/postgres --version || \
	  { echo "say make test-oldest REDIS=/path/to/redis-server POSTGRES=/path/to/postgresql/14/bin" >&2; exit 1; }
	@$(BIN)/python -m deploy.local models
	AISP_METER=$$(command -v $(REDIS)) AISP_POSTGRES=$(POSTGRES) $(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests

bench: $(DEV) ## measure the platform beside other gateways, and write docs/performance.md anew (some minutes)
	@$(BIN)/python -m deploy.local models
	@$(BIN)/python -m deploy.bench
chaos: $(DEV) ## the long proofs of the meter: 200 faults, 20 torn files, 100,000 steps against the model, 100 revocations under load
	AISP_FAULTS=200 $(BIN)/pytest -q -s tests/chaos
	AISP_MODEL_STEPS=100000 AISP_RUNS=20 $(BIN)/pytest -q -s tests/integration/test_meter_model.py \
	  tests/integration/test_meter_accuracy.py
	AISP_PROMPT_SECONDS=1 AISP_LOAD=1000 AISP_REVOCATIONS=100 $(BIN)/pytest -q -s tests/integration/test_identity_cluster.py
	AISP_KILLS=20 $(BIN)/pytest -q -s tests/integration/test_ingestion_kills.py

fmt: $(DEV) ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(DEV) ## generate the code of the contracts
	$(BIN)/python -m protos.generate

lock: ## write the hash-locked lists anew (needs uv)
	$(UV) pip compile $(LOCK_OPTIONS) --upgrade --extra local --extra piper --extra dev -o $(LOCKS)/dev.txt pyproject.toml
	$(UV) pip compile $(LOCK_OPTIONS) -c $(LOCKS)/dev.txt --extra local --extra piper -o $(LOCKS)/local.txt pyproject.toml
	@for image in $(IMAGES); do \
	  $(UV) pip compile $(LOCK_OPTIONS) -c $(LOCKS)/dev.txt -o $(LOCKS)/$$image.txt $(LOCKS)/$$image.in || exit 1; \
	done

# A list without addresses, paths or the command that made it: the same on every machine.
LOCK_OPTIONS := --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links

compose-test: $(DEV) ## build the images, start them with docker-compose, run the end-to-end suite against them
	@PYTEST=$(BIN)/pytest PYTHON=$(BIN)/python deploy/compose/test.sh

clean: ## remove what tools leave behind; keeps .venv and .data
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -not -path './.data/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: install it, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: on Debian install python3-venv" >&2; exit 1; }

$(LOCAL): $(LOCKS)/local.txt pyproject.toml | $(BIN)/python
	@echo "installing what is needed to run into $(VENV) (once; a few minutes without a package cache)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(LOCKS)/local.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEV): $(LOCKS)/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing what is needed to run and develop into $(VENV) (once; a few minutes without a package cache)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(LOCKS)/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@ $(LOCAL)
