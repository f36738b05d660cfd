# Every command of this project. `make` alone lists them.

BIN := .venv/bin
CLIENTS := mlflow3
OLD_CLIENTS := mlflow2 mlflow1 databricks057
# More than four only compete for the disk.
PYTEST := -n auto --maxprocesses=4 --dist worksteal -q
# Whose further tests may run beside each other; the others kill, wait or drive clients, and want quiet.
BESIDE_OTHERS := tests/plans tests/registry tests/security tests/storage tests/web
LOCK := pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q
# Where a second, newer Python is looked for. It is run to be sure: a pyenv shim may stand for nothing.
NEWER := python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python3.13)

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help install up demo test test-browser screenshots test-more prove mutants chaos chaos-store beats lint format lock clean bench bench-mlflow \
	prepared dev clients old-clients

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "  PYTHON=python3.13 chooses the interpreter (3.11 or newer) when the environment is built."

install:  ## build .venv with .venv/bin/modelyard from requirements.lock
	@tools/environment.sh .venv requirements.lock project

demo: install  ## run the whole system on a throw-away home: register, copy, promote; leaves nothing behind
	@$(BIN)/modelyard demo

up: install  ## start Modelyard with everything it needs, data under MODELYARD_HOME (~/.modelyard)
	@$(BIN)/modelyard up

test: prepared  ## what must hold on every change: SQLite, PostgreSQL, the real current clients
	@$(BIN)/python -m pytest $(PYTEST) -m "not more and not browser"
	@echo "No browser was used: make test-browser is the rest."

test-browser: prepared  ## the pages in a real Chromium: what they promise, axe on each, live progress (Debian: apt install chromium)
	@$(BIN)/python -m pytest -q -m browser tests/ui

screenshots: dev  ## take a picture of every page, in light and dark, for a desk and a phone (SCREENSHOTS=--docs: docs/images too)
	@$(BIN)/python -m tests.ui.screenshots $(SCREENSHOTS)

test-more: prepared old-clients  ## more of it: Python 3.13 if there is one, old clients, slow faults, short storms, planted faults
	@newer=$$(for python in $(NEWER); do "$$python" -c '' 2>/dev/null && echo "$$python" && break; done); \
	if [ -n "$$newer" ]; then \
		PYTHON=$$newer tools/environment.sh .envs/python3.13 requirements-dev.lock project && \
		.envs/python3.13/bin/python -m pytest $(PYTEST) -m "not more and not browser"; \
	else \
		echo "No python3.13 on PATH or under ~/.pyenv: the suite has NOT run on it."; \
	fi
	@$(BIN)/python -m pytest $(PYTEST) -m more $(BESIDE_OTHERS)
	@$(BIN)/python -m pytest -q -m more $(BESIDE_OTHERS:%=--ignore=%)
	@$(MAKE) --no-print-directory mutants

prove: dev  ## draw 2,000 random histories of jobs on each database and hold them against the model
	@$(BIN)/python -m pytest -q -n 2 tests/jobs/machine --hypothesis-profile=prove

mutants: dev  ## plant faults in copies of the source: the tests must kill each (MUTANTS="--only reap")
	@$(BIN)/python -m tests.mutants $(MUTANTS)

chaos: dev  ## blow a storm of faults over real processes for 60 s on each database (CHAOS="--seed 2 --seconds 30")
	@$(BIN)/python -m tests.chaos $(CHAOS)

chaos-store: dev  ## race and kill processes over a store on both databases, then look at every byte (10 minutes)
	@$(BIN)/python -m tests.store_chaos

beats: dev  ## two beats and four workers on a policy that runs each ten seconds, for five minutes (BEATS="--database postgresql")
	@$(BIN)/python -m tests.plans $(BEATS)

lint: dev  ## ruff check, ruff format --check, mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: dev  ## sort imports and lay out the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: dev  ## write the lock files anew from pyproject.toml; LOCK_FLAGS=--upgrade takes newer releases
	$(BIN)/uv $(LOCK) $(LOCK_FLAGS) --extra cloud --group build pyproject.toml -o requirements.lock
	$(BIN)/uv $(LOCK) $(LOCK_FLAGS) --extra cloud --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@cd tests/clients && for client in $(CLIENTS) $(OLD_CLIENTS); do \
		../../$(BIN)/uv $(LOCK) $(LOCK_FLAGS) requirements-$$client.in -o requirements-$$client.lock || exit 1; done
	@cd benchmarks && \
		../$(BIN)/uv $(LOCK) $(LOCK_FLAGS) requirements-mlflow-server.in -o requirements-mlflow-server.lock

bench: dev  ## measure create-to-READY and reads against a running system (benchmarks/)
	@$(BIN)/python -m benchmarks

bench-mlflow: dev  ## measure beside `mlflow server`, some 25 minutes; BENCH_FLAGS="--seconds 2 --rounds 1" tries it
	@tools/environment.sh .envs/mlflow-server benchmarks/requirements-mlflow-server.lock
	@$(BIN)/python -m benchmarks.registry $(BENCH_FLAGS)

clean:  ## delete everything that these commands have built
	@rm -rf .venv .envs build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Both environments of the tests, at once.
prepared:
	@$(MAKE) --no-print-directory -j2 dev clients

# The tools and everything that tests import, added to .venv.
dev: install
	@tools/environment.sh .venv requirements-dev.lock project

# The environment of the real, current clients, which must never see ours.
clients:
	@for client in $(CLIENTS); do \
		tools/environment.sh .envs/$$client tests/clients/requirements-$$client.lock || exit 1; done

old-clients:
	@for client in $(OLD_CLIENTS); do \
		tools/environment.sh .envs/$$client tests/clients/requirements-$$client.lock || exit 1; done
