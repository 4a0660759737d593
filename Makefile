# Everything that is done with this project, by the same commands here and in .ci/run.
PYTHON := .venv/bin/python
RUFF := .venv/bin/ruff

.DEFAULT_GOAL := help
.PHONY: help setup venv demo test lint types fix man docs bench

help: ## Show this help
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST) | expand -t 8

setup: ## Install what is missing: system packages, Python packages, the Pulumi engine
	@tools/setup.sh all

venv:
	@tools/setup.sh venv

demo: setup ## Make a real machine, use it through TLS, remove it
	@tools/demo.sh

test: setup ## Run every test: unit, real Pulumi engine, real hosts
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

lint: venv ## Check style
	$(RUFF) check
	$(RUFF) format --check

types: venv ## Check types
	.venv/bin/mypy

fix: venv ## Mend what the style check can mend
	$(RUFF) check --fix
	$(RUFF) format

man: venv ## Make the generated pages of docs/ anew, after the command line, an error or a driver has changed
	$(PYTHON) tools/man_page.py >docs/mctl.1
	$(PYTHON) -m tools.provider_pages
	$(PYTHON) -m tools.command_pages >docs/commands.md
	$(PYTHON) -m tools.error_page >docs/troubleshooting.md
	$(PYTHON) -m tools.package_schema >infra/package/schema.json

docs: venv ## Build the documentation site into site/, its links and anchors checked
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

bench: setup ## Measure how fast it is, and against what
	$(PYTHON) -m bench
