# The front door. Every command sets up what it needs by itself.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-browser check rank package e2e deploy destroy cost train-general train-market train-markets bench bench-imports bench-features bench-scoring bench-pipeline bench-resize bench-tracking bench-push bench-dashboard features-doc vendor-web clean

PY := .venv/bin/python
BENCHES := imports features scoring pipeline resize tracking push dashboard
PHOTOS ?=
STAGE ?= dev
MARKET ?=
ARGS ?=
export PROOFSHEET_DATA ?= ../shared/data
# One BLAS thread: images are processed side by side, and more threads only get into each other's way.
export OPENBLAS_NUM_THREADS ?= 1
# A local cloud is many processes that begin with the same modules: none should have to compile them again.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

.venv/ready: requirements.txt requirements-dev.txt .python-version
	@command -v python3.12 >/dev/null && python3.12 -c '' 2>/dev/null || { \
	  echo "Proofsheet needs Python 3.12 as python3.12 on the PATH." >&2; exit 1; }
	@test -x $(PY) || python3.12 -m venv .venv
	$(PY) -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: .venv/ready ## everything on this machine: local cloud, API on port 8000, a demo ranking; Ctrl-C ends it
	@exec $(PY) -m localcloud.run --demo

# Three processes on two cores: browsers and queues make their tests wait.
test: .venv/ready ## the whole test suite, in three processes: make test [ARGS="-n 0 -k name"]
	-@$(PY) -m tools.browser_ready
	$(PY) -m pytest -n 3 $(ARGS)

test-browser: .venv/ready ## the tests in a real browser alone
	-@$(PY) -m tools.browser_ready
	$(PY) -m pytest tests/browser $(ARGS)

check: .venv/ready .checkov/ready .biome/ready ## format, lint, types, import rules, vendored files, template and policies
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.biome/node_modules/.bin/biome check --error-on-warnings
	$(PY) -m tools.vendor_web --check
	$(PY) -m pytest -q tests/unit/test_imports.py
	@mkdir -p build/check
	$(PY) -m tools.sam_template check build/check/template.json
	.venv/bin/cfn-lint infra/resources.yaml build/check/template.json
	BC_SKIP_MAPPING=TRUE .checkov/bin/checkov --quiet --compact --config-file infra/checkov.yaml -f build/check/template.json

# In an environment of its own: it pins another boto3 than the emulator does.
.checkov/ready: .python-version Makefile
	@test -x .checkov/bin/python || python3.12 -m venv .checkov
	.checkov/bin/pip install -qq --disable-pip-version-check checkov==3.3.30
	@touch $@

# For the dashboard's scripts and styles; whoever only runs it needs no Node.
.biome/ready: Makefile
	@command -v npm >/dev/null || { echo "make check needs Node.js with npm, for the dashboard's scripts." >&2; exit 1; }
	@mkdir -p .biome
	@npm install --silent --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --prefix .biome @biomejs/biome@2.6.8
	@touch $@

rank: .venv/ready ## rank a folder: make rank PHOTOS=dir [ARGS=--json]
	@$(PY) -m tools.rank $(if $(PHOTOS),"$(PHOTOS)") $(ARGS)

package: .venv/ready ## bundle and template of STAGE in build/STAGE, sizes printed
	@$(PY) -m tools.package --stage $(STAGE) $(if $(ACCEPT),--accept)

e2e: .venv/ready ## deployed mode: package, deploy into the emulator, run the black-box suite there, tear down
	@$(PY) -m tools.e2e $(ARGS)

deploy: package ## create or update STAGE in your AWS account: make deploy STAGE=dev
	@$(PY) -m tools.deploy --stage $(STAGE) $(ARGS)

destroy: .venv/ready ## remove STAGE with everything it made
	@$(PY) -m tools.destroy --stage $(STAGE) $(ARGS)

cost: .venv/ready ## dollars per 1,000 photos and for an idle month, from a measured run
	@$(PY) -m tools.cost

train-general: .venv/ready ## train the general-appeal model from the rated photos
	$(PY) -m tools.train_general

train-market: .venv/ready ## train a market model: make train-market MARKET=animals (of tools/markets.json)
	@test -n "$(MARKET)" || { echo "Which one? make train-market MARKET=animals" >&2; exit 2; }
	$(PY) -m tools.train_market $(MARKET) $(ARGS)

train-markets: .venv/ready ## train every market model of tools/markets.json
	$(PY) -m tools.train_market $(ARGS)

features-doc: .venv/ready ## write docs/features.md anew
	$(PY) -m tools.document_features

vendor-web: .venv/ready ## fetch the browser libraries anew from npm
	$(PY) -m tools.vendor_web

bench: $(BENCHES:%=bench-%) ## all benchmarks, gathered in build/bench.json
	$(PY) -m bench.gather $(BENCHES)

bench-imports bench-features bench-scoring bench-pipeline bench-resize bench-tracking bench-push bench-dashboard: bench-%: .venv/ready
	@mkdir -p build
	@$(PY) -m bench.$* | tee build/bench-$*.txt

clean: ## remove what the others made
	rm -rf .venv .checkov .biome .browser .local build .mypy_cache .pytest_cache .ruff_cache .hypothesis .chalice/deployments
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
