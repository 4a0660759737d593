"""The first boot of our own image: how it comes to its seed. Programs that count calls stand in for the system's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra.plugins.hypervisor import guest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the script is the guest's")

MOUNT = """#!/bin/sh
echo >>"$CALLS"
[ "$(wc -l <"$CALLS")" -gt "$BUSY" ] || { echo "mount: /dev/vdb: busy" >&2; exit 32; }
"""


def first_boot(folder: Path, *, busy: int) -> tuple[int, int, list[str]]:
    """Run it as far as the seed is mounted; give its exit code, the calls of mount, and what the console shows."""
    programs = folder / "programs"
    programs.mkdir()
    for name, text in (("mount", MOUNT), ("modprobe", "#!/bin/sh\n"), ("sleep", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    script = guest.FIRST_BOOT.partition("instance=")[0].replace("/run/mctl-seed", str(folder / "seed"))
    calls = folder / "calls"
    env = {"PATH": f"{programs}:/usr/bin:/bin", "CALLS": str(calls), "BUSY": str(busy)}
    ran = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
    return ran.returncode, len(calls.read_text().splitlines()), ran.stderr.splitlines()


def test_a_seed_that_cannot_be_mounted_yet_is_tried_again(tmp_path: Path) -> None:
    assert first_boot(tmp_path, busy=2) == (0, 3, ["mount: /dev/vdb: busy"] * 2)


def test_a_seed_that_can_never_be_mounted_ends_it_and_the_console_says_why(tmp_path: Path) -> None:
    assert first_boot(tmp_path, busy=99) == (1, 20, ["mount: /dev/vdb: busy"] * 20)
    assert "StandardError=journal+console" in guest.FIRST_BOOT_UNIT
