"""The project in mctl's home, for all machines that are declared in no other."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import infra
from infra.stacks.home import home
from infra.stacks.yaml_files import write

PROJECT = "mctl"
PROVIDER = "secretsprovider"
OURS = r"^(?:  )?(url|secretsprovider): (\S+)$"  # what was set in it stays


def home_project() -> Path:
    """Keep a Pulumi.yaml in mctl's home, so that `pulumi up` works there by hand too."""
    folder = Path(home())
    file = folder / "Pulumi.yaml"
    there = file.read_text() if file.exists() else ""
    kept = dict(re.findall(OURS, there, re.MULTILINE))
    text = (
        f"name: {PROJECT}\n"
        "description: Docker hosts, declared under mctl:machines in Pulumi.<stack>.yaml\n"
        f"main: {Path(infra.__file__).parent}\n"
        "backend:\n"
        f"  url: {kept.get('url') or Path(home('state')).as_uri()}\n"
        "runtime:\n"
        "  name: python\n"
        "  options:\n"
        f"    virtualenv: {sys.prefix}\n"
    )
    if PROVIDER in kept:
        text += f"{PROVIDER}: {kept[PROVIDER]}\n"
    if there != text:
        write(file, text)
    return folder
