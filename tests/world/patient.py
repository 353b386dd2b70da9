"""HTTP as tests speak it on loopback: patient with a busy machine, past any proxy of the shell.

httpx itself waits five seconds, and reads the public authorities anew for each client.
"""

import ssl
from typing import Any, Final

import httpx

PATIENCE: Final = 120.0
"""Seconds without a byte."""

_DEFAULTS: Final[dict[str, Any]] = {
    "trust_env": False,
    "timeout": PATIENCE,
    "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # trusts nobody: a test names its authority
}


def client(**options: Any) -> httpx.Client:
    """Return `httpx.Client(**options)`, patient."""
    return httpx.Client(**_DEFAULTS | options)


def async_client(**options: Any) -> httpx.AsyncClient:
    """Return `httpx.AsyncClient(**options)`, patient."""
    return httpx.AsyncClient(**_DEFAULTS | options)


def get(url: str, **options: Any) -> httpx.Response:
    """Return what `httpx.get(url, **options)` does, patiently."""
    return httpx.get(url, **_DEFAULTS | options)
