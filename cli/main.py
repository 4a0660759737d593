"""Where the program begins: plain reads are answered at once, the rest goes to typer, and every error ends here."""

from __future__ import annotations

import os
import sys

from cli import fast
from infra.errors import MctlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BROKEN_PIPE, INTERRUPTED = 1, 130


def main() -> int:
    """Run one command line and give its exit code."""
    argv = sys.argv[1:]
    try:
        code = _speaker()(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, and Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = BROKEN_PIPE
    if "pulumi" in sys.modules:
        # Python would wait for the SDK's threads, and the program's waits for its engine, also for one that was killed.
        sys.stderr.flush()
        os._exit(code)
    return code


def _speaker() -> Callable[[Sequence[str]], int]:
    """Choose the command line that the program's name asks for."""
    if os.path.basename(sys.argv[0]).removesuffix(".exe") != "docker-machine":
        return run
    from cli.compat import entry

    return entry.run


def run(argv: Sequence[str]) -> int:
    """Run one command line; errors become text on stderr and an exit code."""
    try:
        return dispatch(argv)
    except BrokenPipeError:
        raise
    except MctlError as error:
        from cli.output import print_error, trace

        trace(argv)
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        from cli.output import trace

        trace(argv)
        return INTERRUPTED
    except Exception as error:
        from cli.output import fault, print_error, trace

        print_error(fault(error, debug=trace(argv)))
        return 1


def dispatch(argv: Sequence[str]) -> int:
    """Run one command line and give its exit code. Raises MctlError."""
    text = fast.answer(argv)
    if text is not None:
        sys.stdout.write(text)
        return 0
    login = fast.ssh(argv)
    if login:
        from cli.remote_shell import connect

        return connect(*login)
    from cli import app

    return app.run(argv)
