# Two commands do it all:  make demo   make test        (make help lists the rest)
# On a fresh Debian 12 these install what is missing, by name, then build.
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local

.PHONY: help build console demo test check setup models bench bench-setup install clean distclean sbom measure

help:
	@echo 'make            build build/vedette (what the build needs must be there: make setup)'
	@echo 'make demo       set up, build, and watch a crowd for one listed face'
	@echo 'make test       set up, build, and run every test'
	@echo 'make check      make test, then sanitizers and clang (about 40 minutes)'
	@echo 'make console    the console in build/console'
	@echo 'make setup      Debian packages and model weights only'
	@echo 'make bench      our engine beside ONNX Runtime, OpenVINO, ncnn and MNN'
	@echo 'make measure    how often it is right, from ../shared/data: docs/accuracy.md, docs/models/ (half an hour)'
	@echo 'make sbom       what it is made of, as CycloneDX: build/vedette.cdx.json'
	@echo 'make install    into PREFIX=$(PREFIX)'
	@echo 'make clean      remove what was built;  make distclean also what was fetched'

build:
	@command -v cmake >/dev/null && command -v ninja >/dev/null || { echo 'cmake or ninja is missing: run make setup' >&2; exit 1; }
	@mkdir -p build
	@cmake --preset dev >build/configure.log 2>&1 || { grep -A8 -m1 'CMake Error' build/configure.log; echo 'configuring failed: is something missing that make setup would install? (log: build/configure.log)' >&2; exit 1; }
	@cmake --build build $(addprefix --target ,$(TARGET))

console:
	@$(MAKE) build TARGET=console

setup models:
	@tools/setup

demo:
	@tools/setup --demo
	@$(MAKE) build TARGET='vedette console'
	@tools/demo/run

test:
	@tools/setup --test
	@tests/run.sh dev

check: test
	@tests/run.sh asan
	@tests/run.sh tsan
	@tests/run.sh clang

bench-setup:
	@tools/setup --bench

bench: bench-setup build
	.cache/venv-bench/bin/python bench/peers.py --json build/bench/peers.json

measure: build
	@tools/measure

sbom: build
	@tools/sbom build >build/vedette.cdx.json && echo build/vedette.cdx.json

install: build
	cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build build-*

distclean: clean
	rm -rf .cache console/node_modules
