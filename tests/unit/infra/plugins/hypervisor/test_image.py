"""Images from files, from a real HTTP server and from the cache; only Debian's own server is another address."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.server
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.plugins.hypervisor import arch, debian_image, image
from infra.plugins.hypervisor.vm_folder import cache
from infra.plugins.server import PluginError

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
CONTENT = b"a disk" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Site:
    """A folder that is served, and how often each of its files was asked for."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url, self.asked = folder, f"http://127.0.0.1:{port}", list[str]()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "disk.qcow2").write_bytes(CONTENT)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            if self.path != "/endless":
                return super().do_GET()
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(image.CHUNK))
                    time.sleep(0.05)

        def log_request(self, *_: object) -> None:
            found.asked.append(self.path)

        def log_message(self, *_: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Site(folder, server.server_port)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield found
        server.shutdown()


async def log(_line: str, **_options: object) -> None:
    return None


def get(wanted: str, sha256: str = "") -> image.Image:
    return asyncio.run(image.get(wanted, sha256, log))


def kept() -> list[str]:
    return sorted(file.name for file in (cache() / "images").iterdir() if not file.name.endswith(".lock"))


def test_a_url_is_downloaded_once_and_its_sum_is_checked(site: Site) -> None:
    url = f"{site.url}/disk.qcow2"
    assert get(url, SHA256).disk.read_bytes() == CONTENT
    assert get(url, SHA256.upper()).disk.read_bytes() == CONTENT
    assert get(url, SHA256).kernel is None
    assert site.asked.count("/disk.qcow2") == 2, "once for each spelling of the sum"


def test_a_wrong_sum_is_refused_and_nothing_is_kept(site: Site) -> None:
    with pytest.raises(PluginError, match=f"has sha256 {SHA256}, not {'0' * 64}: it is another file than you meant"):
        get(f"{site.url}/disk.qcow2", "0" * 64)
    assert kept() == []


def test_an_address_without_an_image_is_named(site: Site) -> None:
    with pytest.raises(PluginError, match=r"can't be downloaded: File not found\. Check the address and the network"):
        get(f"{site.url}/nothing.qcow2")
    assert kept() == []


def test_a_download_that_is_cancelled_ends_and_leaves_nothing(site: Site) -> None:
    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(image.get(f"{site.url}/endless", "", log), 0.3)

    asyncio.run(cancelled())  # comes back only once the download's thread has ended
    assert kept() == []


def test_a_file_is_copied_so_that_it_may_go(tmp_path: Path) -> None:
    source = tmp_path / "mine.raw"
    source.write_bytes(CONTENT)
    disk = get(str(source), SHA256).disk
    source.unlink()
    assert disk.read_bytes() == CONTENT


def test_a_file_with_another_sum_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "mine.raw"
    source.write_bytes(CONTENT)
    with pytest.raises(PluginError, match="it is another file than you meant, or damaged"):
        get(str(source), "0" * 64)


def test_debians_image_is_checked_against_its_published_sum(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"debian-12-generic-{arch.host().debian}.qcow2"
    (site.folder / name).write_bytes(CONTENT)
    (site.folder / "SHA512SUMS").write_text(f"{hashlib.sha512(CONTENT).hexdigest()}  {name}\n")
    monkeypatch.setattr(image, "DEBIAN", site.url)
    assert get("").disk.read_bytes() == CONTENT
    site.asked.clear()
    assert image.here("", "") == get("").disk
    assert site.asked == [], "a kept image asks nobody"


def test_a_damaged_image_of_debian_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"debian-12-generic-{arch.host().debian}.qcow2"
    (site.folder / name).write_bytes(CONTENT[:-1])
    (site.folder / "SHA512SUMS").write_text(f"{hashlib.sha512(CONTENT).hexdigest()}  {name}\n")
    monkeypatch.setattr(image, "DEBIAN", site.url)
    with pytest.raises(PluginError, match="has sha512 "):
        get("")
    assert kept() == []


def test_where_debian_cannot_be_reached_and_nothing_can_build_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image, "DEBIAN", "http://127.0.0.1:1")
    monkeypatch.setattr(debian_image, "missing_programs", lambda: ["mmdebstrap"])
    with pytest.raises(PluginError, match=r"an image with --qemu-image FILE\|URL"):
        get("")


def test_another_mirror_or_recipe_makes_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {debian_image.recipe(arch.host())}
    monkeypatch.setattr(debian_image, "_sources", lambda: "deb http://mirror.example/debian bookworm main\n")
    names.add(debian_image.recipe(arch.host()))
    monkeypatch.setattr(debian_image, "DOWNLOADED", ("docker.io", "nano"))
    names.add(debian_image.recipe(arch.host()))
    assert len(names) == 3


def test_a_full_disk_is_told_before_an_image_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "mine.raw"
    source.write_bytes(CONTENT)
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: real._replace(free=1 << 30))
    with pytest.raises(PluginError, match=r"has 1\.0 GiB free and 5\.0 GiB are needed\. Free some space, or point"):
        get(str(source))


@needs_qemu_img
def test_format_and_size_are_told_and_an_image_that_leans_on_another_is_refused(tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "base.qcow2", "3G"], cwd=tmp_path, check=True)
    assert image.describe(tmp_path / "base.qcow2") == ("qcow2", 3 << 30)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "top.qcow2"],
        cwd=tmp_path,
        check=True,
    )
    with pytest.raises(PluginError, match=r"leans on another image\. Make it whole: qemu-img convert"):
        image.describe(tmp_path / "top.qcow2")
