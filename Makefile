# Lockstep. `make help` lists the commands. Everything runs from .venv, which is made from requirements.lock.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

BIN := .venv/bin
SOURCES := shared functions layers local tests
export SAM_CLI_TELEMETRY := 0

# Without kept bytecode each of the suite's processes compiles product, tests and ccxt anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help lane run test bench capacity cost faults worlds build preflight deploy reseal admin-token admin-out local invoke lint audit types lock openapi
.PHONY: rollback smoke restore

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: .venv/.installed  ## bring the stack up, fire a demo alert, serve until Ctrl-C (DEMO=0 FOLLOWERS=n LANES=n PORT=n STATE=dir)
	@exec $(BIN)/python -m local.run

test: .venv/.installed lint types  ## lint, check types, run every test
	@$(BIN)/pytest --numprocesses 2 --dist loadgroup

lint: .venv/.installed  ## ruff, import rules, the templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	@AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint --template-file lane.yaml
	@$(BIN)/cfn-lint template.yaml lane.yaml edge.yaml

audit: .venv/.installed  ## advisories about packages, checkov on the templates; says what it skips without a network
	@$(BIN)/python -m local.deployment.audit

types: .venv/.installed  ## mypy, strict
	@$(BIN)/mypy

bench: .venv/.installed  ## one alert to 100 followers, beside a floor and a peer (FOLLOWERS=n LATENCY_MS=n); pages of long lists
	@$(BIN)/python -m local.bench
	@$(BIN)/python -m local.bench.lists

capacity: .venv/.installed  ## what the lanes carry, on simulated time, with the exchange's limits; writes docs/scale.md (OUT=file.json ONLY=names; PAGE=1 measures nothing)
	@$(BIN)/python -m local.capacity

cost: .venv/.installed  ## what a deployment costs, by measured calls and list prices; writes docs/cost.md (PAGE=1 measures nothing)
	@$(BIN)/python -m local.cost

faults: .venv/.installed  ## what it withstands: a burst of alerts, killed workers, then N executions with everything else (N=n SEED=n)
	@failed=0; for part in stack.burst stack.kills worlds; do $(BIN)/python -m local.faults.$$part || failed=1; done; exit $$failed

worlds: .venv/.installed  ## the last part alone: N executions on simulated time (N=n SEED=n MUTATE=rule)
	@$(BIN)/python -m local.faults.worlds

build: .venv/.installed  ## build for AWS (arm64, python3.13)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.deployment.build

preflight: .venv/.installed  ## ask the AWS account what a deployment would fail on (STAGE=dev|prod)
	@$(BIN)/python -m local.deployment.preflight $(STAGE)

deploy: .venv/.installed  ## deploy to the AWS account of your credentials (STAGE=dev|prod)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.deployment.deploy $(STAGE)

smoke: .venv/.installed  ## try a deployed stack: its APIs, the exchange, an alert (STAGE=dev|prod; without STAGE the stack of make run)
	@$(BIN)/python -m local.deployment.smoke $(STAGE)

rollback: .venv/.installed  ## call the functions of the release before (STAGE=dev|prod RELEASE=name FORCE=1; without STAGE the stack of make run)
	@$(BIN)/python -m local.deployment.rollback $(STAGE)

.PHONY: halt resume maintenance redrive
halt: .venv/.installed  ## let no entry begin; exits go on (SCOPE=ALL|strategy:<id>|lane:<name> REASON=text STAGE=dev|prod; without STAGE the stack of make run)
	@$(BIN)/python -m local.deployment.halts halt $(STAGE)

resume: .venv/.installed  ## permit entries again (SCOPE=ALL|strategy:<id>|lane:<name> STAGE=dev|prod)
	@$(BIN)/python -m local.deployment.halts resume $(STAGE)

maintenance: .venv/.installed  ## have the API and the webhook answer 503, or end that (ON=1|OFF=1 STAGE=dev|prod)
	@$(BIN)/python -m local.deployment.maintenance $(STAGE)

