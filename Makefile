# The front door; everything behind it is Meson and scripts/. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local
MESON_OPTIONS = --prefix=$(PREFIX)

.PHONY: all demo test bench lint asan fuzz valgrind broker broker-crash degrade install help setup clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@scripts/setup
	@meson setup $(BUILD) $(MESON_OPTIONS) >/dev/null

setup:
	@scripts/setup

demo: setup all
	@scripts/demo $(BUILD)/envseal

test: setup all
	@scripts/test --build $(BUILD)

# The whole e2e suite, its programs started by a broker; `make test` has the part that is fast.
broker: setup all
	@scripts/test --build $(BUILD) --broker

# The whole e2e suite three times, the kernel lacking something; one of them: make degrade SET=container
degrade: setup all
	@scripts/test --build $(BUILD) --degrade $(or $(SET),all)

bench: setup all
	@scripts/bench $(BUILD) --json $(BUILD)/bench.json

lint: setup
	@scripts/lint

# All suites again, built with AddressSanitizer and UndefinedBehaviorSanitizer.
asan: setup
	@test -f $(BUILD)-asan/build.ninja || meson setup $(BUILD)-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C $(BUILD)-asan --quiet
	@scripts/test --build $(BUILD)-asan

# Of the unit suite what valgrind can run.
valgrind: setup all
	@scripts/test --build $(BUILD) --valgrind

# kill -9 of the broker's processes and clients at random moments: make broker-crash ROUNDS=1000
broker-crash: setup all
	@BROKER_CRASH_ROUNDS="$(or $(ROUNDS),1000)" PYTEST_ADDOPTS="-rP -k test_no_secret_outlives_a_kill" \
		scripts/test --build $(BUILD) --only e2e

# Fuzzes one parser: make fuzz T=redact S=60
fuzz: setup
	@scripts/fuzz "$(T)" "$(or $(S),60)"

install: all
	@meson install -C $(BUILD) $(if $(DESTDIR),--destdir $(DESTDIR)) --quiet

clean:
	@rm -rf $(BUILD) build-asan build-fuzz build-lint

help:
	@echo 'make            build $(BUILD)/envseal'
	@echo 'make demo       see it work, on throw-away data'
	@echo 'make test       all test suites'
	@echo 'make broker     the e2e suite again, through the broker'
	@echo 'make degrade    the e2e suite again, under kernels that lack something'
	@echo 'make bench      speed, as ratios within one run; also in $(BUILD)/bench.json'
	@echo 'make lint       cppcheck, clang-tidy, shellcheck'
	@echo 'make asan       all test suites under ASan and UBSan'
	@echo 'make valgrind   the unit suite under valgrind'
	@echo 'make broker-crash ROUNDS=N     kill -9 of the broker and its clients, N times'
	@echo 'make fuzz T=TARGET S=SECONDS   fuzz one parser (tests/fuzz/fuzz_TARGET.c)'
	@echo 'make install    into PREFIX ($(PREFIX)), under DESTDIR'
	@echo 'make clean      remove build folders'
