# What people type. Each target is one script under dev/ or one program.

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile dev/targets.mk | sed -E 's/:.*## /\t/' | expand -t 20

.PHONY: unit
unit: ## unit tests under ASan and UBSan
	$(MAKE) -j$(JOBS) V=check unit-bins
	dev/run-unit build/check

.PHONY: format lint generated
format: ## clang-format over every C file
	dev/format --write
lint: ## every gate: formatting, include rule, banned functions, sizes, generated files
	dev/lint
generated: ## make every generated file anew
	python3 schema/gen.py
