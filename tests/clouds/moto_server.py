"""moto's server of EC2, STS and IAM, for a user who may do what the driver's policy allows, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3

from tests.clouds.world import World

REGION = "eu-central-1"
OURS = "stand-in"  # calls by which the stand-in plugin makes what it was told to
IMAGES = {
    "ami-0000000000000001": ("debian-12-amd64-20250101-1", "x86_64", "2025-01-01T00:00:00.000Z"),
    "ami-0000000000000002": ("debian-12-amd64-20260101-1", "x86_64", "2026-01-01T00:00:00.000Z"),
    "ami-0000000000000003": ("debian-12-arm64-20260101-1", "arm64", "2026-01-01T00:00:00.000Z"),
}
IMAGES_VARIABLE = "MOTO_AMIS_PATH"  # moto reads it once, when it is imported


@contextmanager
def moto(world: World) -> Iterator[dict[str, str]]:
    """Run moto's server, and give the environment of a user who has the driver's policy."""
    from infra.components.drivers.aws import DRIVER

    server = _server(world.folder)
    server.start()
    address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    try:
        _post(f"{address}/moto-api/reset", "")
        own = {
            "endpoint_url": address,
            "region_name": REGION,
            "aws_access_key_id": "root",
            "aws_secret_access_key": "r",
        }
        iam = boto3.client("iam", **own)
        iam.create_user(UserName="mctl")
        iam.put_user_policy(UserName="mctl", PolicyName="mctl", PolicyDocument=DRIVER.policy)
        key = iam.create_access_key(UserName="mctl")["AccessKey"]
        _post(f"{address}/moto-api/reset-auth", "0")  # from here on, nobody may do what no policy allows
        server._server.app = _counted(world, server._server.app)
        yield {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_ENDPOINT_URL": address,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
    finally:
        _post(f"{address}/moto-api/reset-auth", "inf")
        server.stop()


def _server(folder: Path) -> Any:
    images = folder / "images.txt"
    made = [
        {
            "ami_id": image,
            "name": name,
            "description": name,
            "owner_id": "136693071363",
            "architecture": processor,
            "creation_date": date,
            "public": True,
            "virtualization_type": "hvm",
            "root_device_name": "/dev/xvda",
            "image_type": "machine",
            "state": "available",
            "hypervisor": "xen",
            "root_device_type": "ebs",
        }
        for image, (name, processor, date) in IMAGES.items()
    ]
    images.write_text(json.dumps(made))
    os.environ[IMAGES_VARIABLE] = str(images)
    from moto.server import ThreadedMotoServer

    return ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)


def _counted(world: World, app: Any) -> Callable[..., Any]:
    """Have each call of a program noted, but not those by which the stand-in plugin makes what it was told to."""

    def answer(environ: Mapping[str, Any], start: Any) -> Any:
        if f"app/{OURS}" not in environ.get("HTTP_USER_AGENT", ""):
            world.count(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return app(environ, start)

    return answer


def _post(url: str, text: str) -> None:
    with urlopen(Request(url, text.encode(), {"Content-Type": "text/plain"}), timeout=20):
        pass
