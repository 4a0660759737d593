"""The errors a user can meet, as one tree.

MctlError                 1  what happened, to which machine, and the command that mends it
├── UsageError            2  the command line or the stack's config can't mean anything
├── PreCreateError        3  a check failed before anything was made
├── NotFoundError         4  no machine, stack or record of that name
├── NameTakenError        1  the name is in use
├── AlreadyError          1  the machine is in the state asked for; `mctl` says so and ends well
├── StackLockedError      1  another run holds the stack's lock
├── PassphraseError       1  the stack's secrets can't be opened
├── RecordError           1  a machine's record can't be read
├── HostError             1  the host answered wrongly, or not at all
├── StackError            1  the Pulumi engine reported a failure
└── Interrupted         130  the user stopped the run

The number is the process's exit code.
"""

from __future__ import annotations

from collections.abc import Sequence


class MctlError(Exception):
    """Say what happened, to which machine, and what mends it.

    message: one sentence without the mending command. mend: a command or a step, shown on its own line.
    """

    exit_code = 1

    def __init__(self, message: str, *, machine: str | None = None, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.machine = machine
        self.mend = mend


class UsageError(MctlError):
    """Refuse options or config that can't mean anything.

    setting: where it stands in the declaration, key by key below `mctl:machines`; empty for what is no part of that.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, machine: str | None = None, mend: str | None = None, setting: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, machine=machine, mend=mend)
        self.setting = setting


class PreCreateError(MctlError):
    """Stop before anything is made."""

    exit_code = 3


class NotFoundError(MctlError):
    """Name a machine, stack or record that isn't there."""

    exit_code = 4


class NameTakenError(MctlError):
    """Refuse a name that is in use."""


class AlreadyError(MctlError):
    """Report a machine that is in the state asked for, where nothing was done."""


class StackLockedError(MctlError):
    """Report that another run holds the stack's lock."""


class PassphraseError(MctlError):
    """Report that the stack's secrets can't be opened."""


class RecordError(MctlError):
    """Report a record that can't be read."""


class HostError(MctlError):
    """Report a host that answered wrongly, or not at all."""


class StackError(MctlError):
    """Report a failure of the Pulumi engine.

    reasons: what was said of each resource that failed, with its machine's name, or an empty one.
    """

    def __init__(
        self,
        message: str,
        *,
        machine: str | None = None,
        mend: str | None = None,
        reasons: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message, machine=machine, mend=mend)
        self.reasons = tuple(reasons)


class Interrupted(MctlError):  # noqa: N818 - a Ctrl-C is not an error of anyone's
    """Report that the user stopped the run."""

    exit_code = 130
