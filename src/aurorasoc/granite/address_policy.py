"""Which addresses a connection may reach. The check is on the resolved address.

A name proves nothing: it may resolve to any address, and change at any time. So addresses are
checked when a base URL is set and at each connection, which uses only checked addresses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from aurorasoc.config.hosts import comparable
from aurorasoc.config.networks import NEVER_REACHED, Network

Address = IPv4Address | IPv6Address

RESOLVE_SECONDS: Final = 2.0

_INSIDE: Final = tuple(
    ip_network(n)
    for n in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space (RFC 6598)
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "::1/128",
        "fc00::/7",
        "fec0::/10",
    )
)
_COMPATIBLE: Final = IPv6Network("::/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What one kind of connection may reach. Hashable: connections are pooled by it.

    Attributes:
        only: Only these networks; None: the two fields below decide.
        inside_allowed: Whether loopback and private ranges may be reached.
        allowed_hosts: `AURORA_ALLOWED_HOSTS`: hosts allowed even at such addresses.
    """

    only: tuple[Network, ...] | None = None
    inside_allowed: bool = False
    allowed_hosts: tuple[str, ...] = ()

    def refusal(self, host: str, addresses: Iterable[str]) -> str | None:
        """Return why a host may not be reached at these addresses; None if it may.

        One forbidden address is enough to refuse the host.
        """
        name = comparable(host)
        for text in addresses:
            why = self._why_not(name, text)
            if why:
                return why
        return None

    def _why_not(self, host: str, text: str) -> str | None:
        address = _unmapped(ip_address(text.split("%", 1)[0]))
        never = _within(address, NEVER_REACHED) or _is_compatible(address)
        if self.only is not None:
            if _within(address, self.only) and not never:
                return None
            return f"{host} leads to an address outside LLM_LOCAL_NETWORKS"
        address = _translated(address)
        if never or _within(address, NEVER_REACHED):
            return f"{host} leads to a link-local, metadata or reserved address, never allowed"
        if not _within(address, _INSIDE) or self.inside_allowed or host in self.allowed_hosts:
            return None
        return (
            f"{host} leads to a loopback or private address; if that is meant, name the host in "
            "AURORA_ALLOWED_HOSTS"
        )


async def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses, in the resolver's order; empty if it has none.

    Args:
        host: A name, or an address, which is returned as is.
        port: The port to connect to.
    """
    try:
        return [str(ip_address(host.strip("[]")))]
    except ValueError:
        pass
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            entries = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped one (RFC 4291); others as they are."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return inner or address


def _is_compatible(address: Address) -> bool:
    """Return whether it is IPv4-compatible, deprecated by RFC 4291 §2.5.5.1; `::1` is not."""
    return isinstance(address, IPv6Address) and address in _COMPATIBLE and not address.is_loopback


def _translated(address: Address) -> Address:
    """Return the IPv4 address inside a NAT64 (RFC 6052) or 6to4 (RFC 3056) one.

    It is checked where inside addresses are forbidden. It proves nothing about locality: the
    translator may be anywhere.
    """
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == n.version and address in n for n in networks)
