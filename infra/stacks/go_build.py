"""Build the Pulumi engine with Go, from the module pinned in the `go` folder.

For places where only package registries can be reached: the module proxy has the engine's source. That module repeats
the engine's own `replace` line, without which `go install` refuses it, and its go.sum pins every byte.
Source: https://go.dev/ref/mod#go-mod-file-tool
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

VERSION = "3.259.0"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
LDFLAGS = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
LIMIT = 45 * 60.0  # seconds
STRIDE = 200  # packages between two lines of progress


class BuildError(Exception):
    """Say why the build failed."""


def go_needed() -> str:
    """Give the Go version that the module asks for."""
    found = re.search(r"^go (\S+)$", files("infra.stacks").joinpath("go", "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else ""


def refusal(go: str) -> str:
    """Give the reason why this Go won't build the module, or nothing."""
    folder = files("infra.stacks").joinpath("go")
    try:
        asked = subprocess.run([go, "list", "-m"], cwd=str(folder), capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return asked.stderr.strip() if asked.returncode else ""


def build(go: str, target: Path, report: Callable[[str], None]) -> None:
    """Build the engine and put it at `target` by a rename. Raises BuildError."""
    report(f"Building the Pulumi engine {VERSION} with Go: a few minutes, once")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        for name in ("go.mod", "go.sum"):
            shutil.copy(str(files("infra.stacks").joinpath("go", name)), folder)
        fresh = Path(folder, target.name)
        _run([go, "build", "-v", "-o", str(fresh), "-ldflags", LDFLAGS, PACKAGE], folder, report)
        fresh.replace(target)


def _run(command: list[str], folder: str, report: Callable[[str], None]) -> None:
    env = {**os.environ, "GOWORK": "off", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly"}
    said: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    try:
        compiled = 0
        for line in process.stderr or ():
            if re.fullmatch(r"[\w./~-]+\n", line):  # -v names each package that it compiles
                compiled += 1
                if compiled % STRIDE == 0:
                    report(f"Building the Pulumi engine: {compiled} packages compiled")
            elif not line.startswith("go: downloading"):
                said.append(line.strip())
        process.wait()
    finally:
        limit.cancel()
        process.kill()
        process.wait()
    if process.returncode:
        raise BuildError(" ".join(said[-3:]) or f"ended with status {process.returncode}")
