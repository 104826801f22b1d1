# Every target makes what it needs: from a fresh clone `make demo` is enough.
#
#   PYTHON           the interpreter that makes .venv (3.11, 3.12 or 3.13)
#   TORCH_INDEX_URL  a further package index to take torch from, for instance one with wheels for
#                    your accelerator; without it pip chooses from its usual index
#   NAME             the benchmark that `make bench` runs; without it they are listed
#   SEED, ONLY, JOBS of `make faults`: seeds of its choices (1,2,3), some scenarios (F3,F8), and
#                    how many run at a time
#   ARGS             passed on to pytest or to the `archon` command

PYTHON ?= python3
TORCH_INDEX_URL ?=
NAME ?=
SEED ?= 1
ONLY ?=
JOBS ?= 2
ARGS ?=

VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_INDEX := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))

# Tests and the demo start hundreds of interpreters: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up check test test-kafka why-no-kafka pictures faults faults-kafka faults-long lint bench lock audit sbom clean

help:
	@echo "make demo            run one complete cycle: feedback in, a better model out"
	@echo "make up              start everything and keep it running (Ctrl-C stops it)"
	@echo "make check           lint, types and the quick unit tests: the inner loop"
	@echo "make test            run every test"
	@echo "make test-kafka      the integration tests on Apache Kafka (KAFKA_HOME)"
	@echo "make faults          attack the guarantees: kills, cuts, full disks, rubbish (minutes)"
	@echo "make faults-kafka    attack three nodes of Apache Kafka under it (KAFKA_HOME)"
	@echo "make faults-long     the same with the loads of the acceptance table (hours)"
	@echo "make pictures        look at every page in Chromium, and renew the READMEs' pictures"
	@echo "make lint            style, types and import rules"
	@echo "make bench           list the benchmarks; make bench NAME=... runs one"
	@echo "make lock            renew requirements.lock and its hashes"
	@echo "make audit           look the locked packages up among the known vulnerabilities"
	@echo "make sbom            write build/sbom.json, what is installed, as CycloneDX"
	@echo "make clean           remove .venv and caches; var/ (your data) stays"

demo: $(READY)
	$(BIN)/archon demo $(ARGS)

up: $(READY)
	$(BIN)/archon up $(ARGS)

# One thread of the numeric libraries in each worker: on two cores, two in each only wait for one
# another.
TEST_ENVIRONMENT := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1

# Modules that train models take a fifth of the unit tests' time; `make test` runs them too, and
# more examples of each property. Files and not single tests go to the workers, because a file's
# fixtures are made once; with them what shares a system or a Kafka (tests/plugins/distribution.py).
# In the order of collection: the runner's own, most tests first, would leave the files with few and
# slow tests to the end, where one worker waits for the other.
IN_ORDER := --dist loadfile --no-loadscope-reorder
TRAINING_TESTS := tests/unit/trainer/recipes tests/unit/evaluator/test_child.py
CHECK_TESTS = $(TEST_ENVIRONMENT) $(BIN)/python -m pytest -q -n 2 $(IN_ORDER) \
	--hypothesis-profile quick tests/unit $(addprefix --ignore=,$(TRAINING_TESTS)) $(ARGS)

LINT = $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

# One shell for all of it, so that the time that it prints is that of the whole.
check: $(READY)
	@began=$$(date +%s); set -x; { $(LINT) && $(CHECK_TESTS); }; code=$$?; set +x; \
	echo "make check: $$(( $$(date +%s) - began )) s"; exit $$code

