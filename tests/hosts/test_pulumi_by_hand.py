"""`pulumi up` on the same stack, with no mctl in sight: the same program, the same state, the same result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.container_hosts import ContainerHost
from tests.engine.conftest import pulumi_program
from tests.hosts.shop import Shop, options
from tests.pulumi_by_hand import ByHand

__all__ = ["pulumi_program"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("by-hand"))
    ran = shop.mctl("create", "box", *options(host), "--engine-label", "tier=web")
    assert ran.code == 0, ran.err
    return shop


@pytest.fixture(scope="module")
def pulumi(shop: Shop, pulumi_program: Path) -> ByHand:
    return ByHand(shop, pulumi_program)


def test_a_machine_that_mctl_made_previews_as_unchanged(pulumi: ByHand) -> None:
    said = pulumi("preview", "--expect-no-changes", "--stack", "box").stdout
    assert "unchanged" in said


def test_no_preview_shows_a_secret(pulumi: ByHand, shop: Shop) -> None:
    declared = shop.home / "Pulumi.box.yaml"
    before = declared.read_text()
    declared.write_text(before.replace("tier=web", "tier=db"))
    try:
        said = pulumi("preview", "--diff", "--stack", "box").stdout
    finally:
        declared.write_text(before)
    assert "box-configure" in said
    assert "PRIVATE KEY" not in said


def test_an_edited_declaration_is_applied_by_pulumi_up_and_seen_by_mctls_reads(
    pulumi: ByHand, shop: Shop, host: ContainerHost
) -> None:
    declared = shop.home / "Pulumi.box.yaml"
    declared.write_text(declared.read_text().replace("tier=web", "tier=db"))
    said = pulumi("up", "--yes", "--skip-preview", "--stack", "box").stdout
    assert "~  command:remote:Command box-configure update" in said
    labels = json.loads(shop.docker("--context", "box", "info", "--format", "{{json .Labels}}"))
    assert "tier=db" in labels
    assert shop.inspect("box")["labels"] == {"tier": "db"}
    assert shop.mctl("preview", "box").out == "no changes\n"


def test_a_machine_that_was_never_created_by_mctl_is_one_read_away(
    pulumi: ByHand, shop: Shop, host: ContainerHost
) -> None:
    shop.mctl("rm", "-y", "box")
    entry = {
        "provider": "generic",
        "options": {"ip_address": host.address, "ssh_key": str(host.private_key)},
        "ssh_host_key": host.host_key,
        "provision_scripts": ["hello.sh"],
    }
    (shop.home / "hello.sh").write_text("echo hello >/root/hello\n")
    (shop.home / "Pulumi.team.yaml").write_text(json.dumps({"config": {"mctl:machines": {"box": entry}}}))
    pulumi("stack", "init", "team", "--no-select")
    pulumi("up", "--yes", "--skip-preview", "--stack", "team")
    assert host.exec("cat /root/hello") == "hello"
    assert shop.mctl("url", "box").out == f"tcp://{host.address}:2376\n"
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}")


def test_a_machine_that_pulumi_removed_is_gone_from_the_reads(pulumi: ByHand, shop: Shop) -> None:
    declared = shop.home / "Pulumi.team.yaml"
    settings = YAML(typ="safe").load(declared)
    declared.write_text(json.dumps(settings | {"config": {"mctl:machines": {}}}))
    pulumi("up", "--yes", "--skip-preview", "--stack", "team")
    ran = shop.mctl("url", "box")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith('Error: machine "box" does not exist\n')
    assert len(shop.mctl("ls").out.splitlines()) == 1, "the header alone"
    assert shop.mctl("ls", "-q") == (0, "", "")
