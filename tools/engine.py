"""See to it that the Pulumi engine is there, so that no test waits for its build; its path goes to standard output."""

import sys

from pulumi.automation import PulumiCommand

from infra.errors import PreCreateError
from infra.stacks.pulumi_program import find_pulumi


def main() -> int:
    """Find, install or build the engine, saying what is done."""
    try:
        found = find_pulumi(_say, install=lambda root: PulumiCommand.install(root=str(root)))
    except PreCreateError as error:
        _say(error.message)
        _say(error.mend or "")
        return error.exit_code
    sys.stdout.write(f"{found.path}\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"setup: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
