# Every command of this project; `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The uv on the path, else one of our own: the version is what the locks were made with.
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
STUBS := client/src/batchprogress/v1
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
PROTOC := $(UV) run --quiet --no-project --isolated --with-requirements locks/proto.txt python -m grpc_tools.protoc

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
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes locks/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable client
	@touch $@

.PHONY: lock
lock: | $(UV) ## Resolve the dependencies anew and lock them with their hashes
	$(COMPILE) --upgrade pyproject.toml client/pyproject.toml --output-file locks/runtime.txt
	$(COMPILE) --upgrade pyproject.toml client/pyproject.toml --group dev --constraint locks/runtime.txt --output-file locks/dev.txt
	$(COMPILE) --upgrade locks/proto.in --output-file locks/proto.txt

.PHONY: proto
proto: | $(UV) ## Generate the stubs in client/ from protos/
	$(PROTOC) -Iprotos --python_out=client/src --grpc_python_out=client/src --mypy_out=client/src --mypy_grpc_out=client/src \
		protos/batchprogress/v1/progress.proto protos/batchprogress/v1/job_status.proto
