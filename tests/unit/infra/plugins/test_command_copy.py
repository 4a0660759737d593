"""Copies to a real sshd over SFTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.plugins.command.__main__ import PLUGIN
from infra.plugins.server import Servicer
from infra.plugins.wire import ARCHIVE, ASSET, SIGNATURE
from tests import sshd
from tests.sshd import Sshd
from tests.unit.infra.plugins.command_calls import COPY, connection, create, delete, update
from tests.unit.infra.plugins.replay import CallError, answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to send: two files, one of them deeper, and an empty folder."""
    source = tmp_path / "site"
    (source / "css").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "index.html").write_text("index")
    (source / "css" / "main.css").write_text("main")
    return source


def asset(**content: str) -> dict[str, str]:
    return {SIGNATURE: ASSET, "hash": "", **content}


def archive(path: str) -> dict[str, str]:
    return {SIGNATURE: ARCHIVE, "hash": "", "path": path}


def send(server: Sshd, source: dict[str, str], to: Path | str) -> dict[str, Any]:
    return create(COPY, {"connection": connection(server), "source": source, "remotePath": str(to)})


def files(below: Path) -> dict[str, str]:
    return {str(path.relative_to(below)): path.read_text() for path in below.rglob("*") if path.is_file()}


def test_text_is_written_with_its_parent_folders_and_over_what_was_there(server: Sshd, tmp_path: Path) -> None:
    to = tmp_path / "a" / "b" / "motd"
    send(server, asset(text="a longer hello\n"), to)
    send(server, asset(text="héllo\n"), to)
    assert to.read_text() == "héllo\n"


def test_text_for_a_folder_is_refused(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="is a directory; when using a text asset, remotePath must be a file path"):
        send(server, asset(text="hello"), tmp_path)


def test_a_file_goes_to_the_path_or_into_the_folder_that_is_there(server: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "image"
    source.write_bytes(bytes(range(256)) * 4000)
    send(server, asset(path=str(source)), tmp_path / "new" / "copied")
    assert (tmp_path / "new" / "copied").read_bytes() == source.read_bytes()
    send(server, asset(path=str(source)), tmp_path / "new")
    assert (tmp_path / "new" / "image").read_bytes() == source.read_bytes()


def test_a_folder_is_sent_whole_and_again_over_itself(server: Sshd, tmp_path: Path, folder: Path) -> None:
    to = tmp_path / "srv" / "www"
    for _ in range(2):
        send(server, archive(str(folder)), to)
        assert files(to) == {"site/index.html": "index", "site/css/main.css": "main"}
    assert (to / "site" / "empty").is_dir()


def test_a_folder_with_a_slash_sends_its_content(server: Sshd, tmp_path: Path, folder: Path) -> None:
    send(server, archive(f"{folder}/"), tmp_path / "www")
    assert files(tmp_path / "www") == {"index.html": "index", "css/main.css": "main"}


def test_a_folder_over_a_file_fails_and_names_it(server: Sshd, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "www").write_text("a file")
    with pytest.raises(CallError, match="www exists but is not a directory"):
        send(server, archive(f"{folder}/"), tmp_path / "www")


def test_an_archive_file_is_not_unpacked(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "site.tgz").write_bytes(b"not even a tar")
    send(server, archive(str(tmp_path / "site.tgz")), tmp_path / "copied")
    assert (tmp_path / "copied").read_bytes() == b"not even a tar"


def test_a_source_that_is_not_there_or_a_path_that_can_not_be_written_fails(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="open /nowhere: no such file or directory"):
        send(server, asset(path="/nowhere"), tmp_path / "copied")
    with pytest.raises(CallError, match="failed to copy to remote path /proc/nothing/file: "):
        send(server, asset(text="x"), "/proc/nothing/file")


def test_an_update_copies_only_what_changed(server: Sshd, tmp_path: Path) -> None:
    to = tmp_path / "copied"
    olds = {"connection": connection(server), "remotePath": str(to), "source": asset(text="one") | {"hash": "1"}}
    update(COPY, olds, olds | {"triggers": ["x"]})
    assert not to.exists()
    update(COPY, olds, olds | {"source": asset(text="two") | {"hash": "2"}})
    assert to.read_text() == "two"
    to.unlink()
    update(COPY, olds | {"connection": connection(server, host="localhost")}, olds)
    assert to.read_text() == "one"


def test_a_delete_leaves_the_copy(server: Sshd, tmp_path: Path) -> None:
    outputs = send(server, asset(text="kept"), tmp_path / "kept")
    delete(COPY, outputs)
    assert (tmp_path / "kept").read_text() == "kept"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({SIGNATURE: ASSET, "uri": "https://example.test"}, "asset must be a path-based file asset or a text asset"),
        ({SIGNATURE: ARCHIVE, "assets": {}}, "archive must be a path to a file or directory"),
        ("text", "either asset or archive must be set"),
    ],
)
def test_a_source_that_can_not_be_sent_is_refused_before_anything_runs(source: Any, reason: str) -> None:
    news = {"connection": {"host": "h"}, "remotePath": "/x", "source": source}
    checked = answer(Servicer(PLUGIN, None), "Check", {"urn": COPY, "news": news})
    assert [failure["reason"] for failure in checked["failures"]] == [reason]
