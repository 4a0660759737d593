"""Where the program begins when it is called docker-machine: global flags, the verb, and every error in its words."""

from __future__ import annotations

import os
import sys

from cli import output
from cli.compat import flags, usage, words
from cli.compat.verbs import VERBS
from infra.errors import MctlError, UsageError
from infra.stacks import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
# Verbs that are more than mctl's own with the same flags, and where they are.
SPECIAL = {
    "config": "reads",
    "inspect": "reads",
    "version": "reads",
    "kill": "power",
    "restart": "power",
    "start": "power",
    "stop": "power",
    "provision": "provision",
    "rm": "rm",
}
THEIR_CODES = ("mount", "scp")  # verbs that end with the code of what they run, as ssh does


def run(argv: Sequence[str]) -> int:
    """Run one command line; errors become docker-machine's text on stderr and its exit code."""
    output.program = usage.NAME
    verb = ""
    try:
        verb, arguments = _globals(argv)
        return _run(verb, arguments) if verb else 0
    except flags.HelpWanted as wanted:
        sys.stdout.write(str(wanted))
        return 0
    except BrokenPipeError:
        raise
    except usage.IncorrectUsageError as error:
        sys.stdout.flush()
        sys.stderr.write(f"Incorrect Usage.\n\n{error.help}\n{error.message}\n")
        return words.FAILED
    except MctlError as error:
        output.trace(argv)
        return words.tell(error, verb)
    except KeyboardInterrupt:
        output.trace(argv)
        return INTERRUPTED
    except Exception as error:
        output.print_error(output.fault(error, debug=output.trace(argv)))
        return words.FAILED


def _globals(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Take the flags before the verb; give the verb, empty where all is said, and what follows it."""
    debug = os.environ.get("MACHINE_DEBUG", "")
    if debug and debug not in flags.BOOLEANS:
        reason = flags.not_parsed("ParseBool", debug)
        raise words.PlainError(f"Error parsing boolean value from MACHINE_DEBUG: {reason}")
    try:
        names, given = flags.parse(argv, usage.GLOBALS, interspersed=False)
        values = flags.with_environment(given, usage.GLOBALS)
    except flags.HelpWanted:
        raise flags.HelpWanted(usage.of_all()) from None
    except UsageError as error:
        raise usage.IncorrectUsageError(error.message, usage.of_all()) from None
    home.looks_around = False
    store = usage.storage(str(values.get("storage-path", "")))
    os.environ |= {"MCTL_HOME": store, "MACHINE_STORAGE_PATH": store}  # the second for `import`
    if values.get("debug") or flags.BOOLEANS.get(debug):
        os.environ["MCTL_DEBUG"] = "1"
    for name, why in usage.IDLE.items():
        if name in given:
            output.say("Notice", f"--{name} changes nothing: {why}", None)
    if values.get("version"):
        sys.stdout.write(f"{usage.NAME} version {usage.version()}\n")
        return "", ()
    if not names:
        raise flags.HelpWanted(usage.of_all())
    return names[0], names[1:]


def _run(verb: str, arguments: Sequence[str]) -> int:
    if verb not in VERBS:
        return _other(verb, arguments)
    if verb == "create":
        from cli.compat import create

        return create.run(arguments)
    if verb == "ssh":  # all that follows the machine is ssh's
        if arguments and arguments[0].lstrip("-") in flags.HELP and arguments[0].startswith("-"):
            raise flags.HelpWanted(usage.of_verb(verb, ()))
        return dispatch([verb, *arguments])
    told = VERBS[verb]
    names, values = usage.read(verb, arguments, told.flags)
    if len(names) < told.least:
        sys.stderr.write(f"{usage.of_verb(verb, told.flags)}\n")
    if not told.least <= len(names) <= told.most:
        raise words.PlainError(told.refusal)
    if verb == "help":
        raise flags.HelpWanted(_help(names[0]) if names else usage.of_all())
    if verb in SPECIAL:
        from importlib import import_module

        code: int = import_module(f"cli.compat.{SPECIAL[verb]}").run(verb, names, values)
    else:
        code = dispatch(as_mctl(verb, names, values))
    return code if code in (0, INTERRUPTED) or verb in THEIR_CODES else words.FAILED


def as_mctl(verb: str, names: Sequence[str], values: dict[str, flags.Value]) -> list[str]:
    """Write a parsed command line as mctl takes it."""
    argv = [verb]
    for name, value in values.items():
        if isinstance(value, bool):
            argv += [f"--{name}"] * value
        else:
            argv += [f"--{name}={item}" for item in (value if isinstance(value, tuple) else (value,))]
    return [*argv, *(["--"] if any(name.startswith("-") for name in names) else []), *names]


def dispatch(argv: Sequence[str]) -> int:
    """Run a command line of mctl. Raises MctlError."""
    from cli import main

    return main.dispatch(argv)


def _other(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb that mctl has and docker-machine had not, on this store."""
    from cli import app

    if verb in app.VERBS:
        return dispatch([verb, *arguments])
    raise words.PlainError(f"{usage.NAME}: '{verb}' is not a {usage.NAME} command. See '{usage.NAME} --help'.")


def _help(verb: str) -> str:
    if verb == "create":
        from cli.compat import create

        return create.help_text()
    if verb not in VERBS:
        _other(verb, ("--help",))
        return ""
    return usage.of_verb(verb, VERBS[verb].flags)
