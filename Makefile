# You need Go, make and git. `make` lists the targets.

# The folder for the files that targets write: the binary, profiles, coverage.
OUT := build

# Without a C compiler: make unit RACE=
RACE ?= -race
# How long `make fuzz` tries each fuzz test.
FUZZTIME ?= 20s

# Binaries without cgo run on any Linux, and in an empty image. -trimpath keeps the builder's folders out of them. lint,
# cover and bench use the same settings, so that libbeat is compiled once.
BUILD_ENV := CGO_ENABLED=0 GOFLAGS="$$(go env GOFLAGS) -trimpath"
# Only the race detector needs cgo.
TEST_ENV := CGO_ENABLED=$(if $(RACE),1,0) GOFLAGS="$$(go env GOFLAGS) $(RACE)"
# The packages to compile before go test and the linter, to show progress. Programs would be linked, so they are not here.
PACKAGES := $$(go list -f '{{if and .GoFiles (ne .Name "main")}}{{.ImportPath}}{{end}}' ./...)
# The linter has its own module file, so that its few hundred modules stay out of go.mod.
LINT := $(BUILD_ENV) go tool -modfile=golangci-lint.mod golangci-lint

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# One target at a time: go uses all cores by itself, and e2e measures time.
.NOTPARALLEL:

.PHONY: help
help: # List the targets. CONTRIBUTING.md and the pages of docs name the others.
	@for group in work suite release; do echo "$$group:"; \
		awk -F ":.*## $$group: " "/^[a-z0-9-]+:.*## $$group: / { printf \"  %-15s %s\\n\", \$$1, \$$2 }" $(MAKEFILE_LIST); done

.PHONY: run
run: build ## work: Build, then run the demo: rtbeat, a Logstash stand-in and a sender
	@go build -o $(OUT)/rtbeat-demo ./examples/demo
	@$(OUT)/rtbeat-demo

.PHONY: build
build: ## work: Build build/rtbeat
	@mkdir -p $(OUT)
	@$(BUILD_ENV) scripts/compile.sh . -buildvcs=false -ldflags "$$(scripts/ldflags.sh)" -o $(OUT)/rtbeat

# SHORT=-short leaves out tests that take many seconds.
SHORT ?=
# STRICT=1 fails instead of skipping a suite whose programs are missing.
STRICT ?=
SUITES := unit e2e chaos-short workflows packages-test manifests senders rolling monitoring browser

.PHONY: test test-all suites
test: tidy-check generate-check ## work: Run the checks of a change that take minutes
	@$(MAKE) unit e2e SHORT=-short
	@$(MAKE) lint
	@$(MAKE) fuzz FUZZTIME=3s
test-all: test suites ## work: Run test, and the suites that need more programs or more time
suites: # Run the suites that `make test` leaves out
	@for suite in $(SUITES); do $(MAKE) $$suite REQUIRE=$(STRICT) || exit 1; done

.PHONY: unit
unit: deps ## work: Run the unit tests, with the race detector
	@$(TEST_ENV) scripts/compile.sh "$(PACKAGES)"
	$(TEST_ENV) go test $(SHORT) -timeout 10m ./...
	$(BUILD_ENV) go test -run Heap -timeout 10m ./internal/batch # the race detector makes allocations larger

.PHONY: e2e
e2e: build ## suite: Run the real binary against a real lumberjack server, Elasticsearch and files
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(STRICT) go test -tags e2e -count=1 -parallel 6 -timeout 15m -v $(SHORT) ./test/e2e

# The duration of `make chaos`. RTBEAT_CHAOS_SEED in the environment repeats a run.
CHAOS_TIME ?= 30m

.PHONY: chaos chaos-short
chaos: build ## suite: Break connections, the sink and the process at random for CHAOS_TIME=30m
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_CHAOS_DURATION=$(CHAOS_TIME) \
		go test -tags chaos -count=1 -timeout 2h -parallel 4 -v ./test/chaos
chaos-short: # The same in a minute: each fault once, then a few at random
	@$(MAKE) chaos CHAOS_TIME=15s

# REQUIRE= skips suites whose programs cannot be installed.
REQUIRE ?= 1

.PHONY: senders
senders: build ## suite: Run senders and proxies, with the recipes of docs/senders.md, against the real binary
	@scripts/provide.sh senders || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) go test -tags senders -count=1 -timeout 10m -v ./test/senders

.PHONY: monitoring
monitoring: build ## suite: Run a real Prometheus with the rules and the dashboard's queries against the real binary
	@scripts/provide.sh monitoring || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) \
		go test -tags monitoring -count=1 -timeout 10m -v ./test/monitoring

# UPDATE=1 writes the table in docs/runbooks.md.
UPDATE ?=

.PHONY: drill
drill: build # Break rtbeat in six ways, and compare health, metrics, alerts, page and log with docs/runbooks.md (five minutes)
	@scripts/provide.sh monitoring
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=1 \
		go test -tags drill -count=1 -timeout 20m -v -run TestDrill ./test/monitoring $(if $(UPDATE),-args -update)

