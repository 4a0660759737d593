"""How long `create` with qemu takes, image and Pulumi engine ready, and where the time goes."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path

from infra.plugins.hypervisor import image
from tests.hosts.shop import Shop

LIMIT = 150.0  # seconds, under software emulation


def main(*, check: bool) -> int:
    """Print the phases and each one's share. Ends with 1, with `check`, where the whole is over the limit."""
    folder = Path(tempfile.mkdtemp(prefix="mctl-bench-"))
    shop = Shop(folder)
    try:
        if not image.here("", ""):
            print("create --provider qemu: the first create gets the image, so this one is not measured")
            shop.mctl("create", "first")
            shop.mctl("rm", "-y", "first")
        began = time.perf_counter()
        ran = shop.mctl("create", "vm")
        total = time.perf_counter() - began
    finally:
        shop.mctl("rm", "-y", "vm")
        shutil.rmtree(folder)
    if ran.code:
        print(ran.err)
        return 1
    phases = {name: float(seconds) for name, seconds in re.findall(r"(\w+) (\d+) s", ran.out)}
    how = "emulated" if "emulated" in ran.err else "hardware acceleration"
    print(f"create --provider qemu: {total:.0f} s, limit {LIMIT:.0f} s ({how})")
    for name, seconds in (phases | {"the rest": total - sum(phases.values())}).items():
        print(f"  {name:<10} {seconds:4.0f} s  {seconds / total:4.0%}")
    return int(check and total > LIMIT)
