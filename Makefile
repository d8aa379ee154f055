# `make demo` and `make test` set up a fresh machine by themselves; everything lands in $(VENV).
# PYTHON chooses the interpreter: 3.11 where there is one (see constraints.txt), else python3.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
DEMO ?= demo
PATIENT ?= --who-class GBM --whole-head --separate-views --dicom
PYTEST_OPTIONS ?=
BENCH_EDGE ?= 128

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test lint format bench clean

help: ## Say what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(STAMP) ## Make the virtual environment and install both packages into it.

$(STAMP): pyproject.toml GliomaAITraining/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
	    --editable 'GliomaAITraining[openvino,studies]' --editable '.[dev,slicer]'
	touch $(STAMP)

demo: $(STAMP) ## Simulate a patient, analyse it and write its report.
	$(BIN)/gliomaai-train simulate --patients 1 --seed 1 $(PATIENT) --resume --out $(DEMO)/patients
	$(BIN)/gliomaai analyze $(DEMO)/patients/sim-000001/dicom --out $(DEMO)/result
	@echo "Open $(DEMO)/result/report.html in a browser."

test: $(STAMP) ## Run all tests.
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

lint: $(STAMP) ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Bring the sources into the house style.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## Print seconds by stage and the speed ratios; BENCH_EDGE=64 fits a small machine.
	$(BIN)/python Testing/benchmarks/benchmark_analyze.py
	$(BIN)/python Testing/benchmarks/benchmark_inference.py
	$(BIN)/python Testing/benchmarks/benchmark_networks.py --edge $(BENCH_EDGE)

clean: ## Remove the virtual environment and everything that was built.
	rm -rf $(VENV) demo build dist GliomaAITraining/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
