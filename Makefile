# Madoguchi. `make demo` shows it, `make test` proves it, `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
PWA := mobile-api/pwa

# What the tests need besides Go: a command that shows it is there | the Debian packages
# that bring it | what is skipped without it. With CI=true a missing row is a failure.
define NEEDS
command -v chromium | chromium | the pages in a real browser
fc-list :lang=ja family | grep -q . | fontconfig fonts-noto-cjk | Japanese screenshots
command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | postgresql | the PostgreSQL half of every store test
command -v npm && command -v node | nodejs npm | the type check of the citizen app and axe-core
command -v gcc | gcc libc6-dev | the race detector
command -v openssl | openssl | certificate chains that another program built
command -v zbarimg | zbar-tools | our QR pictures read by another reader
command -v softhsm2-util | softhsm2 | signing keys in a device that keeps them
command -v strace | strace | system calls of the built agent that fail on command
command -v ip | iproute2 | a network card that goes down and up
command -v swtpm && command -v swtpm_setup | swtpm swtpm-tools | the vault's key in a TPM 2.0
(command -v pcscd || ls /usr/sbin/pcscd) && ls /usr/lib/pcsc/drivers/serial/libifdvpcd.so* && command -v pkcs15-tool | pcscd vsmartcard-vpcd opensc | cards through the real PC/SC daemon, judged by OpenSC
endef
export NEEDS

.PHONY: help build practice demo test soak bench check tidy generate screenshots needs clean npm

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build the programs into bin/
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./backend/cmd/... ./agent/cmd/... ./firmware-config/cmd/... ./deploy/cmd/...

practice: ## build programs whose clock a demonstration moves into bin/practice/; never install them
	@mkdir -p $(BIN)/practice
	CGO_ENABLED=0 go build -tags practice -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/practice/ ./backend/cmd/... ./agent/cmd/... ./deploy/cmd/...

demo: practice ## start everything with synthetic people; TOUR=1 walks the journeys and ends
	@$(BIN)/practice/madoguchi-demo --bin $(BIN)/practice --state $(CURDIR)/.demo $(if $(TOUR),--tour)

test: needs npm ## all tests, with the race detector
	@.ci/test

soak: needs npm ## the long loops, with full counts
	@MADOGUCHI_SOAK=1 .ci/test

bench: ## the benchmarks whose ratios stand in docs/BENCHMARKS.md
	@.ci/bench

check: needs npm ## format, vet, staticcheck, known vulnerabilities, types, house rules, freshness
	@.ci/check

generate: npm ## write openapi.json and the built citizen app again
	go generate work

screenshots: npm ## drive the built programs in a browser and write docs/screenshots again
	MADOGUCHI_SCREENSHOTS=$(CURDIR)/docs/screenshots go test -count=1 ./deploy/browser

tidy: ## tidy every module and the workspace
	@.ci/tidy

needs: ## install what the tests need, where it may, else name what will be skipped
	@.ci/needs

npm:
	@if command -v npm >/dev/null; then cd $(PWA) && if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then npm ci --no-audit --no-fund --loglevel=error; fi; fi

clean: ## remove what was built and the demo's state
	rm -rf $(BIN) .demo $(PWA)/node_modules
