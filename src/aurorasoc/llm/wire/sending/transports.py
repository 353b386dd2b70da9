"""How calls leave: TLS verified, no redirect followed, connected to what was judged.

A redirect would carry the key to whoever it names: the libraries re-send `x-api-key` and
`x-goog-api-key` to another origin (docs/decisions/024).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpcore
import httpx

from aurorasoc.core.logs import guard_libraries
from aurorasoc.errors import AuroraError, TlpRefused, Unavailable
from aurorasoc.granite.address_policy import AddressPolicy, resolve
from aurorasoc.llm.wire.libraries.socket_guard import confined, transport_opens
from aurorasoc.llm.wire.sending.awake_streams import AwakeBackend
from aurorasoc.llm.wire.sending.kept_connections import KeptConnections
from aurorasoc.llm.wire.under_way import know_kept


class AddressRefused(Unavailable):
    """The host leads to an address that this connection may not reach."""

    code = "address_refused"
    title = "Address refused"


def judged_transport(policy: AddressPolicy) -> httpx.AsyncHTTPTransport:
    """Return a transport that reaches only what the policy allows; no proxy stands in between."""
    context = verifying_context()
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    _keep(transport, context, _JudgedBackend(policy))
    return transport


def plain_client(address_policy: AddressPolicy | None, seconds: float) -> httpx.AsyncClient:
    """Return a client for one call: as calls to models go, without litellm between.

    Args:
        address_policy: Which addresses it may reach; None: the configuration is trusted.
        seconds: Its time-out.
    """
    return httpx.AsyncClient(
        transport=(
            judged_transport(address_policy) if address_policy is not None else trusted_transport()
        ),
        headers={"accept-encoding": "identity"},  # its callers unpack nothing
        timeout=seconds,
        follow_redirects=False,
    )


def trusted_transport() -> httpx.AsyncBaseTransport:
    """Return a transport that goes where the configuration leads, by the site's proxy if any."""
    return _TrustedTransport()


def verifying_context() -> ssl.SSLContext:
    """Return the context that every call uses: `SSL_CERT_FILE` counts, `SSL_VERIFY` doesn't.

    Reading a bundle takes some 20 ms of the loop's time: it is read again only once it changes.
    """
    guard_libraries()  # httpcore has its loggers by now
    paths = ssl.get_default_verify_paths()
    written = Path(paths.cafile).stat().st_mtime_ns if paths.cafile else 0
    return _context(paths.cafile, paths.capath, written)


@lru_cache(maxsize=2)
def _context(_file: str | None, _folder: str | None, _written: int) -> ssl.SSLContext:
    """Read what `SSL_CERT_FILE` and `SSL_CERT_DIR` name now; without them, the bundled authorities.

    Python's own `SSLKEYLOGFILE`, which would write session keys, doesn't count.
    """
    with confined():
        return httpx.create_ssl_context()


class _TrustedTransport(httpx.AsyncBaseTransport):
    """Routes by the environment's proxies, as httpx reads them, and may connect in model calls."""

    def __init__(self) -> None:
        context = verifying_context()
        unbounded = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._client = httpx.AsyncClient(verify=context, limits=unbounded)
        _keep(self._client._transport, context, _TrustedBackend())  # noqa: SLF001 - as below
        for transport in self._client._mounts.values():  # noqa: SLF001 - httpx has no public way
            if transport is not None:  # what NO_PROXY names is mounted as None
                transport._pool._network_backend = _TrustedBackend()  # type: ignore[attr-defined]  # noqa: SLF001
        know_kept(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request directly or by a proxy."""
        route = self._client._transport_for_url(request.url)  # noqa: SLF001 - as above
        return await route.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def close_idle(self) -> None:
        """Close what goes by a proxy, in use or not: none of it is shown to be local."""
        for transport in self._client._mounts.values():  # noqa: SLF001 - as above
            if transport is not None:
                await transport._pool.aclose()  # type: ignore[attr-defined]  # noqa: SLF001


class _TrustedBackend(AwakeBackend):
    """Connects wherever it is told, in model calls too."""

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Connect for our transport."""
        with transport_opens():
            return await super().connect_tcp(*args, **kwargs)


class _JudgedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host, judges all its addresses, and connects to one of those."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._sockets = AwakeBackend()

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
        with transport_opens():
            return await self._connect(host, port, timeout, local_address, socket_options)

    async def _connect(self, host: str, port: int, *options: Any) -> httpcore.AsyncNetworkStream:
        addresses = await resolve(host, port)
        why = self._policy.refusal(host, addresses)
        if why is not None:
            raise self._refused(why)
        failure: httpcore.ConnectError = httpcore.ConnectError("the name can't be resolved")
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(address, port, *options)
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


def _keep(transport: Any, context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:  # noqa: ANN401 - httpx's, which has no public way to bring either
    transport._pool = kept = KeptConnections(context, backend)  # noqa: SLF001
    know_kept(kept)
