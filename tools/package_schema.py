"""Print the schema of the component package: what programs in other languages may say, and what they get."""

from __future__ import annotations

import json
import sys

from pulumi.provider.experimental.component import ComponentProvider

from infra.package import NAME, VERSION, Machine

if __name__ == "__main__":
    schema = json.loads(ComponentProvider([Machine], NAME, version=VERSION).schema or "")
    sys.stdout.write(json.dumps(schema, indent=2) + "\n")
