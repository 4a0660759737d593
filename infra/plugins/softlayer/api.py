"""The API through the vendor's SDK: every call bounded, every failure one sentence.

Source: https://sldn.softlayer.com/reference/softlayerapi/
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import SoftLayer
from SoftLayer import config

from infra.plugins.server import PluginError

ENDPOINT = "https://api.softlayer.com/rest/v3.1"
# The vendor's own variables, and docker-machine's.
VARIABLES = {"username": ("SL_USERNAME", "SOFTLAYER_USER"), "api_key": ("SL_API_KEY", "SOFTLAYER_API_KEY")}
CALL_SECONDS = 60
POLL_SECONDS = 5.0
PASSING = ("", 429, 502, 503, 504)  # the first: no answer
GONE = (404, "SoftLayer_Exception_ObjectNotFound")  # as the REST and the XML-RPC endpoint say it


class RefusedError(PluginError):
    """What the API, or the way to it, answered instead of a result."""

    def __init__(self, code: int | str, reason: str) -> None:
        super().__init__(f"SoftLayer: error {code}: {reason}" if code else f"SoftLayer: no answer: {reason}")
        self.code = code

    @property
    def passes(self) -> bool:
        """Tell what is worth asking again from what is not."""
        return self.code in PASSING


def has_credentials() -> bool:
    """Tell whether there are a user and a key."""
    settings = config.get_client_settings(**_credentials())
    return bool(settings.get("username") and settings.get("api_key"))


def client(endpoint: str) -> Any:
    """Open the API at an endpoint."""
    return SoftLayer.create_client_from_env(endpoint_url=endpoint, timeout=CALL_SECONDS, **_credentials())


def _credentials() -> dict[str, str | None]:
    """Give what the environment has; for what is None the vendor's chain goes on with ~/.softlayer."""
    return {
        argument: next((os.environ[name] for name in names if os.environ.get(name)), None)
        for argument, names in VARIABLES.items()
    }


def asked(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the API. Raises RefusedError."""
    try:
        return call(*args, **kwargs)
    except SoftLayer.SoftLayerAPIError as error:
        raise RefusedError(error.faultCode, error.faultString) from None
    except SoftLayer.SoftLayerError as error:
        raise RefusedError("", str(error)) from None


async def ask(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the API from a plugin, which has other things under way. Raises RefusedError."""
    return await asyncio.to_thread(partial(asked, call, *args, **kwargs))


async def found(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the API for something that may be gone, and give None where it is. Raises RefusedError."""
    try:
        return await ask(call, *args, **kwargs)
    except RefusedError as error:
        if error.code in GONE:
            return None
        raise
