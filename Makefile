# ngx_http_web_bot_auth_module and its tool wba.  `make help` lists targets.
#
# Every flavour (compiler, sanitizers) builds into a folder of its own:
# build/gcc, build/clang, build/asan.  Nothing here installs anything but the
# targets whose help says so.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

FLAVOUR ?= gcc
BUILD := $(CURDIR)/build/$(FLAVOUR)
NGINX_BINARY ?= /usr/sbin/nginx
NGINX_SRC ?= /usr/share/nginx/src
PYTHON ?= /usr/bin/python3

# Public conformance data.  Where nobody names a place and the usual one is
# not there, `make test` says so and goes on; a place that is named must exist.
VECTORS_DEFAULT := $(CURDIR)/../shared/vectors
ifeq ($(origin VECTORS),undefined)
VECTORS := $(if $(wildcard $(VECTORS_DEFAULT)),$(VECTORS_DEFAULT),skip)
endif
export NGINX_BINARY VECTORS

# What a fresh Debian 12 lacks.
PACKAGES := gcc make nginx nginx-dev libsodium-dev libssl-dev libcurl4-openssl-dev \
	libjansson-dev libhiredis-dev libcmocka-dev redis-server openssl curl ca-certificates python3 \
	python3-pytest python3-pytest-xdist python3-cryptography python3-h2
# For tests alone: the browser that looks at the status page, pgrep, the shells that
# complete wba's words.
TEST_PACKAGES := chromium procps bash zsh
# For the client that we did not write.
NODE_PACKAGES := $(if $(shell command -v npm),,nodejs npm)
# For the other compiler, the sanitizers, the fuzzers, and what reads the source.
CI_PACKAGES := clang libclang-rt-14-dev llvm-14 clang-tidy cppcheck dpkg-dev valgrind
# For the benchmarks: callgrind's header, and the profile.
BENCH_PACKAGES := valgrind linux-perf

# psabi: how the alignment of 64-bit atomics changed in gcc 11, on 32-bit x86.
WARN := -Wall -Wextra -Werror -Wshadow -Wno-psabi
OPT := -O2 -g
SAN :=
ifeq ($(FLAVOUR),clang)
CC := clang
else ifeq ($(FLAVOUR),asan)
CC := gcc
OPT := -O1 -g -fno-omit-frame-pointer
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(FLAVOUR),fuzz)
CC := clang
OPT := -O1 -g -fno-omit-frame-pointer
SAN := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifeq ($(FLAVOUR),cover)
CC := clang
OPT := -O1 -g
SAN := -fprofile-instr-generate -fcoverage-mapping
else ifeq ($(FLAVOUR),msan)
CC := clang
OPT := -O1 -g -fno-omit-frame-pointer
SAN := -fsanitize=memory -fsanitize-memory-track-origins
else ifeq ($(FLAVOUR),gcov)
CC := gcc
OPT := -O0 -g -Wno-maybe-uninitialized
SAN := --coverage -fprofile-abs-path -fprofile-update=atomic
else
CC := gcc
endif
export CC

# nginx's headers leave parameters unused.
MODULE_WARN := $(WARN) -Wno-unused-parameter
# What dpkg-buildflags gives for hardening=+all, and what newer Debians add;
# tests/conformance/hardening.sh compares.
HARDEN := -fstack-protector-strong -fstack-clash-protection -Wformat \
	-Werror=format-security -Wdate-time
ifeq ($(filter asan msan fuzz cover gcov,$(FLAVOUR)),)
HARDEN += -D_FORTIFY_SOURCE=2
endif
# Of these two the compiler knows its machine's only.
HARDEN += $(foreach f,-fcf-protection -mbranch-protection=standard,$(shell \
	$(CC) -Werror $(f) -E -x c /dev/null > /dev/null 2>&1 && echo $(f)))
HARDEN_LD := -Wl,-z,relro -Wl,-z,now

CFLAGS := -std=c11 -D_POSIX_C_SOURCE=200809L $(OPT) $(WARN) $(HARDEN) $(SAN) \
	-fPIC -Isrc/core -Isrc/fetch -Isrc/cli -MMD -MP
LIBS := -lsodium -lcrypto -lcurl -ljansson -lhiredis -lpthread -lm

