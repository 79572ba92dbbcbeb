# Targets for people and for CI. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
# How long one fuzz target runs: a number of executions (200000x) or a time (5m).
FUZZTIME ?= 200000x

# The root module first, then the nested ones. tools/ only pins the linters.
NESTED := $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod \
	-not -path './tools/*' -not -path '*/testdata/*' -not -path './.*' | LC_ALL=C sort))
MODULES := . $(NESTED)

# How the race detector is used: on all Go code but the translation of SQLite's C
# code, which synchronizes in ways of its own that the detector does not see, and
# which is four times as slow with it.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

# Vet and the linters look at the tree as the race detector builds it, so that
# they and the tests share one build of the dependencies. modernc.org/sqlite
# alone takes half a minute for each further kind of build.
LINTFLAGS = GOFLAGS="$$($(GO) env GOFLAGS) $(RACE)" CGO_ENABLED=1

# $(call tool,NAME) builds the pinned linter NAME once and prints its path.
tool = $$($(GO) tool -modfile=tools/go.mod -n $(1))

# $(call each,COMMAND) runs a command in the folder of every module.
each = for m in $(MODULES); do (cd "$$m" && $(1)) || { echo "make $@: failed in $$m" >&2; exit 1; }; done

##@ Try it

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## sync simulated wearables into demo.db; needs no account and no network
	@$(GO) run ./examples/sqlite

##@ Check it

# Four packages at a time, also on two cores: many wait for leases of killed
# processes to end. What takes one core for long goes first, because at the end it
# would leave the other idle.
LONGEST = $$([ ! -d sync ] || echo ./sync ./terra/...)

.PHONY: test
test: redis-server ## the whole test suite with the race detector, nested modules too
	@$(call each,CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -p 4 -timeout 20m $(LONGEST) ./...)

.PHONY: check
check: lint ## lint, then make test: what CI runs
	@$(MAKE) test

.PHONY: lint
lint: gofmt tidy vet staticcheck errcheck errorlint ineffassign misspell ## all linters, no tests

.PHONY: fuzz
fuzz: ## run every fuzz target, 200,000 executions each (FUZZTIME=5m changes that)
	@$(call each,$(GO) test -list '^Fuzz' ./... \
		| awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2 " " names[i]; n = 0 }' \
		| while read -r pkg name; do \
			echo "== $$pkg $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x "$$pkg" </dev/null || exit 1; \
		done)

.PHONY: sabotage
sabotage: ## put faults into copies of the code; each must turn its test red
	@$(GO) run ./internal/sabotage

# A step is a package at full counts, a test of internal/proofs, the race
# detector or the faults. A step that passed is not run again: a soak that was
# stopped, or that found something, goes on with what is left. `rm -r bin/soak`
# begins anew. Steps mostly wait for leases of killed processes to end, so some
# run at once; what measures how soon an answer comes runs alone, at last.
# Whatever fails, the report is written.
SOAK_JOBS ?= 4

.PHONY: soak
soak: redis-server ## prove the promises at full counts (hours) and write docs/reliability.md
	@mkdir -p bin/soak; failed=0; \
	packages=$$($(call each,$(GO) list -f '{{.Dir}}' ./...) | sed "s|^$$PWD/||" | grep -vx internal/proofs); \
	proofs=$$($(GO) test -list '^Test' ./internal/proofs | sed -n 's|^Test|internal/proofs/&|p'); \
	export VITALMUX_PROOF="$$PWD/bin/soak/results.jsonl"; \
	$(MAKE) -k -j $(SOAK_JOBS) $$(printf 'bin/soak/%s.passed ' $$(grep -v InTime <<<"$$proofs") $$packages race sabotage) || failed=1; \
	$(MAKE) -k $$(printf 'bin/soak/%s.passed ' $$(grep InTime <<<"$$proofs")) || failed=1; \
	$(GO) run ./internal/proof/report bin/soak/results.jsonl; \
	exit $$failed

