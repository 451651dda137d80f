# Two commands: `make demo` and `make test`. Each sets up .venv when it is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_CONSTRAINT := constraints.txt
OUTPUT ?= demo_output

.PHONY: demo test lint types torch clean help

help:
	@echo "make demo   load, fine-tune, export, answer: the whole path on a small model"
	@echo "make test   run all tests"
	@echo "make lint   ruff and mypy, as CI runs them"
	@echo "make torch  add PyTorch, so that the tests run on that backend too"

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/kerasplm demo --output $(OUTPUT)

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

torch: $(READY)
	$(BIN)/python -m pip install --quiet -e '.[torch]'

clean:
	rm -rf $(VENV) $(OUTPUT) *.egg-info .pytest_cache .mypy_cache .ruff_cache
