# `make help` lists what there is. Everything runs in .venv, from the hash-pinned lists in requirements/.
.DEFAULT_GOAL := help
PYTHON ?= python3
# One more than there are cores: much of a test's time is waiting for a real part.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'

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

.PHONY: prove-kill-real
prove-kill-real: .venv/dev.done ## a hundred more with a real Vault and PostgreSQL, counted by logging in
	@$(BIN)/python -m tests.proving.kill_real 100

.PHONY: prove-faults
prove-faults: .venv/dev.done ## clocks, database, Vault, target and Slack fail one after the other: one table
	@$(BIN)/python -m tests.proving.faults

.PHONY: prove-disk
prove-disk: .venv/dev.done ## the disk is full, or fails, while grants end
	@tests/install-parts
	@$(BIN)/python -m tests.proving.disk

.PHONY: prove-life
prove-life: .venv/dev.done ## random people, clicks, faults and crashes on the real store, for long
	@SOAK=1 $(BIN)/python -m pytest --timeout 7200 tests/access/test_machine.py

.PHONY: prove-replicas
prove-replicas: .venv/dev.done ## three processes on one PostgreSQL, one of them killed or frozen
	@$(BIN)/python -m benchmarks replicas --check

.PHONY: prove-model
prove-model: .venv/dev.done ## a grant's life and its end by several, searched to the last state; each rule left out is found
	@$(BIN)/python -m tests.proving.model --broken all

.PHONY: prove-gateway
prove-gateway: .venv/dev.done ## a gateway beside a server, killed in the middle; logins from a real Vault
	@tests/install-parts
	@PROVE_GATEWAY=1 $(BIN)/python -m pytest --timeout 600 tests/prodaccess/gateways/test_process.py tests/gateways

.PHONY: prove-pg
prove-pg: .venv/dev.done ## SOURCES=… PostgreSQL's own regression tests through the gateway print what they print without
	@test -d "$(SOURCES)/src/test/regress" || { echo "Give a source tree of PostgreSQL: make prove-pg SOURCES=… [PG_BIN=/usr/lib/postgresql/15/bin]"; \
	  echo "From Debian, with a deb-src line in its sources: apt-get source --download-only postgresql-15, and unpack the .orig archive."; exit 2; }
	@$(BIN)/python -m tests.gateways.postgres.regression "$(SOURCES)" $(if $(PG_BIN),--bin "$(PG_BIN)")

.PHONY: prove-pg-kill
prove-pg-kill: .venv/dev.done ## a hundred kill -9 of the PostgreSQL gateway: whatever reached the database is in a recording
	@$(BIN)/python -m tests.gateways.postgres.killing 100

.PHONY: prove-ssh-kill
prove-ssh-kill: .venv/dev.done ## a hundred kill -9 of the SSH gateway: whatever reached the host is in a recording
	@$(BIN)/python -m tests.gateways.ssh.killing 100

.PHONY: prove-ssh-cut
prove-ssh-cut: .venv/dev.done ## how long after a deadline, and after an order, a host still runs anything of a session
	@$(BIN)/python -m tests.gateways.ssh.cutting 20

.PHONY: fuzz-gateways
fuzz-gateways: .venv/dev.done ## ten minutes of nonsense, and of random sessions held against the database's own log
	@$(BIN)/python -m tests.gateways.postgres.fuzz 600

.PHONY: check
check: .venv/dev.done ## types, style, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: bench
bench: .venv/dev.done ## the benchmarks, against their aims
	@for name in click_to_credential cli_startup slack_ack audit search revoke revoke_start replicas; do $(BIN)/python -m benchmarks $$name --check; done

.PHONY: lock
lock: .venv/dev.done ## resolve the dependencies anew
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --upgrade pyproject.toml requirements/build.in --extra demo --extra dev -o requirements/dev.txt
	@$(COMPILE) pyproject.toml requirements/build.in --extra demo -c requirements/dev.txt -o requirements/demo.txt
	@$(COMPILE) pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/server.txt
