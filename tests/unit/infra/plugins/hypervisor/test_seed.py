"""The seed, read back by another reader of ISO images, and by cloud-init's own format."""

from __future__ import annotations

import email
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.plugins.hypervisor.seed import Seed

SEED = Seed(
    instance_id="mctl-web-1",
    hostname="web-1",
    user="mctl",
    authorized_key="ssh-ed25519 AAAA user\n",
    host_private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----",
    host_public_key="ssh-ed25519 BBBB",
    resolver="10.0.2.3",
)


def written(folder: Path, seed: Seed) -> Path:
    file = folder / "seed.iso"
    file.write_bytes(seed.iso())
    return file


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    read = Seed.read(written(tmp_path, SEED))
    assert (read.instance_id, read.hostname, read.user, read.resolver) == ("mctl-web-1", "web-1", "mctl", "10.0.2.3")
    assert read.host_private_key.strip() == SEED.host_private_key
    assert read.authorized_key == SEED.authorized_key


def test_it_is_labelled_as_cloud_init_looks_for_it(tmp_path: Path) -> None:
    if not shutil.which("file"):
        pytest.skip("there is no file program here")
    said = subprocess.run(["file", "-b", written(tmp_path, SEED)], capture_output=True, text=True, check=True).stdout
    assert "ISO 9660" in said
    assert "CIDATA" in said


def test_cloud_config_gives_the_host_its_key_and_the_user_a_way_in_by_key_alone() -> None:
    first, text = SEED.files()["user-data"].split("\n", 1)
    config = json.loads(text)
    assert first == "#cloud-config"
    assert config["ssh_keys"] == {
        "ed25519_private": f"{SEED.host_private_key}\n",
        "ed25519_public": "ssh-ed25519 BBBB\n",
    }
    assert (config["ssh_deletekeys"], config["ssh_genkeytypes"], config["ssh_pwauth"]) == (True, [], False)
    assert config["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAA user"]
    assert config["users"][0]["lock_passwd"] is True


def test_the_users_own_user_data_comes_after_ours() -> None:
    own = "#!/bin/sh\necho hello\n"
    files = Seed(**{**SEED.__dict__, "user_data": own}).files()
    parts = [part for part in email.message_from_string(files["user-data"]).walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/cloud-config", "text/x-shellscript"]
    assert parts[1].get_payload() == own
    assert files["mctl_user_data"] == own
