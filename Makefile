# Everything here only wraps the `tetouan` command and the tools in .venv, which each target makes by itself.
PYTHONS ?= python3.14 python3.13 python3.12 python3.11 python3
FITS = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
READY = .venv/.ready
BIN = .venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --extra workbench --extra opcua

export OPENBLAS_NUM_THREADS = 1
export DO_NOT_TRACK = 1

.DEFAULT_GOAL = help
.PHONY: help demo tools data test coverage crash pictures check bench lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: $(READY)  ## stream the last 20 % of the year on this machine: ARGS='--days 14 --speed 0 --headless'
	@$(BIN)/tetouan demo $(ARGS)

tools:  ## programs that some tests need, from Debian's or Ubuntu's packages: kcat, promtool, Chromium
	@bash .ci/tools

data: $(READY)  ## the published year: downloads it where it is not here, and prints where the file is
	@$(BIN)/tetouan data

test: $(READY)  ## all tests, on two processors: on the embedded broker, and on Kafka in a container or in TETOUAN_TEST_KAFKA
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: $(READY)  ## which lines the fast tests run: a table, and htmlcov/index.html
	@$(BIN)/pytest -n 2 --dist loadfile -q -m "not slow" --cov --cov-report=term:skip-covered --cov-report=html $(ARGS)

crash: $(READY)  ## an hour of kills on Kafka, each compared with the undisturbed run: ARGS='--days 30 --kills 20 --seeds 1'
	@$(BIN)/python -m tests.integration.crash $(ARGS)

pictures: $(READY)  ## the operator's page in every situation, as pictures in pictures/
	@$(BIN)/python -m tests.integration.pages pictures

check: $(READY)  ## lint, format, types, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## accuracy, speed of the stream, delay and false alarms of the drift detectors
	@$(BIN)/python -m benchmarks.accuracy
	@$(BIN)/python -m benchmarks.stream
	@$(BIN)/python -m benchmarks.drift

lock: $(READY)  ## pin the newest fitting versions of all dependencies
	@$(COMPILE) --upgrade --group dev pyproject.toml --output-file requirements-dev.lock
	@$(COMPILE) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock

clean:  ## remove .venv and the state of demos
	@rm -rf .venv .tetouan

$(READY): requirements-dev.lock pyproject.toml
	@for python in $(PYTHONS); do \
		if "$$python" -c '$(FITS)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "no Python 3.11 or newer with its venv module is here: install one (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; \
	fi; \
	echo "making .venv with $$("$$found" --version), once: about a minute"; \
	"$$found" -m venv --clear .venv && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 && \
	$(BIN)/uv pip install --quiet --python .venv --no-deps --require-hashes --requirements requirements-dev.lock && \
	$(BIN)/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable . && \
	touch $(READY)
