"""What backend, attach and --wait refuse before anything is asked, and what they show: the whole output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_runner import Ran, Run, as_process


@pytest.fixture
def mctl(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return as_process


def test_it_shows_where_stacks_are_and_what_says_so(
    mctl: Run, mctl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = (mctl_home / "state").as_uri()
    assert mctl("backend") == (0, f"{state}\nsecrets: passphrase\n", "")
    shown = mctl("backend", "--json")
    assert json.loads(shown.out) == {
        "url": state,
        "set_by": str(mctl_home / "Pulumi.yaml"),
        "secrets_providers": ["passphrase"],
        "project": str(mctl_home),
        "stacks": [],
    }
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://team")
    assert json.loads(mctl("backend", "--json").out)["set_by"] == "PULUMI_BACKEND_URL"
    assert mctl("backend", "set", "s3://other") == (
        2,
        "",
        "Error: PULUMI_BACKEND_URL is set, and counts for more than Pulumi.yaml\n  hint: unset PULUMI_BACKEND_URL\n",
    )


@pytest.mark.parametrize(
    ("url", "said", "hint"),
    [
        (
            "ftp://x",
            "ftp://x is no backend: it must begin with one of s3://, gs://, azblob://, postgres://, file://",
            "mctl backend set --help",
        ),
        (
            "postgres://ann:secret@db/states",
            "the URL has a password, and would be written into Pulumi.yaml",
            "leave it out, and export PGPASSWORD=…, or keep it in ~/.pgpass",
        ),
    ],
)
def test_a_url_that_can_not_be_shared_is_refused(mctl: Run, mctl_home: Path, url: str, said: str, hint: str) -> None:
    for line in (["backend", "set", url], ["attach", url]):
        assert mctl(*line) == (2, "", f"Error: {said}\n  hint: {hint}\n")
    assert "secret" not in (mctl_home / "Pulumi.yaml").read_text()


def test_an_unknown_secrets_provider_is_refused(mctl: Run) -> None:
    assert mctl("backend", "set", "--secrets-provider", "rot13") == (
        2,
        "",
        "Error: rot13 is no secrets provider: it must be one of "
        "passphrase, awskms://…, gcpkms://…, azurekeyvault://…, hashivault://…\n",
    )


@pytest.mark.parametrize("line", [["backend", "get"], ["backend", "set"]])
def test_what_is_to_be_done_must_be_said(mctl: Run, line: list[str]) -> None:
    assert mctl(*line) == Ran(
        2, "", "Error: it must be `mctl backend`, or `mctl backend set URL`\n  hint: mctl backend --help\n"
    )


def test_a_home_with_machines_of_its_own_is_not_attached_elsewhere(mctl: Run, mctl_home: Path) -> None:
    mctl("backend")
    (mctl_home / "Pulumi.box.yaml").write_text('{"config": {"mctl:machines": {"box": {"provider": "generic"}}}}')
    assert mctl("attach", "s3://team") == (
        2,
        "",
        f"Error: mctl's home has machines of its own, at {(mctl_home / 'state').as_uri()}\n"
        "  hint: mctl backend set 's3://team' takes them along; or export MCTL_HOME=FOLDER, and attach there\n",
    )


def test_a_wait_that_is_no_time_is_refused(mctl: Run) -> None:
    for wait in ("soon", "-1", "nan"):
        assert mctl("up", f"--wait={wait}", "box") == (2, "", f"Error: --wait: {wait!r} is no number of seconds\n")
    assert mctl("up", "box", "--wait").code == 4