CORE_SRC := $(wildcard src/core/*.c)
FETCH_SRC := $(wildcard src/fetch/*.c)
CLI_SRC := $(wildcard src/cli/*.c)
NGINX_FILES := config $(wildcard src/core/* src/fetch/* src/nginx/*)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_LIB := $(BUILD)/libwba-core.a
FETCH_LIB := $(BUILD)/libwba-fetch.a
MODULE := $(BUILD)/ngx_http_web_bot_auth_module.so
WBA := $(BUILD)/wba

# The one that waits most of its time comes first.
UNIT_SRC := tests/unit/test_redis.c \
	$(filter-out %/test_redis.c,$(wildcard tests/unit/test_*.c))
UNIT_JOBS ?= $(shell nproc)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
SHIMS := $(BUILD)/unit/slow_resolver.so
PRELOADED := $(addprefix $(BUILD)/tests/,names.so trust.so faults.so dies.so)
SF_FILTER := $(BUILD)/sf_filter

.PHONY: all
all: module wba ## build the module and the tool (build/gcc), installing nothing

.PHONY: module
module: $(MODULE) ## build ngx_http_web_bot_auth_module.so

.PHONY: wba
wba: $(WBA) ## build the tool wba

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) \
	    | sed -E 's/^([a-z-]+):.*## */\1\t/' \
	    | awk -F'\t' '{ printf "  make %-17s %s\n", $$1, $$2 }'

# --- what must be installed

install_missing = missing=$$(for p in $(1); do \
	    dpkg-query -W -f='$${db:Status-Status}\n' $$p 2>/dev/null \
	        | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo "installing:" $$missing; \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get -qq update \
	    && DEBIAN_FRONTEND=noninteractive $$sudo apt-get -qq install -y \
	        --no-install-recommends $$missing > /dev/null; fi

.PHONY: deps
deps: ## install what building, running and testing need (apt, sudo)
	@$(call install_missing,$(PACKAGES))

.PHONY: test-deps
test-deps: deps ## install what tests need besides
	@$(call install_missing,$(TEST_PACKAGES))

# Prometheus' own checker of metrics and rules; taken out of its package, as
# installing that would start a server.
PROMTOOL := build/promtool
$(PROMTOOL):
	@mkdir -p $(@D)/prometheus && cd $(@D)/prometheus \
	    && apt-get -qq download prometheus 2> /dev/null \
	    && dpkg-deb -x prometheus_*.deb . && cp usr/bin/promtool ../ \
	    && rm -rf ../prometheus

.PHONY: ci-deps
ci-deps: deps ## install what .ci/run needs besides
	@$(call install_missing,$(CI_PACKAGES) $(NODE_PACKAGES))

# --- libraries and the tool

# What compiles is compiled anew when its flags have changed.
FLAGS := $(BUILD)/flags
$(FLAGS): FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CFLAGS)' > $@

$(BUILD)/obj/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -c $< -o $@

$(CORE_LIB): $(call obj,$(CORE_SRC))
	@rm -f $@
	@ar rcs $@ $^

$(FETCH_LIB): $(call obj,$(FETCH_SRC))
	@rm -f $@
	@ar rcs $@ $^

$(WBA): $(call obj,$(CLI_SRC)) $(FETCH_LIB) $(CORE_LIB)
	@echo "  LD    $(@F)"
	@$(CC) $(SAN) -pie $(HARDEN_LD) -o $@ $^ $(LIBS)

# --- the module, with the configuration of Debian's nginx

NGINX_BUILD := $(BUILD)/nginx
CONFIGURED := $(NGINX_BUILD)/configured

# Configured anew only when the list of files or the build script changes.
FILE_LIST := $(BUILD)/files
$(FILE_LIST): FORCE
	@mkdir -p $(@D)
	@ls src/core src/fetch src/nginx | cmp -s - $@ \
	    || ls src/core src/fetch src/nginx > $@

.PHONY: FORCE
FORCE:

$(CONFIGURED): config Makefile src/nginx/status.html $(FILE_LIST)
	@test -x $(NGINX_SRC)/configure \
	    || { echo "nginx-dev is missing: run 'make deps' or apt-get install nginx-dev"; exit 1; }
	@mkdir -p $(NGINX_BUILD)
	@echo "  CONF  nginx modules ($(FLAVOUR))"
	@cd $(NGINX_SRC) && . ./conf_flags \
	    && ./configure "$${NGX_CONF_FLAGS[@]}" --with-cc=$(CC) \
	        --with-cc-opt='$(OPT) $(MODULE_WARN) $(HARDEN) $(SAN) -fPIC' \
	        --with-ld-opt='$(HARDEN_LD) $(SAN)' \
	        --add-dynamic-module=$(CURDIR) --builddir=$(NGINX_BUILD) \
	        > $(NGINX_BUILD)/configure.log \
	    || { tail -n 12 $(NGINX_BUILD)/configure.log; exit 1; }
	@touch $@

$(MODULE): $(CONFIGURED) $(NGINX_FILES)
	@echo "  MAKE  $(@F)"
	@$(MAKE) --no-print-directory -s -f $(NGINX_BUILD)/Makefile \
	    -C $(NGINX_SRC) modules
	@cp --remove-destination $(NGINX_BUILD)/ngx_http_web_bot_auth_module.so $@

# --- tests

ifeq ($(FLAVOUR),msan)
# Calls of libraries that MSan does not see into go through this file.
UNIT_MORE := $(call obj,tests/unit/uninstrumented.c)
UNIT_LD := $$(nm $(UNIT_MORE) | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')
endif

$(BUILD)/unit/%: tests/unit/%.c $(UNIT_MORE) $(FETCH_LIB) $(CORE_LIB)
	@mkdir -p $(@D)
	@echo "  LD    $(@F)"
	@$(CC) $(CFLAGS) -DCMOCKA_DISABLE_DEPRECATION_WARNINGS -Itests/unit \
	    -o $@ $< $(UNIT_MORE) $(FETCH_LIB) $(CORE_LIB) $(UNIT_LD) -lcmocka \
	    $(LIBS)

$(BUILD)/unit/test_crypto_prefetch: LIBS += -lssl

$(BUILD)/unit/%.so: tests/unit/%.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -shared -o $@ $< -ldl

$(BUILD)/tests/%.so: tests/integration/shims/%.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -shared -o $@ $< -ldl

$(BUILD)/wycheproof: tests/conformance/wycheproof.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

$(BUILD)/sf_vectors: tests/conformance/sf_vectors.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

$(SF_FILTER): tests/interop/sf_filter.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

.PHONY: unit
unit: $(UNIT_BIN) $(SHIMS) ## run the unit tests (FLAVOUR=asan: under ASan and UBSan)
	@BUILD=$(BUILD) UNIT_WRAPPER="$(UNIT_WRAPPER)" \
	    sh tests/unit/run.sh $(UNIT_JOBS) $(UNIT_BIN)

.PHONY: conformance
conformance: $(BUILD)/sf_vectors $(BUILD)/wycheproof ## run the public vectors (VECTORS=folder, or skip)
	@if [ "$(VECTORS)" = skip ]; then \
	    echo "conformance: skipped, no vectors: VECTORS=FOLDER names theirs"; \
	else test -d "$(VECTORS)" \
	    || { echo "no vectors in $(VECTORS): set VECTORS=FOLDER or VECTORS=skip"; exit 1; }; \
	    $(BUILD)/sf_vectors && $(BUILD)/wycheproof; fi

# One process for each core, a file of tests at a time: nginx and its servers
# live as long as a file's tests.
PYTEST_JOBS ?= $(shell nproc)
PYTEST := PYTHONDONTWRITEBYTECODE=1 MODULE=$(MODULE) WBA=$(WBA) \
	SF_FILTER=$(SF_FILTER) PROMTOOL=$(abspath $(PROMTOOL)) \
	$(PYTHON) -m pytest -q -rs -p no:cacheprovider -n $(PYTEST_JOBS) --dist loadfile

.PHONY: integration
integration: all $(PRELOADED) $(PROMTOOL) ## run the tests with a real nginx (PYTEST_ARGS=... to choose)
	@$(PYTEST) $(or $(TESTS),tests/integration) $(PYTEST_ARGS)

# The module with ASan and UBSan in a stock nginx, which loads their libraries
# first.  They see what malloc gave; with a nginx of their own, pools as well.
SANITIZED := NGINX_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0:verify_asan_link_order=0 \
	UBSAN_OPTIONS=print_stacktrace=1

.PHONY: integration-asan
integration-asan: deps ## the tests with nginx, ASan and UBSan in the module (TESTS=... to choose)
	@$(SANITIZED) $(MAKE) --no-print-directory FLAVOUR=asan integration

# Of each kind of work that the module does, for .ci/run.
SHORT_TESTS := test_verify test_bad_input test_http2 test_body test_body_link \
	test_challenge test_directories test_redis test_reload test_status test_nonce_file

.PHONY: integration-asan-short
integration-asan-short:
	@$(MAKE) --no-print-directory integration-asan \
	    TESTS="$(SHORT_TESTS:%=tests/integration/%.py)"

.PHONY: integration-asan-nginx
integration-asan-nginx: deps ## the same, and ASan in an nginx from Debian's source
	@$(call install_missing,$(COMPAT_PACKAGES))
	@nginx=$$($(PYTHON) tests/compat/nginx_asan.py build/compat) || { \
	    status=$$?; [ $$status = 3 ] && exit 0 || exit $$status; }; \
	$(SANITIZED) $(MAKE) --no-print-directory FLAVOUR=asan \
	    NGINX_BINARY=$$nginx integration

# Under valgrind nginx is one process, which cannot reload; none that fetches
# keys, as a fetch takes longer there than a test waits.
VALGRIND_TESTS := test_verify test_bad_input test_outcomes test_http2 test_body \
	test_body_link test_algorithms test_static_signatures test_variables

# Not those that assert how long something takes, or that compute for minutes.
VALGRIND_UNITS = $(filter-out $(addprefix $(BUILD)/unit/test_,fetch fetch_loop \
	replay_processes crypto_evp forgery verify_model verify_mutations \
	visa_sample),$(UNIT_BIN))
VALGRIND := valgrind -q --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --num-callers=20

.PHONY: valgrind
valgrind: all $(UNIT_BIN) $(PRELOADED) $(PROMTOOL) ## a part of the unit tests, and of those with nginx, under memcheck
	@$(call install_missing,valgrind)
	@$(MAKE) --no-print-directory unit UNIT_BIN="$(VALGRIND_UNITS)" \
	    UNIT_WRAPPER="$(VALGRIND) --error-exitcode=9"
	@NGINX_WRAPPER="$(VALGRIND) \
	    --suppressions=$(CURDIR)/tests/integration/harness/valgrind.supp" \
	    $(PYTEST) $(VALGRIND_TESTS:%=tests/integration/%.py) $(PYTEST_ARGS)

.PHONY: torture
torture: all $(PRELOADED) $(BUILD)/unit/test_crypto_prefetch ## fail every allocation and system call in turn; make test takes samples
	@TORTURE=all $(BUILD)/unit/test_crypto_prefetch
	@TORTURE=all $(PYTEST) tests/integration -k torture $(PYTEST_ARGS)

INTEROP := build/interop

$(INTEROP)/node_modules: tests/interop/package.json
	@$(call install_missing,$(NODE_PACKAGES))
	@mkdir -p $(INTEROP) && cp tests/interop/package*.json $(INTEROP)
	@cd $(INTEROP) && npm install --silent --no-audit --no-fund
	@touch $@

.PHONY: interop
interop: all $(INTEROP)/node_modules $(SF_FILTER) ## run clients that we did not write against it
	@$(PYTEST) tests/interop $(PYTEST_ARGS)

.PHONY: test
test: test-deps ## install what is needed, build, run every test that is not long
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory conformance
	@$(MAKE) --no-print-directory $(INTEROP)/node_modules $(PRELOADED) \
	    $(SF_FILTER) $(PROMTOOL)
	@$(PYTEST) tests/interop tests/integration $(PYTEST_ARGS)

.PHONY: run
run: deps ## install what is needed, build, show agents at a shop, leave it up
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo/run.py --build $(BUILD)

.PHONY: asan
asan: ## run the unit tests under ASan and UBSan
	@$(MAKE) --no-print-directory FLAVOUR=asan unit conformance

.PHONY: msan
msan: ## run the unit tests under clang's MSan
	@$(MAKE) --no-print-directory FLAVOUR=msan unit

COVERAGE := $(PYTHON) tests/coverage/coverage.py
GCOV := $(CURDIR)/build/gcov

# Lets all allocations of a worker fail, those by which gcov writes its counts
# as well: it crashes then.
NO_GCOV := tests/integration/test_torture_master.py::test_workers

.PHONY: coverage
coverage: test-deps ## measure by gcov what the tests run, in 20 minutes (DOC=1)
	@$(MAKE) --no-print-directory FLAVOUR=gcov all
	@$(COVERAGE) begin $(GCOV)
	@$(MAKE) --no-print-directory FLAVOUR=gcov unit
	@$(COVERAGE) collect $(GCOV) unit
	@$(MAKE) --no-print-directory FLAVOUR=gcov integration \
	    PYTEST_ARGS="--deselect $(NO_GCOV)"
	@$(COVERAGE) collect $(GCOV) integration
	@$(if $(DOC),$(COVERAGE) document $(GCOV))
	@$(COVERAGE) report $(GCOV)

# What decides.  Of other files FILES may ask as well; their survivors are not
# argued.
FILES ?= $(addprefix src/core/,judge.c profile.c rules.c verify.c verify_keys.c \
	verify_read.c verify_try.c sigbase.c replay.c)

.PHONY: mutants
mutants: $(SHIMS) ## change one thing in what decides at a time: some unit test must fail (an hour; DOC=1)
	@PYTHONDONTWRITEBYTECODE=1 nice -n 5 $(PYTHON) tests/mutation/run.py \
	    --build build/mutation --jobs 2 --cflags '$(filter-out $(SAN),$(CFLAGS))' \
	    --libs '$(LIBS) -lssl' $(if $(DOC),--document) $(MUTANTS_ARGS) $(FILES)

# --- other nginx, other systems

COMPAT_PACKAGES := dpkg-dev mmdebstrap arch-test
# What a system to build in has: what the Makefile installs, and both compilers.
COMPAT_SYSTEM = $(PACKAGES) $(DEB_PACKAGES) clang procps

# COMPAT="1.26.3 trixie i386" for some of them; DOCS=1 puts the results into
# docs/compatibility.md.
.PHONY: compat
compat: deps $(PRELOADED) ## build with each nginx that can be had, and test (COMPAT=... to choose)
	@$(call install_missing,$(CI_PACKAGES) $(COMPAT_PACKAGES))
	@$(PYTHON) tests/compat/run.py --shims $(BUILD)/tests --only "$(COMPAT)" \
	    --packages "$(COMPAT_SYSTEM)" $(if $(DOCS),--docs)

# --- measuring

BENCH_CFLAGS = $(CFLAGS) -D_DEFAULT_SOURCE
BENCH_LOAD := tests/bench/load_request.c tests/bench/load_frames.c
BENCH_BIN := $(addprefix $(BUILD)/,load fill stages ngx_http_bench_module.so)

.PHONY: bench-deps
bench-deps: deps
	@$(call install_missing,$(BENCH_PACKAGES))

$(BUILD)/load: tests/bench/load.c $(BENCH_LOAD) tests/bench/load.h $(CORE_LIB)
	@$(CC) $(BENCH_CFLAGS) -o $@ $(filter-out %.h,$^) $(LIBS)

$(BUILD)/fill: tests/bench/fill.c $(BENCH_LOAD) tests/bench/load.h $(CORE_LIB)
	@$(CC) $(BENCH_CFLAGS) -o $@ $(filter-out %.h,$^) $(LIBS)

$(BUILD)/stages: tests/bench/stages.c $(BENCH_LOAD) tests/bench/load.h $(CORE_LIB)
	@$(CC) $(BENCH_CFLAGS) -Wl,--wrap=crypto_sign_verify_detached \
	    -o $@ $(filter-out %.h,$^) $(LIBS)

# One file, which needs no configure of its own.
$(BUILD)/ngx_http_bench_module.so: tests/bench/ngx_http_bench_module.c $(CONFIGURED)
	@cd $(NGINX_SRC) && $(CC) $(OPT) $(MODULE_WARN) $(HARDEN) -fPIC -shared \
	    -I src/core -I src/event -I src/event/modules -I src/os/unix \
	    -I $(NGINX_BUILD) -I src/http -I src/http/modules -I src/http/v2 \
	    -o $@ $(CURDIR)/$< -lsodium

$(BUILD)/nonces: tests/bench/nonces.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

$(BUILD)/verdicts: tests/bench/verdicts.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

$(BUILD)/timing: tests/bench/timing.c $(CORE_LIB)
	@$(CC) $(CFLAGS) -o $@ $< $(CORE_LIB) $(LIBS)

.PHONY: bench
bench: bench-deps ## measure side by side on loopback, in 5 minutes (BENCH_SECONDS=270, DOC=1)
	@$(MAKE) --no-print-directory all $(BENCH_BIN) $(INTEROP)/node_modules
	@$(PYTHON) tests/bench/bench.py --build $(BUILD) \
	    --modules $(INTEROP)/node_modules --json build/bench/result.json \
	    $(if $(DOC),--document)

# The counts that are kept: tests/bench/instructions.json.
.PHONY: instructions
instructions: bench-deps ## count instructions by callgrind, compare with those kept (UPDATE=1: keep these)
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@$(PYTHON) tests/bench/instructions.py --build $(BUILD) \
	    $(if $(UPDATE),--update) $(if $(TOP),--top $(TOP))

.PHONY: flamegraph
flamegraph: bench-deps ## sample a verified request's time into docs/performance-profile.svg
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@$(PYTHON) tests/bench/flamegraph.py --build $(BUILD) \
	    --out docs/performance-profile.svg

.PHONY: bench-nonces
bench-nonces: $(BUILD)/nonces ## measure the nonce table alone: fills, sizes, processes
	@$(BUILD)/nonces

.PHONY: bench-verdicts
bench-verdicts: $(BUILD)/verdicts ## measure what the cache for static signatures saves
	@$(BUILD)/verdicts

.PHONY: bench-timing
bench-timing: $(BUILD)/timing ## see what can be told from the time of a refusal, by statistics
	@$(BUILD)/timing

.PHONY: bench-flood
bench-flood: all $(BUILD)/load ## measure plain pages during a flood of forgeries
	@$(PYTHON) tests/bench/flood.py --build $(BUILD)

.PHONY: bench-stores
bench-stores: all $(BUILD)/load ## measure nonce stores: shared, file, Redis
	@$(PYTHON) tests/bench/nonce_stores.py --build $(BUILD)

.PHONY: bench-directories
bench-directories: all $(BUILD)/load ## measure requests while directories are in trouble
	@$(PYTHON) tests/bench/directories.py --build $(BUILD)

# --- fuzzing: build/fuzz is FLAVOUR=fuzz, build/cover FLAVOUR=cover; any other
# flavour's targets run over files alone

FUZZ_SECONDS ?= 60
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(FUZZ_SRC))
FUZZ_CLI := $(BUILD)/libwba-cli.a
FUZZ_RUN := $(PYTHON) tests/fuzz/run.py
FUZZ_MAIN := tests/fuzz/main.c
FUZZ_LINK :=
ifeq ($(FLAVOUR),fuzz)
FUZZ_MAIN :=
FUZZ_LINK := -fsanitize=fuzzer
endif
FUZZ_LIBS = $(FUZZ_CLI) $(FETCH_LIB) $(CORE_LIB)
ifeq ($(FLAVOUR),cover) # what no target reaches counts as well
FUZZ_LIBS = $(FUZZ_CLI) -Wl,--whole-archive $(FETCH_LIB) $(CORE_LIB) \
	-Wl,--no-whole-archive
endif

$(FUZZ_CLI): $(call obj,$(filter-out src/cli/main.c,$(CLI_SRC)))
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_MAIN) $(FUZZ_CLI) $(FETCH_LIB) $(CORE_LIB)
	@mkdir -p $(@D)
	@echo "  LD    $(@F)"
	@$(CC) $(CFLAGS) -Itests/fuzz $(FUZZ_LINK) -o $@ $< $(FUZZ_MAIN) \
	    $(FUZZ_LIBS) $(LIBS)

