"""Azure's Resource Manager: how one logs in to it, and what it says of a failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# In the plugin's own spelling, and in that of the vendor's other tools.
SECRETS = ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID")
ENDPOINT = "AZURE_ARM_ENDPOINT"
HOSTS = {
    "public": ("https://management.azure.com", "https://login.microsoftonline.com"),
    "usgovernment": ("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
    "china": ("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}


def compute(subscription: str) -> Any:
    """Open the API of VMs."""
    from azure.mgmt.compute import ComputeManagementClient

    return _opened(ComputeManagementClient, subscription)


def resources(subscription: str) -> Any:
    """Open the API of resources of any kind."""
    from azure.mgmt.resource.resources import ResourceManagementClient

    return _opened(ResourceManagementClient, subscription)


def _opened(client: Callable[..., Any], subscription: str) -> Any:
    base = os.environ.get(ENDPOINT) or HOSTS[_environment()][0]
    scopes = [f"{HOSTS[_environment()][0]}/.default"]
    return client(_credential(), subscription, base_url=base, credential_scopes=scopes)


def _environment() -> str:
    named = os.environ.get("ARM_ENVIRONMENT", "public").lower()
    return named if named in HOSTS else "public"


def _credential() -> TokenCredential:
    """Log in as the plugin does: its variables first, then the chain, `az login` in it."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    own = os.environ.get("AZURE_AUTHORITY_HOST")
    # Azure's own hosts vouch for each other; one that is none of them has nobody who does.
    where = {"authority": own or HOSTS[_environment()][1], "disable_instance_discovery": bool(own)}
    values = [os.environ.get(f"ARM_{name}", "") for name in SECRETS]
    if all(values):
        client, secret, tenant = values
        return ClientSecretCredential(tenant, client, secret, **where)
    return DefaultAzureCredential(**where)


@contextmanager
def asked() -> Iterator[None]:
    """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
    try:
        yield
    except ResourceNotFoundError as error:
        raise NotFoundError(f"Azure: {_said(error)}", mend="mctl refresh, then mctl up, makes it again") from None
    except AzureError as error:
        mend = "mctl doctor --provider azure says what is missing"
        raise HostError(f"Azure: {_said(error)}", mend=mend) from None


def _said(error: AzureError) -> str:
    return error.message.strip().split("\n")[0]
