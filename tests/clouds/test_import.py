"""An instance of a cloud that is there already becomes a machine, by its id."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.clouds import instances
from tests.clouds.conftest import Open
from tests.clouds.digitalocean import CLOUD


def test_import_of_an_instance_by_its_id_leaves_its_containers_and_itself(open_cloud: Open, tmp_path: Path) -> None:
    world, shop = open_cloud(CLOUD)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    login = {"name": "root", "ssh_authorized_keys": [key.with_suffix(".pub").read_text()]}
    config = f"#cloud-config\n{json.dumps({'users': [login], 'disable_root': False})}\n"
    address = instances.start(world, "7", hostname="old", user_data=config, public_keys=[])
    world.put("droplets", "7", {"name": "old", "ipv4Address": address, "status": "active", "tags": []})
    options = ("--provider", "digitalocean", "--generic-ssh-key", str(key), "--ssh-host-key", "accept-new")

    unknown = shop.mctl("import", "web", "--instance-id", "8", *options)
    assert (unknown.code, unknown.out) == (4, ""), unknown.err
    ran = shop.mctl("import", "web", "--instance-id", "7", *options)
    assert (ran.code, ran.out) == (0, 'Imported machine "web".\n'), ran.err
    assert shop.inspect("web")["address"] == address
    assert shop.docker("--context", "web", "version", "--format", "{{.Server.Version}}")
    assert shop.mctl("rm", "-y", "web").code == 0
    assert world.left() == ["droplets/7"]
    assert instances.runs(world, "7")
    instances.remove(world, "7")
