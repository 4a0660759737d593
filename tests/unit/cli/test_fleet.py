"""Commands on many machines: what is asked, what is told of each failure, and what the same command goes on with."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.errors import NotFoundError, StackError
from infra.stacks import docker_context, fleets, machines, project, records
from infra.stacks.progress import Progress, Report
from tests.cli_runner import Ran, in_process
from tests.stack_outputs import outputs

GROUP = "config:\n  mctl:groups:\n    web:\n      count: {}\n      per_stack: 2\n      provider: digitalocean\n"


class Stack:
    """A stack in a file: its `up` makes what is declared, but for the machines whose names are in `broken`."""

    def __init__(self, folder: Path, name: str, report: Report, *, make: bool = False, read: bool = False) -> None:
        self.folder, self.name, self.report = folder, name, report
        self._file = folder / f"{name}.made"
        if not self._file.exists():
            if not make:
                raise NotFoundError(f"stack {name} does not exist")
            self._file.touch()
            project.declare_settings(folder, name, {})

    def up(self, mend: str) -> dict[str, Any]:
        with (self.folder / "ups").open("a") as log:
            log.write(f"{self.name}\n")
        broken = (self.folder / "broken").read_text().split() if (self.folder / "broken").exists() else []
        declared = list(project.machines(self.folder, self.name))
        made = [name for name in declared if name not in broken]
        self._file.write_text(" ".join(made))
        for name in made:
            self.report(Progress(name, "ready", done=True))
        if made != declared:
            raise StackError("no room", machine=next(name for name in declared if name in broken), mend=mend)
        return {}

    def machines(self) -> list[dict[str, Any]]:
        return [outputs(name) for name in self._file.read_text().split()]

    made_so_far = machines

    def settle(self) -> None:
        pass

    def destroy(self, *names: str) -> None:
        left = [name for name in self._file.read_text().split() if names and name not in names]
        self._file.write_text(" ".join(left))

    def delete(self) -> None:
        self._file.unlink()


@pytest.fixture
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have a home whose stacks are stand-ins."""
    monkeypatch.setattr(sys, "argv", ["mctl", "create", "web", "--provider", "digitalocean"])
    sys.modules.pop("cli.commands.create", None)
    for module in (machines, fleets):
        monkeypatch.setattr(module, "Stack", Stack)
    monkeypatch.setattr(machines, "checked", lambda _folder, spec: spec)
    monkeypatch.setattr(docker_context, "create_or_update", lambda *_, **__: None)
    monkeypatch.setattr(docker_context, "remove", lambda _name: None)
    monkeypatch.setattr(fleets, "MOST_IN_A_STACK", 2)
    yield project.find_project()
    sys.modules.pop("cli.commands.create", None)


def ups(folder: Path) -> list[str]:
    """Give the stacks that were brought up since this was asked last."""
    log = folder / "ups"
    found = sorted(log.read_text().split()) if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def create(*more: str) -> Ran:
    return in_process("create", "web", "--provider", "digitalocean", "--count", "5", *more)


def test_a_part_that_fails_is_named_the_rest_is_up_and_the_same_command_finishes_it(folder: Path) -> None:
    (folder / "broken").write_text("web-4")
    failed = create()
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.endswith(
        'Error: stack web_2: machine "web-4": no room\n'
        "  hint: mctl create web --count 5 … once more goes on from here; mctl rm web clears it\n"
    )
    assert "(web-5) ready, " in failed.err
    assert records.names() == ["web-1", "web-2", "web-3", "web-5"]
    assert ups(folder) == ["web", "web_2", "web_3"]
    (folder / "broken").unlink()
    done = create()
    assert (done.code, done.out) == (0, "Docker is up and running on 5 machines of web\n")
    assert ups(folder) == ["web_2"], "what is there is not touched"
    assert records.names() == [f"web-{n}" for n in range(1, 6)]


