# Every command of this project; `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The uv on the path, else one of our own: the version is what the locks were made with.
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
STUBS_ROOT := client/src
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
PROTOC := $(UV) run --quiet --no-project --isolated --with-requirements locks/proto.txt python -m grpc_tools.protoc

# The tests of a database server stay together in one process; more than four have nothing to do.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(VENV)/.ready ## Bring uv and the locked environment

.tools/uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .tools/uv || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.ready: locks/dev.txt client/pyproject.toml | $(UV)
	@echo "Setting up $(VENV) ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes locks/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable client
	@touch $@

.PHONY: lock
lock: | $(UV) ## Resolve the dependencies anew and lock them with their hashes
	$(COMPILE) --upgrade --extra traces pyproject.toml client/pyproject.toml --output-file locks/runtime.txt
	$(COMPILE) --upgrade --extra traces pyproject.toml client/pyproject.toml --group dev --constraint locks/runtime.txt --output-file locks/dev.txt
	$(COMPILE) --upgrade locks/proto.in --output-file locks/proto.txt
	$(COMPILE) --upgrade pyproject.toml client/pyproject.toml locks/client-oldest.in --output-file locks/client-oldest.txt

.PHONY: proto
proto: | $(UV) ## Generate the stubs in client/ from protos/
	$(PROTOC) -Iprotos --python_out=$(STUBS_ROOT) --grpc_python_out=$(STUBS_ROOT) \
		--mypy_out=$(STUBS_ROOT) --mypy_grpc_out=$(STUBS_ROOT) \
		protos/batchprogress/v1/progress.proto protos/batchprogress/v1/job_status.proto

.PHONY: run
run: setup ## The 1,037-job story on real processes (KEEP=1: goes on serving, with a dashboard)
	@$(BIN)/python -m demo

# A terminal emulator for this alone, not in the locks.
PYTE := pyte==0.8.2

.PHONY: recording
recording: setup | $(UV) ## Take the README's recording of make run anew
	$(UV) run --quiet --no-project --isolated --python $(BIN)/python --with $(PYTE) \
		python -m demo.recording docs/images/run.svg $(BIN)/python -m demo

.PHONY: serve
serve: setup ## Serve ProgressService on an SQLite file (or BATCHES_DATABASE_URL)
	$(BIN)/python -m services.progress

.PHONY: dashboard
dashboard: setup ## Serve the dashboard over the server of make serve (or DASHBOARD_PROGRESS_TARGET)
	$(BIN)/python -m services.dashboard

.PHONY: dashboard-images
dashboard-images: setup ## Take the README's pictures anew (two minutes, one of them a real stall)
	DASHBOARD_SCREENSHOTS=docs/images $(BIN)/python -m pytest -k stuck_and_repaired tests/e2e/dashboard

.PHONY: test
test: setup ## Every test, on SQLite, MariaDB and MySQL (found, or set up by itself)
	$(PYTEST)

OLDEST := .cache/oldest

.PHONY: test-oldest
test-oldest: setup | $(UV) ## The client's tests on the oldest grpcio and protobuf a worker may have
	@$(UV) venv --quiet --clear --python $(BIN)/python $(OLDEST)
	@$(UV) pip sync --quiet --python $(OLDEST)/bin/python --require-hashes locks/client-oldest.txt
	PYTHONPATH=client/src $(OLDEST)/bin/python -m pytest --numprocesses auto --maxprocesses 4 tests/unit/client tests/integration/client

.PHONY: test-faults
test-faults: setup ## The faults in their full sizes, on MySQL and MariaDB (half an hour)
	FAULTS=full $(PYTEST) tests/faults

.PHONY: test-k8s
test-k8s: setup ## The manifests on the API server of KUBECONFIG or KUBEBUILDER_ASSETS, and the image
	KUBERNETES=given $(PYTEST) tests/k8s tests/integration/job_status/test_kubernetes_source.py \
		tests/e2e/test_real_queues.py::test_kubernetes

.PHONY: mutants
mutants: setup ## Break the code in listed ways: each must fail its test (LISTS="rpc batches" for some)
	$(BIN)/python -m tests.mutants $(LISTS)

.PHONY: bench
bench: setup ## Measure our server beside what a user would pick instead (25 minutes; ROWS="row-lock" for one row)
	$(BIN)/python -m bench $(ROWS)

.PHONY: check-db
check-db: setup ## Compare every batch's counters with its rows
	$(BIN)/python -m batches check

.PHONY: configuration
configuration: setup ## Generate docs/configuration.md from the settings classes
	$(BIN)/python -m docs.generate_configuration

.PHONY: format
format: setup ## Format and fix what can be fixed
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

.PHONY: verify
verify: setup verify-protos ## Lint, types, import rules, protos, stubs as generated
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.generate_configuration --check

# What the last commit had; in a clean checkout that is the one before.
PROTOS_BEFORE = $(shell git diff --quiet HEAD -- protos 2>/dev/null && git rev-parse --quiet --verify HEAD~1 || echo HEAD)
GENERATED := .cache/stubs

.PHONY: verify-protos
verify-protos: setup
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against '.git#ref=$(PROTOS_BEFORE)'
	@rm -rf $(GENERATED) && mkdir -p $(GENERATED)
	@$(MAKE) --no-print-directory proto STUBS_ROOT=$(GENERATED) >/dev/null 2>&1 || $(MAKE) proto STUBS_ROOT=$(GENERATED)
	@diff -r --exclude=__init__.py --exclude=__pycache__ $(GENERATED)/batchprogress/v1 client/src/batchprogress/v1 \
		|| { echo "The stubs differ from the protos: run make proto"; exit 1; }
