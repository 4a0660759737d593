"""The NoCloud seed: a small ISO 9660 image that tells a new VM its name, its user and its SSH host key.

It carries two spellings of the same facts: cloud-config for any cloud image, and plain files (`mctl_*`) for our own
image, whose first boot must not pay for cloud-init's Python.
Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pycdlib

from infra import cloud_init


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

    def _user_data(self) -> str:
        return cloud_init.user_data(
            hostname=self.hostname,
            user=self.user,
            authorized_key=self.authorized_key,
            host_private_key=self.host_private_key,
            host_public_key=self.host_public_key,
            own=self.user_data,
        )
