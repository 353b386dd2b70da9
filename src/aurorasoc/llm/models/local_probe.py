"""Whether a local backend answers: asked as calls are made, by the same transport and trust."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuroraError
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.backend_resolution import Probe
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.request import with_own_headers
from aurorasoc.llm.wire.key_uses import KEY_USES

PROBE_SECONDS: Final = 2.0

PolicyOf = Callable[[ServingBackend], AddressPolicy | None]
HeadersOf = Callable[[ServingBackend], Mapping[str, str]]


def local_probe(address_policy_for: PolicyOf, headers_for: HeadersOf) -> Probe:
    """Return a probe that reaches what a backend's calls may reach, and is let in where they are.

    Args:
        address_policy_for: Says which addresses those are; None: the configuration is trusted.
        headers_for: Returns the headers that its calls have, with its key, if it has one.
    """

    async def status_at(backend: ServingBackend, url: str) -> int:
        import httpx  # noqa: PLC0415 - only `auto` needs it, and never before the API is ready

        from aurorasoc.llm.wire.sending.transports import plain_client  # noqa: PLC0415 - the same

        try:
            async with (
                asyncio.timeout(PROBE_SECONDS),  # httpx's own starts anew with every byte
                plain_client(address_policy_for(backend), PROBE_SECONDS) as client,
                client.stream("GET", url, headers=headers_for(backend)) as answer,
            ):
                return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, AuroraError):
            return 0

    return status_at


def probe_headers(config: ConnectionConfig) -> dict[str, str]:
    """Return a connection's own headers, and those that carry its key, if one is in force.

    They are about to be sent, and the key is noted as such.
    """
    key, headers = config.credential.api_key, {}
    if key is not None:
        KEY_USES.note(config.credential.tag)
        headers = CATALOG[config.provider].headers(key.get_secret_value())
    return with_own_headers(headers, config.options)
