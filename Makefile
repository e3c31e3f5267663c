# The two commands of the README are demo and test. Each does its own set-up.

BIN   := .cache/bin
# Tools are Go modules: they install wherever Go does, into a folder that git ignores.
MINIO := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# A number of runs: a time may end in the middle of one, which go test calls a failure.
FUZZ_TIME ?= 10000x
VERSION ?= dev

.PHONY: build demo test bench bench-smoke lint fuzz tools clean

build: ## the binary, bin/jobvault
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.release=$(VERSION)" -o bin/jobvault ./cmd/jobvault

demo: build ## a day of a small organisation against a simulated GitHub
	./bin/jobvault demo

test: $(BIN)/minio ## every test, with the race detector
	go test -race -timeout 30m ./...

bench: build ## jobvault against peers and limits, some minutes
	go run ./internal/bench

bench-smoke: build
	go run ./internal/bench -smoke

fuzz: ## each fuzzer for a few seconds; FUZZ_TIME=5m for longer
	go test -run '^$$' -fuzz '^FuzzPayload$$' -fuzztime $(FUZZ_TIME) ./ingest/record
	go test -run '^$$' -fuzz '^FuzzSignature$$' -fuzztime $(FUZZ_TIME) ./ingest
	go test -run '^$$' -fuzz '^FuzzDepth$$' -fuzztime $(FUZZ_TIME) ./ingest/record
	go test -run '^$$' -fuzz '^FuzzForm$$' -fuzztime $(FUZZ_TIME) ./ingest/record
	go test -run '^$$' -fuzz '^FuzzJobJSON$$' -fuzztime $(FUZZ_TIME) ./ingest/record
	go test -run '^$$' -fuzz '^FuzzClassify$$' -fuzztime $(FUZZ_TIME) ./internal/ghapi
	go test -run '^$$' -fuzz '^FuzzMessage$$' -fuzztime $(FUZZ_TIME) ./internal/ghapi
	go test -run '^$$' -fuzz '^FuzzNextPage$$' -fuzztime $(FUZZ_TIME) ./internal/ghapi
	go test -run '^$$' -fuzz '^FuzzParseHook$$' -fuzztime $(FUZZ_TIME) ./internal/ghapi
	go test -run '^$$' -fuzz '^FuzzReach$$' -fuzztime $(FUZZ_TIME) ./internal/ghapi
	go test -run '^$$' -fuzz '^FuzzParseKey$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzManifest$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzFilters$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzSeekTable$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzSettled$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzLogObject$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzRemovals$$' -fuzztime $(FUZZ_TIME) ./archive
	go test -run '^$$' -fuzz '^FuzzParseLine$$' -fuzztime $(FUZZ_TIME) ./archive/joblog
	go test -run '^$$' -fuzz '^FuzzPattern$$' -fuzztime $(FUZZ_TIME) ./archive/ngram
	go test -run '^$$' -fuzz '^FuzzQuery$$' -fuzztime $(FUZZ_TIME) ./lookup
	go test -run '^$$' -fuzz '^FuzzHTML$$' -fuzztime $(FUZZ_TIME) ./lookup/pages
	go test -run '^$$' -fuzz '^FuzzLocalPath$$' -fuzztime $(FUZZ_TIME) ./lookup/pages
	go test -run '^$$' -fuzz '^FuzzTerminal$$' -fuzztime $(FUZZ_TIME) ./cmd/jobvault
	go test -run '^$$' -fuzz '^FuzzRemote$$' -fuzztime $(FUZZ_TIME) ./cmd/jobvault

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run ./...

tools: $(BIN)/minio $(BIN)/golangci-lint

$(BIN)/minio: ## a real S3 server for the tests; takes minutes the first time
	GOBIN=$(abspath $(BIN)) go install $(MINIO)

$(BIN)/golangci-lint:
	GOBIN=$(abspath $(BIN)) go install $(LINT)

clean:
	rm -rf bin .cache jobvault-data