.PHONY: fuzz-build
fuzz-build: $(FUZZ_BIN)
	@:

.PHONY: fuzz-deps
fuzz-deps: deps
	@$(call install_missing,$(CI_PACKAGES))
	@$(MAKE) --no-print-directory FLAVOUR=fuzz fuzz-build

.PHONY: fuzz
fuzz: fuzz-deps ## run each fuzz target for FUZZ_SECONDS (60), two at a time; fails on any finding
	@$(FUZZ_RUN) fuzz --seconds $(FUZZ_SECONDS) --targets "$(FUZZ_TARGETS)"
	@test -n "$(FUZZ_TARGETS)" \
	    || $(MAKE) --no-print-directory fuzz-config

.PHONY: fuzz-config
fuzz-config: deps ## nginx -t on generated configurations for FUZZ_SECONDS, by a module with ASan
	@$(MAKE) --no-print-directory FLAVOUR=asan module
	@$(PYTHON) tests/fuzz/config.py --seconds $(FUZZ_SECONDS)

.PHONY: fuzz-regress
fuzz-regress: fuzz-deps ## run the inputs that are kept in tests/fuzz/corpus, no fuzzing
	@$(FUZZ_RUN) regress --targets "$(FUZZ_TARGETS)"

.PHONY: fuzz-merge
fuzz-merge: fuzz-deps ## put what fuzzing has found into tests/fuzz/corpus, as few inputs as reach it all
	@$(FUZZ_RUN) merge --targets "$(FUZZ_TARGETS)"