# SHOTS=docs/images writes pictures of the status page. This takes ten minutes more.
SHOTS ?=

.PHONY: browser
browser: build ## suite: Test the status page of the real binary with Chromium
	@scripts/provide.sh browser || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) go test -tags browser -count=1 -timeout 20m -parallel 3 -v ./test/browser \
		$(if $(SHOTS),-run 'TestIdle|TestBusy|TestStalled' -args -screenshots "$(abspath $(SHOTS))")

.PHONY: abuse abuse-memory
abuse: build ## suite: Attack the real binary, and measure the latency of good senders (Linux, root; ten minutes)
	@scripts/provide.sh abuse
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" go test -tags abuse -count=1 -timeout 30m -v -run TestAbuse ./test/abuse
abuse-memory: build # Measure the memory of a byte in flight, and try memory limits from 64 to 512 MiB (root; ten minutes)
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" go test -tags abuse -count=1 -timeout 30m -v -run 'TestMemory|TestLimits' ./test/abuse

.PHONY: deps
deps: # Install a C compiler and libc's headers for the race detector
	@[ -z "$(RACE)" ] || scripts/ccompiler.sh

.PHONY: lint
lint: ## work: Run golangci-lint, which includes go vet (the first run compiles the linter: two minutes)
	@$(BUILD_ENV) scripts/compile.sh "$(PACKAGES)"
	@$(LINT) run

.PHONY: fmt
fmt: ## work: Format the code as lint wants it
	@$(LINT) fmt

# There is no go mod verify: it finds files that changed in the module cache after their download. go.sum checks downloads.
.PHONY: tidy-check
tidy-check: # Fail when go.mod or go.sum is not tidy
	go mod tidy -diff

# Each writes committed files; -check compares them.
GENERATORS := ./tools/notice ./tools/rules ./tools/settings ./tools/metrics ./tools/answers

.PHONY: generate generate-check
generate: ## work: Write the generated files: NOTICE, the tables of settings, metrics and answers, the copies of the rules for Prometheus
	@for tool in $(GENERATORS); do go run $$tool || exit 1; done
generate-check: # Fail when a generated file is out of date
	@for tool in $(GENERATORS); do go run $$tool -check || exit 1; done

# BENCH_OUT=docs/benchmarks writes the report there as well. BENCH_FLAGS=-quick is a short trial.
BENCH_OUT ?=
BENCH_FLAGS ?=
# The cores of the measured processes, and of the senders and the sink.
BENCH_CORE ?= 0
BENCH_OTHER_CORE ?= 1

.PHONY: bench bench-go
bench: build # Measure the real binary beside libbeat and lumberjack alone (Linux; two cores, ten minutes, nothing else running)
	@$(BUILD_ENV) go test -c -o $(OUT)/bench ./test/bench
	@$(BUILD_ENV) scripts/compile.sh ./test/bench/ceiling -ldflags "-s -w" -o $(OUT)/bench-ceiling
	@RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" taskset -c $(BENCH_OTHER_CORE) $(OUT)/bench -test.run TestBench -test.timeout 1h \
		-core $(BENCH_CORE) -ceiling "$(CURDIR)/$(OUT)/bench-ceiling" -commit "$$(git describe --always --dirty 2>/dev/null)" \
		-out "$(BENCH_OUT)" $(BENCH_FLAGS)
bench-go: # Run the micro-benchmarks of the packages
	$(BUILD_ENV) go test -run '^$$' -bench . -benchmem ./internal/...

# The time to minimise is bounded; otherwise it may take a whole short run. A finding stays in testdata/fuzz, and fails
# `make unit` from then on. The second try is for workers that go stops too late; a real finding fails it, too.
.PHONY: fuzz
fuzz: ## work: Fuzz the parsers of foreign bytes, FUZZTIME=20s for each fuzz test
	@grep -ro --include=*_test.go '^func Fuzz[A-Za-z0-9]*' internal | while IFS=: read -r file found; do \
		fuzz="go test -run ^$$ -fuzz ^$${found#func }\$$ -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file)"; \
		echo "$$fuzz"; $$fuzz || $$fuzz || exit 1; \
	done

.PHONY: cover
cover: # Measure the unit tests' coverage; build/cover.html shows it line by line
	@mkdir -p $(OUT)
	$(BUILD_ENV) go test -timeout 10m -coverprofile=$(OUT)/cover.out ./...
	go tool cover -html=$(OUT)/cover.out -o $(OUT)/cover.html
	@go tool cover -func=$(OUT)/cover.out | tail -n 1

.PHONY: clean
clean: # Remove the files of builds and runs
	rm -rf $(OUT) dist data logs

.PHONY: rolling
rolling: build ## suite: Restart three instances behind HAProxy in turn, ten times each, while senders post (a minute)
	@scripts/provide.sh rolling || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) go test -tags rolling -count=1 -timeout 10m -parallel 4 -v ./test/rolling

.PHONY: packages
packages: build ## release: Build the deb, rpm and apk of this machine's architecture into build/packages
	@$(BUILD_ENV) scripts/linuxpackages.sh