bin/soak/race.passed:
	@CGO_ENABLED=1 $(GO) test $(RACE) -count=1 -timeout 30m ./... && touch $@

bin/soak/sabotage.passed:
	@$(GO) run ./internal/sabotage && touch $@

bin/soak/internal/proofs/%.passed:
	@mkdir -p $(@D); VITALMUX_SOAK=1 $(GO) test -run '^$*$$' -count=1 -timeout 4h ./internal/proofs && touch $@

bin/soak/%.passed:
	@mkdir -p $(@D); VITALMUX_SOAK=1 $(GO) -C $* test -count=1 -timeout 4h . && touch $@

.PHONY: bench
bench: redis-server ## measure against the anchors and write bench/REPORT.md
	@cd bench && $(GO) run .

##@ Write it

.PHONY: generate
generate: ## write docs/metrics.md from the metric catalogue
	@$(GO) run ./internal/metricsdoc

# The linters, one target each.

.PHONY: gofmt tidy vet staticcheck errcheck errorlint ineffassign misspell

gofmt:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "gofmt would change:" >&2; echo "$$bad" >&2; exit 1; }

# Only go.mod is compared, and -e is needed, because a plain `go mod tidy` also
# wants the dependencies of the tests of modernc.org/sqlite. One of them,
# google/pprof, names a version that module proxies may not have; whether it is
# there decides about lines of go.sum that no build here reads. A line that a
# build does read is missed by vet and the tests, and verify compares contents.
tidy:
	@$(call each,diff=$$($(GO) mod tidy -e -diff 2>/dev/null \
		| awk '/^diff / { mod = /go.mod$$/ } mod') || true; \
		[ -z "$$diff" ] || { echo "$$diff"; echo "go.mod is not tidy: run go mod tidy -e" >&2; exit 1; }; \
		$(GO) mod verify >/dev/null)

vet:
	@$(call each,CGO_ENABLED=1 $(GO) vet $(RACE) ./...)

# Configured in staticcheck.conf.
staticcheck:
	@tool=$(call tool,staticcheck); $(call each,$(LINTFLAGS) "$$tool" ./...)

# Ignored errors. tools/errcheck.txt lists the calls whose error says nothing.
# Not in tests, where what is closed late is thrown away.
errcheck:
	@tool=$(call tool,errcheck); exclude="$$PWD/tools/errcheck.txt"; \
		$(call each,$(LINTFLAGS) "$$tool" -ignoretests -exclude "$$exclude" ./...)

# Comparing errors with == and wrapping with %v: both lose the error class. Not
# in tests and suites: they may ask for one error and no other, and describe
# errors rather than pass them on.
errorlint:
	@tool=$(call tool,go-errorlint); \
		$(call each,$(LINTFLAGS) "$$tool" -errorf -test=false $$($(GO) list ./... | grep -v 'test$$'))

# Assignments that nothing reads.
ineffassign:
	@tool=$(call tool,ineffassign); $(call each,$(LINTFLAGS) "$$tool" ./...)

# Spelling in code and in prose. Activite is a device.
misspell:
	@tool=$(call tool,misspell); git ls-files -co --exclude-standard '*.go' '*.md' Makefile \
		| xargs "$$tool" -i activite -error

# The tests start real Redis servers from the redis-server binary.
.PHONY: redis-server
redis-server:
	@command -v redis-server >/dev/null && exit 0; \
	how="make $(or $(MAKECMDGOALS),test): no redis-server on the PATH; install Redis 6.2 or later (https://redis.io/docs/latest/get-started/)"; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || command -v sudo >/dev/null; }; then \
		echo "installing redis-server with apt-get" >&2; \
		{ $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server; } >/dev/null; \
	elif command -v brew >/dev/null; then \
		echo "installing redis with brew" >&2; \
		brew install --quiet redis >/dev/null; \
	fi || true; \
	command -v redis-server >/dev/null || { echo "$$how" >&2; exit 1; }
