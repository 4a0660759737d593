"""What `mctl env` prints for each shell: the same variables, said the way that shell reads them."""

from __future__ import annotations

import os

from infra.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALIASES = {"sh": "bash", "zsh": "bash", "dash": "bash", "ksh": "bash", "pwsh": "powershell", "csh": "tcsh"}
CMD_OPERATORS = "&|<>^"
HINT = "Run this command to configure your shell:"


def current() -> str:
    """Tell which shell this runs in: by $SHELL, on Windows by the parent process, else POSIX's."""
    # cron, systemd and CI runners set no SHELL, and what they start is sh or bash.
    shell = os.environ.get("SHELL") or (_parent() if os.name == "nt" else "sh")
    known = _named(shell)
    return known if known in SET else "bash"


def chosen(shell: str) -> str:
    """Check a shell that the user names. Raises UsageError with a suggestion."""
    known = _named(shell)
    if known not in SET:
        from infra.machine import suggest

        names = sorted([*SET, *ALIASES])
        raise UsageError(f"unknown shell {shell!r}{suggest(shell, names)}", mend=f"--shell takes: {', '.join(names)}")
    return known


def script(shell: str, variables: Mapping[str, str | None], command: str) -> str:
    """Write the variables for a shell, None unsetting one, and how to have `command` run by it."""
    lines = [UNSET[shell](key) if value is None else SET[shell](key, value) for key, value in variables.items()]
    return "\n".join([*lines, *_hint(shell, command)]) + "\n"


def double_quoted(value: str) -> str:
    """Quote for a POSIX shell, always in double quotes (POSIX.1-2024, Shell, 2.2.3)."""
    return '"' + _escaped(value, '\\"$`', "\\") + '"'


def _named(shell: str) -> str:
    name = os.path.basename(shell.replace("\\", "/")).lower().removesuffix(".exe").lstrip("-")
    return ALIASES.get(name, name)


def _parent() -> str:
    import psutil

    parent = psutil.Process().parent()
    return parent.name() if parent else ""


def _escaped(value: str, special: str, escape: str) -> str:
    return "".join(escape + character if character in special else character for character in value)


def _bash(key: str, value: str) -> str:
    return f"export {key}={double_quoted(value)}"


def _fish(key: str, value: str) -> str:
    return f'set -gx {key} "{_escaped(value, chr(92) + chr(34) + "$", chr(92))}";'


def _powershell(key: str, value: str) -> str:
    return f'$Env:{key} = "{_escaped(value, chr(34) + "$`", "`")}"'


def _cmd(key: str, value: str) -> str:
    # Quotes would become part of the value, except around the whole assignment.
    return f'SET "{key}={value}"' if any(operator in value for operator in CMD_OPERATORS) else f"SET {key}={value}"


def _tcsh(key: str, value: str) -> str:
    # Nothing can be escaped within tcsh's double quotes; `!` is history even within single ones.
    if not any(character in value for character in "\"$`!\\'"):
        return f'setenv {key} "{value}";'
    return "setenv {} '{}';".format(key, value.replace("'", "'\\''").replace("!", "\\!"))


def _emacs(key: str, value: str) -> str:
    return f'(setenv "{key}" "{_escaped(value, chr(92) + chr(34), chr(92))}")'


def _hint(shell: str, command: str) -> tuple[str, ...]:
    run = {
        "fish": f"eval ({command})",
        "powershell": f"& {command} | Invoke-Expression",
        "cmd": f"\t@FOR /f \"tokens=*\" %i IN ('{command}') DO @%i",
        "tcsh": f'eval "`{command}`"',
        "emacs": f'(with-temp-buffer (shell-command "{command}" (current-buffer)) (eval-buffer))',
    }.get(shell, f'eval "$({command})"')
    mark = {"cmd": "REM", "tcsh": ":", "emacs": ";;"}.get(shell, "#")
    # tcsh joins all lines into one, where a comment would swallow the rest and a `:` command must not run anything.
    if shell == "tcsh":
        return (f": {HINT};", f": '{run}';")
    return (f"{mark} {HINT}", f"{mark} {run}")


SET: dict[str, Callable[[str, str], str]] = {
    "bash": _bash,
    "fish": _fish,
    "powershell": _powershell,
    "cmd": _cmd,
    "tcsh": _tcsh,
    "emacs": _emacs,
}
UNSET: dict[str, Callable[[str], str]] = {
    "bash": "unset {}".format,
    "fish": "set -e {};".format,
    "powershell": "Remove-Item Env:\\{}".format,
    "cmd": "SET {}=".format,
    "tcsh": "unsetenv {};".format,
    "emacs": '(setenv "{}" nil)'.format,
}
