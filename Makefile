# The two commands of the README are demo and test. Each does its own set-up.

BIN   := .cache/bin
# Tools are Go modules: they install wherever Go does, into a folder that git ignores.
MINIO := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0
RCLONE := github.com/rclone/rclone@v1.76.0
LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION ?= dev

# What `make test` runs: PKG is a package or several, RUN a regular expression of names.
# RACE is the race detector, with which they take more than twice as long.
PKG = ./...
RUN =
RACE = -race
# The versions of Postgres of test-postgres: numbers, oldest, newest; empty: all.
PG =

# What `make test-readers` tries: names of readers, or parts of them, separated by commas.
READERS =

# Every fuzzer there is, as ./folder:FuzzName.
FUZZERS = $(shell grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's,/[^/]*:func ,:,' | sort)
# A number of runs: a time may end in the middle of one, which go test calls a failure.
FUZZ_TIME ?= 10000x

.PHONY: build help demo test test-stores test-postgres test-readers compat bench bench-smoke fuzz lint figures tools clean

build: ## the binary, bin/jobvault
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.release=$(VERSION)" -o bin/jobvault ./cmd/jobvault

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a day of a small organisation against a simulated GitHub
	./bin/jobvault demo

test: $(BIN)/minio ## every test, with the race detector; some: PKG=./store RUN=TestCoverage; without it: RACE=
	go test $(RACE) -timeout 50m $(if $(RUN),-run '$(RUN)' )$(PKG)

test-stores: stores ## the bucket's tests on each S3 server there is, and a table of them; some: STORES=minio,rclone
	go run ./internal/compat $(if $(STORES),-servers '$(STORES)') stores

test-postgres: build ## tests of the store and the demo on each version of Postgres; some: PG="oldest newest"
	go run ./internal/compat $(if $(PG),-versions '$(PG)') postgres

bench: build ## jobvault against its peers and limits, some minutes
	go run ./internal/bench

bench-smoke: build ## the benchmarks on little data, to see that they work
	go run ./internal/bench -smoke

test-readers: ## readers of Zstandard on logs as jobvault writes them, some minutes; some: READERS=zstd,node
	go run ./internal/compat -readers '$(READERS)' readers

compat: build stores ## the three above as one table: what jobvault works with, and what each lacks; half an hour
	go run ./internal/compat

fuzz: ## each fuzzer for some seconds; longer: FUZZ_TIME=5m; one: FUZZERS=./lookup/search:FuzzQuery
	$(foreach f,$(or $(FUZZERS),$(error no fuzzers found)),$(call run-fuzzer,$(subst :, ,$(f))))

# run-fuzzer is the command for a folder and a name. Its empty line ends the command.
define run-fuzzer
go test -run '^$$' -fuzz '^$(word 2,$(1))$$' -fuzztime $(FUZZ_TIME) $(word 1,$(1))

endef

lint: $(BIN)/golangci-lint ## golangci-lint, which also says who may import whom
	$(BIN)/golangci-lint run ./...

figures: ## how the code reads: lengths, documentation, tests
	go run ./internal/figures

tools: stores $(BIN)/golangci-lint ## what the tests and lint need, some minutes the first time

# Real S3 servers: MinIO for all tests, the others for those of the bucket.
.PHONY: stores
stores: $(BIN)/minio $(BIN)/versitygw $(BIN)/rclone

$(BIN)/minio:
	GOBIN=$(abspath $(BIN)) go install $(MINIO)

$(BIN)/versitygw:
	GOBIN=$(abspath $(BIN)) go install $(VERSITYGW)

$(BIN)/rclone:
	GOBIN=$(abspath $(BIN)) go install $(RCLONE)

$(BIN)/golangci-lint:
	GOBIN=$(abspath $(BIN)) go install $(LINT)

clean: ## remove what the other targets made, the demo's data too
	rm -rf bin .cache jobvault-data
