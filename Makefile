# `make demo` and `make test` do all the set-up on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
FUZZ_SECONDS ?= 60
SEEDS ?= 0-999
MINUTES ?= 15
MERMAID ?= 11.17.2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
.DEFAULT_GOAL := help

.PHONY: help install demo test test-slow test-long fuzz audit release chaos lint check bench bench-peers gpu-check load format architecture docs notebooks pictures clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## a virtual environment with everything

# torch goes first and by name, so that a CPU build at hand is taken.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

demo: $(STAMP)  ## curate, train, evaluate, report; no key, GPU or hub
	$(BIN)/python -m shared.demo

# Three workers for two cores: a fifth of their time they wait for processes that they started.
test: $(STAMP)  ## the default tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup

test-slow: $(STAMP)  ## the tests that take minutes
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup -m 'slow and not long'

test-long: $(STAMP)  ## the slow tests that CI leaves out
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup -m long

# Not installed with the rest: it is built for few platforms.
fuzz: $(STAMP)  ## look for files and replies that break their readers, FUZZ_SECONDS for each
	$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt atheris
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

# In an environment of its own, for what looks for weaknesses need not suit what it looks at.
audit:  ## known weaknesses of the pinned packages, and secrets in the files
	test -x .audit/bin/pip-audit || { $(PYTHON) -m venv .audit && \
	  .audit/bin/python -m pip install --quiet --constraint constraints.txt \
	    detect-secrets pip-audit; }
	git ls-files -z | xargs -0 .audit/bin/detect-secrets-hook --plugin .ci/google_api_key.py \
	  --disable-plugin KeywordDetector --disable-plugin HexHighEntropyString \
	  --disable-plugin Base64HighEntropyString
	.audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

# In an environment of its own, which has what builds and checks and nothing else.
release:  ## the wheel and the source distribution, checked, in dist
	test -x .release/bin/twine || { $(PYTHON) -m venv .release && \
	  .release/bin/python -m pip install --quiet build twine; }
	rm -rf dist && .release/bin/python -m build && .release/bin/twine check --strict dist/*

chaos: $(STAMP)  ## try to lose something of campaigns, evaluations, trainings, sweeps: SEEDS, for MINUTES at most
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --minutes $(MINUTES)

lint: $(STAMP)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## lint and the default tests

bench: $(STAMP)  ## ours against the plain way, and the commit BEFORE; SECTIONS of it; kept in docs/figures.*
	$(BIN)/python -m tests.bench $(SECTIONS) --keep

gpu-check: $(STAMP)  ## what only a GPU can tell, in gpu-check.json; under 8 minutes
	$(BIN)/python -m tests.bench.gpu_check

load: $(STAMP)  ## hundreds of connections to each of our pages, polite, slow and broken
	$(BIN)/python -m tests.bench.load

# Each peer in an environment of its own; one that cannot be installed is left out.
bench-peers: $(STAMP)  ## the curator against LiteLLM, bespokelabs-curator, and its commit BEFORE
	for peer in litellm bespokelabs-curator; do \
	  test -x .peers/$$peer/bin/python && continue; \
	  $(PYTHON) -m venv .peers/$$peer && .peers/$$peer/bin/pip install --quiet $$peer \
	    || { rm -rf .peers/$$peer; echo "$$peer cannot be installed here"; }; \
	done
	$(BIN)/python -m tests.bench.asking --peers .peers $(if $(BEFORE),--before $(BEFORE))

format: $(STAMP)  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

architecture: $(STAMP)  ## renew docs/architecture.md from the modules
	$(BIN)/python -m tests.architecture

pictures: demo  ## renew the pictures of the documents' front page from a demo's output
	$(BIN)/python -m docs.site.pictures demo-run

notebooks: $(STAMP)  ## run the notebooks of docs/notebooks again, and keep what they show
	$(BIN)/python -m docs.site.execute

# Diagrams are drawn by who reads the site, with what is put beside it; without npm they stay text.
docs: $(STAMP) .mermaid/$(MERMAID)  ## the site of the documents, in site/; every link is checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

.mermaid/$(MERMAID):
	rm -rf .mermaid && mkdir .mermaid
	cd .mermaid && npm pack --silent --fetch-retries 1 mermaid@$(MERMAID) >/dev/null && \
	  tar xzf mermaid-$(MERMAID).tgz package/dist/mermaid.min.js && \
	  rm mermaid-$(MERMAID).tgz && touch $(MERMAID) \
	  || echo "mermaid cannot be had from npm: diagrams stay text" >&2

clean:  ## forget the environment and the demo's output
	rm -rf $(VENV) .peers .audit .mermaid site demo-run
