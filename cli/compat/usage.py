"""A command line read by a verb's flags, and the help that docker-machine shows for it."""

from __future__ import annotations

import os

from cli.compat import flags
from cli.compat.verbs import VERBS
from infra.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "docker-machine"
SPEAKS = "0.16.2"  # the docker-machine whose command line this is
GLOBALS = (
    flags.switch("debug", short="D", text="Show tracebacks"),
    flags.Flag("storage-path", env="MACHINE_STORAGE_PATH", short="s", text="Where machines are kept"),
    flags.Flag("tls-ca-cert", env="MACHINE_TLS_CA_CERT"),
    flags.Flag("tls-ca-key", env="MACHINE_TLS_CA_KEY"),
    flags.Flag("tls-client-cert", env="MACHINE_TLS_CLIENT_CERT"),
    flags.Flag("tls-client-key", env="MACHINE_TLS_CLIENT_KEY"),
    flags.Flag("github-api-token", env="MACHINE_GITHUB_API_TOKEN"),
    flags.switch("native-ssh", env="MACHINE_NATIVE_SSH"),
    flags.Flag("bugsnag-api-token", env="MACHINE_BUGSNAG_API_TOKEN", text="Nothing is ever reported to anyone"),
    flags.switch("version", short="v", text="Show the version"),
)
# Why a global flag that is given changes nothing.
IDLE = {
    **dict.fromkeys(
        ("tls-ca-cert", "tls-ca-key", "tls-client-cert", "tls-client-key"),
        "each stack has an authority and a client certificate of its own",
    ),
    "github-api-token": "nothing is fetched from GitHub's API",
    "native-ssh": "ssh is always the program on PATH",
}


class IncorrectUsageError(UsageError):
    """Refuse a command line; help is what to show with it."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.help = text


def read(verb: str, arguments: Sequence[str], known: Sequence[flags.Flag]) -> tuple[list[str], dict[str, flags.Value]]:
    """Parse what follows a verb. Raises IncorrectUsageError, and HelpWanted with the help's text."""
    try:
        return flags.parse(arguments, known)
    except flags.HelpWanted:
        raise flags.HelpWanted(of_verb(verb, known)) from None
    except UsageError as error:
        raise IncorrectUsageError(error.message, of_verb(verb, known)) from None


def of_verb(verb: str, known: Sequence[flags.Flag]) -> str:
    """Write the help of one verb."""
    told = VERBS[verb]
    text = f"Usage: {NAME} {verb}{' [OPTIONS]' if known else ''} [arg...]\n\n{told.text}\n"
    if told.about:
        text += f"\nDescription:\n   {told.about}\n"
    if known:
        text += "\nOptions:\n\n" + "\n".join(flags.lines(known)) + "\n"
    return text


def of_all() -> str:
    """Write the help of the whole program."""
    verbs = "\n".join(f"  {name:<18} {verb.text}" for name, verb in VERBS.items())
    return (
        f"Usage: {NAME} [OPTIONS] COMMAND [arg...]\n\nCreate and manage machines running Docker.\n\n"
        f"Version: {version()}\n\nOptions:\n" + "\n".join(flags.lines(GLOBALS)) + f"\n\nCommands:\n{verbs}\n\n"
        f"Run '{NAME} COMMAND --help' for more information on a command.\n"
    )


def version() -> str:
    """Give the version of docker-machine that this stands for, and as its build our own."""
    from importlib.metadata import version as installed

    return f"{SPEAKS}, build mctl-{installed('mctl')}"


def storage(given: str) -> str:
    """Give the folder that machines are kept in: what is given, else MCTL_HOME, else docker-machine's own."""
    own = os.path.join(os.path.expanduser("~"), ".docker", "machine")
    return os.path.abspath(given or os.environ.get("MCTL_HOME") or own)
