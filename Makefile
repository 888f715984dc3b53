# Two commands do everything on a fresh machine with Python 3.11+: `make run` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where pip finds a CPU build of torch, for machines whose usual index has only CUDA builds (see README).
TORCH_INDEX ?=

.PHONY: setup run test test-faults test-injection test-api eval format lock clean

setup: $(READY)
	@echo "Ready: the environment is in $(VENV). Next: 'make run' or 'make test'."

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Byline needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) (a few minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# torch first and alone: another package's range would bring a CUDA build of several GB.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

run: $(READY)
	@echo "Taking in the sample articles ..."
	@$(BIN)/byline add eval/data/articles
	@echo "Building the index ..."
	@$(BIN)/byline build
	@$(BIN)/byline serve

test: $(READY)
	@echo "Checking style, types and behaviour ..."
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile
	@echo "All checks passed."

# Faults at every place instead of some of them: every write that fails, 200 kills, every hundredth of every file.
test-faults: $(READY)
	@$(BIN)/python -m pytest -q --thorough tests/faults tests/index/test_resuming.py tests/ingest/test_library_damage.py \
	  tests/service/test_backup.py tests/e2e/test_rebuilding.py

# All poisoned articles beside all sample articles, with the table of docs/poisoned-articles.md; 'make test' tries a quarter.
test-injection: $(READY)
	@$(BIN)/python -m pytest -q --thorough tests/injection

# The OpenAPI document against a running server, by 2,000 generated requests an operation; 'make test' sends a few.
test-api: $(READY)
	@$(BIN)/python -m pytest -q -s --thorough tests/contract

# The shipped questions against the baseline that is kept with the source; fails on a significant drop.
eval: $(READY)
	@mkdir -p build
	@$(BIN)/byline eval gate --out build/eval-run.json

format: $(READY)
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

# Writes requirements.lock anew from pyproject.toml, in an environment of its own.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep -o 'torch==[0-9.]*' pyproject.toml)"
	$(VENV)-lock/bin/python -m pip install --quiet setuptools ".[dev,eval,mcp,onnxruntime,otel]"
	{ echo "# Made by 'make lock' from pyproject.toml; torch is installed first (see Makefile)."; \
	  $(VENV)-lock/bin/python -m pip freeze --all --exclude byline --exclude pip | sed 's/+cpu$$//' ; } > requirements.lock
	rm -rf $(VENV)-lock build byline.egg-info

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build byline.egg-info
