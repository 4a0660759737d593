"""What runs on the host: scripts in POSIX sh, put together from text by pure functions.

Each script prints progress as `mctl-step: …` and what the user should know as `mctl-notice: …`; a failure ends with one
`mctl-error: …` and one `mctl-mend: …`. All of that goes to standard error.
"""

from __future__ import annotations

import shlex
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent

AS_ROOT = """\
fail() {{
  printf 'mctl-error: %s\\nmctl-mend: %s\\n' "$1" "$2" >&2
  exit 1
}}
if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root='sudo -n'
else
  fail "the user $(id -un) is not root and can't use sudo without a password" \\
    'log in as root, or let it: echo "USER ALL=(ALL) NOPASSWD:ALL" in /etc/sudoers.d/USER on the host'
fi
no_room="can't write to the host's temporary folder: its disk is full or read-only"
script=$(mktemp) || fail "$no_room" 'make room on the host'
trap 'rm -f "$script"' EXIT
trap 'exit 130' HUP INT TERM
cat >"$script" <<'{end}' || fail "$no_room" 'make room on the host'
{script}{end}
$as_root sh "$script"
"""


def parts(*names: str) -> str:
    """Read the shell sources of this folder, in order."""
    return "".join((FOLDER / f"{name}.sh").read_text(encoding="utf-8") for name in names)


def variables(**values: str) -> str:
    """Assign shell variables, whatever their values hold."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def as_root(script: str) -> str:
    """Wrap a script so that it runs as root, by sudo without a password where the user is not root.

    The script travels in a file, so that standard input stays free and neither `ps` nor sudo's log repeats it.
    """
    return AS_ROOT.format(script=script, end=end_marker(script))


def heredoc(text: str) -> str:
    """Make the command that prints the text as it is, and one newline."""
    end = end_marker(text)
    return f"cat <<'{end}'\n{text}\n{end}\n"


def end_marker(text: str) -> str:
    """Give a heredoc's end that no line of the text can be, for it is made of the text's hash."""
    return f"MCTL_END_{sha256(text.encode()).hexdigest()[:16]}"
