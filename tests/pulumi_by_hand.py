"""Pulumi's own program in mctl's home, with no mctl in sight; its Python language host is a stand-in of the tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import language_host
from tests.hosts.shop import Shop


class ByHand:
    """Run `pulumi` as the README says."""

    def __init__(self, shop: Shop, program: Path) -> None:
        self.shop, self.program = shop, program
        language_host.install(shop.folder / "bin")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        found = self.shop.with_programs()
        environment = found | {
            "PATH": os.pathsep.join([str(self.shop.folder / "bin"), found["PATH"]]),
            "PULUMI_HOME": str(self.shop.home / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.shop.home / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        done = subprocess.run(
            [self.program, "--non-interactive", "--color", "never", *arguments],
            cwd=self.shop.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done
