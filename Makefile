# Needs only make and a Python ≥ 3.12; the rest comes into .venv and .devstack, without root.

UV_VERSION := 0.13.9
SECANTUS_VERSION := 0.5.3-beta.196
PROMETHEUS_VERSION := 316

VENV := .venv
PYTHON := $(VENV)/bin/python
PARLEY := $(VENV)/bin/parley
TOOLS := .devstack/tools
UV := $(TOOLS)/uv-$(UV_VERSION)
INSTALLED := $(VENV)/installed
NATIVE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/parley

# uv is told which interpreter to take and never downloads one.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1

.DEFAULT_GOAL := help
.PHONY: help up down demo test fuzz crash crash-kafka lint k8s-lint k8s-check k8s-servers bench siege native promtool migrate lock clean
.DELETE_ON_ERROR:

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

up: $(INSTALLED)  ## Run the whole suite here until Ctrl-C; data is kept for the next start
	@$(PARLEY) up

down: $(INSTALLED)  ## Stop what "make up" started
	@$(PARLEY) down

demo: $(INSTALLED)  ## Play one conversation through Telegram's webhook, from question to figures
	@$(PARLEY) demo

test: $(INSTALLED)  ## Run all tests but the crash tests (ARGS="-k widget" narrows it)
	$(PYTHON) -m pytest -m "not crash and not cluster" $(ARGS)

fuzz: $(INSTALLED)  ## Ask the public edges for all that their OpenAPI lets one say (by hand)
	PARLEY_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) $(PYTHON) -m pytest -s --timeout=0 tests/services/gateway/test_fuzz.py $(ARGS)

crash: $(INSTALLED)  ## Kill services and servers under load, and count what was lost
	$(PYTHON) -m pytest tests/crash $(ARGS)

crash-kafka: $(INSTALLED)  ## Stop Kafka in order for 3, 30 and 90 s under load (by hand: fifteen minutes)
	PARLEY_TEST_KAFKA_AWAY_S=3,18,30 $(PYTHON) -m pytest tests/libs/runtime/test_broker_away.py $(ARGS)
	PARLEY_TEST_KAFKA_AWAY_S=3,30,90 $(PYTHON) -m pytest tests/crash -k kafka_may_end $(ARGS)

lint: $(INSTALLED)  ## Check style, types, imports between parts, and the length of files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	.ci/check-file-length

k8s-lint: $(INSTALLED)  ## Check deploy/k8s against Kubernetes' schemas and Parley's own words
	$(PYTHON) -m pytest tests/deploy/test_kubernetes.py $(ARGS)

k8s-check: $(INSTALLED)  ## Apply each overlay to a real API server, roll and drain it (after "make k8s-servers")
	$(PYTHON) -m pytest -s -v tests/deploy/test_cluster.py $(ARGS)

bench: $(INSTALLED)  ## Measure the suite and the bare drivers beside it (SIZE=large for 100k conversations)
	$(PYTHON) -m benchmarks $(SIZE)

siege: $(INSTALLED)  ## See what one stranger costs gateway and ingest: headers, pings, silence
	$(PYTHON) -m benchmarks.siege

native:  ## Build a MongoDB-compatible server in Rust, once for this user; much faster than the default
	@if "$(NATIVE)/bin/secantusd-rs" --version 2>/dev/null | grep -qF "$(SECANTUS_VERSION)"; then \
		echo "$(NATIVE)/bin/secantusd-rs is there already"; \
	else \
		cargo install secantus-mdb --version $(SECANTUS_VERSION) --locked --ignore-rust-version \
			--root "$(NATIVE)"; \
	fi

promtool:  ## Build Prometheus' promtool once for this user, with which the alerts are tried
	@if "$(NATIVE)/bin/promtool" --version 2>&1 | grep -qF "$(PROMETHEUS_VERSION)"; then \
		echo "$(NATIVE)/bin/promtool is there already"; \
	else \
		GOBIN="$(NATIVE)/bin" go install github.com/prometheus/prometheus/cmd/promtool@v0.$(PROMETHEUS_VERSION).0; \
	fi

k8s-servers:  ## Build the servers of "make k8s-check" once for this user: an hour, with Go
	@deploy/k8s/cluster/build "$(NATIVE)"

migrate: $(INSTALLED)  ## Make the topics, indexes and tables that are missing
	@$(PARLEY) migrate

lock: $(UV)  ## Resolve the dependencies again into requirements.lock
	$(UV)/bin/uv pip compile --quiet --universal --python "$$(.ci/find-python)" --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" \
		--prerelease if-necessary-or-explicit --extra dev --extra devstack \
		pyproject.toml --output-file requirements.lock

clean:  ## Remove the servers' data, logs and downloads, and the tools' caches
	@if test -x $(PARLEY); then $(PARLEY) down; fi
	rm -rf .devstack .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(UV):
	@echo "fetching uv $(UV_VERSION)"
	@python=$$(.ci/find-python) && "$$python" -m venv "$@.new"
	@"$@.new/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@mv "$@.new" "$@"

$(INSTALLED): requirements.lock pyproject.toml | $(UV)
	@test -x $(PYTHON) || $(UV)/bin/uv venv --quiet --clear --python "$$(.ci/find-python)" $(VENV)
	@echo "installing the locked dependencies into $(VENV)"
	@$(UV)/bin/uv pip install --quiet --python $(PYTHON) --require-hashes -r requirements.lock
	@$(UV)/bin/uv pip install --quiet --python $(PYTHON) --no-deps --editable .
	@touch $@
