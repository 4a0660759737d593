"""Which plugins the Pulumi engine will find. A shell script stands in for pulumi's download."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc

from infra.stacks import downloads, served_plugins

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")

DOWNLOAD = """#!/bin/sh
# plugin install resource NAME vX
folder="$PULUMI_HOME/plugins/resource-$4-$5"
/bin/mkdir -p "$folder"
echo official > "$folder/pulumi-resource-$4"
"""
LATER = downloads.MEMORY + 60


class Place:
    """A computer with nothing on it but a `pulumi` that downloads."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "pulumi"
        self.pulumi = folder / "downloader"
        self.pulumi.write_text(DOWNLOAD)
        self.pulumi.chmod(0o755)
        self.said: list[str] = []

    def ensure(self) -> list[str]:
        found = served_plugins.ensure(self.pulumi, self.home, self.said.append, self.said.append)
        return [f"{plugin.name} {plugin.origin}" for plugin in found]

    def file(self, name: str) -> Path:
        return self.home / f"plugins/resource-{name}-v{version(f'pulumi-{name}')}/pulumi-resource-{name}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MCTL_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "SITE", "http://127.0.0.1:1/install.sh")
    yield Place(tmp_path)
    assert not list(tmp_path.glob("pulumi/.*")), "temporary folders are left"


def test_ours_stand_where_the_engine_looks_when_nothing_can_be_downloaded(place: Place) -> None:
    assert place.ensure() == ["tls ours", "command ours"]
    for name in ("tls", "command"):
        assert os.access(place.file(name), os.X_OK)
        assert f"-m infra.plugins.{name}" in place.file(name).read_text()
        assert f"The official {name} plugin can't be downloaded: using mctl's own" in place.said


def test_starter_runs_this_python_and_not_what_lies_in_the_current_folder(place: Place, tmp_path: Path) -> None:
    place.ensure()
    text = (
        place.file("tls")
        .read_text()
        .replace("-m infra.plugins.tls", "-c 'import sys; print(sys.executable, sys.path)'")
    )
    probe = tmp_path / "probe"
    probe.write_text(text)
    probe.chmod(0o755)
    answer = subprocess.run([probe], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert answer.startswith(f"{sys.executable} ")
    assert "''" not in answer
    assert str(tmp_path) not in answer


def test_official_ones_are_downloaded_where_the_site_answers(place: Place, site: None) -> None:
    assert place.ensure() == ["tls official", "command official"]
    assert place.file("command").read_text() == "official\n"
    place.pulumi.unlink()
    assert place.ensure() == ["tls official", "command official"], "not downloaded again"


def test_ours_give_way_once_the_official_ones_can_be_had_but_are_not_retried_within_a_day(
    place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    place.ensure()
    request.getfixturevalue("site")
    assert place.ensure() == ["tls ours", "command ours"]
    note = downloads.cache() / "downloads-unreachable"
    os.utime(note, (time.time() - LATER, time.time() - LATER))
    assert place.ensure() == ["tls official", "command official"]


def test_failed_download_leaves_ours_and_is_not_tried_again_within_a_day(place: Place, site: None) -> None:
    place.pulumi.write_text("#!/bin/sh\nexit 1\n")
    assert place.ensure() == ["tls ours", "command ours"]
    place.pulumi.write_text(DOWNLOAD)
    assert place.ensure() == ["tls ours", "command ours"]


def test_offline_asks_nobody(place: Place, site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    assert place.ensure() == ["tls ours", "command ours"]


def test_plugin_on_path_is_left_to_the_engine(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    ours = tmp_path / "bin" / "pulumi-resource-tls"
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    assert place.ensure() == ["tls official", "command ours"]
    assert not place.file("tls").exists()


def test_starter_of_a_python_that_moved_is_renewed(place: Place) -> None:
    place.ensure()
    right = place.file("tls").read_text()
    place.file("tls").write_text(right.replace(sys.executable, "/gone/python"))
    assert place.ensure() == ["tls ours", "command ours"]
    assert place.file("tls").read_text() == right


def test_engines_share_ours_while_they_only_look(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(place.home.parent))
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", "aws:1")
    place.ensure()
    with served_plugins.shared():
        first, *ours = os.environ["PULUMI_DEBUG_PROVIDERS"].split(",")
        assert (first, [each.partition(":")[0] for each in ours]) == ("aws:1", ["tls", "command"])
        for each in ours:
            with grpc.insecure_channel(f"127.0.0.1:{each.partition(':')[2]}") as channel:
                stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
                stub.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"), timeout=20)
                name, about = each.partition(":")[0], stub.GetPluginInfo(empty_pb2.Empty(), timeout=20)
                assert about.version == served_plugins.look(name, place.home).version
    assert os.environ["PULUMI_DEBUG_PROVIDERS"] == "aws:1"
    for each in ours:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(each.partition(":")[2])))


def test_official_plugins_are_not_stood_in_for(place: Place, site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(place.home.parent))
    monkeypatch.delenv("PULUMI_DEBUG_PROVIDERS", raising=False)
    assert place.ensure() == ["tls official", "command official"]
    with served_plugins.shared():
        assert not os.environ["PULUMI_DEBUG_PROVIDERS"]


def test_look_changes_nothing(place: Place) -> None:
    found = served_plugins.look("tls", place.home)
    assert (found.origin, found.path) == ("", None)
    assert not place.home.exists()


def test_nothing_to_do_takes_no_time(place: Place) -> None:
    place.ensure()
    begun = time.perf_counter()
    for _ in range(20):
        place.ensure()
    assert (time.perf_counter() - begun) / 20 < 0.02


def test_path_prefix_holds_the_hypervisor_plugin() -> None:
    assert (Path(served_plugins.path_prefix()) / "pulumi-resource-hypervisor").is_file()


def test_versions_are_those_that_the_sdks_ask_for() -> None:
    import pulumi_tls

    about = json.loads((Path(pulumi_tls.__file__).parent / "pulumi-plugin.json").read_text())
    assert served_plugins.look("tls", Path("none")).version == about["version"]