.PHONY: fuzz-summary
fuzz-summary: ## add up the runs of the fuzz targets: time, executions, edges
	@$(FUZZ_RUN) summary

.PHONY: fuzz-coverage
fuzz-coverage: fuzz-deps ## lines and branches of core and fetch that the inputs reach, per target
	@$(MAKE) --no-print-directory FLAVOUR=cover fuzz-build
	@$(FUZZ_RUN) coverage --targets "$(FUZZ_TARGETS)"

.PHONY: fuzz-figures
fuzz-figures: fuzz-deps ## put the ledger and the coverage into docs/security.md
	@$(MAKE) --no-print-directory FLAVOUR=cover fuzz-build
	@$(FUZZ_RUN) figures

# --- soaking: everything at once

SOAK_SECONDS ?= 1800
SOAK_RELOADS ?= 500

.PHONY: soak
soak: deps ## all kinds of traffic while all around fails, each answer checked (SOAK_SECONDS=1800)
	@$(MAKE) --no-print-directory all $(BUILD)/tests/heap.so
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/soak/soak.py \
	    --nginx $(NGINX_BINARY) --module $(MODULE) --seconds $(SOAK_SECONDS) \
	    --reloads $(SOAK_RELOADS) --json build/soak/result.json

# --- analysis: what can be known without running anything

