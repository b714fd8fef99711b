# Everything a fresh machine needs is Python 3.11 or later, terraform 1.11 or later, and make.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin

define need_python
$(if $(PYTHON),,$(error Python 3.11 or later is needed and was not found; install it, or name it with PYTHON=/path))\
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or later is needed: PYTHON=/path/to/python" >&2; exit 1; }
endef

.PHONY: help demo test simulate mutants soak faults-table bench docs lint build clean

help:
	@echo "make demo         copy a real table between two local accounts, and prove it (KEEP=1 leaves them up)"
	@echo "make test         run every test (ONLY=tests/unit for a part)"
	@echo "make simulate     run the functions in a simulated AWS (RUNS=1000 SEED=1 SECONDS= SHARDS= SCENARIO=)"
	@echo "make mutants      break the functions in many ways, and show which of them the simulation finds"
	@echo "make soak         random faults for 20 minutes (SOAK_SECONDS=3600, FAULTS_SEED=1 to repeat)"
	@echo "make faults-table run the tests of faults and write their table to docs/faults.md"
	@echo "make bench        measure the speed (ONLY=\"backfill worker_memory\" for some figures, BENCH=full for more)"
	@echo "make docs         write the tables of inputs and outputs in the README files"
	@echo "make lint         formatting, types, the built zip, the language, and what checkov finds in the Terraform"
	@echo "make build        build the Lambda zip"
	@echo "make clean        remove what the other targets have made"

# Where there is no node, the tests do without asl-validator and dynalite.
NODE := tools/checks/node tests/engines/node
$(NODE:%=%/node_modules/ready): %/node_modules/ready: %/package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix $* && touch $@; fi

demo: .venv/ready .venv-local/ready
	@$(BIN)/python -m tools.local.demo $(if $(KEEP),--keep) $(if $(PORT),--port $(PORT))

test: .venv/ready .venv-local/ready .venv-botocore/ready $(NODE:%=%/node_modules/ready)
# Four lanes at a time (tests/conftest.py): three that mostly wait, and one that computes.
	@$(BIN)/python -m pytest --durations 20 --durations-min 10 \
		$(or $(ONLY),--numprocesses 4 --no-loadscope-reorder tests)

simulate: .venv/ready
	@$(BIN)/python -m tools.simulation --runs $(or $(RUNS),1000) --seed $(or $(SEED),1) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SHARDS),--shards $(SHARDS)) \
		$(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(TRACE),--trace $(TRACE))

mutants: .venv/ready
	@$(BIN)/python -m tools.simulation.mutants $(if $(ONLY),--only $(ONLY))

soak: .venv/ready .venv-local/ready
	@SOAK_SECONDS=$(or $(SOAK_SECONDS),1200) $(BIN)/python -m pytest -s tests/e2e/faults/soak.py

faults-table: .venv/ready .venv-local/ready
	@FAULTS_TABLE=write $(BIN)/python -m pytest tests/e2e/faults

bench: .venv/ready
	@$(BIN)/python -m tools.benchmarks $(ONLY)

docs: .venv/ready
	@$(BIN)/python -m tools.docs_tables

lint: .venv/ready .venv-checkov/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python lambda/build.py --check
	@if command -v terraform >/dev/null; then env -u TF_CLI_CONFIG_FILE terraform fmt -check -recursive .; fi
	@$(BIN)/python -m tools.checks.language
	@$(BIN)/python -m tools.checks.provider
	@$(BIN)/python -m tools.checks.checkov .venv-checkov/bin/checkov

build: .venv/ready
	@$(BIN)/python lambda/build.py

clean:
	rm -rf build .venv .venv-local .venv-checkov .venv-botocore .demo $(NODE:%=%/node_modules) tools/benchmarks/npm/node_modules *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/ready: requirements-dev.txt pyproject.toml
	@$(call need_python)
	@echo "Creating .venv with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv-local/ready: requirements-local.txt
	@$(call need_python)
	@echo "Creating .venv-local for the local AWS ..."
	@$(PYTHON) -m venv --clear .venv-local
	@.venv-local/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-local.txt
	@touch $@

# Not an environment: it comes before .venv on the path of the tests that run on the oldest botocore.
.venv-botocore/ready: requirements-botocore.txt .venv/ready
	@echo "Installing the oldest supported botocore in .venv-botocore ..."
	@rm -rf .venv-botocore
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .venv-botocore -r requirements-botocore.txt
	@touch $@

# Away from the others: it insists on versions of its own.
.venv-checkov/ready: requirements-checkov.txt
	@$(call need_python)
	@echo "Creating .venv-checkov ..."
	@$(PYTHON) -m venv --clear .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-checkov.txt
	@touch $@
