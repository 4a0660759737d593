"""What happens to a machine behind mctl's back: `drift` says what it is, what `up` does about it, and what mends it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.components.drivers import Power, digitalocean_api, load, read_args
from tests.clouds import instances
from tests.clouds.digitalocean import CLOUD
from tests.clouds.side import StandInSide
from tests.clouds.site import Site, opened
from tests.clouds.world import World
from tests.hosts.shop import Shop

HEAD = "STACK   MACHINE        WHAT HAPPENS\n"
REFRESH_AND_UP = "  mend: mctl refresh web, then mctl up web\n"
DROPLET = "digitalocean:index/droplet:Droplet web-droplet"
FIREWALL = "digitalocean:index/firewall:Firewall web-firewall"
NEW_HOST_KEY = """
cd /etc/ssh
mv ssh_host_ed25519_key kept; mv ssh_host_ed25519_key.pub kept.pub
ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key
systemctl restart ssh
"""
OLD_HOST_KEY = "cd /etc/ssh; mv kept ssh_host_ed25519_key; mv kept.pub ssh_host_ed25519_key.pub; systemctl restart ssh"


@pytest.fixture(scope="module")
def site(worlds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One Droplet for all tests of this file: each leaves it as it was made."""
    with opened(CLOUD, worlds, tmp_path_factory.mktemp("drift")) as (world, shop):
        made = shop.mctl("create", "web", "--provider", "digitalocean", "--allow-cidr", "203.0.113.0/24")
        assert made.code == 0, made.err
        yield world, shop
        assert shop.mctl("rm", "-y", "web").code == 0


@pytest.fixture
def world(site: Site) -> World:
    return site[0]


@pytest.fixture
def shop(site: Site) -> Iterator[Shop]:
    """Nothing differs before a test, and nothing after it."""
    _, shop = site
    yield shop
    assert shop.mctl("drift", "web", "--exit-code")[:2] == (0, "no changes\n")


def drift(shop: Shop) -> str:
    ran = shop.mctl("drift", "web", "--exit-code")
    assert ran.code == 10, ran.err
    return ran.out


def refresh_and_up(shop: Shop) -> None:
    for verb in ("refresh", "up"):
        ran = shop.mctl(verb, "web")
        assert ran.code == 0, ran.err


def droplet(world: World) -> str:
    return StandInSide(CLOUD, world).instance


def test_a_firewall_that_was_opened_by_hand_is_closed_again(world: World, shop: Shop) -> None:
    (firewall,) = world.every("firewalls")
    opened_up = {"protocol": "tcp", "portRange": "22", "sourceAddresses": ["0.0.0.0/0"]}
    world.edit("firewalls", firewall["id"], inboundRules=[*firewall["inboundRules"], opened_up])
    assert drift(shop) == (
        f"{HEAD}"
        "web     web       ~    in place\n"
        f"  ?  {FIREWALL}: "
        'inboundRules: +{"portRange": "22", "protocol": "tcp", "sourceAddresses": ["0.0.0.0/0"]}\n'
        f"  ~  update   {FIREWALL}  (inboundRules)\n"
        f"{REFRESH_AND_UP}"
    )
    refresh_and_up(shop)
    assert world.every("firewalls")[0]["inboundRules"] == firewall["inboundRules"]


def test_a_machine_that_was_resized_gets_its_size_again(world: World, shop: Shop) -> None:
    world.edit("droplets", droplet(world), size="s-2vcpu-4gb")
    told = shop.mctl("refresh", "web", "--preview")
    assert (told.code, told.out) == (
        0,
        f"{HEAD}"
        "web     web       !    restarts the VM, -$12.00/month\n"
        f"  ?  {DROPLET}: size: s-1vcpu-2gb -> s-2vcpu-4gb\n"
        f"  ~  update   {DROPLET}  (size)\n"
        f"{REFRESH_AND_UP}"
        "Price, as far as it is known: -$12.00/month\n",
    )
    refresh_and_up(shop)
    assert world.every("droplets")[0]["size"] == "s-1vcpu-2gb"


