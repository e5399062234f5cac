# `make demo` and `make test` need only Python, 3.11 or newer. They install everything into .venv.
PYTHON ?= python3
# A Python named on the command line gets a folder of its own, such as .venv-python3.12.
VENV := .venv$(if $(filter command,$(firstword $(origin PYTHON))),-$(subst /,-,$(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV = $(BIN)/uv

# The tests start hundreds of processes, which should not compile the same modules again and again.
unexport PYTHONDONTWRITEBYTECODE

# Percentage of the code that the tests must cover.
COVERED := 78

.DEFAULT_GOAL := help
.PHONY: help demo up test coverage test-fast compose-test upgrade-test compose-matrix pin sbom lint fuzz chaos soak bench bench-check env lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 23

demo: $(VENV)/serve.done ## send MNIST's test set through a mill on this machine, and write a report
	@$(BIN)/digitmill demo

up: $(VENV)/serve.done ## run a mill on this machine until Ctrl-C
	@$(BIN)/digitmill up

# Four processes, because the tests often wait.
PYTEST := pytest -n 4 --dist loadfile --no-loadscope-reorder

# In a new checkout, each of the four would compile all tests. If something is wrong with them, pytest says so later.
COMPILED := tests/__pycache__
$(COMPILED): | $(VENV)/test.done
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null || true

test: $(VENV)/test.done lint $(COMPILED) ## install everything, lint, run every test
	$(BIN)/python -m $(PYTEST)

coverage: $(VENV)/test.done lint $(COMPILED) ## do the same, and fail if the tests cover too little of the code
	$(BIN)/python -m slipcover --json --out .coverage.json -m $(PYTEST)
	@# A command of its own, because slipcover forgets the processes of pytest-xdist when it compares and prints at once.
	@$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --fail-under $(COVERED) || \
	  { echo "The tests cover less than $(COVERED) % of the code."; exit 1; }

test-fast: $(VENV)/test.done ## run the tests that take less than five seconds each
	$(BIN)/python -m pytest -m "not slow"

compose-test: $(VENV)/test.done ## build, scale, kill and retrain a mill in containers (needs a Docker Engine, takes 15 minutes)
	@docker info >/dev/null 2>&1 || { echo "No Docker Engine answers here: start one, or name it in DOCKER_HOST."; exit 1; }
	$(BIN)/python -m pytest -x --timeout 900 tests/system/compose

compose-matrix: $(VENV)/test.done ## repeat the faults of compose-test with both versions of Compose, and on Redis 7.0, Redis 8 and Valkey (takes half an hour)
	@docker info >/dev/null 2>&1 || { echo "No Docker Engine answers here: start one, or name it in DOCKER_HOST."; exit 1; }
	tests/system/compose/matrix $(BIN)/python

pin: ## write the digests of the base images, if their registries answer
	@$(PYTHON) docker/pin.py

sbom: .venv-sbom/done ## list in sbom/ what locks and images contain (CycloneDX)
	@.venv-sbom/bin/python docker/sbom.py $(if $(IMAGES),--images $(IMAGES))

.venv-sbom/done: requirements/sbom.txt
	@test -x .venv-sbom/bin/python || $(PYTHON) -m venv .venv-sbom
	@.venv-sbom/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/sbom.txt
	@touch $@

upgrade-test: $(VENV)/test.done ## upgrade from version 0.1.0 under load, and go back (the first run installs that version; takes five minutes)
	$(BIN)/python -m pytest -ra --timeout 1800 tests/system/upgrade

lint: $(VENV)/test.done ## run ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Several processes are faster. But on a very busy machine they do not find each other in three seconds. mypy then
	@# ends with 2. If it has found type errors, it ends with 1, and need not print them twice.
	$(BIN)/mypy -n auto || { [ $$? != 1 ] && $(BIN)/mypy; }
	$(BIN)/lint-imports

fuzz: $(VENV)/test.done ## read damaged images of all formats within their budget: FILES=100000 SEED=1 (takes some minutes)
	$(BIN)/python -m tests.model.images.decoding.fuzz --files $(or $(FILES),100000) --seed $(or $(SEED),1) --folder fuzz-findings

chaos: $(VENV)/test.done ## harm running mills in all ways that we know: SEED=1 TRIES=2 ONLY=redis (takes ten minutes)
	$(BIN)/python -m tests.system.chaos --seed $(or $(SEED),1) --tries $(or $(TRIES),2) --only "$(ONLY)"

soak: $(VENV)/test.done ## run a mill for two hours at half load with a fault a minute, and measure what grows: MINUTES=120 FAULT_SECONDS=60 SEED=1
	$(BIN)/python -m tests.system.soak --minutes $(or $(MINUTES),120) --fault-seconds $(or $(FAULT_SECONDS),60) --seed $(or $(SEED),1)

bench: $(VENV)/test.done ## measure throughput; benchmarks/README.md lists the other benchmarks
	$(BIN)/python benchmarks/throughput.py

bench-check: $(VENV)/test.done ## fail if the queue has become slower than benchmarks/ratios.json says (takes three minutes)
	$(BIN)/python benchmarks/check.py

# One folder has two states: with what serving needs, or also with what testing needs (TensorFlow, linters).
$(VENV)/serve.done: requirements/serve.txt requirements/report.txt requirements/http.txt pyproject.toml
	$(call install,-r requirements/serve.txt -r requirements/report.txt -r requirements/http.txt)

$(VENV)/test.done: requirements/serve.txt requirements/report.txt requirements/http.txt requirements/train.txt requirements/dev.txt requirements/traces.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 14) or sys.exit("The tests train with TensorFlow, which has no build for Python " + sys.version.split()[0] + " yet. Name an older one: make test PYTHON=python3.13")'
	$(call install,-r requirements/serve.txt -r requirements/report.txt -r requirements/http.txt -r requirements/train.txt -r requirements/dev.txt)
	@$(PIP) install --require-hashes --upgrade --target $(VENV)/traces -r requirements/traces.txt
	@touch $(VENV)/serve.done

define install
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("digitmill needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || { echo "Creating a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the pinned versions from requirements/ (once)"
	@$(PIP) install --require-hashes $(1)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

env: ## create .env for docker compose with new passwords, or add those that it lacks
	@docker/make-env

lock: ## resolve the pinned requirements again (needs uv)
	requirements/lock

clean: ## remove what the other targets created, except .env
	rm -rf .venv .venv-* reports sbom fuzz-findings .coverage.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