# What takes longest comes first: the many short unit tests at the end then keep both workers busy.
SLOWEST_FIRST = tests/acceptance tests/integration tests/unit/trainer tests/golden tests/contract \
	$(filter-out %/__pycache__ %/trainer,$(wildcard tests/unit/*))

# Tests of servers wait for half of their time, for deadlines that pass and processes that start, so
# three workers keep two cores busy: 71 s in place of 111 s for six files of them.
# ARGS that name tests replace the order above.
test: $(READY)
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -n 3 $(IN_ORDER) \
		$(if $(filter tests/%,$(ARGS)),,$(SLOWEST_FIRST)) $(ARGS)

# The integration tests that talk to the broker, once more on Apache Kafka (KAFKA_HOME, or a home
# beside the checkout). What a browser shows does not depend on the broker, and takes minutes.
PAGES_IN_BROWSER := $(addprefix tests/integration/gateway/dashboard/,test_browser.py test_walk.py)
test-kafka: $(READY)
	$(TEST_ENVIRONMENT) ARCHON_TEST_BROKER=kafka $(BIN)/python -m pytest -n 2 $(IN_ORDER) --broker-tests \
		$(addprefix --ignore=,$(PAGES_IN_BROWSER)) \
		$(if $(filter tests/%,$(ARGS)),,tests/integration) $(ARGS)

# Why `test-kafka` cannot run here, or nothing.
why-no-kafka: $(READY)
	@$(BIN)/python -c 'from tests.support.infrastructure.real_kafka import why_not; print(why_not())'

faults: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.faults --seed $(SEED) $(if $(ONLY),--only "$(ONLY)") --jobs $(JOBS) $(ARGS)

faults-long: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.faults --long --seed $(SEED) $(if $(ONLY),--only "$(ONLY)") --jobs $(JOBS) $(ARGS)

# Three nodes of Apache Kafka are killed, paused and reconfigured: minutes each, one at a time. Then
# the states of a rollout on one node.
faults-kafka: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.faults --seed $(SEED) --only "$(if $(ONLY),$(ONLY),K1,K2,K3,K4,K5)" --jobs 1 $(ARGS)
ifeq ($(ONLY),)
	ARCHON_TEST_BROKER=kafka HF_HUB_OFFLINE=1 $(BIN)/python -m tests.faults --seed $(SEED) --only R1 --jobs 1 $(ARGS)
endif

# The browser test takes pictures of every page; two of them stand in the READMEs.
PICTURES := services/gateway/dashboard/pictures
pictures: $(READY)
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -q -ra tests/integration/gateway/dashboard/test_browser.py
	cp var/screens/overview-1280-light.png $(PICTURES)/overview.png
	cp var/screens/job-1280-dark.png $(PICTURES)/job-dark.png

lint: $(READY)
	$(LINT)

bench: $(READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.benchmarks $(NAME)

# The resolver lives in a throw-away environment: it is no dependency of the project.
lock:
	@echo "==> renewing requirements.lock"
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet 'uv==0.13.*'
	build/lock/bin/uv pip compile pyproject.toml contracts/pyproject.toml contracts/inference/pyproject.toml --all-extras --upgrade \
		--universal --python-version 3.11 --no-emit-package archon-contracts --no-emit-package archon-inference \
		--no-emit-package archon-training --no-emit-package torch --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --custom-compile-command 'make lock' --quiet -o requirements.lock

# Both tools live in an environment of their own: what they need is no dependency of the project.
AUDIT := build/audit
$(AUDIT)/.ready:
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet 'pip-audit==2.*' 'cyclonedx-bom==7.*'
	@touch $@

# --no-deps: the lock names everything, and hashes are compared by `make` itself. --strict: where the
# advisories cannot be read (a mirror of the package index has none) each package is skipped, and
# without it the audit would succeed without having looked anything up.
audit: $(AUDIT)/.ready
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip \
		-r requirements.lock -r requirements-no-deps.lock -r requirements-torch.lock $(ARGS)

sbom: $(READY) $(AUDIT)/.ready
	@mkdir -p build
	$(AUDIT)/bin/cyclonedx-py environment --output-reproducible --of JSON \
		--output-file build/sbom.json --pyproject pyproject.toml $(VENV)/bin/python
	@echo "==> build/sbom.json"

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so an interrupted set-up is taken up again by the next command.
$(READY): pyproject.toml contracts/pyproject.toml contracts/inference/pyproject.toml requirements.lock requirements-torch.lock requirements-no-deps.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
		f"Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is {sys.version.split()[0]}. " \
		"Name another one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "==> making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "==> installing the locked packages (about 1.5 GB; a minute or two)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock -r requirements-no-deps.lock
	@$(PIP) install --quiet $(TORCH_INDEX) -r requirements-torch.lock
	@echo "==> installing archon-contracts, archon-inference and archon-training"
	@$(PIP) install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat \
		-e contracts -e contracts/inference -e .
	@touch $@
	@echo "==> ready"
