# Everything runs in .venv, which the first command that needs it makes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CHROMIUM_PACKAGES ?= chromium
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-fast notebooks refresh lint format bench docs faults kills sweep-kills rank-kills ray served foreign guests team hosts chromium postgres clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(VENV)/.demo: pyproject.toml hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "installing cvtrack_magics with torch, torchvision and JupyterLab (about two minutes) …"
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(VENV)/.demo  ## run the quickstart headless and print the runs it made
	$(BIN)/python notebooks/demo.py

lab: $(VENV)/.demo  ## open the quickstart in JupyterLab
	$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

test: $(VENV)/.dev chromium postgres  ## run all tests, the notebooks and the browser included
	$(BIN)/python -m compileall -q -x node_modules cvtrack_magics tests  # once, not in each process
	$(BIN)/python -m pytest tests -m 'not server and not lab' --numprocesses $(WORKERS) --dist worksteal
	$(BIN)/python -m pytest tests/faults -m 'server or lab'  # alone on the machine
	$(BIN)/python -m pytest tests --ignore tests/faults -m 'server or lab' --numprocesses $(WORKERS) --dist loadfile
	$(MAKE) notebooks

test-fast: $(VENV)/.dev  ## run the tests that need neither server nor browser
	$(BIN)/python -m pytest tests -m 'not server and not browser'

notebooks: $(VENV)/.dev  ## run the tutorials and compare every output
	rm -rf .nbval && cp -r notebooks .nbval
	cd .nbval && env -u MLFLOW_TRACKING_URI CVTRACK_CLOSE_TIMEOUT=30 XDG_STATE_HOME="$(CURDIR)/.nbval/state" ../$(BIN)/python -m pytest -p no:cacheprovider --override-ini addopts= \
	  --nbval --nbval-sanitize-with nbval.cfg --nbval-cell-timeout 300 --nbval-kernel-startup-timeout 120 \
	  --numprocesses $(WORKERS) --dist loadfile .

refresh: $(VENV)/.dev  ## execute the tutorials and keep what their cells gave (NOTEBOOKS=names: only those)
	$(BIN)/python notebooks/refresh.py $(NOTEBOOKS)

lint: $(VENV)/.dev  ## ruff, mypy, import-linter, tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py check

format: $(VENV)/.dev  ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: $(VENV)/.dev postgres  ## play 684 schedules of faults, and print a table by class
	$(BIN)/python -m tests.faults

kills: $(VENV)/.dev  ## kill a training at 50 random steps, resume it, and compare bit for bit
	$(BIN)/python -m tests.run.checkpoint.kills

sweep-kills: $(VENV)/.dev  ## break sweeps at every place in a trial's life, let them go on, and count
	$(BIN)/python -m tests.run.sweep.kills

rank-kills: $(VENV)/.dev  ## kill kernels, ranks and launchers of cells with --ranks at random moments, and count
	$(BIN)/python -m tests.run.ranks.kills

$(VENV)/.ray: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[ray]'
	touch $@

ray: $(VENV)/.ray  ## kill processes, Ray workers and Ray nodes that run trials, and count
	$(BIN)/python -m tests.run.sweep.worker_kills

$(VENV)/.guests: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[guests]'
	touch $@

guests: $(VENV)/.guests  ## run other libraries' training cells with and without us, and write docs/guests.md
	$(BIN)/python -m tests.guests

served: $(VENV)/.dev  ## serve 24 networks of five tasks elsewhere, and compare with what was measured
	$(BIN)/python -W ignore -m benchmarks.served

$(VENV)/.foreign: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[foreign]'
	touch $@

foreign: $(VENV)/.foreign  ## keep and export 20 networks of other libraries, and open them in a fresh process
	$(BIN)/python -W ignore -m benchmarks.foreign

hosts: $(VENV)/.dev  ## try a notebook in every host that needs no browser, and write the table of docs/hosts.md
	$(PYTHON) -m venv .hosts/old && .hosts/old/bin/python -m pip install --quiet --editable . 'ipython==7.34.*' ipykernel==6.17.1 ipywidgets==7.7.1
	$(PYTHON) -m venv .hosts/marimo && .hosts/marimo/bin/python -m pip install --quiet --editable . marimo
	HOSTS_OLD="$(CURDIR)/.hosts/old/bin/python" HOSTS_MARIMO="$(CURDIR)/.hosts/marimo/bin/python" $(BIN)/python -m tests.hosts

docs: $(VENV)/.dev  ## build the site into site/, strictly: no broken link, nothing undocumented
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

team: $(VENV)/.dev postgres  ## start a team's back end: PostgreSQL, S3, MLflow with passwords (TEAM="ada grace")
	$(BIN)/python -m tests.team $(TEAM)

bench: $(VENV)/.dev  ## measure ours beside the peers
	$(BIN)/python -m benchmarks

POSTGRES_PACKAGES ?= postgresql
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	     && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(POSTGRES_PACKAGES) >/dev/null; } \
	|| { echo "The fault tests need PostgreSQL: install it ('sudo apt-get install postgresql') and run make test again."; exit 1; }

chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	     && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(CHROMIUM_PACKAGES) >/dev/null; } \
	|| { echo "The browser tests need Chromium: install it ('sudo apt-get install chromium') and run make test again."; exit 1; }

clean:  ## remove what was built
	rm -rf $(VENV) site demo .bench .hosts .nbval screenshots cvtrack_magics/display/static cvtrack_magics/display/frontend/node_modules
