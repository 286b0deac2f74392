# Two commands: `make lab` to learn, `make test` to check. Both make what they need in .venv.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
# Kernels, workers and trials are many processes: what one has compiled the others need not.
unexport PYTHONDONTWRITEBYTECODE
# In a container one is often root, and Jupyter then wants to hear that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Workers that share the tests out, whole files at a time.
WORKERS ?= 2
ON_WORKERS := -n $(WORKERS) --dist loadfile
# nbval takes two seconds to load, in every process, and runs notebooks alone.
PYTEST := $(PY) -m pytest -p no:nbval

.PHONY: lab test units browser nbval test-slow mutants mutants-of-files test-files weights bench notebooks published witness foreign site assignment lint format clean

lab: $(READY)
	$(PY) -m jupyter lab --ServerApp.root_dir=. notebooks/00_start_here.ipynb $(AS_ROOT)

# The browser's tests share the workers with the others.
test: $(READY)
	$(MAKE) units MARKED="not slow"
	$(MAKE) nbval

# Files as they are collected, the many short doctests last: no worker waits for a long one.
# CI asks for all of them in one go: what is loaded and made for the quick ones serves the slow ones.
MARKED ?= not slow and not browser
units: $(READY)
	$(PYTEST) $(ON_WORKERS) --no-loadscope-reorder -m "$(MARKED)"

browser: $(READY)
	$(PYTEST) -m "browser and not slow" tests/browser

# Runs every notebook; a line for each says how long it took, and what memory its kernel held.
nbval: $(READY)
	$(PY) -m pytest $(ON_WORKERS) --nbval-lax --nbval-current-env --no-header notebooks solutions

test-slow: $(READY)
	$(PYTEST) $(ON_WORKERS) --no-loadscope-reorder -m slow

# One line of the package changed at a time: does a quick test see it? `make mutants ONLY=Wilson`.
mutants: $(READY)
	$(PY) tests/mutants.py $(ONLY)

# Damaged files: nothing but answers and errors of the kit's own comes back? COUNT of them are read.
mutants-of-files: $(READY)
	$(PY) tests/mutants_of_files.py $(COUNT)

# The small networks and files that tests read; a slow test makes them anew and compares.
test-files: $(READY)
	$(PY) tools/test_files.py

# The trained networks that the kit ships, 3 MB of them, from the notebooks' own trainings.
weights: $(READY)
	$(PY) -m tools.weights

bench: $(READY)
	$(PY) tests/benchmarks/bench.py
	$(PY) tests/benchmarks/grids.py
	$(PY) tests/benchmarks/redraws.py
	$(PY) tests/benchmarks/growth.py

notebooks: $(READY)
	$(PY) tools/render.py

# The tables of notebook 11, on a quiet machine; `make published ONLY=MobileNet` measures one anew.
published: $(READY)
	$(PY) tools/published.py $(ONLY)
	$(PY) tools/published_seeds.py

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# EfficientNet-Lite0 from PyTorch, in an environment of its own; the table of notebook 12.
witness: $(READY)
	$(PY) tools/witness.py

# Every .tflite file of a folder, read, counted and run: what fails, and how. `make foreign FOLDER=…`
foreign: $(READY)
	$(PY) tools/foreign.py $(FOLDER)

# The course as pages in build/site, to read without a kernel: stored outputs, nothing is run.
site: $(READY) .venv/.site
	$(PY) -m tools.build_site

# The lessons in build/assignment, as nbgrader takes them: a point for each exercise, no outputs.
assignment: $(READY)
	$(PY) -m tools.assignment

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:
	rm -rf .venv

# To compile all that is installed takes longer than to install it; this is what is used of it.
COMPILED := import qkit, ipykernel.kernelapp, ipywidgets, jupyterlab.labapp, matplotlib.pyplot, pandas; \
  import scipy.stats, sklearn.datasets, tensorflow, tensorflow_model_optimization
# The stamp is written last, so that an installation that broke off is taken up again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'qkit needs Python 3.10 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[test]'
	@$(PY) -c '$(COMPILED)' 2>/dev/null || true
	@touch $@

.venv/.site: $(READY)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[site]'
	@touch $@
