# All commands of this project; `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without uv on the PATH, the version that made the locks is installed into .tools.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
STUBS_ROOT := clients/python/src
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-emit-package batchprogress
PROTOC := $(UV) run --quiet --no-project --isolated --with-requirements locks/proto.txt python -m grpc_tools.protoc

# Tests start hundreds of processes: without compiled files each would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

# One process more than cores, since tests often wait. The tests of one database server stay
# together in one process, so that more than four have nothing to do.
PROCESSES := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PYTEST := $(BIN)/python -m pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: setup
setup: $(VENV)/.runtime ## Install uv and the packages that the servers and the demo need

.PHONY: setup-dev
setup-dev: $(VENV)/.dev ## Install the packages that tests, checks and benchmarks need, too

.tools/uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .tools/uv || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/uv.txt

# Editable: changes of the client need no build. The build backend is locked with its hashes, too.
INSTALL_CLIENT = $(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints locks/dev.txt --editable clients/python

$(VENV)/.runtime: locks/runtime.txt clients/python/pyproject.toml | $(UV)
	@echo "Setting up $(VENV) ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirements locks/runtime.txt
	@$(INSTALL_CLIENT)
	@touch $@

# The same environment with more in it: dev.txt includes all of runtime.txt, at the same versions.
$(VENV)/.dev: locks/dev.txt $(VENV)/.runtime
	@echo "Adding what tests need to $(VENV) ..."
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes locks/dev.txt
	@$(INSTALL_CLIENT)
	@touch $@

.PHONY: lock
lock: | $(UV) ## Resolve all dependencies and lock them with their hashes
	$(COMPILE) --upgrade --extra traces --extra uvloop pyproject.toml clients/python/pyproject.toml --output-file locks/runtime.txt
	$(COMPILE) --upgrade --extra traces --extra uvloop pyproject.toml clients/python/pyproject.toml --group dev --constraint locks/runtime.txt --output-file locks/dev.txt
	$(COMPILE) --upgrade locks/proto.in --output-file locks/proto.txt
	$(COMPILE) --upgrade locks/proxies.in --output-file locks/proxies.txt
	$(COMPILE) --upgrade locks/recording.in --output-file locks/recording.txt
	$(COMPILE) --upgrade pyproject.toml clients/python/pyproject.toml locks/client-oldest.in --output-file locks/client-oldest.txt
	$(COMPILE) --upgrade locks/uv.in --output-file locks/uv.txt
	$(COMPILE) --upgrade locks/audit.in --output-file locks/audit.txt

CONTRACT := protos/batchprogress/v1/progress.proto protos/batchprogress/v1/operations.proto
ERROR_DETAILS = $(shell $(BIN)/python -c 'import google.rpc, pathlib; print(pathlib.Path(*google.rpc.__path__).parents[1])')

.PHONY: proto
proto: proto-python proto-node proto-go ## Generate the clients' stubs from protos/ (Node's need npm, Go's need Debian's packages)

.PHONY: proto-python
proto-python: | $(UV)
	$(PROTOC) -Iprotos --python_out=$(STUBS_ROOT) --grpc_python_out=$(STUBS_ROOT) \
		--mypy_out=$(STUBS_ROOT) --mypy_grpc_out=$(STUBS_ROOT) \
		$(CONTRACT) protos/batchprogress/v1/job_status.proto

.PHONY: proto-node
proto-node: setup-dev | $(UV)
	npm ci --prefix clients/node --ignore-scripts --no-audit --no-fund
	$(PROTOC) -Iprotos -I$(ERROR_DETAILS) --plugin=clients/node/node_modules/.bin/protoc-gen-es \
		--es_out=clients/node/src/generated --es_opt=target=js+dts,import_extension=js \
		$(CONTRACT) google/rpc/error_details.proto

.PHONY: proto-go
proto-go: setup-dev | $(UV)
	$(PROTOC) -Iprotos $$($(BIN)/python -m tests.support.go) \
		--go_out=clients/go --go_opt=module=batchprogress --go-grpc_out=clients/go --go-grpc_opt=module=batchprogress \
		$(CONTRACT)

WEB_PARTS := $(addprefix clients/web/src/,words.js totals.js event_stream.js watch.js token.js styles.js view.js)
WEB_FILE := clients/web/batch-progress.js

# Names of one module are unique in all of them, so that they can stand in one file.
.PHONY: web
web: ## Put the parts of the web component into one file
	@{ echo '// <batch-progress> of Batch Progress, Apache-2.0. Made by `make web` from the files in src/.'; \
		sed -E '/^import /d; s/^export //' $(WEB_PARTS); sed '/^import /d' clients/web/src/element.js; } > $(WEB_FILE)

.PHONY: run
run: setup ## Run a batch of 1,037 jobs that gets stuck, and repair it (KEEP=1 keeps the servers running)
	@$(BIN)/python -m demo

.PHONY: recording
recording: setup | $(UV) ## Record make run for the README, in a terminal
	TERM=xterm-256color $(UV) run --quiet --no-project --isolated --with-requirements locks/recording.txt \
		termtosvg docs/images/run.svg --command '$(BIN)/python -m demo' --screen-geometry 92x30 \
		--min-frame-duration 200 --loop-delay 10000 --template window_frame

.PHONY: serve
serve: setup ## Serve ProgressService, the gateway and the notifier on an SQLite file (or BATCHES_DATABASE_URL)
	$(BIN)/python -m services

.PHONY: gateway
gateway: setup ## Serve the gateway alone, for GATEWAY_PROGRESS_TARGET
	$(BIN)/python -m services.gateway

.PHONY: secrets
secrets: setup ## Create the Secrets of overlays/secured that do not exist yet (DATABASE=batches.url QUEUE=queue.url)
	@$(BIN)/python -m k8s.new_secrets $(if $(DATABASE),--database-url-file $(DATABASE)) $(if $(QUEUE),--queue-url-file $(QUEUE))

.PHONY: deploy
deploy: ## Apply an overlay to Kubernetes, and check that its version runs (OVERLAY=MY-OVERLAY)
	@test -n "$(OVERLAY)" || { echo "make deploy needs the folder of an overlay: OVERLAY=MY-OVERLAY"; exit 1; }
	@$(PYTHON) -m k8s.deploy $(OPTIONS) $(OVERLAY)

.PHONY: page-images
page-images: setup-dev ## Take the pictures of the page and the web component (2 minutes)
	PAGE_SCREENSHOTS=docs/images $(BIN)/python -m pytest -k "stuck_and_repaired or told_in_words" tests/e2e/page tests/e2e/web

.PHONY: terminal-image
terminal-image: setup-dev ## Take the README's picture of a terminal
	TERMINAL_IMAGE=new $(BIN)/python -m pytest tests/docs/test_terminal_image.py

.PHONY: test
test: setup-dev ## Test every rule once (at most 5 minutes)
	$(PYTEST) -m "not more"

.PHONY: test-unit
test-unit: setup-dev ## Run the unit tests (seconds)
	$(PYTEST) tests/unit

# All take half an hour; another sample in each run finds a test that has gone blind within a few runs.
MUTANTS := 100

.PHONY: test-more
test-more: setup-dev ## Run all other tests: more engines, faults, a browser, real queues, some mutants
	$(PYTEST) -m more
	$(MAKE) mutants SAMPLE=$(MUTANTS)

OLDEST := .cache/oldest

# OpenTelemetry's instrumentation is not in this lock: it asks for newer versions than the oldest. gevent,
# eventlet and Jupyter are not either.
.PHONY: test-oldest
test-oldest: setup-dev | $(UV) ## Test the client with the oldest grpcio and protobuf that it supports
	@$(UV) venv --quiet --clear --python $(BIN)/python $(OLDEST)
	@$(UV) pip sync --quiet --python $(OLDEST)/bin/python --require-hashes locks/client-oldest.txt
	PYTHONPATH=clients/python/src $(OLDEST)/bin/python -m pytest --numprocesses auto --maxprocesses 4 \
		--ignore tests/integration/client/test_opentelemetry.py --ignore tests/integration/client/test_green_threads.py \
		--ignore tests/integration/client/test_notebook.py \
		tests/unit/client tests/integration/client

.PHONY: test-faults
test-faults: setup-dev ## Inject the faults at full size, on MySQL and MariaDB (an hour)
	FAULTS=full $(PYTEST) tests/faults tests/integration/gateway/test_openapi.py

.PHONY: test-cluster
test-cluster: setup-dev ## Test the server on clusters of databases in full size (30 to 40 minutes)
	FAULTS=full $(BIN)/python -m pytest --numprocesses 1 --dist loadgroup tests/cluster

.PHONY: test-proxies
test-proxies: setup-dev ## Test nginx, haproxy, Envoy and Caddy with the files of deploy/ in full size (15 minutes)
	FAULTS=full $(PYTEST) tests/proxies

.PHONY: test-k8s
test-k8s: setup-dev ## Test the manifests on the API server of KUBECONFIG or KUBEBUILDER_ASSETS, and the image (20 minutes)
	KUBERNETES=given $(PYTEST) tests/k8s tests/integration/job_status/test_kubernetes_source.py \
		tests/e2e/test_real_queues.py::test_kubernetes

.PHONY: audit
audit: | $(UV) ## Ask for known vulnerabilities of the locked packages; says NOT RUN if the advisories cannot be reached
	@$(UV) run --quiet --no-project --isolated --with-requirements locks/audit.txt python locks/audit.py

.PHONY: mutants
mutants: setup-dev ## Change the code in listed ways; a test must fail each time (LISTS="rpc database", SAMPLE=20)
	$(BIN)/python -m tests.mutants $(if $(SAMPLE),--sample $(SAMPLE)) $(LISTS)

.PHONY: dist
dist: setup-dev | $(UV) ## Build wheels and sdists into dist/, install each into an empty environment and run it
	@rm -rf dist
	$(UV) build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .
	$(UV) build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist clients/python
	DIST=dist $(BIN)/python -m pytest tests/packages

.PHONY: bench
bench: setup-dev ## Measure the server beside its alternatives (30 minutes; ROWS="row-lock" selects)
	$(BIN)/python -m bench $(ROWS)

.PHONY: bench-check
bench-check: setup-dev ## Fail if a stable ratio of the benchmark is worse by more than a third (under 5 minutes)
	$(BIN)/python -m bench --check $(ROWS)

.PHONY: check-db
check-db: setup ## Compare the counters of every batch with its rows
	$(BIN)/python -m batches check

.PHONY: configuration
configuration: setup-dev ## Generate docs/configuration.md from the settings classes
	$(BIN)/python -m docs.generate_configuration

.PHONY: openapi
openapi: setup-dev ## Generate the OpenAPI document, and the descriptors for Envoy, from the protos
	$(BIN)/python -m docs.openapi

.PHONY: format
format: setup-dev ## Format the code and fix what can be fixed safely
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

.PHONY: verify
verify: setup-dev verify-protos ## Check style, types, import rules, protos and generated stubs
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.generate_configuration --check
	$(BIN)/python -m docs.openapi --check

# Compare with the last commit; in a clean checkout with the one before it.
PROTOS_BEFORE = $(shell git diff --quiet HEAD -- protos 2>/dev/null && git rev-parse --quiet --verify HEAD~1 || echo HEAD)
GENERATED := .cache/stubs

.PHONY: verify-protos
verify-protos: setup-dev
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against '.git#ref=$(PROTOS_BEFORE)'
	@rm -rf $(GENERATED) && mkdir -p $(GENERATED)
	@$(MAKE) --no-print-directory proto-python STUBS_ROOT=$(GENERATED) >/dev/null 2>&1 || $(MAKE) proto-python STUBS_ROOT=$(GENERATED)
	@diff -r --exclude=__init__.py --exclude=__pycache__ $(GENERATED)/batchprogress/v1 clients/python/src/batchprogress/v1 \
		|| { echo "The generated stubs differ from the protos: run make proto"; exit 1; }
