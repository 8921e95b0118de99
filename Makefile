# `make run` and `make test` are all one needs; both install what is missing. The logic is in scripts/.

# The nginx to build for and to test with (default: the one in PATH, installed when there is none). Not called NGINX: nginx
# takes a variable of that name for sockets that it inherits.
NGINX_BINARY ?=
# make test-nginx T=t/routing.t, make test-clients T="-k throttled"
T        ?=
# make run UPSTREAM=aws MODEL=… PORT=… ONCE=1
UPSTREAM ?= sim
# make test-nginx PROFILE=dev: a build of seconds instead of minutes
PROFILE  ?= release
export NGINX_BINARY UPSTREAM
export BEDROCK_PROFILE = $(PROFILE)

.DEFAULT_GOAL := help
.PHONY: help build run test test-crates test-nginx test-clients test-bills test-claude-code test-agents test-frameworks test-codex test-page status-pictures test-wrong-nginx test-matrix test-config test-image test-one-file release deb test-deb \
	bench bench-peers figures fuzz sanitize valgrind chaos fmt lint clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

test-wrong-nginx: ## the module in an nginx that it was not built for
	@scripts/test-wrong-nginx.sh

test-matrix: ## the module in every nginx that is supported, fetched for it (T="sid 1.28.3 /usr/src/nginx-1.31.4")
	@scripts/test-matrix.sh $(T)

test-config: ## the module in nginx's own build: ./configure --add-dynamic-module, --add-module
	@scripts/test-config.sh

test-image: ## each step of docker/Dockerfile and docker/compose.yaml, without Docker, as root
	@scripts/test-image.sh

test-one-file: ## make build, make test, make run and make deb have the same module
	@scripts/test-one-file.sh

release: ## a module for each nginx that is supported, with checksums, in build/release (T="sid 1.28.3")
	@scripts/release.sh $(T)

deb: ## a Debian package for the nginx of this machine, in build/deb
	@scripts/build-deb.sh

test-deb: ## that package, installed and removed again
	@scripts/test-deb.sh

test-bills: ## 100,000 requests of all kinds, some of which go wrong: logs and zones against what was charged for (T=5000: so many)
	@BILLS=$(or $(T),100000) scripts/test-clients.sh -s test_bills.py

test-claude-code: ## Claude Code before the module; 400 MB that make test does without
	@TEST_CLAUDE_CODE=$$(scripts/claude-code.sh) scripts/test-clients.sh test_claude_code.py

test-agents: ## Claude Code, Copilot CLI, opencode and Cline with models of many families; 900 MB (T="-k Cline")
	@agents=$$(scripts/agents.sh) && claude=$$(scripts/claude-code.sh) && \
		TEST_AGENTS=$$agents TEST_CLAUDE_CODE=$$claude scripts/test-clients.sh test_agents.py $(T)

test-frameworks: ## frameworks for agents that are large, or want an older SDK of OpenAI's: instructor, LlamaIndex, OpenAI's Agents SDK for Node
	@frameworks=$$(scripts/frameworks.sh) && TEST_FRAMEWORKS=$$frameworks TEST_VENV=frameworks scripts/test-clients.sh test_frameworks.py $(T)

test-page: ## the status page in a real browser; 430 MB that make test does without (T="pytest's options")
	@axe=$$(scripts/page.sh) && TEST_AXE=$$axe TEST_VENV=page scripts/test-clients.sh test_status_page.py test_status_look.py test_status_live.py $(T)

status-pictures: ## the pictures of the status page in docs/, made anew
	@axe=$$(scripts/page.sh) && TEST_PICTURES=1 TEST_AXE=$$axe TEST_VENV=page scripts/test-clients.sh test_status_look.py -k pictures

test-codex: ## Codex CLI itself, offline, through the gateway
	@TEST_CODEX=$$(scripts/codex.sh) scripts/test-clients.sh test_codex.py

bench: ## the benchmarks
	@scripts/bench.sh $(T)

bench-peers: ## streams per second beside other gateways (LiteLLM, Portkey), fetched for this
	@scripts/bench-peers.sh

figures: ## the sizes in README.md, measured anew
	@scripts/figures.sh

fuzz: ## every fuzz target for T seconds each (T="60 relay": one target)
	@scripts/fuzz.sh $(or $(T),60)

sanitize: ## t/*.t with AddressSanitizer and LeakSanitizer (T=t/one.t)
	@scripts/sanitize.sh $(T)

valgrind: ## t/*.t under valgrind (T=t/one.t)
	@USE_VALGRIND=1 scripts/test-nginx.sh $(T)

chaos: ## faults against a live nginx: reloads, kills, resets, full disks, panics (T="--seed 1 reload")
	@scripts/chaos.sh $(T)

fmt: ## format the Rust code
	@cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml

lint: ## formatting, clippy, licences of the dependencies
	@scripts/lint.sh

clean: ## remove build/ and target/
	@rm -rf build target
