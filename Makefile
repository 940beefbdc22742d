# Leat. `make` builds into build/release; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
JOBS ?= $(shell nproc)

# ---- variants: one folder each under build/ ------------------------------------------------
V ?= release
PREFIX ?= /usr/local
CCACHE := $(shell command -v ccache 2>/dev/null)
COMPILER ?= gcc
CC := $(CCACHE) $(COMPILER)
VERSION := $(shell cat VERSION)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wimplicit-fallthrough=5 -Wnull-dereference
FLAGS_release := -O2 -D_FORTIFY_SOURCE=2
FLAGS_check   := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DLEAT_FAILPOINTS
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread -Wno-format-truncation -DLEAT_FAILPOINTS
FLAGS_fail    := -O2 -DLEAT_FAILPOINTS
FLAGS_cov     := -O0 --coverage -DLEAT_FAILPOINTS
FLAGS_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# `make V=plants`: every planted bug (common/base/plant.h), one of them chosen by name at the start.
FLAGS_plants  := -O2 -DLEAT_FAILPOINTS -DLEAT_PLANTS
VARIANT_FLAGS := $(FLAGS_$(V))

CFLAGS = -std=gnu11 -g -pthread -fstack-protector-strong -fPIE $(WARN) $(VARIANT_FLAGS) \
         -I. -I/usr/include/postgresql -D_GNU_SOURCE -DLEAT_VERSION='"$(VERSION)"' -MMD -MP
# A tenth of the time of the usual linker for the 150 programs of the tests; part of binutils.
LINKER := $(if $(shell command -v ld.gold),-fuse-ld=gold)
LDFLAGS = -pie -pthread $(LINKER) $(filter -fsanitize=% --coverage,$(VARIANT_FLAGS))
LIBS := -lpq -lrdkafka -luv -ljansson -lcurl -lmicrohttpd -lyaml -lexpat -larchive -lcrypto -lm

B := build/$(V)

# ---- modules: a folder is a module, its main.c the program --------------------------------
MODULES := common scheduler worker triggers api cli
GENERATED_C := $(wildcard schema/gen/*.c)
common_SRCS    := $(wildcard common/*/*.c) $(GENERATED_C)
scheduler_SRCS := $(filter-out scheduler/main.c,$(wildcard scheduler/*.c scheduler/*/*.c scheduler/*/*/*.c))
worker_SRCS    := $(filter-out worker/main.c worker/keeper/main.c,$(wildcard worker/*.c worker/*/*.c worker/*/*/*.c))
triggers_SRCS  := $(filter-out triggers/main.c,$(wildcard triggers/*.c triggers/*/*.c))
api_SRCS       := $(filter-out api/main.c,$(wildcard api/*.c api/*/*.c))
cli_SRCS       := $(filter-out cli/main.c,$(wildcard cli/*.c cli/*/*.c))
keeper_SRCS    := $(wildcard worker/keeper/*.c)
sim_SRCS       := $(wildcard tests/sim/*.c tests/sim/*/*.c tests/support/bus_memory*.c)

objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
archive = $(B)/lib$(1).a

PROGRAMS := $(foreach p,scheduler worker triggers api,$(if $(wildcard $(p)/main.c),$(B)/bin/leat-$(p))) \
            $(if $(keeper_SRCS),$(B)/bin/leat-keeper) $(if $(wildcard cli/main.c),$(B)/bin/leat)

.PHONY: all
all: $(PROGRAMS) $(foreach m,$(MODULES),$(if $($(m)_SRCS),$(call archive,$(m))))

$(B)/obj/%.o: %.c VERSION
	@mkdir -p $(@D)
	@echo "  CC   $<"; $(CC) $(CFLAGS) -c $< -o $@

define module_rule
$(call archive,$(1)): $(call objects,$($(1)_SRCS))
	@rm -f $$@
	@ar qcs $$@ $$^
endef
$(foreach m,$(MODULES),$(if $($(m)_SRCS),$(eval $(call module_rule,$(m)))))

define daemon_rule
$(B)/bin/leat-$(1): $(B)/obj/$(1)/main.o $(call archive,$(1)) $(call archive,common)
	@mkdir -p $$(@D)
	@echo "  LD   $$@"; $(COMPILER) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach d,scheduler worker triggers api,$(eval $(call daemon_rule,$(d))))

$(B)/bin/leat: $(B)/obj/cli/main.o $(call archive,cli) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LD   $@"; $(COMPILER) $(LDFLAGS) -o $@ $^ $(LIBS)

# The keeper stays small: of common it takes what it uses of base/, of the libraries libcrypto.
$(B)/bin/leat-keeper: $(call objects,$(keeper_SRCS)) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LD   $@"; $(COMPILER) $(LDFLAGS) -o $@ $^ -Wl,--as-needed -lcrypto

# ---- tests: tests/unit/AREA/test_X.c links the module of that area -------------------------
UNIT_SRCS := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
UNIT_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRCS))
INTEGRATION_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/integration/test_*.c))
# An archive, so that a test links only what it uses: some of it needs modules that others lack.
TEST_SUPPORT_OBJS := $(call objects,$(wildcard tests/support/*.c))
TEST_SUPPORT := $(if $(TEST_SUPPORT_OBJS),$(B)/libsupport.a)
$(B)/libsupport.a: $(TEST_SUPPORT_OBJS)
	@rm -f $@
	@ar qcs $@ $^

test_modules = $(filter $(word 3,$(subst /, ,$(1))),scheduler worker triggers api cli)
define unit_rule
$(patsubst tests/%.c,$(B)/tests/%,$(1)): $(call objects,$(1)) $(TEST_SUPPORT) \
    $(foreach m,$(call test_modules,$(1)),$(call archive,$(m))) $(call archive,common)
	@mkdir -p $$(@D)
	@echo "  LD   $$@"; $(COMPILER) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LIBS)
endef
$(foreach t,$(UNIT_SRCS),$(eval $(call unit_rule,$(t))))

$(B)/tests/integration/%: $(B)/obj/tests/integration/%.o $(TEST_SUPPORT) \
    $(foreach m,scheduler worker triggers api,$(if $($(m)_SRCS),$(call archive,$(m)))) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LD   $@"; $(COMPILER) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# Those of leat-triggers link it alone: two daemons may use one name for two things.
$(B)/tests/integration/test_triggers_%: $(B)/obj/tests/integration/test_triggers_%.o $(TEST_SUPPORT) \
    $(call archive,triggers) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LD   $@"; $(COMPILER) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(B)/bin/leat-sim: $(call objects,$(sim_SRCS)) $(call archive,scheduler) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LD   $@"; $(COMPILER) $(LDFLAGS) -o $@ $^ $(LIBS)

# Unit tests that use the loop's pool of threads, themselves or by the store, the server's clients.
THREADED_SRCS := $(shell grep -lE 'loop_work|store_open|http_talk|hook_call|pthread' $(UNIT_SRCS))
THREADED_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(THREADED_SRCS))

.PHONY: unit-bins integration-bins sim-bin fuzz-objects threaded-bins
threaded-bins: $(THREADED_BINS)
unit-bins: $(UNIT_BINS)
integration-bins: $(INTEGRATION_BINS)
sim-bin: $(B)/bin/leat-sim
fuzz-objects: $(call objects,$(wildcard tests/fuzz/*.c)) # dev/fuzz links them otherwise

.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

include dev/targets.mk
