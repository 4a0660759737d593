"""Servers that keep stack states: a real PostgreSQL, and moto's S3 and KMS; each on a free port, for one test file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "team"
# What the engine's AWS client needs to take moto for AWS.
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class Aws(NamedTuple):
    """S3 with a bucket, KMS with a key. variables: for those who use them."""

    s3_url: str
    kms_url: str
    variables: dict[str, str]


@contextmanager
def postgres() -> Iterator[str]:
    """Serve an empty database; give its URL. It runs as no root, who owns what pytest gives: so in another folder."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is missing: tools/setup.sh")
    programs_folder = programs[-1].parent
    folder, port = Path(tempfile.mkdtemp(prefix="mctl-postgres-")), _free_port()
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs_folder / program, "-D", folder / "data", *arguments],
            user=user,
            extra_groups=[] if user else None,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    run("initdb", "--auth=trust", "--username=mctl", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    try:
        run("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "-o", options)
        yield f"postgres://mctl@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(folder)


@contextmanager
def aws() -> Iterator[Aws]:
    """Serve an empty bucket and a key."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        with pytest.MonkeyPatch.context() as environment:
            for name, value in KEYS.items():
                environment.setenv(name, value)
            boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
            kms = boto3.client("kms", endpoint_url=endpoint, region_name="us-east-1")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
        yield Aws(
            f"s3://{BUCKET}/states?endpoint={endpoint}&region=us-east-1&s3ForcePathStyle=true",
            f"awskms://{key}?region=us-east-1",
            KEYS | {"AWS_ENDPOINT_URL_KMS": endpoint},
        )
    finally:
        server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
