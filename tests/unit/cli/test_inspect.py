from pathlib import Path

import pytest

from infra.stacks import records
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs


@pytest.fixture(autouse=True)
def folder(mctl_home: Path) -> str:
    return records.save(outputs("default", tls_sans=["db.example"]), stack="prod", project="/project").folder


@pytest.mark.parametrize("option", ["--format", "-f"])
@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Driver.IPAddress}}", "192.0.2.7"),
        ("{{ .HostOptions.AuthOptions.StorePath }}", "{folder}"),
        ("{{json .HostOptions.AuthOptions.ServerCertSANs}}", '["db.example"]'),
        (
            "{{.DriverName}} {{.Driver.SSHUser}}@{{.Driver.IPAddress}}:{{.Driver.SSHPort}}",
            "generic debian@192.0.2.7:22",
        ),
        ("{{.docker_url}} {{.Nope}}", "tcp://192.0.2.7:2376 <no value>"),
        ("{{prettyjson .labels}}", '{\n    "tier": "web"\n}'),
    ],
)
def test_inspect_fills_in_a_template(mctl: Run, folder: str, option: str, template: str, text: str) -> None:
    expected = text.replace("{folder}", folder)
    assert mctl("inspect", option, template) == Ran(0, f"{expected}\n", "")
    assert mctl("inspect", f"--format={template}", "default") == Ran(0, f"{expected}\n", "")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Name", "template parsing error: unclosed action"),
        ("{{.Name.First}}", "can't evaluate field First of default"),
    ],
)
def test_inspect_refuses_a_template_that_it_cannot_fill_in(mctl: Run, template: str, message: str) -> None:
    assert mctl("inspect", "-f", template) == Ran(1, "", f"Error: {message}\n")


def test_inspect_needs_the_template_that_its_option_announces(mctl: Run) -> None:
    assert mctl("inspect", "-f") == Ran(2, "", "Error: option '-f' requires an argument\n  hint: mctl inspect --help\n")


def test_inspect_tells_no_secret(mctl: Run, folder: str) -> None:
    everything = mctl("inspect", "-f", "{{json .}}").out
    secrets = [Path(folder, file).read_text().strip() for file in ("key.pem", "id_ed25519")]
    assert secrets == ["the client's key", "the SSH key"]
    assert not any(secret in everything for secret in secrets)