def test_several_parts_that_fail_are_each_named(folder: Path) -> None:
    (folder / "broken").write_text("web-1 web-4")
    failed = create()
    assert failed.code == 1
    assert 'Error: stack web: machine "web-1": no room\n' in failed.err
    assert 'Error: stack web_2: machine "web-4": no room\n' in failed.err
    assert failed.err.splitlines()[-2] == "Error: 2 of 3 stacks are not finished"


def test_on_failure_destroy_leaves_nothing_behind(folder: Path) -> None:
    (folder / "broken").write_text("web-4")
    failed = create("--on-failure", "destroy")
    assert (failed.code, failed.out) == (1, "")
    assert 'Error: stack web_2: machine "web-4": no room\n' in failed.err
    assert failed.err.endswith("Error: all of web was removed again\n")
    assert (records.names(), project.stacks(folder), list(folder.glob("*.made"))) == ([], [], [])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--count", "0"), "--count takes a whole number from 1"),
        (("--on-failure", "explode"), "--on-failure takes keep or destroy"),
    ],
)
def test_what_can_t_be_meant_is_refused(folder: Path, more: tuple[str, ...], message: str) -> None:
    assert create(*more) == Ran(2, "", f"Error: {message}\n")
    assert project.stacks(folder) == []


def test_up_makes_reality_match_the_file_and_says_first_what_goes(folder: Path) -> None:
    file = folder / "Pulumi.prod.yaml"
    file.write_text(GROUP.format(3))
    ran = in_process("up", "prod")
    assert (ran.code, ran.out) == (0, "".join(f"web-{n} tcp://192.0.2.7:2376\n" for n in (1, 2, 3)))
    file.write_text(GROUP.format(1))
    ran = in_process("up", "prod")
    assert (ran.code, ran.out) == (0, "web-1 tcp://192.0.2.7:2376\n")
    assert ran.err.startswith("Removes web-2, web-3, which no declaration has any more\n")
    assert (records.names(), project.stacks(folder)) == (["web-1"], ["prod"])


def test_scale_asks_before_it_removes_and_touches_no_other_stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create()
    ups(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    refused = in_process("scale", "web", "4")
    assert refused == Ran(
        2,
        "",
        "About to remove web-5\nWARNING: their data is lost.\nAre you sure? (y/n): \n"
        "Error: nobody answers, so nothing was done\n  hint: mctl scale -y web 4\n",
    )
    assert ups(folder) == []
    ran = in_process("scale", "-y", "web", "4")
    assert (ran.code, ran.out, ups(folder)) == (0, "web has 4 machines\n", [])
    ran = in_process("scale", "web", "7")
    assert (ran.code, ran.out, ups(folder)) == (0, "web has 7 machines\n", ["web_3", "web_4"])
    assert records.names() == [f"web-{n}" for n in range(1, 8)]


def test_a_groups_name_removes_all_of_it(folder: Path) -> None:
    create()
    ran = in_process("rm", "-y", "web")
    assert (ran.code, ran.out) == (0, "Successfully removed web\n")
    assert (records.names(), project.stacks(folder), list(folder.glob("*.made"))) == ([], [], [])


def test_machines_of_a_group_go_one_by_one_and_with_the_last_all_that_declared_them(folder: Path) -> None:
    create()
    assert in_process("rm", "-y", "web-2").code == 0
    assert records.names() == ["web-1", "web-3", "web-4", "web-5"]
    assert in_process("rm", "-y", "web-5", "web-4", "web-3", "web-1").code == 0
    assert records.names() == []
    assert [list(project.machines(folder, stack)) for stack in project.stacks(folder)] in ([], [[]])


def test_a_machine_of_a_group_keeps_the_name_that_its_number_gives_it(folder: Path) -> None:
    create()
    assert in_process("rename", "web-2", "shop") == Ran(
        1,
        "",
        'Error: machine "web-2" is one of the group web, whose names are numbers\n'
        "  hint: make another: mctl create shop\n",
    )
