"""Serve one stand-in cloud as the Pulumi engine starts it: `python -m tests.clouds.serve MODULE ENGINE_ADDRESS`."""

import sys
from importlib import import_module

from infra.plugins.server import serve

serve(import_module(f"tests.clouds.{sys.argv.pop(1)}").PLUGIN)
