"""A script of ours on a machine's host, over SSH: what is done once, and so is no part of what the stack declares."""

from __future__ import annotations

import subprocess

from infra.errors import HostError
from infra.stacks.progress import MARK, Progress, Report
from infra.stacks.records import Record
from infra.stacks.ssh import ssh_command


def run(record: Record, script: str, report: Report, mend: str) -> str:
    """Run it as the machine's user, show its steps and notices, and give its standard output.

    Raises HostError with the error and the mend that the script printed, else with ssh's last words and `mend`.
    """
    said, marked = [], {}
    with subprocess.Popen(
        [*ssh_command(record), "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were opened as pipes
        try:
            process.stdin.write(script)
            process.stdin.close()
        except BrokenPipeError:
            pass  # ssh ended before, and says why
        for line in process.stderr:
            mark = MARK.match(line)
            if not mark:
                said.append(line.strip())
            elif mark[1] in ("step", "notice"):
                report(Progress(record.name, mark[2], notice=mark[1] == "notice"))
            else:
                marked[mark[1]] = mark[2]
        output = process.stdout.read()
    if process.returncode:
        last = next((line for line in reversed(said) if line), f"its host ended the script with {process.returncode}")
        raise HostError(marked.get("error", last), machine=record.name, mend=marked.get("mend", mend))
    return output
