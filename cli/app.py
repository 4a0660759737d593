"""The typer app: one table of verbs, each module imported when its verb is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any, Literal, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from cli import waiting
from cli.output import say


class Verb(NamedTuple):
    """A line of the help: its panel, and what the verb does. settings: for typer's context of the verb."""

    panel: str
    summary: str
    settings: dict[str, Any] = {}  # noqa: RUF012 - never changed


MACHINES, CONNECT, STACKS, COMPUTER = "Machines", "Connect", "Stacks", "This computer"
AS_THEY_ARE = {"ignore_unknown_options": True, "allow_interspersed_args": False}
VERBS = {
    "create": Verb(MACHINES, "Make a machine"),
    "ls": Verb(MACHINES, "List machines and their states"),
    "export": Verb(MACHINES, "Write a machine into one encrypted file for another person"),
    "import": Verb(MACHINES, "Take over machines that are there already"),
    "start": Verb(MACHINES, "Switch machines on"),
    "stop": Verb(MACHINES, "Shut machines down"),
    "restart": Verb(MACHINES, "Shut machines down and switch them on again"),
    "kill": Verb(MACHINES, "Switch machines off without asking them"),
    "set": Verb(MACHINES, "Change settings of a machine"),
    "rename": Verb(MACHINES, "Give a machine another name"),
    "upgrade": Verb(MACHINES, "Bring Docker on machines to a newer version"),
    "provision": Verb(MACHINES, "Install and configure Docker once more"),
    "scale": Verb(MACHINES, "Have more or fewer machines in a group"),
    "rm": Verb(MACHINES, "Remove machines without a trace"),
    "status": Verb(MACHINES, "Show a machine's state"),
    "check": Verb(MACHINES, "Check that machines are still as they were configured"),
    "inspect": Verb(MACHINES, "Show all that is known of a machine, as JSON"),
    "regenerate-certs": Verb(MACHINES, "Make certificates of machines anew"),
    "env": Verb(CONNECT, "Print what points this shell's docker at a machine"),
    "config": Verb(CONNECT, "Print the docker options that reach a machine"),
    "active": Verb(CONNECT, "Name the machine that docker uses in this shell"),
    "url": Verb(CONNECT, "Print the URL of a machine's Docker daemon"),
    "ip": Verb(CONNECT, "Print the addresses of machines"),
    "ssh": Verb(CONNECT, "Log in to a machine, or run a command on it", AS_THEY_ARE),
    "scp": Verb(CONNECT, "Copy files to, from and between machines"),
    "mount": Verb(CONNECT, "Mount a machine's folder here"),
    "ssh-config": Verb(CONNECT, "Print what your own ssh needs to reach machines"),
    "init": Verb(STACKS, "Begin a repository of machines"),
    "up": Verb(STACKS, "Bring a stack to what it declares"),
    "preview": Verb(STACKS, "Show what `up` would do"),
    "ci": Verb(STACKS, "Preview in a pull request, `up` on merge, drift in an issue"),
    "refresh": Verb(STACKS, "Look at what is really there, and renew the records"),
    "drift": Verb(STACKS, "Show what is otherwise than it was made"),
    "backend": Verb(STACKS, "Show where the stacks are kept, or move them to be shared"),
    "attach": Verb(STACKS, "Have every machine of a project on this computer too"),
    "shards": Verb(STACKS, "Spread the stacks over CI jobs"),
    "unlock": Verb(STACKS, "Clear the lock that a dead run of another computer left"),
    "swarm": Verb(STACKS, "Look at a Swarm, and renew its tokens"),
    "doctor": Verb(COMPUTER, "Check that this computer can create machines"),
    "policy": Verb(COMPUTER, "Print the permissions that a provider's machines take"),
    "orphans": Verb(COMPUTER, "Find at a provider what no stack knows of any more"),
    "compat": Verb(COMPUTER, "Answer to the name docker-machine"),
    "help": Verb(COMPUTER, "Explain a verb"),
    "completion": Verb(COMPUTER, "Print what makes a shell complete mctl's command lines"),
    "version": Verb(COMPUTER, "Show the version of mctl, or of a machine's Docker"),
}
# What typer says of a wrong value or count, and what helps more.
PLAIN = {
    r"Value error, ": "",
    r"Input should be a valid integer, .*": "it must be a whole number",
    r"Input should be a valid number, .*": "it must be a number",
    r"Input should be greater than or equal to ": "it must be at least ",
    r" Choose from:\n\t(.*)": r" choose from: \1",
    r",\n\t": ", ",
}


class Verbs(TyperGroup):
    """List the verbs from the table; import the module of the one that is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the verbs in the table's order."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give what the help shows of a verb."""
        verb = VERBS.get(cmd_name)
        return verb and TyperCommand(cmd_name, help=verb.summary, rich_help_panel=verb.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the verb that is to run."""
        if args[0] not in VERBS:  # while completing: else run() has refused it
            return None, None, args[1:]
        return args[0], load(args[0]), args[1:]


# Markdown, because the other mode takes `[default: x]` for a colour.
MARKUP: Literal["markdown"] = "markdown"
HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=Verbs, rich_markup_mode=MARKUP, invoke_without_command=True, add_completion=False, context_settings=HELP
)


def run(argv: Sequence[str]) -> int:
    """Run a command line and give its exit code. Raises MctlError, and what is a fault of ours."""
    verb = next((argument for argument in argv if not argument.startswith("-")), None)
    if verb and verb not in VERBS:
        from infra.machine import suggest

        say("mctl", f"{verb!r} is not a command{suggest(verb, list(VERBS))}", None)
        return 2
    try:
        code = app(args=waiting.spelled_out(argv), prog_name="mctl", standalone_mode=False)
    except TyperException as error:
        say("Error", _reason(error), f"mctl {verb} --help" if verb else "mctl --help")
        return 2
    except typer.Abort:
        say("Error", "stopped", None)
        return 130
    return code if isinstance(code, int) else 0


@app.callback()
def _globals(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", "-D", help="Show tracebacks [env: MCTL_DEBUG].")] = False,
    version: Annotated[bool, typer.Option("--version", "-v", help="Show the version.")] = False,
) -> None:
    """Make Docker hosts anywhere, and point your docker at them."""
    if version:
        from cli.commands.version import own_version

        typer.echo(f"mctl version {own_version()}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def load(verb: str) -> Any:
    """Import a verb and give its command."""
    word = verb.replace("-", "_") + "_" * iskeyword(verb)
    command = getattr(import_module(f"cli.commands.{word}"), word)
    single = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
    command = waiting.with_wait(command) if verb in waiting.VERBS else command
    single.command(verb, context_settings=HELP | VERBS[verb].settings)(command)
    return typer.main.get_command(single)


def _reason(error: TyperException) -> str:
    near = getattr(error, "possibilities", None)
    message = error.message if near else error.format_message()
    for pattern, plain in PLAIN.items():
        message = re.sub(pattern, plain, message)
    message = message[:1].lower() + message[1:].rstrip(".")
    return f"{message}; did you mean {near[0]}?" if near else message
