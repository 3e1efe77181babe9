# People and CI run these same targets; `make` alone lists them.
# Everything they make for themselves is in .paceboard/ (and web/node_modules, web/dist).

PYTHON ?= python3
BIN := .paceboard/venv/bin
LOCAL := $(PYTHON) -m deploy.local
PACKAGES := $(patsubst %/,%,$(sort $(dir $(wildcard $(addsuffix /*.py,\
	api bench cli db deploy domain ingest schemas streams)))))

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo up down status test test-fast check check-web \
	format simulation planted-bugs bench bench-files clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Bring in what the product needs (quick when nothing changed)
	@$(LOCAL) setup

setup-tests:
	@$(LOCAL) setup --tests

demo: setup ## Start everything and replay the sample company; prints the pages' address
	@$(BIN)/paceboard demo

up: setup ## Start Kafka and the database, and leave them running
	@$(LOCAL) stack up

down: ## Stop Kafka and the database
	@$(LOCAL) stack down

status: ## Say what is running, and where
	@$(LOCAL) stack status

test: setup-tests check check-web ## All checks and tests: what CI runs
	@$(LOCAL) run -- $(BIN)/pytest -m "not bench"

test-fast: setup ## Checks of the rules alone: no services, no browser, under a minute
	@$(BIN)/pytest -q -m "not services and not browser and not bench"

check: ## Style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(PACKAGES)
	@$(BIN)/lint-imports --no-logo

check-web:
	@if [ -f web/package.json ]; then cd web && npm run --if-present check && npm test --if-present; \
	else echo "  skipped: the web client (there is no web/package.json)"; fi

format: ## Put the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

simulation: setup-tests ## Minutes of crashes, zombies and reassignments between any two steps of a batch
	@SIMULATION_EXAMPLES=5000 $(BIN)/pytest -q -s tests/streams/test_simulation.py

planted-bugs: setup-tests ## Plant bugs in a copy of the batch protocol; say which test catches which
	@$(BIN)/python -m tests.planted.plant

bench: setup ## Measure throughput and latency
	@$(LOCAL) run -- $(BIN)/python -m bench

bench-files: setup ## Measure a file of 100,000 rows and the lists on what it leaves
	@$(LOCAL) run -- $(BIN)/python -m bench.files

clean: ## Stop the services; remove their data and all caches, keep what was downloaded
	@$(LOCAL) stack clean
	@rm -rf web/dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

distclean: clean ## Remove everything that was ever made here
	@rm -rf .paceboard web/node_modules
