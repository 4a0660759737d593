"""A daemon by its URL alone, from create to rm, by the real program and the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import daemon
from tests.certificates import Authority
from tests.hosts.shop import Shop

NO_SSH = 'Error: there is no SSH to machine "build", a daemon known by its URL\n'
NO_WAY = 'there is no way to the host of machine "build", a daemon known by its URL\n'


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    authority = Authority()
    client = authority.client()
    for file, text in (("ca.pem", authority.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
        (tmp_path / file).write_text(text)
    with daemon.serve(authority, authority.server("127.0.0.1"), tmp_path) as port:
        yield f"tcp://127.0.0.1:{port}"


def test_a_daemon_by_its_url(url: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    made = shop.mctl("create", "build", "-d", "none", "--url", url, "--none-cert-path", str(tmp_path))
    assert (made.code, made.out) == (0, f"build stands for {url}, which was not asked\n"), made.err
    assert shop.mctl("url", "build") == (0, f"{url}\n", "")
    assert shop.mctl("status", "build") == (0, "Running\n", "")
    assert shop.docker("--context", "build", "version", "--format", "{{.Server.Version}}") == "27.3.1"
    assert (shop.home / "machines/build/key.pem").read_text() == (tmp_path / "key.pem").read_text()
    assert shop.mctl("preview", "build").out == "no changes\n"

    for verb, done in (("start", "started"), ("stop", "stopped"), ("kill", "killed"), ("restart", "restarted")):
        refused = shop.mctl(verb, "build")
        assert (refused.code, refused.out) == (1, ""), refused.err
        assert f"hosts without a driver cannot be {done}\n" in refused.err
    for line in (["ssh", "build", "true"], ["scp", "build:/a", "b"], ["ssh-config", "build"]):
        refused = shop.mctl(*line)
        assert (refused.code, refused.out) == (1, ""), refused.err
        assert NO_SSH in refused.err
    for line in (["provision", "build"], ["upgrade", "build"], ["regenerate-certs", "-f", "build"]):
        refused = shop.mctl(*line)
        assert (refused.code, refused.out) == (1, ""), refused.err
        assert NO_WAY in refused.err
    assert shop.mctl("ssh-config") == (0, "", "")

    # GitLab Runner's users make such a one first, so that certificates are there.
    assert shop.mctl("create", "dummy", "-d", "none", "--url", "localhost").code == 0
    assert shop.mctl("rm", "-y", "dummy", "build").code == 0
    assert shop.left() == []
