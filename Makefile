# The same commands for people and for CI. Each installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
BENCH ?= all
# Files stay whole, so that each private node of tests/node is started once.
PYTEST_ARGS ?= -n auto --dist loadfile
COMPILE := uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --no-header --python-version 3.11

RUNTIME_PACKAGES := containerd runc containernetworking-plugins busybox-static iproute2 python3-minimal
TEST_PACKAGES := $(RUNTIME_PACKAGES) crun debootstrap strace gcc libc6-dev golang-go golang-google-grpc-dev nginx-light groff-base systemd chromium

VM_PACKAGES := qemu-system-x86 busybox-static

.PHONY: help demo unit test test-vm check bench man protos wheel release deb requirements format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## four pods on a private containerd, and what their namespaces were (root, under two minutes)
	@tools/can-demo
	@$(MAKE) --no-print-directory .venv/run
	@tools/system-packages $(RUNTIME_PACKAGES)
	@$(BIN)/python -m demo

unit: .venv/dev ## the fast tests alone: no root, no apt, no network, under a minute
	$(BIN)/python -m pytest -q -n auto -m "not root" tests/unit tests/architecture

test: .venv/dev check ## every check and every test that this machine can run, but test-vm
	@$(MAKE) --no-print-directory .venv/lowest || echo "the tests marked lowest cannot run"
	@[ "$$(id -u)" != 0 ] || tools/system-packages $(TEST_PACKAGES)
	@[ "$$(id -u)" != 0 ] || tools/second-generation || echo "the tests marked containerd2 and upstream_proto cannot run"
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not vm"

test-vm: .venv/dev ## the tests on a whole machine: Debian 13, booted in an emulator (root to make it, amd64)
	@tools/system-packages $(VM_PACKAGES)
	@tools/virtual-node
	$(BIN)/python -m pytest --require=vm -m vm tests/vm

check: .venv/dev .venv/protos ## linters, types, import layers, generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	tools/generate-protos --check

format: .venv/dev ## rewrite the sources in the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/dev ## measure; BENCH=relay|node|hook|annotate|... picks one
	@$(BIN)/python -m tests.bench $(BENCH)

man: .venv/run ## man pages of every command, in build/man
	$(BIN)/python -m tools.man_pages build/man

protos: .venv/protos ## regenerate the Python of protos/*.proto
	tools/generate-protos

wheel: .venv/run ## the wheel and the source distribution, into dist/
	@tools/man-and-completions build
	@$(BIN)/hatchling build -d dist

release: .venv/run ## VERSION=0.2.0: changelog, commit and tag, then wheel, sdist and deb with checksums, into dist/
	@rm -rf dist
	@$(BIN)/python -m tools.release "$(VERSION)"
	@$(MAKE) --no-print-directory wheel deb
	@$(BIN)/python -m tools.release --sums dist

deb: .venv/run ## a Debian package that carries its dependencies, into dist/ (needs dpkg-deb)
	@tools/build-deb dist

requirements: ## pin the newest versions, with hashes, into requirements/*.txt (needs uv)
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.txt
	$(COMPILE) pyproject.toml -c requirements/run.txt -o requirements/package.txt
	$(COMPILE) pyproject.toml requirements/build.in requirements/tests.in requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/protos.in -o requirements/protos.txt
	$(COMPILE) --resolution lowest-direct pyproject.toml requirements/build.in requirements/tests.in -o requirements/lowest.txt

clean: ## remove environments and caches
	rm -rf .venv .venv-protos .venv-lowest .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/python:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! "$$(tools/find-python 2>/dev/null)" -c 'import ensurepip' 2>/dev/null; then tools/system-packages python3 python3-venv; fi
	@python=$$(tools/find-python) && "$$python" -m venv .venv
	@touch $@

.venv/run: requirements/run.txt pyproject.toml | .venv/python
	@echo "preparing the virtual environment"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt | .venv/run
	@echo "preparing the developer's environment"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

.venv/protos: requirements/protos.txt | .venv/python
	@$(BIN)/python -m venv .venv-protos
	@.venv-protos/bin/pip install --quiet --require-hashes -r requirements/protos.txt
	@touch $@

# Old releases have no wheels for new Pythons, and building them is no test of ours.
.venv/lowest: requirements/lowest.txt pyproject.toml | .venv/python
	@python=python3.11; $$python -c '' 2>/dev/null || python=$(BIN)/python; $$python -m venv .venv-lowest
	@.venv-lowest/bin/pip install --quiet --only-binary :all: --require-hashes -r requirements/lowest.txt
	@.venv-lowest/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
