from pathlib import Path

import pytest

from infra.errors import MctlError, PassphraseError
from infra.stacks import sealed_file


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "COST", 2)


def test_what_was_sealed_is_read_again_with_the_same_passphrase_alone(tmp_path: Path) -> None:
    file = tmp_path / "box.mctl"
    sealed_file.write(file, b"the content", "secret")
    assert sealed_file.is_one(file)
    assert sealed_file.read(file, "secret") == b"the content"
    with pytest.raises(PassphraseError):
        sealed_file.read(file, "Secret")


def test_the_file_is_private_and_no_two_are_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sealed_file.write(tmp_path / name, b"the content", "secret")
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
    assert b"content" not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("position", [14, 20, 31, 50, -1], ids=["salt", "salt's end", "nonce", "content", "digest"])
def test_a_damaged_file_is_not_taken_for_a_wrong_passphrase(tmp_path: Path, position: int) -> None:
    file = tmp_path / "box.mctl"
    sealed_file.write(file, b"the content", "secret")
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    with pytest.raises(MctlError) as error:
        sealed_file.read(file, "secret")
    assert error.value.message == f"{file} is damaged: it is not as it was written"


@pytest.mark.parametrize("kept", [14, 40, 60])
def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "box.mctl"
    sealed_file.write(file, b"the content", "secret")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(MctlError, match="is damaged"):
        sealed_file.read(file, "secret")


def test_nothing_is_overwritten_and_nothing_is_left_by_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("precious")
    with pytest.raises(MctlError, match="is there already"):
        sealed_file.write(file, b"the content", "secret")
    assert file.read_text() == "precious"
    with pytest.raises(MctlError, match="can't be written"):
        sealed_file.write(tmp_path / "nowhere" / "file", b"the content", "secret")
    assert list(tmp_path.iterdir()) == [file]


def test_other_files_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("mctl")
    assert not sealed_file.is_one(tmp_path / "text")
    assert not sealed_file.is_one(tmp_path / "missing")
    assert not sealed_file.is_one(tmp_path)
