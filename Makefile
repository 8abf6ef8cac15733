# make demo   the seed's study, 4 initializers x 100 seeds: a ranking here, a report in demo.html
# make test   the whole test suite
# make lint   ruff, pyright, import-linter
# make bench  fanin beside its peers, as ratios (an hour; ARGS=peers runs one section)
# Each target makes .venv and installs what it needs, once.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints/cpu.txt

.PHONY: demo test lint bench clean chromium
.DELETE_ON_ERROR:

.venv/made:
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/demo: .venv/made pyproject.toml constraints/cpu.txt
	@echo "installing fanin with Keras on JAX (about a minute)"
	@$(PIP) --editable '.[data,keras]'
	@touch $@

.venv/dev: .venv/made pyproject.toml constraints/cpu.txt
	@echo "installing fanin with its test tools, PyTorch and TensorFlow (a few minutes)"
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[dev]'
	@touch $@ .venv/demo

.venv/bench: .venv/dev
	@echo "installing the peers and models of the benchmarks (a minute)"
	@$(PIP) --editable '.[bench]'
	@touch $@

# The report is tested in a real browser. On Debian and Ubuntu as root it is installed here.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && echo "installing chromium (the report's tests run in it)" \
	  && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes chromium >/dev/null; } \
	  || echo "no chromium: the report's browser tests will be skipped"

demo: .venv/demo
	$(BIN)/fanin compare --seeds 100 --html demo.html

test: .venv/dev chromium
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv
