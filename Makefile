# Two commands on a fresh machine with Python 3.11, pip and make:
#   make demo     corpus -> five steps -> two trainings -> a spoken reply and a report   (SIZE=tiny: minutes)
#   make test     all fast tests
# Each creates .venv and installs requirements.txt the first time and whenever that file changes.

PYTHON ?= python3.11
VENV ?= .venv
SIZE ?= default
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM = false

.PHONY: help demo test benchmark proofs browser docs lint format install lock

help:
	@sed -n '1,4p' Makefile

demo: $(INSTALLED)
	$(PY) -m examples.demo --size $(SIZE)

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow"

# Does the history matter? Corpus, five steps, one seed of the controlled benchmark (docs/evaluation.md).
benchmark: $(INSTALLED)
	$(PY) -m prepare_datasets.demo_corpus --output data/controlled_raw --dialogues 3600 --seed 7
	$(PY) -m prepare_datasets --config configs/data/controlled.yaml
	$(PY) -m GPT_SoVITS benchmark --config configs/benchmark/controlled.yaml

# Longer proofs; pytest's exit code 5 says that none is marked.
proofs: $(INSTALLED)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m slow || test $$? -eq 5

# The studio's pages in Chromium, a part of the proofs; screenshots in runs/studio_screenshots.
browser: $(INSTALLED)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m browser tests/studio

# README and docs/ as a site to read offline, runs/docs/index.html; a dead link or a page nobody lists fails.
docs: $(INSTALLED)
	$(PY) -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs . runs/docs

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(INSTALLED)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

install: $(INSTALLED)

# After a change of requirements.txt: hashes of every package for pip, and the list of components (SECURITY.md). Needs uv.
lock: $(INSTALLED)
	$(PY) -m supply_chain.lock

# torch goes in first, at its pinned version, so that no other package chooses a build for us.
$(INSTALLED): requirements.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet "$$(grep '^torch==' requirements.txt)"
	$(PY) -m pip install --quiet -r requirements.txt
	touch $@
