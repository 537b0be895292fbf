# `make help` lists what there is. Everything runs in .venv, from the hash-pinned lists in requirements/.
.DEFAULT_GOAL := help
PYTHON ?= python3
# One more than there are cores: much of a test's time is waiting for a real part.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/%.done: requirements/%.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing $*: a minute or two the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: .venv/demo.done ## everything on this machine: Vault, a production database, AWS, Slack, prodaccess
	@exec $(BIN)/prodaccess demo

.PHONY: test
test: .venv/dev.done ## all tests, on real parts
	@tests/install-parts
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: soak
soak: .venv/dev.done ## the audit log under kills, faults and flipped bits: the long version
	@tests/install-parts
	@SOAK=1 $(BIN)/python -m pytest --timeout 3600 tests/audit/proving

.PHONY: prove-kill
prove-kill: .venv/dev.done ## a thousand kill -9 at random moments: nothing usable is left, nothing is unsaid
	@$(BIN)/python -m tests.proving.kill 1000

.PHONY: prove-model
prove-model: .venv/dev.done ## one grant's life, searched to its last state; and each rule left out is found
	@$(BIN)/python -m tests.proving.model --broken all

.PHONY: check
check: .venv/dev.done ## types, style, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: bench
bench: .venv/dev.done ## the benchmarks, against their aims
	@for name in click_to_credential cli_startup slack_ack audit search; do $(BIN)/python -m benchmarks $$name --check; done

.PHONY: lock
lock: .venv/dev.done ## resolve the dependencies anew
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --upgrade pyproject.toml requirements/build.in --extra demo --extra dev -o requirements/dev.txt
	@$(COMPILE) pyproject.toml requirements/build.in --extra demo -c requirements/dev.txt -o requirements/demo.txt
	@$(COMPILE) pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/server.txt
