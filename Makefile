# `make` lists what there is. Everything runs from a bare checkout: what is missing is installed (or named), and
# databases are private servers under var/. Extra arguments go through ARGS: make demo ARGS=--once
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
# The data folder of the demo's server; `make test` has its own, so a demo left running is not in its way.
with_demo_server := tests/env/with-mariadb.sh demo TRADESYNC_DEMO_SERVER
with_test_server := tests/env/with-mariadb.sh test TRADESYNC_TEST_SERVER
with_bench_server := tests/env/with-mariadb.sh bench TRADESYNC_TEST_SERVER
with_soak_server := tests/env/with-mariadb.sh soak TRADESYNC_TEST_SERVER

.PHONY: help demo test checks soak bench sandbox openapi fmt lint package bridge bridge-lint bridge-test bridge-e2e clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## see it work: shop database, simulated Billz, service, two syncs (ARGS=--once ends by itself)
	@tests/env/setup.sh demo
	cargo build
	exec $(with_demo_server) cargo run -q -- demo $(ARGS)

test: ## everything: format, lints, all tests, and the demo once
	@tests/env/setup.sh test
	exec $(with_test_server) make checks

# What `make test` does once its server is up.
checks:
	@echo '== format'
	cargo fmt --check
	echo '== lints'
	# The bench is no test, so that no `--all-targets` looks at it.
	cargo clippy --all-targets -- -D warnings
	cargo clippy --test bench -- -D warnings
	echo '== tests'
	# Most of a scenario is waiting: for a page, a lease, a due time. Twice as many at once as there are cores keep them busy.
	RUST_TEST_THREADS=$$((2 * $$(nproc))) cargo test
	echo '== bridge'
	make bridge-lint bridge-test bridge-e2e
	echo '== demo'
	export TRADESYNC_DEMO_SERVER="$$TRADESYNC_TEST_SERVER"
	make demo ARGS=--once
	echo '== all passed'

soak: ## ten minutes of kill -9, pauses, cut connections and database restarts
	@tests/env/setup.sh test
	cargo test --test it --no-run
	export TRADESYNC_SOAK_SECONDS="$${TRADESYNC_SOAK_SECONDS:-600}" TRADESYNC_SOAK_SERVER=own
	exec $(with_soak_server) cargo test --test it -- soak:: --nocapture $(ARGS)

bench: ## print the figures (optimised build)
	@tests/env/setup.sh demo
	cargo test --release --test bench --no-run
	exec $(with_bench_server) cargo test --release --test bench -- $(ARGS)

sandbox: ## the simulated remotes alone
	@tests/env/setup.sh demo
	exec cargo run -q -- sandbox $(ARGS)

openapi: ## write openapi/openapi.json from the code
	@tests/env/setup.sh demo
	mkdir -p openapi var
	cargo run -q -- openapi > var/openapi.json
	mv var/openapi.json openapi/openapi.json

fmt: ## format the code
	@cargo fmt

lint: ## format check and lints, the bridge's too
	@tests/env/setup.sh test
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --test bench -- -D warnings
	make bridge-lint

package: ## the binary to install, without simulators: target/release/tradesync
	@tests/env/setup.sh demo
	cargo build --release --no-default-features

bridge: ## the OpenCart module as a package: var/tradesync.ocmod.zip
	@tests/env/setup.sh bridge
	mkdir -p var
	php php-bridge/build.php var/tradesync.ocmod.zip

bridge-lint: ## PHP's own syntax check and PHP_CodeSniffer over the bridge
	@tests/env/setup.sh bridge
	find php-bridge -name '*.php' -print0 | xargs -0 -n 1 php -l | { grep -v '^No syntax errors' || true; }
	cd php-bridge
	phpcs --standard=phpcs.xml

bridge-test: ## the bridge's PHPUnit tests, against the real service
	@tests/env/setup.sh bridge
	cargo build -q
	exec $(with_test_server) phpunit --configuration php-bridge/tests/phpunit.xml --testsuite bridge $(ARGS)

bridge-e2e: ## a day in a real OpenCart in a real browser (OPENCART_DIR=<unpacked 3.0.3.8>)
	@if [[ -z "$${OPENCART_DIR:-}" ]]; then
		echo 'bridge-e2e: skipped, OPENCART_DIR does not name an unpacked OpenCart 3.0.3.8'
		exit 0
	fi
	tests/env/setup.sh bridge
	cargo build -q
	make bridge
	exec $(with_test_server) phpunit --configuration php-bridge/tests/phpunit.xml --testsuite e2e $(ARGS)

clean: ## stop private servers, remove build results and var/
	@for server in var/mariadb*/; do
		[[ ! -d $$server ]] || TRADESYNC_VAR="$$server" tests/env/mariadb.sh stop
	done
	rm -rf var
	cargo clean
