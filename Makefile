# One command each; every target first sets up .venv from the pinned versions in constraints.txt.
# Any Python that TensorFlow supports will do; the newest one found is taken, or name it: make test PYTHON=python3.12
PYTHON ?= $(firstword $(shell for p in python3.13 python3.12 python3.11 python3.10 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p; done))
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help setup demo test test-backends test-bazel test-cluster test-deploy test-install test-keras test-kill test-models test-notebooks test-report test-slow test-tracking test-user \
	lint docs api benchmark dist clean lock

help:            ## show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

setup: $(INSTALLED)  ## make .venv and install everything into it

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 with venv was found (TensorFlow supports no other); name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## 120 networks on digits: is sparse better than dense here? Ends in an HTML report
	$(BIN)/python launchers/scsdc.py --preset=demo

test: $(INSTALLED)  ## the tests of tests/ and of docstrings that are quick, in parallel
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(INSTALLED)  ## the other tests of tests/, which compare whole trainings
	$(BIN)/python -m pytest -m slow tests

# Suites that are slow by nature, one a folder of suites/, each in under 10 minutes.

test-bazel: $(INSTALLED)  ## Bazel reads the BUILD file
	$(BIN)/python -m pytest suites/bazel

test-cluster: $(INSTALLED)  ## several devices, workers over loopback, shards, and Ray, which is installed for it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,ray]'
	$(BIN)/python -m pytest --dist=loadfile suites/cluster

test-deploy: $(INSTALLED)  ## SavedModel, LiteRT and ONNX, whose converters and runtimes are installed for it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,deploy]'
	$(BIN)/python -m pytest suites/deploy

test-install: $(INSTALLED)  ## the wheel and the example of a plugin in fresh virtual environments
	$(BIN)/python -m pytest suites/install

test-kill: $(INSTALLED)  ## launchers that are killed at any moment
	$(BIN)/python -m pytest suites/kill

test-models: $(INSTALLED)  ## published architectures of Keras and KerasHub, which is installed for it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,hub]'
	$(BIN)/python -m pytest suites/models

test-notebooks: $(INSTALLED)  ## the notebooks of examples/, run by Jupyter, which is installed for it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,notebooks]'
	$(BIN)/python -m pytest suites/notebooks

test-report: $(INSTALLED)  ## whole reports and their figures, drawn
	$(BIN)/python -m pytest suites/report

test-tracking: $(INSTALLED)  ## studies that report to Weights & Biases and MLflow, which are installed for it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,tracking]'
	$(BIN)/python -m pytest suites/tracking

test-user: $(INSTALLED)  ## code of every page of docs, the examples, and launchers in fresh processes
	$(BIN)/python -m pytest suites/user

test-keras: $(INSTALLED)  ## Keras' own tests of its layers, run on their masked twins
	@# Warnings are Keras' own business.
	$(BIN)/python -m pytest tests/keras_layers/suite.py --override-ini=filterwarnings= --disable-warnings

# The Keras backends of test-backends, such as BACKENDS="jax torch"; docs/backends.md says how torch comes without CUDA.
BACKENDS := jax

test-backends: $(INSTALLED)  ## tests of layers, flow, models, masks and twins on JAX, which is installed for it
	@set -e; for backend in $(BACKENDS); do \
		echo "KERAS_BACKEND=$$backend"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
			--editable ".[dev,backend-$$backend]"; \
		KERAS_BACKEND=$$backend $(BIN)/python -m pytest tests/layers tests/flow tests/models tests/masks \
			tests/twins/test_any_model.py tests/test_backends.py; \
	done

lint: $(INSTALLED)  ## format, lint and type checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(INSTALLED)  ## docs/ as a site in build/site, the API made from the docstrings; warnings are errors
	@# Not --quiet: what is not printed is not counted by --strict.
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/mkdocs build --strict

api: $(INSTALLED)  ## tests/public_api.txt anew, where public names or signatures are meant to change
	$(BIN)/python docs/make_api.py

benchmark: $(INSTALLED)  ## cost of masks and of measuring flow; populations against one network after the other
	$(BIN)/python benchmarks/step_cost.py
	$(BIN)/python benchmarks/population_speed.py

dist: $(INSTALLED)  ## a wheel and the sources it is built from, in dist/
	$(BIN)/python -m build --no-isolation

lock: $(INSTALLED)  ## renew constraints.txt (the only place with exact versions)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.10 --upgrade --no-header --no-annotate \
		--extra dev --extra deploy --extra hub --extra notebooks --extra ray --extra tracking \
		--extra backend-jax --extra backend-torch setup.cfg --output-file constraints.txt

clean:           ## remove .venv and caches; results in runs/ stay
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
