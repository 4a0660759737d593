"""A new repository of machines: a project, its program, one stack with one machine, and a pipeline."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from infra.components import drivers
from infra.errors import MctlError
from infra.stacks.home_project import PROJECT
from infra.stacks.yaml_files import write

STACK, MACHINE = "dev", "web-1"
PROGRAM = '''"""Every machine that Pulumi.<stack>.yaml declares; mctl runs the same."""

from infra.stacks.program import machines

machines()
'''
DESCRIPTION = f"""\
name: {PROJECT}
description: Docker hosts, declared under mctl:machines in Pulumi.<stack>.yaml
runtime: python
# Where the stacks are kept; without it, on this computer alone.
# backend:
#   url: s3://a-bucket-of-yours
"""
IGNORED = """\
.venv/
__pycache__/
"""
# What a required option is called by until the user says it: addresses of RFC 5737, for documentation.
EXAMPLES = {"ip_address": "192.0.2.7", "url": "tcp://192.0.2.7:2376"}
CIDRS = "[203.0.113.0/24]"


def make(folder: Path, provider: str, workflow: str) -> list[Path]:
    """Write the files of a new project into a folder, and name them; those that are there as they would be stay.

    workflow: the text of the pipeline. Raises MctlError where a file is there that says something else, and
    UsageError for an unknown provider.
    """
    texts = {
        "Pulumi.yaml": DESCRIPTION,
        "__main__.py": PROGRAM,
        f"Pulumi.{STACK}.yaml": _declaration(drivers.load(provider)),
        ".gitignore": IGNORED,
        ".github/workflows/machines.yml": workflow,
    }
    files = {folder / name: text for name, text in texts.items()}
    try:
        for file, text in files.items():
            if file.exists() and file.read_bytes() != text.encode():
                raise MctlError(f"{file} is there already", mend="name another folder, or move the file away")
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, text)
    except OSError as error:
        raise MctlError(f"{error.filename} can't be used: {error.strerror}", mend="name another folder") from None
    return list(files)


def _declaration(driver: drivers.Driver) -> str:
    """Write a stack's file with one machine, and what may be said of it besides."""
    options = fields(driver.args)
    required = [each for each in options if each.default is MISSING and each.default_factory is MISSING]
    lines = ["config:", "  mctl:machines:", f"    {MACHINE}:", f"      provider: {driver.name}"]
    lines += [f"      # options: as of mctl create -d {driver.name} --help; {_spelled(driver, options[0])}"]
    if required:
        lines += ["      options:", *(f"        {_line(field)}" for field in required)]
    if driver.closes:
        lines += [f"      allow_cidrs: {CIDRS} # who may reach SSH and Docker: your own network here"]
    if driver.has_host:
        lines += ["      engine:", "        labels: [tier=web]", '        # version: "28"']
    return "\n".join(lines) + "\n"


def _spelled(driver: drivers.Driver, field: Field[Any]) -> str:
    return f"{field.name} is {drivers.flag(driver, field)} there"


def _line(field: Field[Any]) -> str:
    return f"{field.name}: {EXAMPLES[field.name]} # {field.metadata['help']}"
