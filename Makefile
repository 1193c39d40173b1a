# make run      builds, then starts the local platform: token-server behind a function runtime at PORT, token-server-cache
#               at PORT+1, an embedded store, a fake provider. Takes PORT (8080), PLATFORM (lambda), DATA (build/run), DATABASE_URL and every
#               other setting of the functions from the command line or the environment. Ctrl-C stops all of it
# make test     every test: pure, simulated, on real MariaDB and SQLite, end to end
# make fuzz     mutated inputs for whatever reads what comes from outside
# make simulate SEEDS=100000   so many histories of the refresh protocol; FROM is the first seed
# make check    formatting, imports, all tests plainly and under the thread sanitizer, linkage, templates, scripts
# make bench    what it costs, and what it takes beside nginx and the bare database client: prints tables, writes them to build/bench
# make paste    puts the tables of the last whole `make bench` into README.md and docs/cost.md
# make soak     the long versions of the tests that have one
# make clean    removes what was built, and build/run with it
#
# The Debian packages each of them needs (.ci/packages) are installed when missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test simulate fuzz fuzz-soak bench paste check soak clean build-tests format linkage template scripts test-under-thread-sanitizer
.NOTPARALLEL:

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

## Building. One scratch path per configuration, so that none rebuilds another's.

programs := token-server token-server-cache token-server-admin event-server fake-provider
release := .build/release-static
# Folders too: their times tell of files that went.
sources := Package.swift $(shell find Sources)

build/bin/.built: $(sources)
	@.ci/install build
	@mkdir -p build/bin
	@for program in $(programs); do \
	    swift build --configuration release --static-swift-stdlib --scratch-path $(release) --product $$program; \
	    install $(release)/release/$$program build/bin/$$program; \
	done
	@touch $@

## Running.

export PORT ?= 8080
DATA ?= build/run

run: build/bin/.built
	@exec build/bin/event-server run --programs build/bin --bootstrap ./bootstrap --data "$(DATA)" --template $(if $(filter fc,$(PLATFORM)),s.yaml,template.yml)

## Testing.

# What passed is counted in the closing line; what failed is told in full, and all of it is in the log.
report = tee build/$(1).log | sed -E '/^[^ ]+ Test run /b; /^[^ ]+ (Test|Suite) .*(started\.|passed after .*)$$/d; /^[^ ]+ Test case passing /d'
strict := --explicit-target-dependency-import-check error

build-tests:
	@.ci/install build test
	@mkdir -p build
	@swift build --quiet --build-tests $(strict)

test: build-tests simulate fuzz
	@build/bin/simulate --mutations
	@swift test --skip-build --disable-xctest 2>&1 | $(call report,test)

fuzz: build/bin/fuzz
	@build/bin/fuzz

build/bin/fuzz: $(sources)
	@.ci/install build
	@mkdir -p build/bin
	@swift build --configuration release --static-swift-stdlib --scratch-path $(release) --product fuzz
	@install $(release)/release/fuzz $@

FUZZ_SECONDS ?= 600

# Guided by coverage, every target at once; then, unguided, whether memory grows. libFuzzer brings a beginning of its own, and the
# package manager names one: either will do.
fuzz-soak: build/bin/fuzz
	@swift build --configuration release --scratch-path .build/coverage -Xswiftc -sanitize=fuzzer -Xswiftc -DCOVERAGE \
	    -Xlinker -z -Xlinker muldefs --product fuzz
	@rm -rf build/fuzz && build/bin/fuzz --write-seeds build/fuzz
	@started=; for seeds in build/fuzz/*/; do \
	    target=$$(basename "$$seeds"); \
	    FUZZ_TARGET=$$target .build/coverage/release/fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=20 \
	        -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix=build/fuzz/$$target- "$$seeds" 2> build/fuzz/$$target.log & \
	    started="$$started $$!"; \
	done; \
	failed=; for process in $$started; do wait "$$process" || failed=yes; done; \
	grep -aE 'Done|ERROR|Fatal|number_of_executed_units|peak_rss_mb' build/fuzz/*.log; test -z "$$failed"
	@build/bin/fuzz --seconds 60

SEEDS ?= 10000
FROM ?= 1

simulate: build/bin/simulate
	@build/bin/simulate --seeds $(SEEDS) --from $(FROM)

# Optimised: an unoptimised simulator takes ten times as long.
build/bin/simulate: $(sources)
	@.ci/install build
	@mkdir -p build/bin
	@swift build --configuration release --static-swift-stdlib --scratch-path $(release) --product simulate
	@install $(release)/release/simulate $@

bench: build/bin/cost-benchmark build/bin/.built
	@.ci/install test bench
	@for measure in refresh calls memory-hits database-hits hung-provider strangers security; do build/bin/cost-benchmark $$measure; done

paste: build/bin/cost-benchmark
	@build/bin/cost-benchmark paste

build/bin/cost-benchmark: $(sources)
	@.ci/install build
	@mkdir -p build/bin
	@swift build --configuration release --static-swift-stdlib --scratch-path $(release) --product cost-benchmark
	@install $(release)/release/cost-benchmark $@

# The suites that ask for SOAK, by the names of the types in their files.
soak: build-tests fuzz-soak
	@.ci/install soak
	@suites=$$(grep --recursive --files-with-matches --word-regexp SOAK Tests --include='*.swift' \
	    | xargs sed -nE 's/^(@Suite(\([^)]*\))? )?(private |fileprivate )?(final )?(struct|class|enum|extension) ([A-Za-z]+).*/\6/p' \
	    | sort -u | paste -sd '|'); \
	test -n "$$suites"; \
	SOAK=1 swift test --skip-build --disable-xctest --filter "\.($$suites)/" 2>&1 | $(call report,soak)

test-under-thread-sanitizer:
	@.ci/install build test
	@mkdir -p build
	@swift build --quiet --build-tests --sanitize thread --scratch-path .build/thread
	@swift test --skip-build --disable-xctest --sanitize thread --scratch-path .build/thread 2>&1 | $(call report,thread)

## Checking. Cheapest first; warnings are errors in Package.swift.

check: | format scripts template linkage test test-under-thread-sanitizer
	@echo "check: all good"

format:
	@swift format lint --strict --recursive Sources Tests Package.swift

shell_scripts := bootstrap .ci/install .ci/linkage

scripts:
	@.ci/install check
	@for script in $(shell_scripts); do sh -n $$script; done
	@bash -n .ci/run
	@shellcheck $(shell_scripts) .ci/run

# Only the functions: they must start in milliseconds on the clouds' images.
linkage: build/bin/.built
	@.ci/install check
	@.ci/linkage build/bin/token-server build/bin/token-server-cache

cfn_lint := build/venv/bin/cfn-lint

template: $(cfn_lint)
	@$(cfn_lint) template.yml
	@build/venv/bin/python .ci/check-s-yaml s.yaml --selftest

$(cfn_lint): .ci/requirements.txt
	@.ci/install check
	@python3 -m venv build/venv
	@build/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

clean:
	rm -rf .build build
