# make help prints what there is.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/tidewaiter/tidewaiter/internal/cli.Version=$(VERSION)
export GOTOOLCHAIN := local
export GOFLAGS := -buildvcs=false

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/tidewaiter: static, no cgo
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/tidewaiter ./cmd/tidewaiter

demo: build ## read an image that comes with the repository
	@bin/tidewaiter sbom docker-archive:examples/images/alpine-3.10.tar
	@echo
	@echo 'The same with any image of a registry:  bin/tidewaiter sbom debian:12'

test: ## all tests
	go test ./...

race: ## all tests with the race detector
	go test -race -timeout 30m ./...

lint: ## format, vet, staticcheck, govulncheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not formatted:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); code=$$?; case $$code,$$out in \
		0,*) echo 'govulncheck: nothing found' ;; \
		*,*'dial tcp'*|*,*'no such host'*|*,*'connection refused'*|*,*'i/o timeout'*) echo 'govulncheck: SKIPPED, the vulnerability database is out of reach' ;; \
		*) echo "$$out"; exit 1 ;; esac

check: lint race ## what CI runs

fuzz: ## every fuzz target for 30 seconds
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $$p | sed 's/func //' | sort -u); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s $$p || exit 1; done; done

bench: ## build the corpus if needed and measure: see bench/README.md
	@sh bench/run.sh

.PHONY: help build demo test race lint check fuzz bench
