# Two commands for a fresh machine (git, make, python3 >= 3.11 with venv): `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# No bytecode ahead of time: what is imported is compiled then, and most of it never is.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt

.PHONY: demo serve-demo test test-fast kernels torture simulate lint types clean

# What users need; what tests need on top of it.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "regrow needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/ready-to-test: $(VENV)/ready
	$(PIP) --editable '.[test]'
	touch $@

$(VENV)/ready-to-serve: $(VENV)/ready
	$(PIP) --editable '.[serve]'
	touch $@

demo: $(VENV)/ready
	$(BIN)/python examples/demo.py

# Topics served by four processes, some of which are killed and frozen while requests come: with hedging and without.
serve-demo: $(VENV)/ready-to-serve
	$(BIN)/python examples/serve_demo.py

# Three at a time on two cores: a third of the time is waiting for processes that end, freeze, or are away.
test: $(VENV)/ready-to-test
	$(BIN)/python -m pytest -n 3 --durations 25 --dist worksteal

# All kernels compiled once, so that three processes of tests need not do it at the same time.
kernels: kernels-words kernels-numbers

kernels-%: $(VENV)/ready-to-test
	@$(BIN)/python tests/models/trainings.py $* > /dev/null 2> $(VENV)/kernels-$*.log || { cat $(VENV)/kernels-$*.log; exit 1; }

test-fast: $(VENV)/ready-to-test
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

# Real programs under a random mix of everything that can go wrong: make torture [SEED=n] [HISTORIES=n] [PROGRAM=name]
torture: $(VENV)/ready-to-test
	$(BIN)/python tests/torture/__main__.py $(if $(SEED),--seed $(SEED)) $(if $(HISTORIES),--histories $(HISTORIES)) $(if $(PROGRAM),--program $(PROGRAM))

# The coordinator in virtual time, thousands of histories: make simulate [SEED=n] [SEEDS=n]
simulate: $(VENV)/ready
	$(BIN)/python -m regrow.simulation $(or $(SEED),0) --seeds $(or $(SEEDS),2000)
	$(BIN)/regrow simulate run scenarios/chaos.toml --seed $(or $(SEED),0) --seeds $(or $(SEEDS),2000)
	$(BIN)/regrow simulate run scenarios/spot.toml --seed $(or $(SEED),0) --seeds 3

lint: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready-to-test
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs demo-runs