.PHONY: systemd
systemd: packages # Install the package in a booted systemd: sockets, restarts, watchdog, upgrade, purge (Linux, root; four minutes)
	@scripts/provide.sh systemd || [ -z "$(REQUIRE)" ]
	RTBEAT_DEB=$(OUT)/systemd/current.deb RTBEAT_DEB_OLDER=$(OUT)/systemd/older.deb RTBEAT_REQUIRE=$(REQUIRE) \
		go test -tags systemd -count=1 -timeout 20m -v ./test/systemd

.PHONY: packages-test
packages-test: packages # Check the packages: files, owners, scripts, unit, lintian, rpm
	@scripts/provide.sh packages-test || [ -z "$(REQUIRE)" ]
	RTBEAT_REQUIRE=$(REQUIRE) go test -tags packages -count=1 -timeout 10m -v ./test/packages

.PHONY: release-check
release-check: ## release: Make a release twice without publishing it, and check every file (an hour with an empty cache)
	go test -tags release -count=1 -timeout 2h -v ./test/release

.PHONY: workflows
workflows: # Run actionlint over the workflows, and shellcheck over all scripts
	@scripts/provide.sh workflows || [ -z "$(REQUIRE)" ]
	RTBEAT_ACTIONLINT="$$(scripts/tool.sh actionlint)" RTBEAT_REQUIRE=$(REQUIRE) go test -tags workflows -count=1 -timeout 5m -v ./test/workflows

PLATFORMS ?= $$(grep -v '^\#' scripts/platforms.txt)

.PHONY: cross
cross: # Compile and vet everything for the other systems of a release (minutes for each)
	@for platform in $(PLATFORMS); do scripts/cross.sh "$$platform" || exit 1; done

.PHONY: vulncheck
vulncheck: # Find known vulnerabilities in the code that is called (needs vuln.go.dev)
	@"$$(scripts/tool.sh govulncheck)" ./...

# The name and the platforms of the image. IMAGE_PLATFORMS="linux/amd64 linux/arm64" makes a manifest list. The first
# build for another architecture compiles libbeat again.
IMAGE ?= rtbeat:dev
IMAGE_PLATFORMS ?= linux/$(shell go env GOARCH)
IMAGE_BINARIES = for p in $(IMAGE_PLATFORMS); do GOOS=$${p%/*} GOARCH=$${p\#*/} $(MAKE) build OUT=$(OUT)/image/$$p || exit 1; done

.PHONY: image image-test
image: ## release: Build the container image with docker, podman or buildah
	@$(IMAGE_BINARIES)
	@scripts/image-build.sh $(OUT)/image $(IMAGE) $(IMAGE_PLATFORMS)
image-test: # Build the image without Docker, check its files, and run it without any rights (Linux, root)
	@$(IMAGE_BINARIES)
	@scripts/provide.sh image-test || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/image/$(firstword $(IMAGE_PLATFORMS))/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) \
		RTBEAT_IMAGE_FOLDER="$(CURDIR)/$(OUT)/image" RTBEAT_IMAGE_PLATFORMS="$(IMAGE_PLATFORMS)" \
		go test -tags image -count=1 -timeout 20m -v ./test/image

.PHONY: manifests chart
manifests: build # Check the manifests for Kubernetes with its schemas, its restricted profile and the real binary
	@scripts/manifests.sh kustomize kubeconform || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) \
		go test -tags manifests -count=1 -timeout 20m -v -skip '^TestChart' ./test/manifests
chart: build # Check the Helm chart the same way, and compare it with the manifests (helm takes minutes to build)
	@scripts/manifests.sh kustomize kubeconform helm || [ -z "$(REQUIRE)" ]
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/rtbeat" RTBEAT_REQUIRE=$(REQUIRE) \
		go test -tags manifests -count=1 -timeout 20m -v -run '^TestChart' ./test/manifests

# RUN chooses tests. In the environment, RTBEAT_CLUSTER_RUNS is the number of rollouts in a row, and RTBEAT_CLUSTER_MEASURE=1 compares
# affinities.
RUN ?=

.PHONY: cluster
cluster: # Run the manifests on a real Kubernetes of two nodes (Linux, root; minutes, and at the first time ten more to build it)
	@$(IMAGE_BINARIES)
	@scripts/manifests.sh helm
	@scripts/provide.sh cluster
	RTBEAT_BINARY="$(CURDIR)/$(OUT)/image/$(firstword $(IMAGE_PLATFORMS))/rtbeat" RTBEAT_REQUIRE=1 \
		RTBEAT_IMAGE_FOLDER="$(CURDIR)/$(OUT)/image" go test -tags cluster -count=1 -timeout 40m -v ./test/cluster $(if $(RUN),-run '$(RUN)')

.PHONY: ship-test ship-short
ship-test: ship-short cluster release-check ## release: Run the tests that `make test-all` leaves out: a booted system, the image, the chart, a cluster, a release
ship-short: # The same without the cluster, and without the release, which compiles libbeat for six platforms (ten minutes)
	@for suite in systemd image-test chart; do $(MAKE) $$suite REQUIRE=$(REQUIRE) || exit 1; done
