"""Where `mctl` begins: plain reads are answered at once, the rest goes to the typer app, and every error ends here."""

from __future__ import annotations

import os
import sys

from cli import fast
from infra.errors import MctlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETING = "_MCTL_COMPLETE"
BROKEN_PIPE, INTERRUPTED = 1, 130


def main() -> int:
    """Run one command line and give its exit code."""
    argv = sys.argv[1:]
    try:
        code = run(argv)
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


def run(argv: Sequence[str]) -> int:
    """Run one command line; errors become text on stderr and an exit code."""
    debug = _wants_debug(argv)
    try:
        return _dispatch(argv)
    except BrokenPipeError:
        raise
    except MctlError as error:
        from cli.output import print_error

        _trace(debug=debug)
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _trace(debug=debug)
        return INTERRUPTED
    except Exception as error:
        _trace(debug=debug)
        from cli.output import say

        mend = (
            None if debug else "this is a fault in mctl; run the same command with `mctl --debug …` for the traceback"
        )
        say("Error", f"{type(error).__name__}: {error}", mend)
        return 1


def _dispatch(argv: Sequence[str]) -> int:
    if COMPLETING not in os.environ:
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


def _wants_debug(argv: Sequence[str]) -> bool:
    """Find `--debug` before the verb; after it, it may be meant for a remote command."""
    for argument in argv:
        if argument in ("--debug", "-D"):
            return True
        if not argument.startswith("-"):
            break
    return os.environ.get("MCTL_DEBUG", "").lower() not in ("", "0", "false")


def _trace(*, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
