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
.PHONY: help demo tools data test coverage crash pictures check bench accuracy audit image compose notes login publish \
	propose release deploy lock clean

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

accuracy: $(READY)  ## the gate of a release: each lead group of each zone beside the last release, at most 1 % worse
	@$(BIN)/python -m benchmarks.gate $(ARGS)

audit: $(READY)  ## known weaknesses of the packages that the image installs
	@$(BIN)/uv tool run --quiet pip-audit==2.10.1 --progress-spinner off --require-hashes --disable-pip \
		--requirement requirements.lock

# names come through the environment: make would run what stands in them
IMAGE ?= tetouan-streaming-forecaster
TAG ?= latest
export IMAGE TAG
image:  ## build the image, and ask its command for its version: IMAGE=name TAG=tag
	@docker build --quiet --tag "$$IMAGE:$$TAG" .
	@docker run --rm --read-only --tmpfs /tmp --cap-drop ALL "$$IMAGE:$$TAG" --version

compose: $(READY)  ## `docker compose up` as users run it, from the first forecast to the second start
	@$(BIN)/pytest -q tests/e2e $(ARGS)

notes: $(READY)  ## what the change log says of a release: TAG=v1.2.3, which must be the version in pyproject.toml
	@$(BIN)/python -m deploy.release_notes "$$TAG"

login:  ## give Docker the name and the password of a registry: REGISTRY, REGISTRY_USER, REGISTRY_PASSWORD
	@printenv REGISTRY_PASSWORD | docker login "$$REGISTRY" --username "$$REGISTRY_USER" --password-stdin

publish:  ## build the image and push it with its list of packages and how it was built: IMAGE=registry/name TAG=v1.2.3
	@docker buildx inspect tetouan >/dev/null 2>&1 || docker buildx create --name tetouan --driver docker-container >/dev/null
	@docker buildx build --builder tetouan --push --sbom=true --provenance=mode=max --tag "$$IMAGE:$$TAG" .

propose:  ## offer changed lock files as a pull request on GitHub
	@bash deploy/propose_packages.sh

release: $(READY)  ## make a release on GitHub with the notes of the change log: TAG=v1.2.3
	@notes=$$(mktemp) && $(BIN)/python -m deploy.release_notes "$$TAG" >"$$notes" && \
		gh release create "$$TAG" --verify-tag --title "$$TAG" --notes-file "$$notes"

deploy:  ## the gateway on Cloud Run (docs/deploy.md): IMAGE, TAG, CLOUD_RUN_SERVICE, CLOUD_RUN_REGION
	@bash deploy/cloud_run.sh "$$IMAGE:$$TAG"

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