# nginx's headers are the system's here: what they contain is not ours to mend.
NGINX_INCLUDES := $(addprefix $(NGINX_SRC)/src/,core event event/modules \
	os/unix http http/modules http/v2) $(BUILD)/nginx
analysis_flags = $(if $(filter src/nginx/%,$(1)),$(OPT) $(MODULE_WARN) \
	-Isrc/core -Isrc/fetch $(addprefix -isystem ,$(NGINX_INCLUDES)),$(CFLAGS))

ANALYSED := $(CORE_SRC) $(FETCH_SRC) $(CLI_SRC) $(wildcard src/nginx/*.c)
ANALYSES := $(foreach tool,tidy gcc,$(ANALYSED:%.c=$(BUILD)/analysis/%.$(tool)))
ANALYSIS_DEPS := .clang-tidy Makefile $(wildcard src/*/*.h)

$(BUILD)/analysis/%.tidy: %.c $(ANALYSIS_DEPS) | $(CONFIGURED)
	@mkdir -p $(@D)
	@echo "  TIDY  $<"
	@clang-tidy --quiet $< -- $(call analysis_flags,$<) > $@.log 2>&1 \
	    || { cat $@.log; exit 1; }
	@touch $@

$(BUILD)/analysis/%.gcc: %.c $(ANALYSIS_DEPS) | $(CONFIGURED)
	@mkdir -p $(@D)
	@echo "  GCC   $<"
	@gcc -fanalyzer $(filter-out -M%,$(call analysis_flags,$<)) -c $< -o $@

