"""A stand-in VMware Fusion: its program. A .vmx file's settings count when the VM starts."""

from tests.clouds.cloud import Cloud
from tests.clouds.hypervisors import WITHOUT_PROGRAMS, serve

CLOUD = Cloud(
    provider="vmwarefusion",
    plugins={},
    programs={"vmrun": "vmrun"},
    instances="vms",
    serve=serve("FUSION_IMAGE"),
    is_local=True,
    no_credentials=WITHOUT_PROGRAMS,
)
