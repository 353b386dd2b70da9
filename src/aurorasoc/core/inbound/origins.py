"""Which host names a request may be for, and which pages may send it.

A browser lets any page send requests to loopback, and a name that a page's owner controls can be
made to resolve there (DNS rebinding). `Host` tells the second, `Origin` the first (RFC 6454 §7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aurorasoc.core.inbound.refusals import refuse
from aurorasoc.errors import AuroraError, ForeignOrigin, UnknownHost

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES: Final = frozenset({"localhost"})

_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\\\s]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class PublicHost:
    """A name under which browsers reach the service.

    Attributes:
        scheme: `http` or `https`; None for both.
        name: In lower case.
        port: None means the scheme's own.
    """

    scheme: str | None
    name: str
    port: str | None

    @classmethod
    def of(cls, text: str) -> PublicHost:
        """Read `name`, `name:port` or `https://name:port`; a path is left out."""
        scheme, mark, rest = text.lower().rpartition("://")
        authority = rest.partition("/")[0] if mark else rest
        match = _AUTHORITY.fullmatch(authority)
        name, port = match.groups() if match else (authority, None)
        return cls(scheme or None, _bare(name), port)

    def is_origin(self, scheme: str, name: str, port: str) -> bool:
        """Return whether a page of this origin is served under this name."""
        served_at = self.port or _DEFAULT_PORTS[scheme]
        return self.scheme in {None, scheme} and (self.name, served_at) == (name, port)


class HostGuard:
    """An ASGI app before another one: it refuses requests for names and from pages of others.

    An address in place of a name is taken: only a name can be made to lead here by somebody else,
    and probes ask by address.

    Args:
        app: The app behind it.
        hosts: Names that requests may be for, beside those of loopback.
        public: Names under which browsers reach the service: `PublicHost.of`. Pages of these
            origins may call it, beside those that it serves itself.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), public: Iterable[str] = ()) -> None:
        self._app = app
        self._public = tuple(map(PublicHost.of, public))
        names = {_bare(host.lower()) for host in hosts}
        self._hosts = frozenset(names | {host.name for host in self._public})

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
                "Pages of other origins may not call this service. A page under another name or "
                "port of its own is allowed by AURORA_PUBLIC_HOSTS."
            )
        return None

    def _is_own(self, host: str) -> bool:
        match = _AUTHORITY.fullmatch(host)
        if match is None:
            return False
        name = _bare(match[1])
        return name in LOOPBACK_NAMES or name in self._hosts or _is_address(name)

    def _is_own_origin(self, origin: str, hosts: list[str]) -> bool:
        """Whether scheme, name and port are those of a public name, or of this request's host."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        match = _AUTHORITY.fullmatch(parts.netloc)
        if match is None or parts.scheme not in _DEFAULT_PORTS:  # `null`, a file, an extension
            return False
        scheme, name = parts.scheme, _bare(match[1])
        port = match[2] or _DEFAULT_PORTS[scheme]
        if any(host.is_origin(scheme, name, port) for host in self._public):
            return True
        return self._may_be_over(scheme, name) and (name, port) in {
            _host_and_port(host, scheme) for host in hosts
        }

    def _may_be_over(self, scheme: str, name: str) -> bool:
        """Whether the service itself may serve a name over a scheme, which `Host` doesn't tell."""
        schemes = {host.scheme for host in self._public if host.name == name}
        return not schemes or None in schemes or scheme in schemes


def _host_and_port(host: str, scheme: str) -> tuple[str, str]:
    match = _AUTHORITY.fullmatch(host)
    name, port = match.groups() if match else (host, None)
    return _bare(name), port or _DEFAULT_PORTS[scheme]


def _bare(name: str) -> str:
    return name.strip("[]").rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