def test_a_daemon_json_that_was_replaced_is_written_anew(shop: Shop) -> None:
    assert shop.mctl("ssh", "web", "echo '{}' >/etc/docker/daemon.json").code == 0
    ran = shop.mctl("drift", "web", "--json")
    assert ran.code == 0, ran.err
    mend = "drop the host's changes: mctl ssh web sudo rm /etc/docker/daemon.json; then mctl provision web"
    assert json.loads(ran.out) == [
        {
            "stack": "web",
            "machines": [
                {
                    "name": "web",
                    "action": "",
                    "effect": "",
                    "resources": [],
                    "drift": [
                        {
                            "resource": "web",
                            "kind": "host",
                            "what": "daemon.json: it was changed on the host",
                            "mend": mend,
                        }
                    ],
                    "price": None,
                }
            ],
            "unchanged": 0,
            "error": None,
            "mend": None,
            "price": None,
        }
    ]
    assert shop.mctl("ssh", "web", "sudo rm /etc/docker/daemon.json").code == 0
    assert shop.mctl("provision", "web").code == 0


def test_an_engine_that_was_replaced_is_told_and_taken_over(world: World, shop: Shop) -> None:
    ours = shop.inspect("web")["engine_version"]
    other = re.sub(r"\d(?=\D*$)", lambda digit: str(9 - int(digit[0])), ours)  # as long as ours
    pattern = ours.replace(".", "[.]")
    swap = f"sed -i 's/{pattern}/{other}/g' /usr/sbin/dockerd; systemctl restart docker"
    instances.run(world, droplet(world), swap)
    assert drift(shop) == (
        f"{HEAD}"
        "web     web       ?    drifted\n"
        f"  ?  host web: Engine version: {other}, and {ours} was installed (mend: mctl provision web)\n"
    )
    assert shop.mctl("provision", "web").code == 0
    assert shop.inspect("web")["engine_version"] == other


def test_a_host_key_that_was_changed_is_told_and_never_trusted(world: World, shop: Shop) -> None:
    instances.run(world, droplet(world), NEW_HOST_KEY)
    try:
        said = drift(shop)
        assert shop.mctl("ssh", "web", "true").code != 0
    finally:
        instances.run(world, droplet(world), OLD_HOST_KEY)
    assert said == (
        f"{HEAD}"
        "web     web       ?    drifted\n"
        "  ?  host web: Host key: it is not the one that was pinned (mend: put it back by its console, "
        "or make the machine anew: mctl rm web, then mctl create web)\n"
    )


def test_a_machine_that_was_switched_off_is_started_as_it_says(world: World, shop: Shop) -> None:
    driver = load("digitalocean")
    with patch.dict(os.environ, shop.variables):
        digitalocean_api.power(read_args(driver, "web", {}), droplet(world), Power.KILL)
    assert drift(shop) == (
        f"{HEAD}"
        "web     web       ?    drifted\n"
        f"  ?  {DROPLET}: status: active -> off\n"
        "  ?  host web: Docker over TLS: Unable to query docker version: no route to host "
        "(mend: mctl start web; where it is on: mctl set web --allow-cidr YOURS)\n"
    )
    started = shop.mctl("start", "web")
    assert started.code == 0, started.err


def test_a_machine_that_was_deleted_is_made_again(world: World, shop: Shop) -> None:
    lost = droplet(world)
    StandInSide(CLOUD, world).lose()
    expected = (
        f"{HEAD}"
        "web     web       +    makes the machine, +$12.00/month\n"
        f"  ?  {DROPLET}: gone\n"
        f"  +  create   {DROPLET}\n"
        f"  ~  update   {FIREWALL}  (dropletIds)\n"
        "  +- replace  tls:index/certRequest:CertRequest web-server  (dnsNames, ipAddresses)\n"
        "  +- replace  tls:index/locallySignedCert:LocallySignedCert web-server  (certRequestPem)\n"
        "  +- replace  command:remote:Command web-install  (connection, triggers)\n"
        "  +- replace  command:remote:Command web-configure  (connection, stdin, triggers)\n"
        f"{REFRESH_AND_UP}"
        "Price, as far as it is known: +$12.00/month\n"
    )
    # What waits for the Droplet alone is planned side by side, in no order of its own.
    assert sorted(drift(shop).splitlines()) == sorted(expected.splitlines())
    refresh_and_up(shop)
    assert droplet(world) != lost
    assert shop.docker("--context", "web", "version", "--format", "{{.Server.Version}}")
