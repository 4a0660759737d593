"""A folder that stands for a host's root: scripts run there, with programs that a test gives it and a few real ones.

For package managers that a Debian machine can't have. A program given by a test answers what its cases say, records how
it was called, and refuses anything else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

REAL = (
    "awk cat chmod cmp cp cut dirname env false grep head id ls mkdir mktemp mv rm sed sh sleep sort tail timeout tr "
    "true"
)


class ScratchHost:
    def __init__(self, root: Path, os_release: str) -> None:
        self.root = root
        self.bin = root / "bin"
        for folder in ("bin", "etc", "run", "var/log", "usr/sbin", "proc/net", "tmp"):
            (root / folder).mkdir(parents=True)
        for name in REAL.split():
            (self.bin / name).symlink_to(shutil.which(name) or "/missing")
        self.write("etc/os-release", os_release)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def program(self, name: str, cases: Mapping[str, str]) -> None:
        """Give the host a program: for each pattern of its arguments, in sh's `case` syntax, what it does."""
        known = "".join(f"  {pattern}) {action} ;;\n" for pattern, action in cases.items())
        calls, refused = self.root / "calls", self.root / "refused"
        self.write(
            f"bin/{name}",
            f'#!/bin/sh\necho {name} "$@" >>{calls}\ncase "$*" in\n{known}'
            f'  *) echo {name} "$@" >>{refused}; exit 64 ;;\nesac\n',
        ).chmod(0o755)

    def installs_dockerd(self, version: str = "27.3.1") -> str:
        """Give the shell command by which a package manager's stub makes dockerd appear."""
        body = f'#!/bin/sh\\necho "Docker version {version}, build abc"\\n'
        return f"printf '{body}' >{self.bin}/dockerd; chmod 755 {self.bin}/dockerd"

    def calls(self, name: str) -> list[str]:
        """List how a program was called, in order. Fails where one was called in a way that it does not know."""
        refused = self.root / "refused"
        assert not refused.exists(), refused.read_text()
        calls = self.root / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def run(self, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script whose absolute paths are those of this host."""
        moved = re.sub(r"(?<![\w./}*-])/(?=(etc|run|var|usr|sbin|proc|sys)\b)", f"{self.root}/", script)
        moved = moved.replace(":/usr", f":{self.root}/usr").replace(":/sbin", f":{self.root}/sbin")
        environment = {"PATH": str(self.bin), "TMPDIR": str(self.root / "tmp"), "HOME": os.fspath(self.root)}
        return subprocess.run(
            [self.bin / "sh", "-c", moved],
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
