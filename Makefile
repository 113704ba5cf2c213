# What one can do here. `make help` lists it. Go, make and git are all that build, test and demo need.

GO     ?= go
MODULE := github.com/asynched/api-gateway
TOOL   := $(GO) tool -modfile=tools/go.mod

# The version is what git says of this checkout, and "devel" for sources without git. A tarball that was unpacked inside
# another repository must not take the version of that one.
VERSION ?= $(shell test -e .git && git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X $(MODULE)/internal/version.stamped=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

PACKAGES  ?= ./...
TESTFLAGS ?=
BENCH     ?= .
BENCHTIME ?= 1s
FUZZTIME  ?= 10s

.DEFAULT_GOAL := help
.PHONY: help all build generate fresh vet lint gofumpt staticcheck deadcode test race fuzz bench cross demo clean

help: ## list what there is
	@echo 'usage: make TARGET'
	@echo
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  %-12s %s\n' "$$name" "$$text"; done

all: generate build vet lint test ## generate, build, vet, lint, test

build: ## bin/sallyport: static, its version stamped
	$(BUILD) -o bin/ ./cmd/sallyport

generate: ## write the generated code, schemas and reference pages again
	$(GO) run ./internal/gen

fresh: generate ## fail if a generated file was not committed as it should be
	@git diff --exit-code --stat -- . || { echo 'generated files are stale: run make generate and commit them' >&2; exit 1; }

vet: ## go vet
	$(GO) vet $(PACKAGES)

lint: ## gofumpt, staticcheck, deadcode: all of them, whatever the first one finds
	@$(MAKE) -k --no-print-directory gofumpt staticcheck deadcode

gofumpt:
	@echo gofumpt && list="$$($(TOOL) gofumpt -l .)" && test -z "$$list" || { echo "not formatted by gofumpt:" $$list >&2; exit 1; }

staticcheck:
	@echo staticcheck && $(TOOL) staticcheck ./...

deadcode:
	@echo deadcode && dead="$$($(TOOL) deadcode -test ./...)" && test -z "$$dead" || { echo "$$dead" >&2; exit 1; }

test: ## the tests
	$(GO) test $(TESTFLAGS) $(PACKAGES)

race: ## the tests under the race detector (wants a C compiler)
	$(GO) test -race $(PACKAGES)

fuzz: ## each fuzz target for FUZZTIME (10s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			$(GO) test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(FUZZTIME) "$$(dirname $$file)" </dev/null || exit 1; \
		done; done

bench: ## the benchmarks named by BENCH (.) for BENCHTIME (1s) each
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem $(PACKAGES)

cross: ## dist/: a binary for each system and processor
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*} arch=$${platform#*/}; \
		out=dist/sallyport-$$os-$$arch; test $$os != windows || out=$$out.exe; \
		echo $$out; GOOS=$$os GOARCH=$$arch $(BUILD) -o $$out ./cmd/sallyport || exit 1; \
	done

demo: ## three origins behind a gateway; one is killed and nobody notices
	@$(MAKE) -s --no-print-directory build && $(GO) build -o bin/demo ./examples/demo && exec bin/demo

clean: ## remove what was built
	rm -rf bin dist

# What needs other people's clients and servers is a module of its own.
H2SPEC := bin/tools/h2spec

.PHONY: conformance conformance-short slow slowhttptest h2spec cache-tests load

conformance: ## the built gateway against clients and servers of others: the long form, minutes
	cd conformance && CONFORMANCE=heavy $(GO) test -count=1 -timeout 30m -v .

conformance-short: ## the same, the short form: two minutes
	cd conformance && $(GO) vet ./... && $(GO) test -count=1 .

slow: ## thousands of slow clients (SLOW=4000): are they ended in time, and do others notice
	cd conformance && CONFORMANCE=heavy SLOW=$${SLOW:-4000} $(GO) test -count=1 -v -run '^TestSlow' .

slowhttptest: ## slow heads, bodies, ranges and readers by slowhttptest (Debian: apt-get install slowhttptest)
	cd conformance && $(GO) test -count=1 -tags slowhttptest -v -run '^TestSlowHTTPTest$$' -timeout 20m .

$(H2SPEC):
	GOBIN=$(CURDIR)/bin/tools $(GO) install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

h2spec: $(H2SPEC) ## h2spec's strict cases against a listener, in the clear and over TLS
	cd conformance && H2SPEC=$(CURDIR)/$(H2SPEC) $(GO) test -count=1 -tags h2spec -run '^TestH2Spec$$' -v .

cache-tests: ## the HTTP cache tests (wants node and npm, or CACHE_TESTS=DIR where the package is installed)
	cd conformance && $(GO) test -count=1 -tags cachetests -run '^TestCacheTests$$' -v .

load: build ## processor time of a request, beside a bare httputil.ReverseProxy
	cd conformance && $(GO) run ./load --binary ../bin/sallyport
