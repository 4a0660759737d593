"""Previews of real stacks: what would happen, beside a stack that fails, under a lock, and with no host touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options

LOCK = {"pid": 1, "username": "someone", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("previews"))
    ran = shop.mctl("create", "box", *options(host), "--engine-label", "tier=web", "--stack", "prod")
    assert ran.code == 0, ran.err
    ran = shop.mctl("create", "build", "--provider", "none", "--url", "tcp://127.0.0.1:9", "--stack", "dev")
    assert ran.code == 0, ran.err
    return shop


@contextmanager
def declared(shop: Shop, before: str, after: str) -> Iterator[None]:
    """Have a declaration edited for a while."""
    file = shop.home / "Pulumi.prod.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    try:
        yield
    finally:
        file.write_text(text)


def logins(host: ContainerHost) -> int:
    return int(host.exec("journalctl -u ssh | grep -c 'Accepted publickey' || true"))


def test_several_stacks_are_one_table_and_one_that_fails_hides_none(shop: Shop, host: ContainerHost) -> None:
    before = logins(host)
    lock = shop.home / "state/.pulumi/locks/organization/mctl/prod/6b6a4f4e-0000-4000-8000-000000000000.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps(LOCK))
    try:
        with declared(shop, "tier=web", "tier=db"):
            ran = shop.mctl("preview", "prod", "box", "dev", "nope", "--diff", "--exit-code")
    finally:
        lock.unlink()
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[:6] == [
        "STACK   MACHINE          WHAT HAPPENS",
        "prod    box         ~    restarts the engine (containers keep running)",
        "  ~  update   command:remote:Command box-configure  (create)",
        "       create:",
        '       -       "tier=web",',
        '       +       "tier=db",',
    ]
    assert lines[-2:] == ["dev     1 machine        unchanged", "nope                     could not be previewed"]
    assert ran.err == ('Error: stack nope: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n'), (
        "and prod, which was named twice, was looked at once"
    )
    assert logins(host) == before


def test_the_comment_and_the_json_hold_no_secret_and_the_exit_code_tells_changes(shop: Shop) -> None:
    with declared(shop, "tier=web", "tier=db"):
        comment = shop.mctl("preview", "prod", "dev", "--markdown", "--diff", "--exit-code")
        plain = shop.mctl("preview", "prod", "dev", "--json", "--exit-code")
    assert (comment.code, plain.code) == (10, 10), comment.err
    assert "PRIVATE KEY" not in comment.out + plain.out
    assert comment.out.startswith(
        "### 1 of 2 stacks would change\n\n"
        "| Stack | Machine | | What happens | Because of |\n"
        "|---|---|---|---|---|\n"
        "| prod | box | ~ | restarts the engine (containers keep running) | create |\n"
    )
    prod, dev = json.loads(plain.out)
    assert (dev["stack"], dev["error"], dev["machines"], dev["unchanged"]) == ("dev", None, [], 1)
    (box,) = prod["machines"]
    assert (prod["stack"], box["name"], box["action"]) == ("prod", "box", "update")
    assert [(r["resource"], r["op"]) for r in box["resources"]] == [("box-configure", "update")]


def test_nothing_to_do_ends_with_0(shop: Shop) -> None:
    assert shop.mctl("preview", "prod", "--exit-code") == (0, "no changes\n", "")
    assert shop.mctl("preview", "nope", "--markdown").code == 4


def test_a_machine_that_is_as_it_was_made_passes_every_check(shop: Shop) -> None:
    ran = shop.mctl("check", "box", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [(finding["name"], finding["ok"], finding["mend"]) for finding in json.loads(ran.out)] == [
        (name, True, "")
        for name in (
            *("Docker over TLS", "Certificates", "Host key", "Clock", "Engine version", "daemon.json"),
            *("TLS files", "Unit drop-in", "Start at boot", "Disk space"),
        )
    ]
    assert shop.mctl("drift", "prod", "--exit-code") == (0, "no changes\n", "")


def test_what_was_changed_on_the_host_is_drift_and_mended_as_it_says(shop: Shop, host: ContainerHost) -> None:
    host.exec("echo '{\"debug\": true}' >/etc/docker/daemon.json")
    host.exec("echo '# mine' >>/etc/systemd/system/docker.service.d/10-mctl.conf; chmod 644 /etc/docker/server-key.pem")
    host.exec("systemctl disable docker")
    ran = shop.mctl("check", "box", "--json")
    assert ran.code == 1
    failed = {finding["name"]: finding for finding in json.loads(ran.out) if not finding["ok"]}
    assert set(failed) == {"daemon.json", "Unit drop-in", "TLS files", "Start at boot"}
    assert failed["TLS files"]["value"] == "others may read server-key.pem;"
    assert shop.mctl("drift", "prod", "--exit-code").code == 10
    said = shop.mctl("refresh", "prod", "--preview")
    assert said.code == 0
    assert "  ?  host box: daemon.json: it was changed on the host (mend: drop the host's changes: " in said.out
    assert shop.mctl("preview", "prod") == (0, "no changes\n", ""), "what only the host knows is no change of ours"
    assert shop.mctl("ssh", "box", "sudo rm /etc/docker/daemon.json || rm /etc/docker/daemon.json").code == 0
    assert shop.mctl("provision", "box").code == 0
    assert shop.mctl("check", "box").code == 0


def test_another_host_key_is_told_and_taken_once_it_is_declared(shop: Shop, host: ContainerHost) -> None:
    swap = "cd /etc/ssh; mv ssh_host_ed25519_key kept; mv ssh_host_ed25519_key.pub kept.pub"
    host.exec(f"{swap}; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key; systemctl restart ssh")
    try:
        ran = shop.mctl("check", "box")
        assert ran.code == 1
        assert ran.out.endswith(
            "box  FAILED  Host key         it is not the one that was pinned\n"
            "                              mend: if nobody is in between, declare the new one as ssh_host_key, "
            "then: mctl up box\n"
        )
        new = " ".join(host.exec("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        with declared(shop, host.host_key, new):
            ran = shop.mctl("up", "box")
            assert ran.code == 0, ran.err
            assert shop.mctl("check", "box").code == 0
    finally:
        host.exec(
            "cd /etc/ssh; mv kept ssh_host_ed25519_key; mv kept.pub ssh_host_ed25519_key.pub; systemctl restart ssh"
        )
