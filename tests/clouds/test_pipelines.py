"""Requests about a machine at a cloud, from the first comment to its drift.

Each job is a fresh runner's, as at a forge: it has the checkout as it is committed, the backend and the stack's
passphrase, and no record of anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli_runner import Ran
from tests.clouds import instances
from tests.clouds.digitalocean import CLOUD
from tests.clouds.site import opened
from tests.clouds.world import World
from tests.forges import GitHub, serve
from tests.hosts.checkout import Checkout

SMALL = """\
config:
  mctl:machines:
    web:
      provider: digitalocean
      allow_cidrs: [203.0.113.0/24]
"""
LARGE = f"{SMALL}      options: {{size: s-2vcpu-4gb}}\n"
DONE = "Stack prod is what it declares\n"
DROPLET = "digitalocean:index/droplet:Droplet web-droplet"
FIREWALL = "digitalocean:index/firewall:Firewall web-firewall"


class Pipeline:
    """One repository's jobs, and what is committed."""

    def __init__(self, world: World, checkout: Checkout, runners: Path) -> None:
        self.world, self.checkout, self.kept = world, checkout, checkout.forge.repository
        self._runners, self._jobs = runners, 0
        checkout.shop.variables["PULUMI_CONFIG_PASSPHRASE"] = "for tests only"
        self.committed = ""

    def job(self, what: str, request: int | None = None) -> Ran:
        self._jobs += 1
        self.checkout.file("prod").write_text(self.committed)
        return self.checkout.ci(what, request, variables={"MCTL_HOME": str(self._runners / str(self._jobs))})

    def request(self, number: int, text: str) -> str:
        """Have a request opened, and give our comment on it."""
        self.committed = text
        self.kept.files[number] = ["Pulumi.prod.yaml"]
        self.kept.comments.clear()
        ran = self.job("preview", number)
        assert ran.code == 0, ran.err
        (comment,) = self.kept.of_ours()
        assert "PRIVATE KEY" not in comment + ran.out + ran.err
        return comment

    def merge(self, number: int) -> Ran:
        self.kept.merged = number
        return self.job("up")


@pytest.fixture(scope="module")
def pipeline(worlds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("pipelines")
    with ExitStack() as stack:
        forge = stack.enter_context(serve(GitHub()))
        world, shop = stack.enter_context(opened(CLOUD, worlds, folder))
        yield Pipeline(world, Checkout(shop, forge), folder / "runners")


def test_a_request_makes_a_machine_the_next_one_resizes_it_and_nothing_before_its_merge(pipeline: Pipeline) -> None:
    world = pipeline.world
    comment = pipeline.request(1, SMALL)
    assert "### 1 of 1 stack would change\n" in comment
    assert "| prod | web | + | makes the machine, +$12.00/month |  |\n" in comment
    assert world.left() == []
    merged = pipeline.merge(1)
    assert (merged.code, merged.out) == (0, DONE), merged.err
    (made,) = world.every("droplets")
    assert made["size"] == "s-1vcpu-2gb"
    assert instances.runs(world, made["id"])

    comment = pipeline.request(2, LARGE)
    assert "| prod | web | ! | restarts the VM, +$12.00/month | size |\n" in comment
    assert f"```\n~  update   {DROPLET}  (size)\n```\n" in comment
    assert world.every("droplets") == [made]
    merged = pipeline.merge(2)
    assert (merged.code, merged.out) == (0, DONE), merged.err
    assert world.every("droplets") == [{**made, "size": "s-2vcpu-4gb"}]


def test_what_was_changed_by_hand_is_one_issue_that_is_closed_once_it_is_mended(pipeline: Pipeline) -> None:
    world, kept, shop = pipeline.world, pipeline.kept, pipeline.checkout.shop
    assert pipeline.job("drift")[:2] == (0, "no drift\n")
    assert kept.issues == []

    (firewall,) = world.every("firewalls")
    world.edit("firewalls", firewall["id"], inboundRules=[])
    (droplet,) = world.every("droplets")
    instances.run(world, droplet["id"], "echo '{}' >/etc/docker/daemon.json")
    for _ in range(2):
        ran = pipeline.job("drift")
        assert ran.code == 0, ran.err
    (issue,) = kept.issues
    assert "| prod | web | ~ | in place | inboundRules |\n" in issue["body"]
    assert f"?  {FIREWALL}: inboundRules: -" in issue["body"]
    assert "?  host web: daemon.json: it was changed on the host (mend: drop the host's changes: " in issue["body"]
    assert "To mend it: prod: `mctl refresh prod, then mctl up prod`\n" in issue["body"]

    for command in ("refresh prod", "up prod", "ssh web sudo rm /etc/docker/daemon.json", "provision web"):
        ran = shop.mctl(*command.split())
        assert ran.code == 0, ran.err
    ran = pipeline.job("drift")
    assert (ran.code, [each["state"] for each in kept.issues]) == (0, ["closed"]), ran.err
    assert world.every("firewalls") == [firewall]

    assert shop.mctl("rm", "-y", "web").code == 0
    assert world.left() == []
