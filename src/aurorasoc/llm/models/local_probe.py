"""Whether a local backend answers: asked as calls are made, by the same transport and trust."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuroraError
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.backend_resolution import Probe

PROBE_SECONDS: Final = 2.0

PolicyOf = Callable[[ServingBackend], AddressPolicy | None]


def local_probe(address_policy_for: PolicyOf) -> Probe:
    """Return a probe that reaches what a backend's calls may reach.

    Args:
        address_policy_for: Says which addresses those are; None: the configuration is trusted.
    """

    async def answers(backend: ServingBackend, url: str) -> bool:
        import httpx  # noqa: PLC0415 - only `auto` needs it, and never before the API is ready

        from aurorasoc.llm.wire.transports import plain_client  # noqa: PLC0415 - the same

        try:
            async with (
                asyncio.timeout(PROBE_SECONDS),  # httpx's own starts anew with every byte
                plain_client(address_policy_for(backend), PROBE_SECONDS) as client,
                client.stream("GET", url) as answer,
            ):
                return answer.status_code == httpx.codes.OK
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, AuroraError):
            return False

    return answers
