"""A stand-in Hyper-V: its cmdlets."""

from tests.clouds.cloud import Cloud
from tests.clouds.hypervisors import WITHOUT_PROGRAMS, serve

CLOUD = Cloud(
    provider="hyperv",
    plugins={},
    programs={"powershell": "powershell"},
    instances="vms",
    serve=serve("HYPERV_IMAGE"),
    resize=("--hyperv-memory", "3072"),
    resized={"memory": 3072},
    is_local=True,
    no_credentials=WITHOUT_PROGRAMS,
)
