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
