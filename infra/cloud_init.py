"""What a new host is told at its first boot: its user, its keys and its name, as cloud-init reads them.

Pure functions that return text. Source: https://cloudinit.readthedocs.io/en/latest/reference/modules.html
"""

from __future__ import annotations

import json
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

# https://cloudinit.readthedocs.io/en/latest/explanation/format.html
USER_DATA_TYPES = {
    "#!": "text/x-shellscript",
    "#cloud-config": "text/cloud-config",
    "#cloud-boothook": "text/cloud-boothook",
    "#include": "text/x-include-url",
    "## template: jinja": "text/jinja2",
}


def user_data(
    *, hostname: str, user: str, authorized_key: str, host_private_key: str, host_public_key: str, own: str = ""
) -> str:
    """Write the user data. Keys are in OpenSSH format; own: the user's own data, which goes after ours."""
    config = _cloud_config(hostname, user, authorized_key, host_private_key, host_public_key)
    if not own:
        return config
    parts = MIMEMultipart()  # of two settings of one key, cloud-init keeps the first
    parts.attach(MIMEText(config, "cloud-config"))
    parts.attach(MIMEText(own, user_data_type(own).partition("/")[2]))
    return parts.as_string()


def user_data_type(text: str) -> str:
    """Tell what kind of user data a text is by its first line. Raises ValueError where cloud-init would ignore it."""
    for start, kind in USER_DATA_TYPES.items():
        if text.startswith(start):
            return kind
    raise ValueError(f"user data must begin with one of: {', '.join(USER_DATA_TYPES)}")


def _cloud_config(hostname: str, user: str, authorized_key: str, host_private_key: str, host_public_key: str) -> str:
    login = {
        "name": user,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": True,
        "ssh_authorized_keys": [authorized_key.strip()],
    }
    config = {
        "hostname": hostname,
        "users": [login],
        "disable_root": user != "root",
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_genkeytypes": [],
        "ssh_keys": {
            "ed25519_private": f"{host_private_key.strip()}\n",
            "ed25519_public": f"{host_public_key.strip()}\n",
        },
    }
    return f"#cloud-config\n{json.dumps(config, indent=1)}\n"  # JSON is YAML
