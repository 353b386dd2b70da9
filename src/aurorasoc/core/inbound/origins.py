"""Which host names a request may be for, and which pages may send it.

A browser lets any page send requests to loopback, and a name that a page's owner controls can be
made to resolve there (DNS rebinding). `Host` tells the second, `Origin` the first (RFC 6454 §7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aurorasoc.core.inbound.refusals import refuse
from aurorasoc.errors import AuroraError, ForeignOrigin, UnknownHost

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES: Final = frozenset({"localhost"})

_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/\\\s]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class HostGuard:
    """An ASGI app before another one: it refuses requests for names and from pages of others.

    An address in place of a name is taken: only a name can be made to lead here by somebody else,
    and probes ask by address.

    Args:
        app: The app behind it.
        hosts: Names under which the service is reached, beside those of loopback.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        error = self._refusal(scope["headers"]) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await refuse(error, scope, receive, send)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> AuroraError | None:
        sent = [(name, value.decode("latin-1").lower()) for name, value in headers]
        hosts = [value for name, value in sent if name == b"host"]
        if not all(self._is_own(host) for host in hosts):
            return UnknownHost(
                "This service isn't reached under that host name. Ask by its address, or list the "
                "name in AURORA_PUBLIC_HOSTS."
            )
        origins = [value for name, value in sent if name == b"origin"]
        if not all(self._is_own_origin(origin, hosts) for origin in origins):
            return ForeignOrigin(
                "Pages of other origins may not call this service. A page under another name of "
                "its own is allowed by AURORA_PUBLIC_HOSTS."
            )
        return None

    def _is_own(self, host: str) -> bool:
        match = _AUTHORITY.fullmatch(host)
        if match is None:
            return False
        name = match[1].strip("[]").rstrip(".")
        return name in LOOPBACK_NAMES or name in self._hosts or _is_address(name)

    def _is_own_origin(self, origin: str, hosts: list[str]) -> bool:
        """Whether it is the page's own service: the host of this request, or a name of ours."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        match = _AUTHORITY.fullmatch(parts.netloc)
        if match is None or parts.scheme not in _DEFAULT_PORTS:  # `null`, a file, an extension
            return False
        default = _DEFAULT_PORTS[parts.scheme]
        allowed = {
            host if ":" in host.rpartition("]")[2] else f"{host}:{default}" for host in hosts
        }
        return f"{match[1]}:{match[2] or default}" in allowed or match[1].rstrip(".") in self._hosts


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
