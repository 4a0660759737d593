"""A stand-in VirtualBox: its program."""

from tests.clouds.cloud import Cloud
from tests.clouds.hypervisors import WITHOUT_PROGRAMS, serve

CLOUD = Cloud(
    provider="virtualbox",
    plugins={},
    programs={"VBoxManage": "vboxmanage"},
    instances="vms",
    serve=serve("VIRTUALBOX_IMAGE"),
    resize=("--virtualbox-memory", "3072"),
    resized={"memory": 3072},
    is_local=True,
    moves=False,
    no_credentials=WITHOUT_PROGRAMS,
)
