"""The NoCloud seed: a small ISO 9660 image that tells a new VM its name, its user and its SSH host key.

It carries two spellings of the same facts: cloud-config for any cloud image, and plain files (`mctl_*`) for our own
image, whose first boot must not pay for cloud-init's Python.
Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pycdlib

# https://cloudinit.readthedocs.io/en/latest/explanation/format.html
USER_DATA_TYPES = {
    "#!": "text/x-shellscript",
    "#cloud-config": "text/cloud-config",
    "#cloud-boothook": "text/cloud-boothook",
    "#include": "text/x-include-url",
    "## template: jinja": "text/jinja2",
}


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The facts. host_private_key: OpenSSH format, in full. resolver: the name server that the VM is to ask."""

    instance_id: str
    hostname: str
    user: str
    authorized_key: str
    host_private_key: str
    host_public_key: str
    resolver: str
    user_data: str = ""

    def files(self) -> dict[str, str]:
        """Give the ISO's files by name."""
        return {
            "user-data": self._user_data(),
            "meta-data": json.dumps({"instance-id": self.instance_id, "local-hostname": self.hostname}),
            "mctl_instance": self.instance_id,
            "mctl_hostname": f"{self.hostname}\n",
            "mctl_user": self.user,
            "mctl_authorized_keys": f"{self.authorized_key.strip()}\n",
            "mctl_host_key": f"{self.host_private_key.strip()}\n",
            "mctl_host_key_pub": f"{self.host_public_key.strip()}\n",
            "mctl_resolv": f"nameserver {self.resolver}\n",
            "mctl_user_data": self.user_data,
        }

    def iso(self) -> bytes:
        """Write the ISO: volume label CIDATA, names by Rock Ridge and Joliet."""
        image = pycdlib.PyCdlib()
        image.new(interchange_level=3, vol_ident="CIDATA", joliet=3, rock_ridge="1.09")
        for number, (name, text) in enumerate(self.files().items()):
            content = text.encode()
            image.add_fp(io.BytesIO(content), len(content), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
        written = io.BytesIO()
        image.write_fp(written)
        image.close()
        return written.getvalue()

    @classmethod
    def read(cls, file: Path) -> Seed:
        """Read the facts back from an ISO that `iso` wrote."""
        image = pycdlib.PyCdlib()
        image.open(str(file))

        def text(name: str) -> str:
            found = io.BytesIO()
            image.get_file_from_iso_fp(found, rr_path=f"/{name}")
            return found.getvalue().decode()

        try:
            return cls(
                instance_id=text("mctl_instance"),
                hostname=text("mctl_hostname").strip(),
                user=text("mctl_user"),
                authorized_key=text("mctl_authorized_keys"),
                host_private_key=text("mctl_host_key"),
                host_public_key=text("mctl_host_key_pub"),
                resolver=text("mctl_resolv").split()[1],
                user_data=text("mctl_user_data"),
            )
        finally:
            image.close()

    def _cloud_config(self) -> str:
        user = {
            "name": self.user,
            "shell": "/bin/bash",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "lock_passwd": True,
            "ssh_authorized_keys": [self.authorized_key.strip()],
        }
        config = {
            "hostname": self.hostname,
            "users": [user],
            "disable_root": self.user != "root",
            "ssh_pwauth": False,
            "ssh_deletekeys": True,
            "ssh_genkeytypes": [],
            "ssh_keys": {
                "ed25519_private": f"{self.host_private_key.strip()}\n",
                "ed25519_public": f"{self.host_public_key.strip()}\n",
            },
        }
        return f"#cloud-config\n{json.dumps(config, indent=1)}\n"  # JSON is YAML

    def _user_data(self) -> str:
        """Put the user's own after ours: of two settings of one key, cloud-init keeps the first."""
        if not self.user_data:
            return self._cloud_config()
        parts = MIMEMultipart()
        parts.attach(MIMEText(self._cloud_config(), "cloud-config"))
        parts.attach(MIMEText(self.user_data, user_data_type(self.user_data).partition("/")[2]))
        return parts.as_string()


def user_data_type(text: str) -> str:
    """Tell what kind of user data a text is by its first line. Raises ValueError where cloud-init would ignore it."""
    for start, kind in USER_DATA_TYPES.items():
        if text.startswith(start):
            return kind
    raise ValueError(f"user data must begin with one of: {', '.join(USER_DATA_TYPES)}")
