"""Run every benchmark, or those named: `python -m bench [--check] [reads …]`."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module

import bench


def main() -> int:
    """Run them one after the other; the exit code is that of the first that is over its limit."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure mctl.")
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME", help=", ".join(known))
    parser.add_argument("--check", action="store_true", help="fail where a figure is over its limit")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.names or known:
        failed = import_module(f"bench.{name}").main(check=arguments.check) or failed
    return failed


if __name__ == "__main__":
    sys.exit(main())