# With a macro given, one configuration is looked at, rather than each that
# nginx's headers know.
CPPCHECK := cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
	--enable=warning,performance,portability \
	--suppress=missingIncludeSystem -Isrc/core -Isrc/fetch -Isrc/cli

.PHONY: cppcheck
cppcheck: $(CONFIGURED)
	@echo "  CPPCHECK"
	@$(CPPCHECK) src/core src/fetch src/cli
	@$(CPPCHECK) -D__linux__ --suppress='*:$(NGINX_SRC)/*' \
	    $(addprefix -I,$(NGINX_INCLUDES)) src/nginx

.PHONY: analyze
analyze: cppcheck $(ANALYSES) ## read the source with cppcheck, clang-tidy and gcc -fanalyzer
	@echo "analyze: nothing found in $(words $(ANALYSED)) files"

.PHONY: hardening
hardening: all ## see that what was built is hardened as Debian's packages are
	@CFLAGS='$(CFLAGS)' LDFLAGS='$(HARDEN_LD)' \
	    bash tests/conformance/hardening.sh $(BUILD)

# --- installing

PREFIX ?= /usr/local
MODULES_DIR ?= /usr/lib/nginx/modules
VERSION := $(shell sed -n 's/.*WBA_VERSION "\(.*\)"/\1/p' src/core/version.h)

