import json
from pathlib import Path

import pytest

from infra.stacks import records
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs

TROUBLE = "  hint: mctl ls, or mctl create nope\n"


@pytest.fixture(autouse=True)
def machines(mctl_home: Path) -> Path:
    """Give the folder of the records of: default, off (switched off), web-1 (another address), broken (damaged)."""
    settings: dict[str, dict[str, object]] = {
        "default": {},
        "off": {"running": False},
        "web-1": {"address": "198.51.100.1", "docker_url": "tcp://198.51.100.1:2376"},
        "broken": {},
    }
    for name, changes in settings.items():
        records.save(outputs(name, **changes), stack="prod", project="/project")
    folder = mctl_home / "machines"
    (folder / "broken" / "machine.json").write_text("{")
    return folder


def test_ip_prints_addresses_in_the_order_asked(mctl: Run) -> None:
    assert mctl("ip", "web-1", "default") == Ran(0, "198.51.100.1\n192.0.2.7\n", "")
    assert mctl("ip") == Ran(0, "192.0.2.7\n", "")


def test_ip_as_json_names_each_machine(mctl: Run) -> None:
    ran = mctl("ip", "--json", "web-1", "default")
    assert json.loads(ran.out) == [
        {"name": "web-1", "address": "198.51.100.1"},
        {"name": "default", "address": "192.0.2.7"},
    ]
    assert (ran.code, ran.err) == (0, "")


def test_ip_of_one_unknown_machine_prints_no_address_at_all(mctl: Run) -> None:
    assert mctl("ip", "web-1", "nope") == Ran(4, "", 'Error: machine "nope" does not exist\n' + TROUBLE)


def test_ip_of_a_machine_without_an_address_says_so(mctl: Run) -> None:
    records.save(outputs("new", address=""), stack="prod", project="/project")
    assert mctl("ip", "new") == Ran(1, "", 'Error: machine "new" has no address\n  hint: mctl refresh new\n')


def test_url_prints_where_docker_listens(mctl: Run) -> None:
    assert mctl("url") == Ran(0, "tcp://192.0.2.7:2376\n", "")
    assert mctl("url", "web-1") == Ran(0, "tcp://198.51.100.1:2376\n", "")
    assert json.loads(mctl("url", "--json").out) == {"name": "default", "url": "tcp://192.0.2.7:2376"}


def test_config_prints_dockers_options(mctl: Run, machines: Path) -> None:
    folder = machines / "web-1"
    assert mctl("config", "web-1") == Ran(
        0,
        "--tlsverify\n"
        f'--tlscacert="{folder}/ca.pem"\n'
        f'--tlscert="{folder}/cert.pem"\n'
        f'--tlskey="{folder}/key.pem"\n'
        "-H=tcp://198.51.100.1:2376\n",
        "",
    )
    assert json.loads(mctl("config", "web-1", "--json").out) == {
        "tlsverify": True,
        "tlscacert": f"{folder}/ca.pem",
        "tlscert": f"{folder}/cert.pem",
        "tlskey": f"{folder}/key.pem",
        "host": "tcp://198.51.100.1:2376",
    }


@pytest.mark.parametrize("arguments", [("inspect", "web-1"), ("inspect", "web-1", "--json")])
def test_inspect_prints_the_record_and_no_secret(mctl: Run, machines: Path, arguments: tuple[str, ...]) -> None:
    assert mctl(*arguments) == Ran(0, (machines / "web-1" / "machine.json").read_text(), "")
    assert "key\n" not in mctl(*arguments).out


def test_ls_q_prints_every_name_and_reads_no_record(mctl: Run) -> None:
    assert mctl("ls", "-q") == Ran(0, "broken\ndefault\noff\nweb-1\n", "")
    assert json.loads(mctl("ls", "--quiet", "--json").out) == ["broken", "default", "off", "web-1"]


def test_ls_q_without_machines_prints_nothing(mctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "empty"))
    assert mctl("ls", "-q") == Ran(0, "", "")


@pytest.mark.parametrize("verb", ["env", "url", "config", "ssh"])
def test_what_needs_a_running_machine_says_that_it_is_off(mctl: Run, verb: str) -> None:
    assert mctl(verb, "off") == Ran(1, "", 'Error: machine "off" is not running\n  hint: mctl start off\n')


@pytest.mark.parametrize("verb", ["env", "url", "config", "ip", "inspect", "ssh", "status", "version"])
def test_an_unknown_machine_is_exit_4(mctl: Run, verb: str) -> None:
    assert mctl(verb, "nope") == Ran(4, "", 'Error: machine "nope" does not exist\n' + TROUBLE)


@pytest.mark.parametrize("verb", ["env", "url", "config", "ip", "inspect", "ssh", "status", "version"])
def test_a_damaged_record_is_exit_1_and_names_the_mending_command(mctl: Run, verb: str) -> None:
    assert mctl(verb, "broken") == Ran(
        1,
        "",
        'Error: the record of machine "broken" can\'t be read: Expecting property name enclosed in double quotes: '
        "line 1 column 2 (char 1)\n  hint: mctl refresh broken\n",
    )


@pytest.mark.parametrize("verb", ["env", "url", "config", "ip", "inspect", "ssh", "status"])
def test_no_name_and_no_default_machine_is_exit_4(mctl: Run, verb: str) -> None:
    records.remove("default")
    assert mctl(verb) == Ran(
        4,
        "",
        'Error: No machine name(s) specified and no "default" machine exists\n'
        "  hint: mctl ls, or mctl create default\n",
    )


@pytest.mark.parametrize("verb", ["env", "url", "config", "inspect"])
def test_one_name_too_many_is_a_usage_error(mctl: Run, verb: str) -> None:
    assert mctl(verb, "web-1", "default") == Ran(
        2, "", f"Error: got unexpected extra argument(s) (default)\n  hint: mctl {verb} --help\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ip", "--jsn"), "no such option: --jsn; did you mean --json?"),
        (("ls", "-z"), "no such option: -z"),
        (("env", "--shell"), "option '--shell' requires an argument"),
    ],
)
def test_a_wrong_option_is_a_usage_error(mctl: Run, arguments: tuple[str, ...], message: str) -> None:
    assert mctl(*arguments) == Ran(2, "", f"Error: {message}\n  hint: mctl {arguments[0]} --help\n")