redrive: .venv/.installed  ## send a queue's dead letters back to it (QUEUE=orders.fifo STAGE=dev|prod)
	@$(BIN)/python -m local.deployment.redrive $(STAGE)

restore: .venv/.installed  ## restore a table as it was, and use it (STAGE=dev|prod TABLE=users TIME=2026-11-29T18:00:00Z)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.deployment.restore $(STAGE)

lane: .venv/.installed  ## add an egress lane to a deployment, or remove one (STAGE=dev|prod NAME=lane-2 SUBNETS=ids SECURITY_GROUPS=ids REMOVE=1)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.deployment.lane $(STAGE)

admin-token: .venv/.installed  ## sign an admin in and print the id token (STAGE=dev|prod|local EMAIL=address)
	@$(BIN)/python -m local.deployment.admin_token $(STAGE)

admin-out: .venv/.installed  ## sign an admin out everywhere, within a minute (STAGE=dev|prod|local EMAIL=address)
	@$(BIN)/python -m local.deployment.admin_sign_out $(STAGE)

.PHONY: edge
edge: .venv/.installed  ## put CloudFront in front of a deployment's webhooks, part of deploy (STAGE=dev|prod ROTATE=1 changes its secret)
	@$(BIN)/python -m local.deployment.edge $(STAGE)

reseal: .venv/.installed  ## give a deployment's secrets that carry no kind theirs (STAGE=dev|prod)
	@$(BIN)/python -m local.deployment.reseal $(STAGE)

local: build  ## the API in containers, without the rest (needs Docker)
	@docker info >/dev/null 2>&1 || { echo "make local needs a running Docker; make run does not." >&2; exit 1; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam local start-api

invoke: .venv/.installed  ## call one handler in process: make invoke f=<function> e=<event>
	@$(BIN)/python -m local.invoke "$(f)" "$(e)"

openapi: .venv/.installed  ## write docs/openapi.json from the handlers
	@AWS_DEFAULT_REGION=us-east-1 $(BIN)/python -m local.openapi

lock: .venv/.installed  ## resolve the dependencies anew
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --quiet --upgrade -o requirements.lock
	@for layer in dependencies exchange reports; do $(MAKE) layers/$$layer/requirements.txt || exit 1; done

layers/dependencies/requirements.txt: requirements.lock layers/dependencies/requirements.in layers/locked.py
	@$(BIN)/python layers/locked.py layers/dependencies/requirements.in > $@

layers/exchange/requirements.txt: requirements.lock layers/exchange/requirements.in layers/dependencies/requirements.in layers/locked.py
	@$(BIN)/python layers/locked.py layers/exchange/requirements.in --given layers/dependencies/requirements.in > $@

layers/reports/requirements.txt: requirements.lock layers/reports/requirements.in layers/dependencies/requirements.in layers/locked.py
	@$(BIN)/python layers/locked.py layers/reports/requirements.in --given layers/dependencies/requirements.in > $@

# The stamp makes a second call instant. uv installs in seconds; where it finds no index, pip's own settings may.
.venv/.installed: requirements.lock
	@python=; \
	for candidate in .venv/bin/python python3 python3.13 python3.12 python3.11; do \
	  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Lockstep needs Python 3.11, 3.12 or 3.13 and found none: install one (python3 here is $$(python3 --version 2>&1 | head -n 1))." >&2; \
	  exit 1; \
	fi; \
	echo "Installing into .venv (once, up to two minutes) ..."; \
	if [ "$$python" != .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then \
	  if ! $$python -m venv --clear .venv >/dev/null 2>&1; then \
	    echo "$$python cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; \
	  fi; \
	fi; \
	awk '/^[a-z0-9]/ { uv = /^uv==/ } uv' requirements.lock > .venv/uv.txt; \
	{ .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt && \
	  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r requirements.lock; \
	} > .venv/install.log 2>&1 || \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock >> .venv/install.log 2>&1 || \
	{ tail -n 3 .venv/install.log >&2; echo "The packages could not be installed: is there a way to a package index? All of it is in .venv/install.log." >&2; exit 1; }
	@touch $@