# Configuration to include, and where to.
SNIPPETS := web-bot-auth-trusted-agents web-bot-auth-browse-and-pay
SNIPPETS_DIR = $(PREFIX)/share/web-bot-auth

# source, mode, where to
INSTALLED = $(MODULE):644:$(MODULES_DIR)/ngx_http_web_bot_auth_module.so \
	$(WBA):755:$(PREFIX)/bin/wba \
	docs/wba.1:644:$(PREFIX)/share/man/man1/wba.1 \
	src/packaging/completion/wba.bash:644:$(PREFIX)/share/bash-completion/completions/wba \
	src/packaging/completion/_wba:644:$(PREFIX)/share/zsh/vendor-completions/_wba \
	$(foreach s,$(SNIPPETS),src/packaging/snippets/$(s).conf:644:$(SNIPPETS_DIR)/$(s).conf)

.PHONY: install
install: all ## install the module, wba, files to include (DESTDIR, PREFIX=/usr/local, MODULES_DIR)
	@set -e; for i in $(INSTALLED); do IFS=: read -r from mode to <<< "$$i"; \
	    echo "  INST  $(DESTDIR)$$to"; \
	    install -D -m $$mode "$$from" "$(DESTDIR)$$to"; done

.PHONY: uninstall
uninstall: ## remove what make install has installed, with the same variables
	@for i in $(INSTALLED); do rm -f "$(DESTDIR)$${i##*:}"; done

