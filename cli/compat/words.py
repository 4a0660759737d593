"""Our errors in docker-machine's words (its libmachine/mcnerror and commands packages, 0.16.2)."""

from __future__ import annotations

from cli.output import say
from infra.errors import (
    AlreadyError,
    HostError,
    Interrupted,
    MctlError,
    NameTakenError,
    NotFoundError,
    PreCreateError,
    UsageError,
)

NOT_RUNNING, HOST_NOT_RUNNING = "is not running", "Host is not running"
UNSUPPORTED = "driver does not support"
INVALID_NAME = "Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -"
CONFIGURING = "Error setting machine configuration from flags provided"
UNSET_WITH_NAME = "Expected no machine name when the -u flag is present"
FAILED, FAILED_BEFORE = 1, 3


class PlainError(MctlError):
    """An error of docker-machine's own, told as it is."""


def tell(error: MctlError, verb: str) -> int:
    """Say on stderr what happened, and give docker-machine's exit code for it."""
    text = known(error, verb)
    if text is None:
        say(_stage(error, verb), _message(error, verb), error.mend)
    else:
        say("", text, None)
    if isinstance(error, Interrupted):
        return error.exit_code
    return FAILED_BEFORE if isinstance(error, PreCreateError) and verb == "create" else FAILED


def known(error: MctlError, verb: str) -> str | None:
    """Give docker-machine's own text of an error, None where it had none."""
    name = error.machine
    if isinstance(error, NotFoundError) and error.message == f'machine "{name}" does not exist':
        return (
            f'Docker machine "{name}" does not exist. Use "docker-machine ls" to list machines. '
            'Use "docker-machine create" to add a new one.'
        )
    if (isinstance(error, NotFoundError) and not name) or error.message == UNSET_WITH_NAME:
        return f"Error: {error.message}"
    if isinstance(error, NameTakenError):
        return f'Docker machine "{name}" already exists'
    if isinstance(error, HostError) and error.message.endswith(NOT_RUNNING):
        return f'Error: Cannot run SSH command: Host "{name}" is not running' if verb == "ssh" else HOST_NOT_RUNNING
    if isinstance(error, AlreadyError | PlainError) or UNSUPPORTED in error.message:
        return error.message
    return None


def _stage(error: MctlError, verb: str) -> str:
    """Give what docker-machine puts before an error."""
    if verb != "create" or isinstance(error, Interrupted):
        return ""
    if isinstance(error, PreCreateError):
        return "Error with pre-create check"
    return CONFIGURING if isinstance(error, UsageError) else "Error creating machine"


def _message(error: MctlError, verb: str) -> str:
    if verb != "create" or not isinstance(error, PreCreateError):
        return error.message
    from json import dumps

    return dumps(error.message, ensure_ascii=False)
