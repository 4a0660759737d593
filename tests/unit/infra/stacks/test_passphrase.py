import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import PassphraseError
from infra.stacks import passphrase


@pytest.fixture(autouse=True)
def no_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    return tmp_path


def test_a_passphrase_is_made_at_first_use_and_kept_private(no_keyring: Path) -> None:
    first = passphrase.environment(make=True)
    file = no_keyring / "passphrase"
    assert first == {"PULUMI_CONFIG_PASSPHRASE": file.read_text().strip()}
    assert file.stat().st_mode & 0o777 == 0o600
    assert passphrase.environment(make=False) == first


def test_runs_at_once_agree_on_one_passphrase(no_keyring: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: passphrase._keep(os.urandom(8).hex()), range(8)))
    assert len(set(made)) == 1
    assert sorted(file.name for file in no_keyring.iterdir()) == ["passphrase"]


def test_nothing_is_made_where_only_reading_was_asked() -> None:
    with pytest.raises(PassphraseError):
        passphrase.environment(make=False)
    assert not passphrase.exists()


def test_the_environments_own_passphrase_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    assert passphrase.environment(make=True) == {}


def test_one_of_another_computer_is_kept_where_there_is_none_and_never_replaces_ours(no_keyring: Path) -> None:
    passphrase.keep("theirs")
    passphrase.keep("theirs")
    assert passphrase.environment(make=False) == {"PULUMI_CONFIG_PASSPHRASE": "theirs"}
    with pytest.raises(PassphraseError) as told:
        passphrase.keep("others")
    assert told.value.message == "this computer keeps another passphrase already"
    assert (no_keyring / "passphrase").read_text() == "theirs\n"
