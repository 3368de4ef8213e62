# The verbs of the checkout; `make help` lists them. What a verb needs and the machine lacks is
# installed by tests/servers/install, which says so.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The suites of `make test`, in order: make test SUITES=unit,integration
SUITES ?= lint,unit,web,charts,integration,cluster

install := tests/servers/install
suite   := tests/suite
target  := $(or $(CARGO_TARGET_DIR),target)

comma := ,
suites := $(subst $(comma), ,$(SUITES))

.PHONY: help
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What the pages are made of. Whatever of it is newer than what was built has them built again.
pages := LICENSE $(shell find web -mindepth 1 \( -name node_modules -o -name dist -o -name target -o -name crate -o -name tests -o -name '*.md' \) -prune -o -print)
npm   := tests/servers/npm

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@$(install) node
	$(npm) ci --no-audit --no-fund
	@touch $@

web/dist/.built: web/node_modules/.package-lock.json $(pages)
	$(npm) run build
	@touch web/dist/.gitkeep $@

.PHONY: web
web: web/dist/.built ## the pages that the binaries serve, from the sources in web/
	@:

.PHONY: run
run: web ## the whole platform in one process, with examples/ on sale on port 8080 (ARGS="--port 9000"), and the mail to buyers
	@$(install) build
	cargo build --release --locked --package boxoffice-local --package boxoffice-notification
	@examples/notification/run $(target)/release -f examples/ $(ARGS)

.PHONY: build
build: web ## compile everything, tests included
	@$(install) build
	cargo build --workspace --all-targets

.PHONY: lint
lint: ## formatting, clippy with warnings denied, and the charts
	@$(suite) lint charts

.PHONY: deny
deny: ## licences, sources and duplicate crates (cargo-deny)
	@$(suite) deny

.PHONY: generate
generate: ## write the files made from the Rust types (a test fails when they differ)
	@$(install) build
	cargo run --quiet -p boxoffice-crds --example generate
	BOXOFFICE_REGENERATE=1 cargo test --quiet --lib -p boxoffice-runtime -p boxoffice-command -p boxoffice-query golden_

.PHONY: test
test: ## every suite, as CI runs it; SUITES=lint,unit,web,charts,integration,cluster chooses, and SUITES=operator is ten minutes more
	@$(suite) $(suites)

.PHONY: soak
soak: ## the crash suites at full length, also beside the version before (BOXOFFICE_BEFORE=COMMIT), and deletions in every order
	@$(suite) soak

.PHONY: scale
scale: ## what fifty services and five thousand shows cost the operator: time, calls, memory
	@$(suite) scale

.PHONY: screenshots
screenshots: web ## pictures of the pages, as README shows them
	@$(install) build browser
	cargo build --release --locked --package boxoffice-local
	BOXOFFICE=$(abspath $(target)/release/boxoffice) $(npm) run screenshots

.PHONY: bench
bench: web ## what it can do on this machine: a table, and target/bench.jsonl (ARGS="--only holds"; ARGS=--help)
	@$(install) build servers
	cargo build --release --locked --package boxoffice-command --package boxoffice-consumer --package boxoffice-query --package boxoffice-local --package boxoffice-tests --bins
	$(target)/release/boxoffice-bench --output $(target)/bench.jsonl $(ARGS)

.PHONY: images
images: ## lay out the root folders of the images in .cluster/images
	@tests/cluster/images

.PHONY: cluster
cluster: ## a real cluster with servers, images, charts and examples/; writes .cluster/env
	@tests/cluster/up

.PHONY: cluster-down
cluster-down: ## remove all of it
	@tests/cluster/down

.PHONY: clean
clean: cluster-down ## remove the cluster and what was compiled
	cargo clean
