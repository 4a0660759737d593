"""Run every benchmark, or those named: `python -m bench [--check] [--write] [reads …]`."""

from __future__ import annotations

import argparse
import io
import os
import pkgutil
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import bench

MEASURED = Path(__file__).parent / "measured"  # what the documentation shows


def main() -> int:
    """Run them one after the other; the exit code is that of the first that is over its limit."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure mctl.")
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME", help=", ".join(known))
    parser.add_argument("--check", action="store_true", help="fail where a figure is over its limit")
    parser.add_argument("--write", action="store_true", help="write what is printed into bench/measured/, too")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.names or known:
        said = _Said(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before\n")
        with redirect_stdout(said):
            failed = import_module(f"bench.{name}").main(check=arguments.check) or failed
        if arguments.write:
            (MEASURED / f"{name}.txt").write_text(said.getvalue())
    return failed


class _Said(io.StringIO):
    """Show what is printed at once, and keep it."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self.write(head)

    def write(self, text: str) -> int:
        print(text, end="", file=sys.__stdout__, flush=True)
        return super().write(text)


if __name__ == "__main__":
    sys.exit(main())
