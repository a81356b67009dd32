# One word per task. In a virtual environment: `make setup` once, `make quick` while you work,
# `make check test` before you send a change. `.ci/run` does all of it in a fresh environment.
#
#   make quick                              lint, types of the package, all fast tests
#   make quick AREA=edge_runtime/core       the fast tests of that folder of tests/ only
#   make quick FILE=tests/sdk/test_cli.py   that file only, its slow tests too

PYTHON ?= python
AREA ?=
FILE ?=

CORE := edge_runtime/core
CORE_BUILD := build/core
CORE_SOURCES := $(wildcard $(CORE)/src/*.cpp $(CORE)/src/*.h $(CORE)/include/*.h)
CORE_TESTS := $(wildcard $(addprefix tests/edge_runtime/core/,*.cpp *.c fuzz/*.cpp one_result/*.cpp))

TESTS := $(or $(FILE),$(if $(AREA),tests/$(AREA)),tests)
# A file of tests stays in one process, so that at most one loads each heavy library for it.
PARALLEL := -n auto --dist loadfile

# The install is renewed when a product file is added, removed or moved, or the core changes: the
# stamp carries a checksum of their names, in the environment that holds the install.
PRODUCT := sdk edge_runtime converters cloud_fallback
NAMES := $(shell (pwd; find $(PRODUCT) -type f ! -name '*.pyc' ! -name '*.so' ! -name '*.pyd' \
	| LC_ALL=C sort) | cksum | cut -d ' ' -f 1)
ENVIRONMENT := $(shell $(PYTHON) -c 'import sys; print(sys.prefix)')
INSTALLED ?= $(ENVIRONMENT)/tallylens-installed-$(NAMES)

.PHONY: help setup check lint types quick test core sanitize fuzz tidy format docs bench

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

# Strict, because folder and package differ in name (sdk/ is `tallylens`): pip then links every file
# at its place in the package, where type checkers find it too.
setup:
	$(PYTHON) -m pip install -e '.[all]' --config-settings editable_mode=strict
	@rm -f $(ENVIRONMENT)/tallylens-installed-*
	@touch $(INSTALLED)

$(ENVIRONMENT)/tallylens-installed-$(NAMES): setup.cfg setup.py $(CORE)/build_ffi.py $(CORE_SOURCES)
	$(MAKE) setup

check: lint types

lint:
	ruff check .
	ruff format --check .
	lint-imports
	codespell
	clang-format --dry-run -Werror $(CORE_SOURCES) $(CORE_TESTS)

types: $(INSTALLED)
	mypy
	mypy tests examples benchmarks docs/scripts

quick: $(INSTALLED)
	ruff check .
	mypy
	$(PYTHON) -m pytest -q $(if $(FILE),,-m "not slow") $(if $(FILE)$(AREA),,$(PARALLEL)) $(TESTS)

test: $(INSTALLED)
	$(PYTHON) -m pytest $(PARALLEL) $(TESTS)

# Editing a .cpp costs seconds here; the Python package is built from the same files by `make setup`.
core: $(CORE_BUILD)/build.ninja
	cmake --build $(CORE_BUILD)
	ctest --test-dir $(CORE_BUILD) --output-on-failure

$(CORE_BUILD)/build.ninja: $(CORE)/CMakeLists.txt
	cmake -S $(CORE) -B $(CORE_BUILD) -G Ninja

tidy: $(CORE_BUILD)/build.ninja
	clang-tidy -p $(CORE_BUILD) --quiet $(filter %.cpp,$(CORE_SOURCES))

sanitize:
	tests/edge_runtime/core/run.sh

fuzz:
	tests/edge_runtime/core/fuzz/run.sh 60 "" core
	tests/edge_runtime/core/fuzz/run.sh 60 "" model

format:
	ruff check --fix .
	ruff format .
	clang-format -i $(CORE_SOURCES) $(CORE_TESTS)

docs: $(INSTALLED)
	mkdocs build --strict

bench: $(INSTALLED)
	$(PYTHON) benchmarks/main_job.py