# The packages, built from a copy of what is in the project's care.
DEB_PACKAGES := build-essential debhelper dpkg-dev fakeroot lintian mandoc
DEB := build/deb
DEB_TREE := $(DEB)/web-bot-auth-$(VERSION)

.PHONY: deb
deb: deps ## build the Debian packages into build/deb, and look at them with lintian
	@$(call install_missing,$(DEB_PACKAGES))
	@rm -rf $(DEB) && mkdir -p $(DEB_TREE)
	@cp -r src config conf.example docs Makefile README.md LICENSE $(DEB_TREE)
	@cp -r src/packaging/debian $(DEB_TREE)/debian
	@sed -i 's/WBA_VERSION ".*"/WBA_VERSION "$(VERSION)"/' $(DEB_TREE)/src/core/version.h
	@printf '%s\n' "web-bot-auth ($(VERSION)) unstable; urgency=medium" "" \
	    "  * See docs/CHANGES.md." "" \
	    " -- Web Bot Auth founders <founders@web-bot-auth.invalid>  $$(LC_ALL=C \
	    date -R -u -r docs/CHANGES.md)" > $(DEB_TREE)/debian/changelog
	@cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -b -us -uc \
	    > ../build.log 2>&1 || { tail -n 20 ../build.log; exit 1; }
	@lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
	    $(DEB)/*.changes
	@ls $(DEB)/*.deb

# With root's rights: it installs, upgrades and purges them here.
.PHONY: package-test
package-test: deb ## install, use, upgrade and purge the packages on this machine (sudo)
	@$(MAKE) --no-print-directory deb VERSION=$(VERSION).1 DEB=build/deb-next
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo bash tests/packaging/run.sh $(DEB) build/deb-next

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
