"""How calls leave: TLS verified, no redirect followed, connected to what was judged.

A redirect would carry the key to whoever it names: the libraries re-send `x-api-key` and
`x-goog-api-key` to another origin (docs/decisions/024).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from aurorasoc.errors import AuroraError, TlpRefused, Unavailable
from aurorasoc.granite.address_policy import AddressPolicy, resolve


class AddressRefused(Unavailable):
    """The host leads to an address that this connection may not reach."""

    code = "address_refused"
    title = "Address refused"


def judged_transport(policy: AddressPolicy) -> httpx.AsyncHTTPTransport:
    """Give a transport that reaches only what the policy allows; no proxy stands in between."""
    context = verifying_context()
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx has no public way to bring a network backend; httpcore has.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=context,
        network_backend=_JudgedBackend(policy),
        max_connections=None,  # LLM_MAX_CONCURRENCY is the bound; httpcore's own is ten
        max_keepalive_connections=20,
        keepalive_expiry=5.0,
    )
    return transport


def plain_client(address_policy: AddressPolicy | None, seconds: float) -> httpx.AsyncClient:
    """Give a client for one call: as calls to models go, without litellm between.

    Args:
        address_policy: Which addresses it may reach; None: the configuration is trusted.
        seconds: Its time-out.
    """
    return httpx.AsyncClient(
        transport=judged_transport(address_policy) if address_policy is not None else None,
        verify=verifying_context(),
        timeout=seconds,
        follow_redirects=False,
    )


def verifying_context() -> ssl.SSLContext:
    """Give the context that every call uses: `SSL_CERT_FILE` is honoured, `SSL_VERIFY` isn't."""
    return httpx.create_ssl_context()


class _JudgedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host, judges all its addresses, and connects to one of those."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first judged address that answers.

        Raises:
            TlpRefused, AddressRefused: The policy forbids an address of this host.
            httpcore.ConnectError: None answers.
        """
        addresses = await resolve(host, port)
        why = self._policy.refusal(host, addresses)
        if why is not None:
            raise self._refused(why)
        failure: httpcore.ConnectError = httpcore.ConnectError("the name can't be resolved")
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, between httpcore's own tries."""
        await asyncio.sleep(seconds)

    def _refused(self, why: str) -> AuroraError:
        if self._policy.only is not None:
            return TlpRefused(f"The label needs a local backend, and {why}.")
        return AddressRefused(f"{why[0].upper()}{why[1:]}.")
