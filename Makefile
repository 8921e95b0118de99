# `make run` and `make test` are all one needs; both install what is missing. The logic is in scripts/.

# The nginx to build for and to test with (default: the one in PATH, installed when there is none). Not called NGINX: nginx
# takes a variable of that name for sockets that it inherits.
NGINX_BINARY ?=
# make test-nginx T=t/routing.t, make test-clients T="-k throttled"
T        ?=
# make run UPSTREAM=aws MODEL=… PORT=… ONCE=1
UPSTREAM ?= sim
export NGINX_BINARY UPSTREAM

.DEFAULT_GOAL := help
.PHONY: help build run test test-crates test-nginx test-clients bench fmt lint clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build/ngx_http_bedrock_module.so, for the nginx of this machine
	@scripts/build.sh module

run: ## the module at work on 127.0.0.1, before a stand-in for Bedrock (UPSTREAM=aws: the real one)
	@scripts/run.sh

test: ## everything below, as CI runs it
	@scripts/test.sh

test-crates: ## the Rust crates, without nginx
	@scripts/test.sh crates

test-nginx: ## the module in nginx, with Test::Nginx (T=t/one.t)
	@scripts/test-nginx.sh $(T)

test-clients: ## the module in nginx, with real SDKs (T="pytest's options")
	@scripts/test-clients.sh $(T)

bench: ## the benchmarks
	@scripts/bench.sh $(T)

fmt: ## format the Rust code
	@cargo fmt --all

lint: ## formatting, clippy, licences of the dependencies
	@scripts/lint.sh

clean: ## remove build/ and target/
	@rm -rf build target
