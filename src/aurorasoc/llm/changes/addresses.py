"""Understand and check the base URL of a request before it is planned."""

from __future__ import annotations

from typing import TypeVar

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite.allowed_addresses import require_allowed_address
from aurorasoc.granite.base_url import normalise_base_url
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.changes.requests import (
    ConfigRequest,
    ConnectionRequest,
    ListRequest,
    TestRequest,
)

R = TypeVar("R", ConfigRequest, ConnectionRequest, ListRequest, TestRequest)


async def with_checked_address(settings: Settings, requested: R, provider: ServingBackend) -> R:
    """Return a request with its base URL normalised; each connection checks the address again.

    Raises:
        InvalidInput: The provider can't use it, or may not reach it.
    """
    if requested.base_url is None:
        return requested
    base_url = normalise_base_url(CATALOG[provider], requested.base_url)
    await require_allowed_address(provider, base_url, settings.server.allowed_hosts)
    return requested.model_copy(update={"base_url": base_url})
