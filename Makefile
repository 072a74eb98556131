# Everything a developer runs. `make` alone lists it.
KITS    ?= ../shared/kits
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    := go tool -modfile=tools/go.mod golangci-lint
FUZZ    ?= 60s
export KITS

.DEFAULT_GOAL := help
.PHONY: help check fmt lint test race build run tidy sdk bench fuzz charts k8s e2e-jaeger e2e-collector e2e-kubelet docker-smoke prove-lifecycle vulncheck clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: lint test ## What must pass before a change is sent: format, vet, lint, tests

fmt: ## Format the code
	$(LINT) fmt ./...

lint: ## Check the format, vet and lint, with the linter pinned in tools/go.mod
	go vet ./...
	$(LINT) fmt --diff ./...
	$(LINT) run ./...

test: ## The tests, in pure Go: no C compiler, no service, no network
	CGO_ENABLED=0 go test ./...

race: ## The tests with the race detector; a skipped test is a failure
	hack/test.sh -race

build: ## The binary, as it is released: bin/spanway
	CGO_ENABLED=0 go build -trimpath -pgo=cmd/spanway/release.pgo -ldflags '-s -w -X main.version=$(VERSION)' -o bin/spanway ./cmd/spanway

run: ## Run the daemon on its built-in configuration
	go run ./cmd/spanway run

tidy: ## Tidy and verify the modules
	go mod tidy && go mod verify

sdk: ## The official SDKs of OpenAI and Anthropic for Node through Spanway, straight and crossed (needs node and KITS)
	hack/sdk.sh

bench: build ## Measure against Go's ReverseProxy, with nothing else running (needs KITS)
	hack/bench.sh

fuzz: ## Every fuzz target, for FUZZ each
	hack/fuzz.sh $(FUZZ)

charts: ## The chart, its manifests and the workflows, by Helm's and Kubernetes' own code
	cd hack && go vet ./... && ./test.sh

k8s: ## Generate k8s/ from the chart
	cd hack && go test ./charttest -update

e2e-jaeger: ## Real Collector, real Jaeger: the golden traces, read back (needs KITS)
	hack/e2e-jaeger.sh

e2e-collector: ## otel-collector.yaml in a real Collector (needs KITS)
	hack/collector-smoke.sh

e2e-kubelet: ## The chart on a real one-node Kubernetes (needs KITS)
	hack/e2e-kubelet.sh

docker-smoke: ## Build the image and run it
	hack/docker-smoke.sh

prove-lifecycle: ## Drain and reload under load, and a Collector that misbehaves
	hack/prove-lifecycle.sh

vulncheck: ## Ask Go's database about known vulnerabilities
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

clean: ## Remove what was built
	rm -rf bin
