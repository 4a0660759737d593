"""docker-machine's verbs: what each says of itself, its flags, and how many names it takes.

A flag is spelled as mctl's verb of the same name spells its long form, so a parsed command line is mctl's too.
"""

from __future__ import annotations

from cli.compat.flags import Flag, switch

MANY = 1 << 16
NEEDS_ONE = "Error: Expected one machine name as an argument"
NEEDS_SOME = "Error: Expected to get one or more machine names as arguments"
TOO_MANY = "Error: Too many arguments given"
WRONG_NUMBER = "Improper number of arguments"
ONE_NAME, SOME_NAMES = "Argument is a machine name.", "Argument(s) are one or more machine names."


class Verb:
    """One verb. refusal: what is said where there are fewer than `least` or more than `most` names."""

    __slots__ = ("about", "flags", "least", "most", "refusal", "text")

    def __init__(
        self,
        text: str,
        *flags: Flag,
        about: str = "",
        least: int = 0,
        most: int = MANY,
        refusal: str = NEEDS_ONE,
    ) -> None:
        self.text, self.flags, self.about = text, flags, about
        self.least, self.most, self.refusal = least, most, refusal


def _timeout() -> Flag:
    return Flag("timeout", 10, short="t", text="Seconds to wait for a machine's answer")


def _swarm() -> Flag:
    return switch("swarm", text="Show how the Swarm manager is reached, instead of the Docker daemon")


VERBS = {
    "active": Verb("Print which machine is active", _timeout(), most=0, refusal=TOO_MANY),
    "config": Verb("Print the connection config for machine", _swarm(), about=ONE_NAME, most=1),
    "create": Verb(
        "Create a machine",
        about="Run 'docker-machine create --driver name --help' to see the flags of that driver too.",
    ),
    "env": Verb(
        "Display the commands to set up the environment for the Docker client",
        _swarm(),
        Flag("shell", text="Write for this shell: bash, zsh, fish, powershell, cmd, tcsh or emacs"),
        switch("unset", short="u", text="Unset the variables instead of setting them"),
        switch("no-proxy", text="Add the machine's IP to the NO_PROXY variable"),
        about=ONE_NAME,
        most=1,
    ),
    "inspect": Verb(
        "Inspect information about a machine",
        Flag("format", short="f", text="Format the output by this Go template"),
        about=ONE_NAME,
        most=1,
    ),
    "ip": Verb("Get the IP address of a machine", about=SOME_NAMES),
    "kill": Verb("Kill a machine", about=SOME_NAMES),
    "ls": Verb(
        "List machines",
        switch("quiet", short="q", text="Print names alone"),
        Flag("filter", (), text="Keep the machines that match: driver, swarm, state, name or label"),
        _timeout(),
        Flag("format", short="f", text="Print each machine by this Go template"),
        most=0,
        refusal=TOO_MANY,
    ),
    "mount": Verb(
        "Mount or unmount a directory from a machine with SSHFS.",
        switch("unmount", short="u", text="Unmount instead of mount"),
        about="Arguments are [machine:][path] [mountpoint]",
        least=1,
        most=2,
        refusal=WRONG_NUMBER,
    ),
    "provision": Verb("Re-provision existing machines", about=SOME_NAMES),
    "regenerate-certs": Verb(
        "Regenerate TLS Certificates for a machine",
        switch("force", short="f", text="Do not ask"),
        switch("client-certs", text="Also regenerate the client certificate"),
        about=SOME_NAMES,
    ),
    "restart": Verb("Restart a machine", about=SOME_NAMES),
    "rm": Verb(
        "Remove a machine",
        switch("force", short="f", text="Do not ask, and pass over machines that are not there"),
        switch("y", text="Do not ask"),
        about=SOME_NAMES,
        least=1,
        refusal=NEEDS_SOME,
    ),
    "scp": Verb(
        "Copy files between machines",
        switch("recursive", short="r", text="Copy directories too"),
        switch("delta", short="d", text="Send only the differences (uses rsync)"),
        switch("quiet", short="q", text="Show no progress"),
        about="Arguments are [[user@]machine:][path] [[user@]machine:][path].",
        least=2,
        most=2,
        refusal=WRONG_NUMBER,
    ),
    "ssh": Verb(
        "Log into or run a command on a machine with SSH.",
        about="Arguments are [machine-name] [command]",
    ),
    "start": Verb("Start a machine", about=SOME_NAMES),
    "status": Verb("Get the status of a machine", about=ONE_NAME, most=1),
    "stop": Verb("Stop a machine", about=SOME_NAMES),
    "upgrade": Verb("Upgrade a machine to the latest version of Docker", about=SOME_NAMES),
    "url": Verb("Get the URL of a machine", about=ONE_NAME, most=1),
    "version": Verb("Show the Docker Machine version or a machine docker version", most=1),
    "help": Verb("Shows a list of commands or help for one command", most=1, refusal=TOO_MANY),
}
