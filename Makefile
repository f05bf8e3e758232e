# `make help` lists the targets. Each sets up .venv first, where that is not up to date.

PYTHON ?= python3
# Of the command line alone: some systems set a variable CPU in every environment.
asked = $(if $(filter command,$(firstword $(origin $(1)))),$($(1)))
# A PyTorch without CUDA, which saves gigabytes: make install CPU=1. That .venv stays without.
CPU_FLAG := $(if $(filter-out 0,$(call asked,CPU)),--cpu)
# Packages of single commands too: make install EXTRAS="export search"
EXTRAS_ASKED := $(call asked,EXTRAS)

# Of `make variants`: which recipes beside the default, how many at a time.
VARIANTS ?= quick balanced best
JOBS ?= 2

# Of `make verified`: how long to wait for the rebuilding.
MINUTES ?= 60

BIN := .venv/bin
# Leads every command that needs the environment; DVC too must find the `python` that the stages say.
# Not `export PATH` for all: macOS' make (3.81) looks commands up on the PATH that it was started with.
VENV := export PATH="$(CURDIR)/$(BIN):$$PATH";

# The output of a benchmark, kept if it did not fail (the status of `| tee` is tee's).
record = python benchmarks/$(1).py > benchmarks/.$(1).tmp && \
  mv benchmarks/.$(1).tmp benchmarks/$(1).txt && cat benchmarks/$(1).txt

.PHONY: help install repro pull results verified test test-all kills bench accuracy variants table \
  overheads scale pictures golden processors price docs lint format lock always
.DEFAULT_GOAL := help
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' Makefile

install: .venv/run.installed $(EXTRAS_ASKED:%=.venv/%.installed) ## make .venv with what running needs; CPU=1: no CUDA

# Each set of packages when its target first needs it. `run` comes first, for it is in every target.
.venv/%.installed: requirements/%.txt scripts/install.py
	$(PYTHON) scripts/install.py $(CPU_FLAG) $*
	@touch $@

.venv/run.installed: pyproject.toml requirements/torch.txt requirements/torch-cpu.txt $(CPU_FLAG:--cpu=always)

lock: install ## lock what pyproject.toml wants by version and SHA-256; UPGRADE=1: the newest of all
	$(VENV) python scripts/lock.py $(if $(call asked,UPGRADE),--upgrade)

repro: install ## from the data set's files to a tested network: run the stages that have changed
	$(VENV) dvc repro
	@$(VENV) fashion-mnist show

pull: install ## fetch what others have run, where a DVC remote is configured; never fails
	@$(VENV) if [ -n "$$(dvc config core.remote)" ]; then dvc pull --run-cache \
	  || echo "the remote gave nothing, or not all: what is missing is made here"; fi

# Status 3 alone means that the pipeline must run: a check that fails is no answer.
results: install ## as repro, unless the results in Git are those of the present code and parameters
	@$(VENV) status=0; fashion-mnist current || status=$$?; case $$status in \
	  0) fashion-mnist show ;; 3) $(MAKE) repro ;; *) exit $$status ;; esac

# What the commit records is rebuilt only where it is that of the commit's own code. Status 3 of verify
# (too long, native arithmetic) is no failure: it is said.
verified: install ## write to verified.txt whether the committed results can be rebuilt here to the byte
	@rm -f verified.txt
	@$(VENV) status=0; fashion-mnist current || status=$$?; case $$status in \
	  0) fashion-mnist verify --minutes $(MINUTES) > verified.txt || status=$$? ;; \
	  3) echo "The results were made by this run: the commit holds none of its own code, parameters and data." \
	    > verified.txt ;; esac; \
	  test -s verified.txt || echo "The committed results could not be verified: the log says why." > verified.txt; \
	  cat verified.txt; case $$status in 3) ;; *) exit $$status ;; esac

# Two workers, each taking from the other what is left
test: install .venv/test.installed ## test each behaviour once, in three minutes on two cores
	$(VENV) pytest -n 2 --dist worksteal --durations 10

test-all: test ## make test, then the tests marked slow: kills, queues, remotes, more of the fuzzing
	$(VENV) pytest -n 2 --dist worksteal --durations 10 -m slow

kills: install .venv/test.installed ## kill 36 runs at random moments and compare what the next run makes of each
	$(VENV) KILLS=36 pytest -sm slow tests/end_to_end/test_interruption.py -k random_moments

bench: install ## time the training loop beside the original one; nothing else should run
	$(VENV) dvc repro prepare
	$(VENV) $(call record,loop)

accuracy: install ## train the original exercise and the committed recipe side by side on five seeds
	$(VENV) dvc repro prepare
	$(VENV) $(call record,accuracy)

variants: install ## queue the default recipe on five seeds and others on three; run two at a time
	$(VENV) set -e; for name in default $(VARIANTS); do \
	  seeds=3; [ $$name != default ] || seeds=5; \
	  recipe=$$(fashion-mnist recipe $$name); \
	  dvc exp run --queue -S compute.threads=1 -S "train.seed=range($$seeds)" $$recipe; done
	$(VENV) dvc queue start -j $(JOBS)
	@echo "follow them by: dvc queue status; then: make table"

table: install ## record what `make variants` has run, and write benchmarks/RESULTS.md
	$(VENV) python benchmarks/results.py

overheads: install ## time what users wait for beside the training; nothing else should run
	$(VENV) python benchmarks/overheads.py

scale: install ## time the stages, and their memory, on up to 960,000 images; nothing else should run
	$(VENV) dvc repro prepare
	$(VENV) python benchmarks/scale.py

pictures: install ## draw the pictures of the README from the results and the recorded runs
	$(VENV) fashion-mnist draw dvc_plots/pictures
	cd dvc_plots/pictures && cp loss.png per_class.png predictions.png ../../docs/pictures
	$(VENV) python benchmarks/pictures.py

golden: install .venv/test.installed ## record what every processor is to give: tests/golden.json
	$(VENV) PYTHONPATH=src:tests python -m golden > .golden.tmp && mv .golden.tmp tests/golden.json

processors: install .venv/test.installed ## emulate other processors and compare their bytes with tests/golden.json; half an hour
	$(VENV) $(call record,processors)

price: install ## time native arithmetic beside portable, pair by pair; nothing else should run
	$(VENV) dvc repro prepare
	$(VENV) $(call record,arithmetic)

docs: install ## write the pages of parameters and metrics, and params.yaml's comments
	$(VENV) python docs/pages.py

lint: install .venv/lint.installed ## check style, formatting and types
	$(VENV) ruff check .
	$(VENV) ruff format --check .
	$(VENV) mypy

format: install .venv/lint.installed ## mend style and formatting
	$(VENV) ruff check --fix .
	$(VENV) ruff format .
