# What people type. Each target is one script under dev/ or one program.

.PHONY: help check unit tsan integration format lint generated install compile_commands.json
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile dev/targets.mk | sed -E 's/:.*## /\t/' | expand -t 20

check: ## install what the tests need, build with sanitizers, run every test
	@dev/setup check # Python too, which dev/check is written in
	@dev/check

unit: ## unit tests under ASan and UBSan
	$(MAKE) -j$(JOBS) V=check unit-bins
	dev/run-unit build/check

tsan: ## the unit tests that use threads, under ThreadSanitizer
	$(MAKE) -j$(JOBS) V=tsan threaded-bins
	dev/run-unit build/tsan

integration: ## integration tests on a real Postgres, under ASan and UBSan
	$(MAKE) -j$(JOBS) V=check integration-bins
	dev/run-integration build/check

.PHONY: fuzz
FUZZ_SECONDS ?= 60
fuzz: ## every parser for FUZZ_SECONDS under libFuzzer
	dev/fuzz $(FUZZ_SECONDS)

format: ## clang-format over every C file
	dev/format --write
lint: ## every gate: formatting, include rule, banned functions, sizes, generated files
	dev/lint
generated: ## make every generated file anew
	python3 schema/gen.py
	dev/document --write

.PHONY: bench
bench: all ## the rows of the budgets on this machine, as JSON lines and a table
	tests/bench/run

.PHONY: quickstart quickstart-stop clean-data
quickstart: ## install what is missing, build, start everything here, run the main job on real data
	@dev/quickstart
quickstart-stop: ## end what quickstart started
	@dev/quickstart stop
clean-data: ## end it and remove its data
	@dev/quickstart clean

.PHONY: demo
demo: ## production on this machine: Kafka, Postgres, MinIO, MLflow, containers; trains from an upload to MinIO
	@dev/setup check
	@$(MAKE) -s -j$(JOBS) all
	@dev/production up
	@dev/production forecast
	@echo "Look around: dev/production leat status    End it: dev/production down    Remove its data: dev/production remove"

install: all ## into DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin/

compile_commands.json: ## for editors and clang-tidy
	$(MAKE) --always-make --dry-run all | python3 dev/compile-commands > $@

.PHONY: coverage
COVERAGE_SEEDS ?= 400
SCHEDULER_TESTS = $(filter $(B)/tests/unit/scheduler/%,$(UNIT_BINS))
coverage: ## lines and branches of scheduler/core that its unit tests and the simulator reach; fails below the floor
	$(MAKE) -j$(JOBS) V=cov sim-bin scheduler-tests
	dev/coverage run $(COVERAGE_SEEDS)
.PHONY: scheduler-tests
scheduler-tests: $(SCHEDULER_TESTS)

SEEDS ?= 20000
SEED ?= 1
.PHONY: sim sim-harness sim-plants
sim: ## the simulator: make sim SEEDS=20000 SEED=1
	$(MAKE) -j$(JOBS) V=fail sim-bin
	build/fail/bin/leat-sim --seeds $(SEEDS) --seed $(SEED) --jobs $(JOBS)
	@echo "sim: 1 passed, 0 failed"
sim-harness: ## what the simulator says of itself: determinism, parts of a seed, Ctrl-C
	$(MAKE) -j$(JOBS) V=fail sim-bin
	tests/sim/harness
sim-plants: ## planted bugs that the simulator must find, each with its minimised history
	$(MAKE) -j$(JOBS) V=plants sim-bin
	tests/sim/plants
